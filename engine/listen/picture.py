"""A picture of a mix, as one SVG file: its spectrogram, its loudness, and how alike its bars are."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Sequence
from html import escape
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...vault.records import ENGINE_RATE
from .alike import differences
from .findings import Finding
from .heard import Heard
from .spectra import SEMITONES, STEP, weighted_powers

WIDTH, LEFT, RIGHT, TOP = 1200, 64, 24, 76
SPECTRUM, LOUDNESS, SQUARE, GAP = 240, 130, 420, 44
FONT = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"
INK, PALE, LINE = "#22223b", "#5c5f77", "#9a9aa8"
STOPS = ((0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191))
MOST_COLUMNS = 2000
RANGE_DB, QUIETEST_LUFS, LOUDEST_LUFS = 70.0, -48.0, 0.0
MOST_TOLD = 7


def picture(heard: Heard, title: str, caption: str, found: Sequence[Finding]) -> str:
    """SVG text. The spectrogram reaches over 70 dB; alike bars are bright."""
    loud_top = TOP + SPECTRUM + GAP
    square_top = loud_top + LOUDNESS + GAP + 8
    height = square_top + SQUARE + 40
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="{FONT}" '
        f'role="img" aria-label="{escape(title)}: mix">',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#fbfaf7"/>',
        _text(16, 26, title, size=17, weight=600),
        _text(WIDTH - 16, 26, caption, colour=PALE, anchor="end"),
        _image(_spectrogram(heard), LEFT, TOP, WIDTH - LEFT - RIGHT, SPECTRUM),
        *_hertz(),
        *_sections(heard, loud_top + LOUDNESS),
        *_seconds(heard, loud_top + LOUDNESS),
        *_loudness(heard, loud_top),
        *_square(heard, square_top),
        *_told(found, square_top),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def _x(heard: Heard, frame: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * min(frame / max(heard.frames, 1), 1), 2)


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 12,
    weight: int = 400,
    colour: str = INK,
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="{colour}">{escape(words)}</text>'
    )


def _spectrogram(heard: Heard) -> NDArray[np.float64]:
    """Brightness, 0 to 1: (semitones from the highest down, columns)."""
    powers = heard.semitones.astype(np.float64)
    columns = min(MOST_COLUMNS, max(len(powers), 1))
    edges = np.linspace(0, len(powers), columns + 1).astype(np.intp)
    below = np.concatenate((np.zeros((1, len(SEMITONES))), np.cumsum(powers, axis=0)))
    means = (below[edges[1:]] - below[edges[:-1]]) / np.maximum(np.diff(edges), 1)[:, None]
    # By octave as loud as by semitone: music falls by some 3 dB an octave, and its top would be dark.
    levels = 10 * np.log10(np.maximum(means * SEMITONES, 1e-12))
    return np.asarray(np.clip(1 + (levels - levels.max(initial=-120)) / RANGE_DB, 0, 1).T[::-1])


def _image(values: NDArray[np.float64], x: float, y: float, width: float, height: float) -> str:
    data = base64.b64encode(png(_coloured(values))).decode()
    return (
        f'<image x="{x}" y="{y}" width="{width}" height="{height}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>'
    )


def _coloured(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    at = np.linspace(0, 1, len(STOPS))
    channels = [np.interp(values, at, [stop[channel] for stop in STOPS]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file of pixels in red, green and blue: (rows, columns, 3)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows, columns, _ = pixels.shape
    filtered = np.concatenate((np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)), axis=1)
    head = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6))
        + chunk(b"IEND", b"")
    )


def _hertz() -> list[str]:
    reach = math.log(SEMITONES[-1] / SEMITONES[0])
    marks = []
    for hertz, name in ((100, "100 Hz"), (300, "300"), (1000, "1 kHz"), (3000, "3"), (10_000, "10")):
        y = round(TOP + SPECTRUM * (1 - math.log(hertz / SEMITONES[0]) / reach), 1)
        marks.append(_text(LEFT - 8, y + 4, name, size=11, colour=PALE, anchor="end"))
    return marks


def _visits(heard: Heard) -> list[tuple[str, int, int]]:
    """The name, first frame and last of each visit of a section."""
    starts = [bar for bar in heard.bars if bar.section_bar == 0]
    ends = [*(bar.start_frame for bar in starts[1:]), heard.frames]
    return [(bar.section, bar.start_frame, end) for bar, end in zip(starts, ends, strict=True)]


def _sections(heard: Heard, bottom: float) -> list[str]:
    marks = []
    for section, first, last in _visits(heard):
        left, right = _x(heard, first), _x(heard, last)
        letters = int((right - left - 8) / 6.6)
        name = section if len(section) <= letters else section[: max(letters - 1, 0)] + "…"
        marks.append(
            f'<line x1="{left}" x2="{left}" y1="56" y2="{bottom}" stroke="{LINE}" stroke-width="1"/>'
        )
        if letters > 1:
            marks.append(_text(left + 5, 68, name, weight=600))
    return marks


def _seconds(heard: Heard, bottom: float) -> list[str]:
    seconds = heard.frames / ENGINE_RATE
    step = next((s for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600) if seconds / s <= 16), 1800)
    return [
        _text(
            _x(heard, second * ENGINE_RATE),
            bottom + 16,
            f"{second // 60}:{second % 60:02d}",
            size=11,
            colour=PALE,
            anchor="middle",
        )
        for second in range(0, int(seconds) + 1, step)
    ]


def _loudness(heard: Heard, top: float) -> list[str]:
    """Over 400 ms as an area, over 3 s as a line, and before the limiter as a thin one."""

    def y(lufs: float) -> float:
        inside = min(max(lufs, QUIETEST_LUFS), LOUDEST_LUFS)
        return round(top + LOUDNESS * (LOUDEST_LUFS - inside) / (LOUDEST_LUFS - QUIETEST_LUFS), 1)

    def curve(powers: NDArray[np.float64], steps: int) -> list[tuple[float, float]]:
        steps = min(steps, max(len(powers), 1))
        means = np.convolve(powers, np.ones(steps) / steps, "same")
        levels = -0.691 + 10 * np.log10(np.maximum(means, 1e-12))
        every = max(len(levels) // MOST_COLUMNS, 1)
        return [(_x(heard, at * STEP), y(float(levels[at]))) for at in range(0, len(levels), every)]

    def points(line: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{x},{height}" for x, height in line)

    mix = weighted_powers(heard.mix)
    area, bottom = curve(mix, 8), top + LOUDNESS
    marks = [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(lufs)}" y2="{y(lufs)}" stroke="#dddcd5"/>'
        + _text(
            LEFT - 8,
            y(lufs) + 4,
            f"{lufs} LUFS" if lufs == -12 else str(lufs),
            size=11,
            colour=PALE,
            anchor="end",
        )
        for lufs in (-12, -24, -36)
    ]
    if area:
        edges = f"{area[0][0]},{bottom} {points(area)} {area[-1][0]},{bottom}"
        marks.append(f'<polygon points="{edges}" fill="#7a78b8" fill-opacity="0.45"/>')
    for powers, colour, wide in ((weighted_powers(heard.unlimited), "#c8553d", 1), (mix, INK, 2)):
        marks.append(
            f'<polyline points="{points(curve(powers, 60))}" fill="none" stroke="{colour}" '
            f'stroke-width="{wide}"/>'
        )
    words = "loudness: 400 ms (area), 3 s (line), before the limiter (red)"
    return [*marks, _text(WIDTH - RIGHT, top - 8, words, size=11, colour=PALE, anchor="end")]


def _square(heard: Heard, top: float) -> list[str]:
    """How alike any two bars are: bright where they differ by -18 dB and less, dark from 0 dB on."""
    if not heard.bars:
        return []
    marks = [_text(LEFT, top - 8, "bars that are alike", size=11, colour=PALE)]
    values = np.clip(-differences(heard) / 18, 0, 1)
    marks.append(_image(values, LEFT, top, SQUARE, SQUARE))
    count = len(heard.bars)
    firsts = [place for place, bar in enumerate(heard.bars) if bar.section_bar == 0]
    for place, after in pairwise([*firsts, count]):
        at = round(top + SQUARE * place / count, 1)
        x = round(LEFT + SQUARE * place / count, 1)
        marks.append(
            f'<path d="M{LEFT - 6} {at}H{LEFT + SQUARE}M{x} {top}V{top + SQUARE + 6}" stroke="#fff" '
            'stroke-opacity="0.35" fill="none"/>'
        )
        if SQUARE * (after - place) / count >= 12:
            marks.append(
                _text(LEFT - 8, at + 11, heard.bars[place].section[:9], size=10, colour=PALE, anchor="end")
            )
    return marks


def _told(found: Sequence[Finding], top: float) -> list[str]:
    """The weightiest findings, in words."""
    left, letters = LEFT + SQUARE + 36, 100
    y = top + 6
    marks = [
        _text(left, y, "what may be wrong" if found else "nothing is wrong that was looked for", weight=600)
    ]
    for each in found[:MOST_TOLD]:
        y += 26
        for words in _lines(f"{each.section}: {each.measured}", letters):
            marks.append(_text(left, y, words, size=11))
            y += 15
        for words in _lines(f"line {each.line}: {each.change}", letters):
            marks.append(_text(left, y, words, size=11, colour=PALE))
            y += 15
    if len(found) > MOST_TOLD:
        marks.append(_text(left, y + 20, f"and {len(found) - MOST_TOLD} more", size=11, colour=PALE))
    return marks


def _lines(text: str, letters: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > letters and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
