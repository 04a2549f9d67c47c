-- The placements in the windows, one by one: of a few stems, to be divided where they sound together.
--
-- entries, windows   as in usage.sql, with what placements are; a placement without a span sounded all the time
SELECT
    w.question,
    w.period,
    w.above,
    w.last,
    e.stem,
    e.session,
    e.time_ms,
    e.start_frame,
    COALESCE(e.span, e.frames) AS frames,
    e.ms
FROM entries AS e
JOIN windows AS w
    ON e.time_ms >= w.start_ms AND e.time_ms < w.end_ms AND e.index > w.above AND e.index <= w.last
WHERE e.kind = 'placement'
ORDER BY e.index, w.question
