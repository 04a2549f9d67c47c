"""The timeline: what sounded when, by part, as one SVG file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

from ..plan import Bar
from .placement_log import HeardPlacement

WIDTH, MARGIN_LEFT, MARGIN_RIGHT, TOP, ROW, GAP = 1200, 96, 16, 76, 26, 6
FONT = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"
COLOURS = {
    "beats": "#c8553d",
    "tops": "#e09f3e",
    "bass": "#335c81",
    "harmony": "#4f9d8c",
    "pads": "#7a78b8",
    "melody": "#b5527d",
    "voice": "#a06b3f",
    "fx": "#6c757d",
}
OTHER = "#8d99ae"

Place = Callable[[int], float]
"""From a frame to its x."""


def timeline(
    title: str,
    caption: str,
    bars: Sequence[Bar],
    sounded: Sequence[HeardPlacement],
    frames: int,
    rate: int,
    holders: Mapping[str, str],
) -> str:
    """SVG text: a row a part, a bar a placement, sections above and seconds below.

    `frames`: of the whole. `holders`: names by id, shown as each placement's tooltip.
    """
    parts = list(dict.fromkeys(s.placement.part for s in sorted(sounded, key=lambda s: _row_order(s))))
    span = WIDTH - MARGIN_LEFT - MARGIN_RIGHT
    bottom = TOP + len(parts) * (ROW + GAP)
    height = bottom + 52

    def x(frame: int) -> float:
        return round(MARGIN_LEFT + span * min(frame, frames) / max(frames, 1), 2)

    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="{FONT}" role="img" aria-label="{escape(title)}: timeline">',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#fbfaf7"/>',
        f'<text x="16" y="26" font-size="17" font-weight="600" fill="#22223b">{escape(title)}</text>',
        f'<text x="{WIDTH - 16}" y="26" font-size="12" text-anchor="end" fill="#5c5f77">'
        f"{escape(caption)}</text>",
        *_sections(bars, frames, x, bottom),
        *_seconds(frames, rate, x, bottom),
    ]
    for row, part in enumerate(parts):
        y = TOP + row * (ROW + GAP)
        body.append(
            f'<text x="{MARGIN_LEFT - 10}" y="{y + ROW / 2 + 4}" font-size="12" text-anchor="end" '
            f'fill="#22223b">{escape(part)}</text>'
        )
        body += [_block(s, y, x, holders) for s in sounded if s.placement.part == part]
    body += [*_legend(sounded, height), "</svg>"]
    return "\n".join(body) + "\n"


def _row_order(sounded: HeardPlacement) -> tuple[int, int]:
    return _role_order(sounded.placement.role), sounded.placement.line


def _role_order(role: str) -> int:
    return list(COLOURS).index(role) if role in COLOURS else len(COLOURS)


def _block(sounded: HeardPlacement, y: int, x: Place, holders: Mapping[str, str]) -> str:
    p = sounded.placement
    left = x(p.start_frame)
    width = max(round(x(sounded.end_frame) - left - 1.4, 2), 1.6)
    colour = COLOURS.get(p.role, OTHER)
    tip = (
        f"{p.title}, by {holders.get(p.holder, p.holder)}: {sounded.ms / 1000:.3f} s in play (line {p.line})"
    )
    letters = int((width - 8) / 6.1)
    label = ""
    if letters >= 4:
        text = p.title if len(p.title) <= letters else p.title[: letters - 1] + "…"
        label = f'<text x="{left + 5}" y="{y + ROW / 2 + 4}" font-size="11" fill="#fff">{escape(text)}</text>'
    # Louder placements are drawn more solid: -12 dB and less at half.
    opacity = round(min(max(1 + p.gain_db / 24, 0.5), 1), 2)
    return (
        f'<g><title>{escape(tip)}</title><rect x="{left}" y="{y}" width="{width}" height="{ROW}" rx="3" '
        f'fill="{colour}" fill-opacity="{opacity}"/>{label}</g>'
    )


def _sections(bars: Sequence[Bar], frames: int, x: Place, bottom: int) -> list[str]:
    starts = [bar for bar in bars if not bar.ended and bar.section_bar == 0 and bar.start_frame < frames]
    lines = [
        f'<line x1="{x(bar.start_frame)}" x2="{x(bar.start_frame)}" y1="{TOP - 6}" y2="{bottom}" '
        'stroke="#dddcd5" stroke-width="1"/>'
        for bar in bars
        if bar.start_frame < frames and bar.section_bar != 0 and bar.section_bar % 4 == 0
    ]
    for place, bar in enumerate(starts):
        left = x(bar.start_frame)
        right = x(starts[place + 1].start_frame) if place + 1 < len(starts) else x(frames)
        letters = int((right - left - 8) / 6.6)
        name = bar.section if len(bar.section) <= letters else bar.section[: max(letters - 1, 0)] + "…"
        lines += [
            f'<line x1="{left}" x2="{left}" y1="42" y2="{bottom}" stroke="#9a9aa8" stroke-width="1"/>',
            f'<text x="{left + 5}" y="54" font-size="12" font-weight="600" fill="#3d405b">'
            f"{escape(name) if letters > 1 else ''}</text>",
        ]
    return lines


def _seconds(frames: int, rate: int, x: Place, bottom: int) -> list[str]:
    seconds = frames / rate
    step = next((s for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800) if seconds / s <= 16), 3600)
    return [
        f'<text x="{x(int(second * rate))}" y="{bottom + 14}" font-size="11" text-anchor="middle" '
        f'fill="#5c5f77">{second // 60}:{second % 60:02d}</text>'
        for second in range(0, math.floor(seconds) + 1, step)
    ]


def _legend(sounded: Sequence[HeardPlacement], height: int) -> list[str]:
    roles = sorted({s.placement.role for s in sounded}, key=_role_order)
    marks = []
    for place, role in enumerate(roles):
        left = MARGIN_LEFT + place * 96
        marks.append(
            f'<rect x="{left}" y="{height - 24}" width="12" height="12" rx="2" '
            f'fill="{COLOURS.get(role, OTHER)}"/>'
            f'<text x="{left + 18}" y="{height - 14}" font-size="11" fill="#3d405b">{escape(role)}</text>'
        )
    return marks
