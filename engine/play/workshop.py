"""The workshop of a home: all sessions of this process have their sounds made and loaded there, each once.

One thread sees to orders, the most urgent first; whoever orders only puts a message into its inbox, so that
an interrupt in the caller's thread leaves nothing half done. A sound that has still to be made is made by a
worker process, at most one a core, while other orders go on. What is loaded is shared for as long as somebody
holds it. Workers and thread end with the last session.
"""

from __future__ import annotations

import heapq
import os
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from queue import Empty, SimpleQueue
from weakref import WeakSet, WeakValueDictionary, finalize

from ...ground.processes import Crew, cores
from ..errors import EngineError
from .sounds import Sound

IDLE_SECONDS = 30.0
"""Workers to whom nothing was given for so long end; another starts in some 0.3 s."""
CLOSE_SECONDS = 1.5
"""The most that a session waits at its close for the workers to end."""
AT_ONCE = -1
"""The rank of what somebody waits for; what is made ahead has ranks from 0 on."""


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """A sound that a session wants.

    `key`: the same for the same sound. `load` gives the sound, None where it has to be made first; `make`
    makes it, on a thread of its own. `answer` is told the outcome, on the workshop's thread.
    """

    client: object
    key: Hashable
    rank: int
    load: Callable[[], Sound | None]
    make: Callable[[Crew], None]
    answer: Callable[[Sound | Exception], None]


class Workshop:
    """Sees to the orders of its clients.

    `_turn` guards `_clients`, so that none comes as the last leaves. All else but the inbox belongs to its
    thread.
    """

    def __init__(self, home: str, command: Sequence[str]) -> None:
        self._process = os.getpid()
        self._home = home
        self._crew = Crew(command)
        self._clients: WeakSet[object] = WeakSet()
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._orders: dict[Hashable, list[Order]] = {}
        self._numbers = count()
        self._to_load: list[tuple[int, int, Hashable]] = []
        self._to_make: list[tuple[int, int, Hashable]] = []
        """Heaps of rank, number and key; of keys for which nothing is ordered any more, too."""
        self._making: set[Hashable] = set()
        self._sounds: WeakValueDictionary[Hashable, Sound] = WeakValueDictionary()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="stemloom conform", daemon=True)
        self._thread.start()

    @classmethod
    def of(cls, home: str, client: object, command: Sequence[str]) -> Workshop:
        """The workshop of that home in this process, with another client. It ends after the last has left."""
        with _turn:
            shop = _workshops.get(home) or cls(home, command)
            shop._clients.add(client)
            _workshops[home] = shop
        # One that is dropped without a word leaves too.
        finalize(client, shop._inbox.put, shop._end_if_left).atexit = False
        return shop

    def order(self, orders: Sequence[Order], instead_of: object = None) -> None:
        """Have sounds made and loaded. `instead_of`: a client whose earlier orders lapse, if nobody waits."""
        if os.getpid() != self._process:
            raise EngineError("the session belongs to the process that opened it: open another here")
        self._inbox.put(partial(self._accept, orders, instead_of))

    def leave(self, client: object, last_word: Exception) -> None:
        """Drop the orders of a client, with `last_word` for whoever waits; the last ends the workers.

        What others ordered as well goes on. Returns within `CLOSE_SECONDS`.
        """
        if self._over or os.getpid() != self._process:
            return
        left: SimpleQueue[None] = SimpleQueue()
        self._inbox.put(partial(self._see_off, client, last_word, left))
        try:
            left.get(timeout=CLOSE_SECONDS)
        except Empty:
            return

    def held(self) -> int:
        """How many bytes of sound anybody holds. For the workshop's thread."""
        return sum(sound.nbytes for sound in self._sounds.values())

    def _run(self) -> None:
        # In steps, so that no name keeps the last sound or client alive while it waits.
        while not self._over:
            self._step()

    def _step(self) -> None:
        try:
            message = self._inbox.get(timeout=0 if self._to_load else IDLE_SECONDS)
        except Empty:
            if self._to_load:
                self._see_to(heapq.heappop(self._to_load))
                return
            self._crew.rest()
            self._end_if_left()
            return
        message()

    def _accept(self, orders: Sequence[Order], instead_of: object) -> None:
        if instead_of is not None:
            self._drop(lambda order: order.client is instead_of and order.rank > AT_ONCE)
        for order in orders:
            self._orders.setdefault(order.key, []).append(order)
            heapq.heappush(self._to_load, (order.rank, next(self._numbers), order.key))

    def _drop(self, lapses: Callable[[Order], bool]) -> list[Order]:
        """Take the orders that lapse out, and give them."""
        lapsed = [order for orders in self._orders.values() for order in orders if lapses(order)]
        for order in lapsed:
            self._orders[order.key].remove(order)
            if not self._orders[order.key]:
                del self._orders[order.key]
        return lapsed

    def _see_to(self, entry: tuple[int, int, Hashable]) -> None:
        """Load a sound, or have it made."""
        key = entry[2]
        if key not in self._orders or key in self._making:
            return
        sound = self._sounds.get(key)
        if sound is None:
            try:
                sound = self._orders[key][0].load()
            except Exception as error:  # noqa: BLE001 - whatever it is, who ordered is told
                self._answer(key, error)
                return
        if sound is None:
            heapq.heappush(self._to_make, entry)
            self._set_to_work()
            return
        self._sounds[key] = sound
        self._answer(key, sound)

    def _set_to_work(self) -> None:
        while self._to_make and len(self._making) < cores():
            key = heapq.heappop(self._to_make)[2]
            if key not in self._orders or key in self._making:
                continue
            self._making.add(key)
            order = self._orders[key][0]
            try:
                threading.Thread(
                    target=self._make, args=(order,), name="stemloom stretch", daemon=True
                ).start()
            except RuntimeError as error:
                self._made(order, error)

    def _make(self, order: Order) -> None:
        """On a thread of its own: it waits for a worker process."""
        fault: Exception | None = None
        try:
            order.make(self._crew)
        except Exception as error:  # noqa: BLE001 - whatever it is, who ordered is told
            fault = error
        self._inbox.put(partial(self._made, order, fault))

    def _made(self, order: Order, fault: Exception | None) -> None:
        key = order.key
        self._making.discard(key)
        orders = self._orders.get(key, [])
        if fault is not None and any(each.client is order.client for each in orders):
            self._answer(key, fault)
        elif orders:
            # Made; or it failed because its client has left, and another's order goes on.
            self._see_to((min(each.rank for each in orders), next(self._numbers), key))
        self._set_to_work()

    def _answer(self, key: Hashable, outcome: Sound | Exception) -> None:
        for order in self._orders.pop(key):
            order.answer(outcome)

    def _see_off(self, client: object, last_word: Exception, left: SimpleQueue[None]) -> None:
        self._clients.discard(client)
        for order in self._drop(lambda order: order.client is client):
            order.answer(last_word)
        self._end_if_left()
        left.put(None)

    def _end_if_left(self) -> None:
        with _turn:
            if self._clients:
                return
            if _workshops.get(self._home) is self:
                del _workshops[self._home]
            self._over = True
        self._crew.close()


_turn = threading.Lock()
_workshops: dict[str, Workshop] = {}


def _begin_anew() -> None:
    """In the child of a fork: the workshops are the parent's, and their threads are not here."""
    global _turn
    _turn = threading.Lock()
    _workshops.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
