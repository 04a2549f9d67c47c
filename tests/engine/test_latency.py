"""The measurements of block render times have the form that other tools read, and compare as they should."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from benchmarks import latency


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "BLOCKS", 60)


def test_it_writes_what_pytest_benchmark_writes(quick: None, tmp_path: Path) -> None:
    out = tmp_path / "new.json"
    assert latency.main(["--out", str(out)]) == 0
    made = json.loads(out.read_text())
    assert {each["param"] for each in made["benchmarks"]} == {
        f"{block}-{voices}" for block in (64, 128, 256) for voices in (16, 64, 256)
    }
    for each in made["benchmarks"]:
        stats = each["stats"]
        assert 0 < stats["min"] <= stats["q1"] <= stats["median"] <= stats["q3"] <= stats["max"]
        assert stats["rounds"] == 60
        assert each["extra_info"]["p999"] <= stats["max"]


def test_what_became_slower_fails(quick: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, faster = tmp_path / "base.json", tmp_path / "faster.json"
    latency.main(["--out", str(base)])
    made = json.loads(base.read_text())
    assert latency.main(["--compare", str(base), "--fail-over", "1000"]) == 0
    quicker = copy.deepcopy(made)
    quicker["benchmarks"][0]["stats"]["median"] /= 1e6
    faster.write_text(json.dumps(quicker))
    capsys.readouterr()
    assert latency.main(["--compare", str(faster), "--fail-over", "1000"]) == 1
    assert capsys.readouterr().out.count("TOO SLOW") == 1
    assert [slow for *_, slow in latency.compared(made, made, 1.0)] == [False] * 9
    with pytest.raises(SystemExit):
        latency.main(["--compare", str(tmp_path / "none.json")])
