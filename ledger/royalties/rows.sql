-- Every entry of a log, in its order, as an export has it: what is no placement as its text.
--
-- entries   as in usage.sql, with all the words of placements
SELECT
    e.index,
    e.kind,
    e.json,
    e.session,
    e.seq,
    e.stem,
    e.use,
    e.tier,
    e.role,
    e.part,
    e.section,
    e.line,
    e.start_frame,
    e.frames,
    e.rate,
    e.time_ms,
    e.ms,
    e.consent,
    e.recovered,
    e.span
FROM entries AS e
ORDER BY e.index
