"""Forks: what a process has opened belongs to it, and a child that was forked from it changes nothing of it.

A child has no threads but the one that forked, locks in the state in which they were, and its parent's files
and shared memory. So whatever writes them remembers the process that opened it.
"""

from __future__ import annotations

import os

from .errors import OtherProcess


def refuse_children(owner: int) -> None:
    """Raise OtherProcess if this is not the process `owner`, which opened a session."""
    if os.getpid() != owner:
        raise OtherProcess(
            f"this session belongs to process {owner}, which opened it; process {os.getpid()} was forked "
            "from it and can neither play nor close it: open a player in the new process"
        )
