-- Every stem of every session in the windows, with the number of the session's sections in which it was heard.
--
-- entries, windows   as in usage.sql, with the words of placements; floor_ms: the least that a placement counts
SELECT
    e.session,
    e.stem,
    SUM(CAST(e.ms AS DECIMAL(38, 0))) AS ms,
    SUM(CAST(GREATEST(e.ms, w.floor_ms) AS DECIMAL(38, 0))) AS floored,
    COUNT(*) AS placements,
    COUNT(DISTINCT e.section) AS sections
FROM entries AS e
JOIN windows AS w
    ON e.time_ms >= w.start_ms AND e.time_ms < w.end_ms AND e.index > w.above AND e.index <= w.last
WHERE e.kind = 'placement'
GROUP BY e.session, e.stem
