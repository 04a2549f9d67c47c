-- The number of sessions in which each stem was heard.
--
-- entries, windows   as in usage.sql
SELECT
    e.stem,
    COUNT(DISTINCT e.session) AS sessions
FROM entries AS e
JOIN windows AS w
    ON e.time_ms >= w.start_ms AND e.time_ms < w.end_ms AND e.index > w.above AND e.index <= w.last
WHERE e.kind = 'placement'
GROUP BY e.stem
