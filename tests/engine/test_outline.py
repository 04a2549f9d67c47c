"""What a script offers to hands is what its gestures take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from stemloom import Vault
from stemloom.demo import PIECES
from stemloom.engine.compose.score import score
from stemloom.engine.play.outline import DialOutline, PartOutline, SectionOutline, outline
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted

from .pieces import HEAD, NOW, snapshot, stem

TEXT = (
    HEAD
    + """\
pool drums = loops role beats
pool low = loops role bass or harmony, weight 2 for mood warm when lust > 0.5
pool sparks = hits role fx
dial energy 0..1 = 0.5 at next bar
dial space -6..6 = 0 now
dial lust 0..1 = 0 at next section
dial push 0..1 = 0 at next beat
section verse 4 bars
    bring drums from drums gain space * 1 dB
    bring low from low when energy > 0.2
section chorus 4..8 bars
    bring low from low
sting flash from sparks at next beat
on cue "spark": sting flash
on like: set energy to push at next bar
move verse -> chorus on cue "out" at next bar
"""
)


def test_all_of_it_in_the_order_of_the_text() -> None:
    stems = snapshot(stem(1), stem(2, role="bass"))
    found = outline(score(accepted(TEXT), stems, use="stream", at=NOW, rate=48_000), {"space": -3.0})
    assert found.dials == (
        DialOutline("energy", 0.0, 1.0, 0.5, 0.5, "next bar", True),
        DialOutline("space", -6.0, 6.0, 0.0, -3.0, "now", False),
        DialOutline("lust", 0.0, 1.0, 0.0, 0.0, "next section", True),
        DialOutline("push", 0.0, 1.0, 0.0, 0.0, "next beat", True),
    )
    assert set(found.cues) == {"spark", "out"}
    assert found.parts == (
        PartOutline("drums", ("beats",), ("verse",)),
        PartOutline("low", ("bass", "harmony"), ("verse", "chorus")),
    )
    assert found.roles == ("beats", "bass", "harmony", "fx")
    assert found.sections == (
        SectionOutline("verse", (4,), ("drums", "low")),
        SectionOutline("chorus", (4, 8), ("low",)),
    )
    with pytest.raises(FrozenInstanceError):
        found.dials = ()  # type: ignore[misc]


def test_a_pool_that_names_no_role_has_those_of_its_stems() -> None:
    text = HEAD + "pool all = loops mood warm\nsection a 4 bars\n    bring x from all\n"
    stems = snapshot(stem(1, mood=("warm",)), stem(2, role="tops", mood=("warm",)))
    found = outline(score(accepted(text), stems, use="stream", at=NOW, rate=48_000), {})
    assert found.roles == ("beats", "tops")
    assert found.parts == (PartOutline("x", ("beats", "tops"), ("a",)),)


@pytest.mark.parametrize("path", PIECES, ids=lambda path: path.stem)
def test_gestures_take_all_that_is_offered(demo_home: Callable[[], Path], path: Path) -> None:
    with Vault.open(demo_home()) as vault:
        session = Session(vault, accepted(path.read_text(encoding="utf-8"), vault.snapshot()), logged=False)
        found = outline(session.score, session.conductor.state.dials)
        for dial in found.dials:
            for value in (dial.least, dial.most, dial.value):
                session.gestures.set(dial.name, value)
        for part in found.parts:
            session.gestures.like(part.name)
        for cue in found.cues:
            session.gestures.cue(cue)
        for role in found.roles:
            session.gestures.fade(role, 0.5)
        session.abandon()
    assert found.sections
    assert all(section.parts for section in found.sections)
