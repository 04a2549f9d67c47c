"""docs/errors.md is what the checker says now."""

from __future__ import annotations

import runpy
from pathlib import Path

from stemloom.script.problems import CODES

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_current_and_has_every_code() -> None:
    written = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    made = runpy.run_path(str(ROOT / "docs" / "errors.py"))["page"]()
    assert written == made, "run `make docs`"
    assert [line[3:] for line in written.splitlines() if line.startswith("## ")] == sorted(CODES)
