"""The picture of a mix: a file that opens, with all that it is to show."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest

from stemloom.engine.listen import spectra
from stemloom.engine.listen.findings import Finding
from stemloom.engine.listen.heard import Heard
from stemloom.engine.listen.picture import STOPS, picture, png
from stemloom.engine.plan import Bar
from stemloom.script.check.check import accepted

from .pieces import HEAD

RATE = 48_000
TEXT = HEAD + "pool drums = loops role beats\nsection a 4 bars\n    bring d from drums\nmove a -> a at end\n"


def pixels(data: bytes) -> np.ndarray:
    """The pixels of a PNG file of ours, read by the standard: (rows, columns, 3)."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    found, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        found[kind], at = body, at + 12 + length
    columns, rows, depth, colour, *_ = struct.unpack(">IIBBBBB", found[b"IHDR"])
    assert (depth, colour) == (8, 2)
    lines = np.frombuffer(zlib.decompress(found[b"IDAT"]), np.uint8).reshape(rows, 1 + 3 * columns)
    assert not lines[:, 0].any(), "no filter"
    return lines[:, 1:].reshape(rows, columns, 3)


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 5, 3), (97, 1200, 3)])
def test_what_is_written_as_png_is_read_again(shape: tuple[int, int, int]) -> None:
    there = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    np.testing.assert_array_equal(pixels(png(there)), there)


def heard(seconds: int, hertz: float) -> Heard:
    """A tone of 1 s and silence in turns, in sections of two bars of 1 s."""
    t = np.arange(seconds * RATE) / RATE
    tone = np.sin(2 * np.pi * hertz * t) * (t.astype(int) % 2 == 0) * 0.1
    mix = spectra.Spectra(fine=True)
    mix.add(np.tile(tone, (2, 1)).astype(np.float32))
    bars = tuple(
        Bar(n, "one <&" if n // 2 % 2 == 0 else "two", n % 2, n * RATE, (n + 1) * RATE, (), (), (), False)
        for n in range(seconds)
    )
    return Heard(
        piece=accepted(TEXT),
        frames=seconds * RATE,
        bars=bars,
        soundings=(),
        mix=mix.thirds,
        unlimited=mix.thirds,
        parts={},
        semitones=mix.semitones,
        lufs=-20.0,
        true_peak_dbtp=-3.0,
        gain_db=0.0,
        reduction_db=0.0,
    )


def images(svg: str) -> list[np.ndarray]:
    return [pixels(base64.b64decode(each)) for each in re.findall(r'base64,([^"]+)"', svg)]


def test_it_shows_the_tone_and_which_bars_are_alike() -> None:
    svg = picture(heard(8, 440.0), "A & B", "caption", ())
    ElementTree.fromstring(svg)
    assert "A &amp; B" in svg
    assert svg.count("one &lt;&amp;") >= 2
    assert "nothing is wrong" in svg
    spectrum, alike = images(svg)
    dark, bright = np.array(STOPS[0]), np.array(STOPS[-1])
    row = len(spectra.SEMITONES) - 1 - np.abs(spectra.SEMITONES - 440).argmin()
    assert (spectrum[row, 10] == bright).all()
    assert (spectrum[row, 30] == dark).all(), "the silence"
    assert (spectrum[row - 24, 10] == dark).all(), "two octaves above"
    assert alike.shape == (8, 8, 3)
    assert (alike[0, 2] == bright).all()
    assert (alike[0, 1] == dark).all()


def test_findings_are_in_it_in_words() -> None:
    found = [Finding("mono", "two", "wide", f"part {n} <loses>", n, "bring", "width", 1.0) for n in range(9)]
    svg = picture(heard(4, 440.0), "A", "caption", found)
    ElementTree.fromstring(svg)
    assert "two: part 0 &lt;loses&gt;" in svg
    assert "line 6: width" in svg
    assert "and 2 more" in svg


@pytest.mark.parametrize("seconds", [1, 2])
def test_little_music_is_drawn_too(seconds: int) -> None:
    ElementTree.fromstring(picture(heard(seconds, 440.0), "", "", ()))
