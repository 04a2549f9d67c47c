-- Milliseconds in play by stem, by the period in which they count, and by the entry that set the splits.
--
-- entries   the ledger: index, kind, stem, time_ms (a placement's start, ms since 1970), ms
-- windows   of the questions: question, period, above, last (indices)
-- segments  the ledger between the indices at which windows begin or end: above, last
-- periods   those of windows: period, start_ms, end_ms (first ms after it)
-- edges     of stems whose owners changed, the times between changes: stem, start_ms, end_ms
-- owners    of those stems, by the entries of a question: question, stem, splits (index), start_ms, end_ms
--
-- Placements are added up once, by segment; windows, of which there may be thousands, are summed from
-- those sums. Plain SQL, the same on DuckDB and on Spark. Sums are of DECIMAL(38, 0): Spark's BIGINT wraps
-- around in silence.
SELECT
    w.question,
    h.stem,
    w.period,
    o.splits,
    SUM(h.ms) AS ms,
    SUM(h.placements) AS placements
FROM (
    SELECT
        s.above,
        s.last,
        p.period,
        e.stem,
        d.start_ms AS since,
        SUM(CAST(e.ms AS DECIMAL(38, 0))) AS ms,
        COUNT(*) AS placements
    FROM entries AS e
    JOIN segments AS s
        ON e.index > s.above AND e.index <= s.last
    JOIN periods AS p
        ON e.time_ms >= p.start_ms AND e.time_ms < p.end_ms
    LEFT JOIN edges AS d
        ON d.stem = e.stem AND e.time_ms >= d.start_ms AND e.time_ms < d.end_ms
    WHERE e.kind = 'placement'
    GROUP BY s.above, s.last, p.period, e.stem, d.start_ms
) AS h
JOIN windows AS w
    ON w.period = h.period AND h.above >= w.above AND h.last <= w.last
LEFT JOIN owners AS o
    ON o.question = w.question AND o.stem = h.stem AND h.since >= o.start_ms AND h.since < o.end_ms
GROUP BY w.question, h.stem, w.period, o.splits
