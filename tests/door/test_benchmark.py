"""`stemloom benchmark`: its file has a form that other tools read, its gates hold, mistakes come first."""

from __future__ import annotations

import copy
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stemloom import Vault, cli
from stemloom.benchmark import blocks
from stemloom.benchmark.blocks import Blocks, read_blocks
from stemloom.cli import benchmark

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """run(words...): the exit code of `stemloom benchmark`, and what it wrote to its output and beside."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["stemloom", "benchmark", *map(str, words)])
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            cli.run()
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return run


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, demo_home: Callable[[], Path]) -> None:
    """Few blocks, and the demo's vault as it is."""
    monkeypatch.setattr(blocks, "BLOCKS", 60)
    monkeypatch.setattr(benchmark, "_make_demo", lambda console, home: demo_home().rename(home))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Blocks that take known times, in place of a measurement; how often it was asked for."""
    asked: list[object] = []
    times = tuple(number / 1e6 for number in range(1, 101))
    measured = [
        Blocks("test_block[64-16]", {"block": 64, "voices": 16}, 64, times),
        Blocks("test_read[512-paced]", {"block": 512, "pace": "paced"}, 512, times),
    ]
    monkeypatch.setattr(benchmark, "_measured", lambda *_, **__: asked.append(None) or measured)
    return asked


def test_it_writes_what_pytest_benchmark_writes(quick: None, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "new.json"
    code, said, _ = run("--out", out, "--seconds", "0.5", "--fast", "--json")
    assert code == 0
    made = json.loads(out.read_text())
    assert [each["param"] for each in made["benchmarks"]] == [
        *(f"{block}-{voices}" for block in (64, 128, 256) for voices in (16, 64, 256)),
        "512-fast",
    ]
    for each in made["benchmarks"]:
        stats, extra = each["stats"], each["extra_info"]
        assert 0 < stats["min"] <= stats["q1"] <= stats["median"] <= stats["q3"] <= stats["max"]
        assert stats["rounds"] == (47 if each["param"] == "512-fast" else 60)
        assert stats["median"] <= extra["p99"] <= extra["p999"] <= stats["max"]
    rows = json.loads(said)["benchmarks"]
    assert [row["name"] for row in rows] == [each["name"] for each in made["benchmarks"]]
    assert rows[-1]["budget_ms"] == 512 / 48


def test_a_paced_read_waits_for_its_time(demo_home: Callable[[], Path]) -> None:
    home, begun = demo_home(), time.perf_counter()
    found = read_blocks(home, 0.2, paced=True)
    assert time.perf_counter() - begun > 18 * 512 / 48_000
    assert len(found.seconds) == 19
    assert list(found.seconds) == sorted(found.seconds)
    with Vault.open(home) as vault:
        assert vault.log.size > 0


def test_quantiles_and_late_blocks() -> None:
    found = Blocks("", {}, 48, (0.0005, 0.0009, 0.001, 0.0011))
    assert (found.budget, found.late) == (0.001, 1)
    assert [found.quantile(share) for share in (0, 0.5, 0.99, 1)] == [0.0005, 0.001, 0.0011, 0.0011]


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "words", "slower"),
    [
        (lambda entry: None, ["--fail-over", "1", "--fail-over-p99", "1"], []),
        (lambda entry: entry["stats"].update(median=1e-6), ["--fail-over", "50"], ["median 50.50"]),
        (lambda entry: entry["stats"].update(median=1e-6), ["--fail-over", "51"], []),
        (lambda entry: entry["extra_info"].update(p99=1e-5), [], ["p99 10.00"]),
        (lambda entry: entry["extra_info"].update(p99=1e-5), ["--fail-over-p99", "10.5"], []),
        # A file of pytest-benchmark itself has no p99.
        (lambda entry: entry.pop("extra_info"), ["--fail-over-p99", "0.1"], []),
        (lambda entry: entry["extra_info"].pop("p99"), ["--fail-over-p99", "0.1"], []),
    ],
)
def test_what_became_slower_fails(
    known: list[object], run: Run, tmp_path: Path, change: Change, words: list[str], slower: list[str]
) -> None:
    base = tmp_path / "base.json"
    run("--out", base)
    made = json.loads(base.read_text())
    made["benchmarks"] = made["benchmarks"][:1]
    change(made["benchmarks"][0])
    base.write_text(json.dumps(made))
    code, said, _ = run("--compare", base, *words)
    assert code == bool(slower)
    assert said.count("TOO SLOW") == len(slower)
    assert all(f"test_block[64-16]: {each} times {base}  TOO SLOW" in said for each in slower)


@pytest.mark.parametrize("option", ["--fail-over", "--fail-over-p99"])
@pytest.mark.parametrize("ratio", ["nan", "inf", "-inf", "-1", "0", "x", ""])
def test_what_is_no_ratio_is_refused(known: list[object], run: Run, option: str, ratio: str) -> None:
    code, _, said = run(option, ratio)
    assert (code, known) == (2, [])
    assert f"Invalid value for '{option}'" in said


ENTRY = {"fullname": "benchmarks/latency.py::test_block[64-16]", "stats": {"median": 1e-6}}


def entry(**fields: object) -> str:
    return json.dumps({"benchmarks": [{**copy.deepcopy(ENTRY), **fields}]})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("\0\udcff", "is not JSON"),
        ("[" * 200_000, "is not JSON"),
        ("[]", "holds no measurements"),
        ("null", "holds no measurements"),
        ("{}", "holds no measurements"),
        ('{"benchmarks": {}}', "holds no measurements"),
        ('{"benchmarks": []}', "holds no measurements"),
        ('{"benchmarks": [7]}', "benchmark 1 has no median that can be compared"),
        ('{"benchmarks": [{}]}', "benchmark 1 has no median"),
        *(
            (entry(stats=stats), "benchmark 1 has no median")
            for stats in (
                None,
                [],
                {},
                *({"median": m} for m in (0, -1, True, "1", None, float("nan"), 1e999)),
            )
        ),
        (entry(extra_info=3), "benchmark 1 has no median"),
        (entry(fullname="another"), "has none of these benchmarks"),
    ],
)
def test_a_base_of_another_form_is_said(
    known: list[object], run: Run, tmp_path: Path, text: str, said: str
) -> None:
    base = tmp_path / "base.json"
    base.write_bytes(text.encode(errors="surrogateescape"))
    code, out, error = run("--compare", base)
    assert (code, out) == (2, "")
    assert said in error
    assert str(base) in error
    assert len(known) == ("none of these" in said)  # what can be seen before it is measured is


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--compare", "none.json"], "'none.json' cannot be read: No such file or directory"),
        (["--compare", "."], "'.' cannot be read: Is a directory"),
        (["--out", "none/new.json"], "there is no folder 'none' to write 'new.json' to"),
        (["--out", "."], "'.' is a folder: name a file in it"),
        (["--seconds", "nan"], "nan is not a finite number"),
        (["--seconds", "0"], "0.0 is not in the range"),
    ],
)
def test_a_wrong_path_is_said_before_anything_is_measured(
    known: list[object],
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, error = run(*words)
    assert (code, known) == (2, [])
    assert said in error


def test_a_file_that_cannot_be_written_is_said(
    known: list[object], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark.os, "access", lambda path, mode: False)
    assert run("--out", tmp_path / "new.json")[0] == 2
    assert known == []
    monkeypatch.undo()


def test_a_disk_that_is_full_at_the_end_is_said(known: list[object], run: Run) -> None:
    code, _, error = run("--out", "/dev/full")
    assert code == 2
    assert "'/dev/full' cannot be written: No space left on device" in error
