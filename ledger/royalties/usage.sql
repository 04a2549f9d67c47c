-- Milliseconds in play by stem, by the period in which they count, and by the entry that says who owned the stem.
--
-- entries   the ledger: index, kind, stem, time_ms (a placement's start, ms since 1970), ms
-- windows   what is asked for: question, period, start_ms, end_ms (first ms after it), above, last (indices)
-- owners    of stems whose owners changed: question, stem, splits (index), start_ms, end_ms
--
-- Plain SQL, the same on DuckDB and on Spark. Sums are of DECIMAL(38, 0): Spark's BIGINT wraps around in silence.
SELECT
    w.question,
    e.stem,
    w.period,
    o.splits,
    SUM(CAST(e.ms AS DECIMAL(38, 0))) AS ms,
    COUNT(*) AS placements
FROM entries AS e
JOIN windows AS w
    ON e.time_ms >= w.start_ms AND e.time_ms < w.end_ms AND e.index > w.above AND e.index <= w.last
LEFT JOIN owners AS o
    ON o.question = w.question AND o.stem = e.stem AND e.time_ms >= o.start_ms AND e.time_ms < o.end_ms
WHERE e.kind = 'placement'
GROUP BY w.question, e.stem, w.period, o.splits
