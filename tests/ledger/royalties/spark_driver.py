"""Answers by Spark, in a process of its own, which ends with all that Spark leaves open.

What it is asked is pickled on standard input, and what it says on standard output. Run by test_engines.py.
"""

from __future__ import annotations

import os
import pickle
import sys

from stemloom.ledger.royalties.on_spark import Spark
from stemloom.ledger.royalties.sql_usage import SqlUsage

# Java writes where it likes; only the answer goes to standard output.
answer = os.dup(1)
os.dup2(2, 1)
told = []
for files, questions, stems in pickle.load(sys.stdin.buffer):
    with Spark(files) as spark:
        usage = SqlUsage(spark)
        window = questions[0][0]
        told.append(
            (
                usage.books,
                usage.time_in_play(questions),
                usage.uses(window),
                usage.uses(window, stems),
                list(usage.played(questions[-2], 500)),
            )
        )
with os.fdopen(answer, "wb") as out:
    pickle.dump(told, out)
