"""What a host hears of: the calls and the iteration that a player offers for its events, with their types."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Literal, overload

from ...script.piece import Piece
from ..plan import Bar, Placement
from .event_stream import EventStream
from .events import Event
from .notices import Notices, Subscription
from .placement_log import HeardPlacement

BarEvent = Literal["bar", "section", "finished"]
ErrorEvent = Literal["refused", "device", "unready", "failed"]


class Listening:
    """Tells of its events; the class that has this says by `_told` what they are told through."""

    @abstractmethod
    def _told(self) -> Notices:
        """The notices of the session. Raises EngineError where there are none for this process."""

    @overload
    def on(self, event: BarEvent, call: Callable[[Bar], object]) -> Subscription: ...
    @overload
    def on(self, event: Literal["started"], call: Callable[[Placement], object]) -> Subscription: ...
    @overload
    def on(self, event: Literal["ended"], call: Callable[[HeardPlacement], object]) -> Subscription: ...
    @overload
    def on(self, event: Literal["withdrawn"], call: Callable[[tuple[str, ...]], object]) -> Subscription: ...
    @overload
    def on(self, event: Literal["script"], call: Callable[[Piece], object]) -> Subscription: ...
    @overload
    def on(self, event: ErrorEvent, call: Callable[[Exception], object]) -> Subscription: ...
    @overload
    def on(self, event: Literal["xrun"], call: Callable[[int], object]) -> Subscription: ...
    @overload
    def on(self, event: Literal["stopped"], call: Callable[[float], object]) -> Subscription: ...
    @overload
    def on(self, event: Literal["ledger"], call: Callable[[str | None], object]) -> Subscription: ...
    def on(self, event: Event, call: Callable[[Any], object]) -> Subscription:
        """Have `call` called for every event of a kind, with what comes with it, as the module's text says.

        Calls come on a thread of the player's, one after another. An error in one is logged and stops
        nothing, and the others wait no more than a second for one. The subscription that this gives takes the
        call back. Raises ValueError for an unknown event, TypeError for what cannot be called, EngineError
        when the player is closed.
        """
        return self._told().add(event, call)

    @overload
    def events(self, event: BarEvent, /) -> EventStream[Bar]: ...
    @overload
    def events(self, event: Literal["started"], /) -> EventStream[Placement]: ...
    @overload
    def events(self, event: Literal["ended"], /) -> EventStream[HeardPlacement]: ...
    @overload
    def events(self, event: ErrorEvent, /) -> EventStream[Exception]: ...
    @overload
    def events(self, *events: Event) -> EventStream[Any]: ...
    def events(self, *events: Event) -> EventStream[Any]:
        """The events of these kinds from now on, of all kinds if none is named.

        `async for event, what in player.events("section")`: it ends when the player closes, and may be left
        at any time. Raises ValueError for an unknown event, EngineError when the player is closed.
        """
        return self._told().stream(*events)
