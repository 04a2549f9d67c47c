-- How stems were used in the windows: by use, by tier, by role, by section and by day, each summed on its own.
--
-- entries, windows   as in usage.sql, with the words of placements
--
-- Of use, tier, role, section and day_ms (the first ms of a day, UTC) one is set in a row; in the row of a
-- whole stem none is. first_use and last_use are time_ms * 10^16 + index: the earliest and the latest placement.
SELECT
    u.stem,
    u.use,
    u.tier,
    u.role,
    u.section,
    u.day_ms,
    SUM(u.ms) AS ms,
    COUNT(*) AS placements,
    MIN(u.at) AS first_use,
    MAX(u.at) AS last_use
FROM (
    SELECT
        e.stem,
        e.use,
        e.tier,
        e.role,
        e.section,
        e.time_ms - ((e.time_ms % 86400000) + 86400000) % 86400000 AS day_ms,
        CAST(e.ms AS DECIMAL(38, 0)) AS ms,
        CAST(e.time_ms AS DECIMAL(20, 0)) * CAST(10000000000000000 AS DECIMAL(17, 0)) + e.index AS at
    FROM entries AS e
    JOIN windows AS w
        ON e.time_ms >= w.start_ms AND e.time_ms < w.end_ms AND e.index > w.above AND e.index <= w.last
    WHERE e.kind = 'placement'
) AS u
GROUP BY GROUPING SETS (
    (u.stem), (u.stem, u.use), (u.stem, u.tier), (u.stem, u.role), (u.stem, u.section), (u.stem, u.day_ms)
)
