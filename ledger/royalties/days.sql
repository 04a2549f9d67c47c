-- The first placement of each day (UTC, its first ms) that has a millisecond: day_ms, index.
--
-- entries   as in usage.sql
SELECT
    d.day_ms,
    MIN(d.index) AS first
FROM (
    SELECT
        e.time_ms - ((e.time_ms % 86400000) + 86400000) % 86400000 AS day_ms,
        e.index
    FROM entries AS e
    WHERE e.kind = 'placement' AND e.ms > 0
) AS d
GROUP BY d.day_ms
