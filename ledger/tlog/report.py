"""A fault that a verification finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: its file, the index of its entry if it is in one, and a sentence."""

    index: int | None
    what: str
    """The file, relative to the log's folder: `tile/entries/000.p/12`, `checkpoint`."""
    detail: str
    """A sentence."""

    def __str__(self) -> str:
        """The sentence, with the file before it where it does not name that itself."""
        named = self.what.removeprefix("../")
        return self.detail if named in self.detail else f"{named}: {self.detail}"
