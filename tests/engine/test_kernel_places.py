"""Kernels go to the first place that takes them, and only files that nobody else can write to are run."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from stemloom.engine import kernel_places
from stemloom.engine.kernel_places import Kernel, holder, places, read, write

SOMEBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A kernel of a source in tmp_path/site, with home, cache and temporary folder in tmp_path too."""
    for name in ("site", "home", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("STEMLOOM_KERNELS", str(tmp_path / "named"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return Kernel(tmp_path / "site" / "mix.py", "mix.sum.py311", "s1", "k1")


def blocked(folder: Path) -> None:
    """Let nothing be written to a folder, not even by root: a file stands in its place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.touch()


def test_each_place_in_turn_takes_what_the_ones_before_do_not(tmp_path: Path, kernel: Kernel) -> None:
    found = list(places(kernel.source))
    named, beside, cache, private = found
    assert named.parent == tmp_path / "named"
    assert beside == tmp_path / "site" / "__pycache__"
    assert cache.is_relative_to(tmp_path / "home")
    assert private.parent == tmp_path / "tmp" / f"stemloom-{os.geteuid()}"
    for number, place in enumerate(found):
        assert write(kernel, b"code %d" % number) is None
        assert [each for each in found if (each / kernel.file).exists()] == [place]
        assert read(kernel) == b"code %d" % number
        assert holder(kernel) == holder(replace(kernel, key="another")) == place
        (place / kernel.file).unlink()
        place.rmdir()
        blocked(place)
    why = write(kernel, b"code")
    assert why is not None
    assert all(str(place) in why for place in found)
    assert read(kernel) is holder(kernel) is None


def test_all_places_are_read_and_numbas_variable_names_the_only_one(
    tmp_path: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STEMLOOM_KERNELS")
    assert write(kernel, b"of the image") is None
    monkeypatch.setenv("STEMLOOM_KERNELS", str(tmp_path / "named"))
    assert read(kernel) == b"of the image"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    assert read(kernel) is None
    assert [place.parent for place in places(kernel.source)] == [tmp_path / "numba"]


def test_a_tilde_is_the_home_folder(tmp_path: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMLOOM_KERNELS", "~/named")
    assert next(places(kernel.source)).parent == tmp_path / "home" / "named"
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as for a user that has no name
    refused: list[str] = []
    assert next(places(kernel.source, refused)).name == "__pycache__"
    assert refused == ["~/named: there is no home folder"]


@pytest.mark.parametrize("damage", [b"", b"c", b"\0" * 36])
def test_half_a_file_counts_as_none(kernel: Kernel, damage: bytes) -> None:
    write(kernel, b"code")
    path = next(places(kernel.source)) / kernel.file
    path.write_bytes(damage)
    assert read(kernel) is None
    assert write(kernel, b"code") is None
    assert read(kernel) == b"code"


def test_what_others_can_write_is_not_run(kernel: Kernel) -> None:
    write(kernel, b"code")
    path = next(places(kernel.source)) / kernel.file
    for mode in (0o664, 0o646):
        path.chmod(mode)
        assert read(kernel) is None
    path.chmod(0o644)
    assert read(kernel) == b"code"


@as_root
def test_what_another_user_wrote_is_not_run(tmp_path: Path, kernel: Kernel) -> None:
    write(kernel, b"code")
    path = next(places(kernel.source)) / kernel.file
    os.chown(path, SOMEBODY, SOMEBODY)
    assert read(kernel) is None
    # Beside the source it is as good as the source.
    write(kernel, b"code")
    beside = tmp_path / "site" / "__pycache__"
    beside.mkdir()
    path.rename(beside / kernel.file)
    os.chown(beside / kernel.file, SOMEBODY, SOMEBODY)
    assert read(kernel) == b"code"


def test_a_file_that_comes_out_as_anothers_is_not_left_and_the_next_place_is_tried(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, beside, *_ = places(kernel.source)
    monkeypatch.setattr(kernel_places, "_is_ours", lambda found: False)
    assert write(kernel, b"code") is None
    assert (beside / kernel.file).exists()
    assert not (named / kernel.file).exists()


def private_folder(tmp_path: Path) -> Path:
    return tmp_path / "tmp" / f"stemloom-{os.geteuid()}"


def only_temporary_is_left(kernel: Kernel) -> None:
    for place in list(places(kernel.source))[:3]:
        blocked(place)


def open_to_all(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def link_elsewhere(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to("elsewhere")


def anothers(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.chown(folder, SOMEBODY, SOMEBODY)


@pytest.mark.parametrize("trap", [open_to_all, link_elsewhere, pytest.param(anothers, marks=as_root)])
def test_a_temporary_folder_that_somebody_made_beforehand_is_not_used(
    tmp_path: Path, kernel: Kernel, trap: object
) -> None:
    only_temporary_is_left(kernel)
    private_folder(tmp_path).rmdir()
    assert callable(trap)
    trap(private_folder(tmp_path))
    why = write(kernel, b"code")
    assert why is not None
    assert f"{private_folder(tmp_path)} is not a folder that only this user can enter" in why
    assert list((tmp_path / "tmp").rglob("*.kernel")) == []


def test_the_temporary_folder_is_private(tmp_path: Path, kernel: Kernel) -> None:
    only_temporary_is_left(kernel)
    assert write(kernel, b"code") is None
    assert private_folder(tmp_path).stat().st_mode & 0o777 == 0o700


def test_nothing_is_left_where_the_program_was_started(
    tmp_path: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.chdir(tmp_path / "tmp")  # which Python names when no other folder can be written to
    only_temporary_is_left(kernel)
    why = write(kernel, b"code")
    assert why is not None
    assert "there is no folder for temporary files" in why
    assert list((tmp_path / "tmp").iterdir()) == []
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    assert write(kernel, b"code") is None


@as_root
def test_root_keeps_nothing_in_another_users_home(tmp_path: Path, kernel: Kernel) -> None:
    cache = list(places(kernel.source))[2]
    os.chown(tmp_path / "home", SOMEBODY, SOMEBODY)
    refused: list[str] = []
    assert cache not in places(kernel.source, refused)
    assert refused == [f"{tmp_path / 'home'} belongs to another user"]


@pytest.mark.parametrize("old", [False, True])
def test_without_a_home_folder_no_folder_is_named_after_it(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, old: bool
) -> None:
    def cache(*_: object, **__: object) -> Path:
        if old:
            return Path("~/.cache/stemloom")
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_cache_path", cache)
    refused: list[str] = []
    assert len(list(places(kernel.source, refused))) == 3
    assert refused == ["there is no home folder"]


def test_what_is_stale_goes_and_nothing_else(kernel: Kernel) -> None:
    place = next(places(kernel.source))
    place.mkdir(parents=True)
    others = [
        replace(kernel, key="of another processor"),
        replace(kernel, name="mix.sum.py312", stamp="s0"),
        replace(kernel, name="mix.sum_of.py311", stamp="s0"),
    ]
    stale = [replace(kernel, stamp="s0"), replace(kernel, stamp="s0", key="k2")]
    for each in (*others, *stale):
        (place / each.file).touch()
    being_written, left_behind = place / f"{kernel.kind}.k1.x.new", place / f"{kernel.kind}.k1.y.new"
    for path in (being_written, left_behind):
        path.touch()
    os.utime(left_behind, (1000, 1000))
    write(kernel, b"code")
    kept = {each.file for each in (kernel, *others)} | {being_written.name}
    assert {path.name for path in place.iterdir()} == kept
