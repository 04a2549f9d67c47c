"""What may be wrong in a mix, each with its figure, and with the line that would change it and by how much.

Nothing is said where nothing is wrong. What is told is a measure and no taste: a quiet bass may be meant.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ...script.expression import constant
from ...script.piece import Bring, Play, Vary
from ..compose.foretold import HARD_LIMITING_DB, unlimited_lufs
from ..compose.levels import ROLE_LUFS
from .alike import ALIKE_DB, FLOOR_DB, SHORT, differences, stretches
from .figures import PartFigures, SectionFigures, loss_at_width, low_power
from .heard import Heard, together
from .masking import Masking
from .spectra import LOW, decibels, loudness, weighted_powers

UNDER_LU, OVER_LU = 6.0, 9.0
"""How far a role may be from its loudness beside the others."""
LASTING, SOUNDS_LUFS = 0.5, -50.0
"""Of a section's time, how much a role sounds whose loudness says something."""
LEAD_ROLES = ("beats", "bass", "melody", "voice")
"""Roles that are missed where they are too soft; of the others it is told when they are hidden."""
HIDDEN, LEFT_HIDDEN, MOST_GAIN_DB = 0.6, 0.4, 12
MONO_LOSS_DB, WIDE_LOW_DB = 6.0, -6.0
LOW_ROLES = ("bass", "beats")
LOW_UNDER_DB, LEAST_LOW_DB = 6.0, 1.5
"""How far what others have below 120 Hz must be under the bass, where it makes so much of all at least."""
FAINT_LU = 20.0
"""Under the loudest part of a section so far, what is wrong with a part is not heard."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that may be wrong. `weight`: 1 where it is just over what is borne, all through the piece.

    `kind`: `level`, `hidden`, `low end`, `mono`, `limiter` or `repeats`. `part`: None for the mix. `line`: of
    the script, from 1, with its `text`. `also`: further sections in which it is so.
    """

    kind: str
    section: str
    part: str | None
    measured: str
    line: int
    text: str
    change: str
    weight: float
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scene:
    """A section, its figures and those of its parts, with the loudest first."""

    heard: Heard
    figures: SectionFigures
    parts: Sequence[PartFigures]
    share: float
    """Of the piece's time."""

    def finding(
        self, kind: str, part: PartFigures | None, measured: str, line: int, change: str, excess: float
    ) -> Finding:
        text, weight = self.heard.text(line), excess * math.sqrt(self.share)
        return Finding(
            kind, self.figures.section, part.part if part else None, measured, line, text, change, weight
        )

    def gain(self, part: PartFigures, by_db: float) -> str:
        """What to write on a part's line for so much more gain."""
        piece = self.heard.piece
        lines = [
            line for section in piece.sections for line in section.lines if isinstance(line, Bring | Play)
        ]
        said = [each for each in (*lines, *piece.stings.values()) if each.span.line == part.line]
        glides = any(glide.what == "gain" for each in said for glide in each.effects.glides)
        now = constant(said[0].gain) if said and not glides else None
        if now is None:
            return f"{abs(by_db):.0f} dB {'more' if by_db > 0 else 'less'} gain"
        return f"gain {round(now + by_db)} dB in place of {now:g} dB"


def findings(heard: Heard, scenes: Sequence[Scene]) -> tuple[Finding, ...]:
    """All that is found, the weightiest first; the same of one part in several sections is one finding."""
    rules: tuple[Callable[[Scene], Iterator[Finding]], ...] = (_levels, _hidden, _low_end, _mono)
    found = [each for scene in scenes for rule in rules for each in rule(scene)]
    found += [*_limiter(heard, scenes), *_repeats(heard, scenes)]
    found.sort(key=lambda each: -each.weight)
    kept: dict[tuple[str, str | None], Finding] = {}
    for each in found:
        key = each.kind, each.part if each.kind != "repeats" else each.section
        first = kept.setdefault(key, each)
        if first is not each and each.section not in (first.section, *first.also):
            kept[key] = replace(first, also=(*first.also, each.section))
    # A part that is too soft is hidden as well: told once.
    return tuple(
        each
        for (kind, part), each in kept.items()
        if kind != "hidden" or not (other := kept.get(("level", part))) or other.weight < each.weight
    )


