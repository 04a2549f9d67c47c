"""How late an entry may come to the log, and how far clocks may disagree.

Most entries are in the log as soon as they are made. A session's come later: a render's when its file is
whole, others when the disk takes them, and after a crash when somebody writes to the log again. The figures
on which the bounds rest are in `docs/decisions/0052-what-can-be-heard-is-bounded.md`.
"""

CLOCK_ERROR_MS = 10 * 60_000
"""How far the clocks of processes, machines and witnesses may disagree."""
LATE_MS = 24 * 3_600_000
"""How long after it was heard a placement may come to the log."""
RECOVERED_LATE_MS = 366 * LATE_MS
"""The same for a session whose closing says that it was recovered after its process died."""