def _levels(scene: Scene) -> Iterator[Finding]:
    """Roles that are louder or softer beside the others than their loops are without a gain.

    Of hits, which are levelled by their peaks, it cannot be said.
    """
    steps = scene.heard.steps(scene.figures.section)
    roles: dict[str, list[PartFigures]] = {}
    for part in scene.parts:
        if part.role in ROLE_LUFS and part.role != "fx" and not part.hit:
            roles.setdefault(part.role, []).append(part)
    off = {}
    for role, parts in roles.items():
        powers = together([scene.heard.parts[part.part][steps] for part in parts], scene.heard.mix[steps])
        if (weighted_powers(powers) > 10 ** (SOUNDS_LUFS / 10)).mean() >= LASTING:
            off[role] = loudness(powers) - ROLE_LUFS[role]
    if len(off) < 2:
        return
    # Of two the louder is taken to be right: what is missed is what is too soft.
    order = sorted(off, key=lambda role: off[role])
    anchor = order[len(order) // 2]
    for role, level in off.items():
        by, loudest = level - off[anchor], roles[role][0]
        excess = by / OVER_LU if by > 0 else -by / UNDER_LU
        if excess <= 1 or (by < 0 and role not in LEAD_ROLES):
            continue
        apart = by + ROLE_LUFS[role] - ROLE_LUFS[anchor]
        named = loudest.part if loudest.part == role else f"{loudest.part} ({role})"
        measured = (
            f"{named} lies {abs(apart):.1f} LU {'under' if apart < 0 else 'over'} {anchor}: {abs(by):.1f} LU "
            f"{'less' if by < 0 else 'more'} than {role} has beside {anchor} where no gain is given"
        )
        yield scene.finding("level", loudest, measured, loudest.line, scene.gain(loudest, -by), excess)


def _hidden(scene: Scene) -> Iterator[Finding]:
    """Parts of which most is hidden by others."""
    steps = scene.heard.steps(scene.figures.section)
    for part in scene.parts:
        if part.hidden.share <= HIDDEN or part.hidden.by is None or part.role == "fx":
            continue
        struck = {part.part} if part.hit else set()
        masking = Masking({name: powers[steps] for name, powers in scene.heard.parts.items()}, struck)
        needed = masking.needed_db(part.part, LEFT_HIDDEN, MOST_GAIN_DB)
        hidden = part.hidden
        measured = (
            f"{hidden.share:.0%} of {part.part} lies {masking.hides_db(part.part):g} dB or more under others "
            f"in its own bands, mostly under {hidden.by}, from {_hertz(hidden.low_hz)} to "
            f"{_hertz(hidden.high_hz)}"
        )
        if needed is None:
            change = f"{MOST_GAIN_DB} dB would not bring it out: let {part.part} or {hidden.by} rest here"
        else:
            change = f"{scene.gain(part, needed)} leaves {LEFT_HIDDEN:.0%} hidden"
        yield scene.finding("hidden", part, measured, part.line, change, hidden.share / HIDDEN)


def _low_end(scene: Scene) -> Iterator[Finding]:
    """Parts besides bass and beats that bring as much below 120 Hz, and lows that lie at the sides."""
    heard, steps = scene.heard, scene.heard.steps(scene.figures.section)
    low = {part.part: low_power(heard.parts[part.part][steps]) for part in scene.parts}
    bass = sum(low[part.part] for part in scene.parts if part.role == "bass")
    for part in scene.parts if bass else ():
        under = decibels(bass / low[part.part]) if low[part.part] else math.inf
        if part.role in (*LOW_ROLES, "fx") or under >= LOW_UNDER_DB:
            continue
        others = sum(low.values()) - low[part.part]
        less = decibels(sum(low.values()) / others)
        if less < LEAST_LOW_DB:
            continue
        over = f"lies {under:.1f} dB under" if under >= 0 else f"lies {-under:.1f} dB over"
        yield scene.finding(
            "low end",
            part,
            f"below 120 Hz {part.part} {over} the bass",
            part.line,
            f"highpass 120 Hz takes up to {less:.1f} dB from the low end of the section",
            (2 * LOW_UNDER_DB - under) / LOW_UNDER_DB,
        )
    side = heard.mix[steps][..., LOW].sum(axis=(0, 2), dtype=float)
    if not scene.parts or not side[0] or (wide := decibels(side[1] / side[0])) <= WIDE_LOW_DB:
        return
    if scene.figures.low_db < -FAINT_LU:
        return
    sides = {part: float(heard.parts[part.part][steps][:, 1, LOW].sum(dtype=float)) for part in scene.parts}
    part = max(scene.parts, key=lambda each: sides[each])
    rest = decibels(max(side[1] - sides[part], 1e-12) / side[0])
    yield scene.finding(
        "low end",
        part,
        f"below 120 Hz the sides lie {-wide:.1f} dB under the middle, and {sides[part] / side[1]:.0%} of "
        f"them are of {part.part}",
        part.line,
        f"via a bus of width 0% brings the sides to {rest:.0f} dB",
        2 + (wide - WIDE_LOW_DB) / 6,
    )


def _mono(scene: Scene) -> Iterator[Finding]:
    """Parts of which little is left where left and right are put together."""
    steps = scene.heard.steps(scene.figures.section)
    loudest = max((part.lufs for part in scene.parts), default=0.0)
    for part in scene.parts:
        if part.mono_loss_db <= MONO_LOSS_DB or part.lufs < loudest - FAINT_LU:
            continue
        powers = scene.heard.parts[part.part][steps]
        measured = f"{part.part} loses {_decibels(part.mono_loss_db)} where it is heard in mono"
        left = [
            (percent, loss_at_width(powers, percent / 100))
            for percent in range(90, 0, -10)
            if loss_at_width(powers, percent / 100) <= MONO_LOSS_DB / 2
        ]
        if left:
            change = f"via a bus of width {left[0][0]}% loses {left[0][1]:.1f} dB"
        else:
            change = "no width gives it a middle: another recording does"
        excess = min(part.mono_loss_db, 24.0) / MONO_LOSS_DB
        yield scene.finding("mono", part, measured, part.line, change, excess)


def _limiter(heard: Heard, scenes: Sequence[Scene]) -> Iterator[Finding]:
    """A limiter that works hard."""
    loudest = unlimited_lufs(heard.lufs, heard.reduction_db)
    if loudest is None or not scenes:
        return
    scene = max(scenes, key=lambda each: each.figures.limiter_db)
    measured = (
        f"the limiter takes more than {heard.reduction_db:.1f} dB in over 1% of the time, and "
        f"{scene.figures.limiter_db:.1f} LU of {scene.figures.section}"
    )
    lines = heard.piece.text.split("\n")
    said = [number for number, line in enumerate(lines, 1) if re.match(r"\s*loudness\b", line)]
    if heard.piece.loudness_lufs is not None:
        change = f"loudness {loudest:g} LUFS, the loudest that needs no such thing"
        line = said[0] if said else 1
    else:
        part = scene.parts[0]
        change, line = (
            f"{scene.gain(part, HARD_LIMITING_DB - heard.reduction_db)}, as it is the loudest",
            part.line,
        )
    yield scene.finding("limiter", None, measured, line, change, (heard.reduction_db / HARD_LIMITING_DB) * 2)


def _repeats(heard: Heard, scenes: Sequence[Scene]) -> Iterator[Finding]:
    """Eight bars and more that say again what was said."""
    by_section = {scene.figures.section: scene for scene in scenes}
    longest: dict[str, int] = {}
    for each in stretches(heard.bars, differences(heard)):
        first = heard.bars[each.first]
        scene = by_section[first.section]
        if each.bars <= longest.get(first.section, 0) or not scene.parts:
            continue
        longest[first.section] = each.bars
        steps = (heard.bar_of >= each.first) & (heard.bar_of <= each.last)
        powers = {
            part.part: float(weighted_powers(heard.parts[part.part][steps]).sum()) for part in scene.parts
        }
        total = sum(powers.values())
        section = next(one for one in heard.piece.sections if one.name == first.section)
        varied = {line.part for line in section.lines if isinstance(line, Vary)}
        loops = {line.part for line in section.lines if isinstance(line, Bring)} - varied
        able = [part for part in scene.parts if part.part in loops]
        if not total or not able:
            continue
        part = max(able, key=lambda one: powers[one.part])
        by = "by nothing" if each.difference_db <= FLOOR_DB else f"by {each.difference_db:.1f} dB at most"
        these = f"bars {first.section_bar + 1} to {heard.bars[each.last].section_bar + 1}"
        if each.period <= SHORT:
            same = "one bar" if each.period == 1 else f"the same {each.period} bars"
            measured = f"{these} are {same} over and over, and differ {by}"
        else:
            measured = f"{these} differ {by} from those {each.period} before them"
        measured += f"; from {ALIKE_DB:g} dB down bars are alike"
        every = max(each.period, 4)
        change = f"vary {part.part} every {every} bars moves {powers[part.part] / total:.0%} of what is heard"
        yield replace(
            scene.finding("repeats", None, measured, part.line, change, each.bars / 8),
            weight=each.bars / 8 * math.sqrt(scene.share) / 2,
        )


def scenes_of(heard: Heard, sections: Sequence[SectionFigures], parts: Sequence[PartFigures]) -> list[Scene]:
    total = sum(each.seconds for each in sections) or 1.0
    return [
        Scene(heard, each, [part for part in parts if part.section == each.section], each.seconds / total)
        for each in sections
    ]


def _hertz(hertz: float) -> str:
    return f"{hertz / 1000:.2g} kHz" if hertz >= 1000 else f"{round(hertz, -1):.0f} Hz"


def _decibels(level: float) -> str:
    return "all" if math.isinf(level) or level > 60 else f"{level:.1f} dB"
