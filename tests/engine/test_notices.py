"""Events are told to the host, and nothing that the host's calls do reaches what tells them."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import weakref
from collections.abc import Callable

import pytest

from stemloom.engine.errors import EngineError
from stemloom.engine.play import notices as module
from stemloom.engine.play.event_stream import EventStream
from stemloom.engine.play.events import MOST_WAITING
from stemloom.engine.play.notices import Notices

LONG = 30.0
"""Seconds in which what must happen happens on any machine."""


class Gate:
    """A call that says when it begins, and does not come back before `open`."""

    def __init__(self) -> None:
        self.begun, self.open = threading.Event(), threading.Event()
        self.calls: list[object] = []

    def __call__(self, what: object) -> None:
        self.calls.append(what)
        self.begun.set()
        assert self.open.wait(LONG)


class Heard:
    """A call that keeps what it is told, and of which `wait` waits for so many."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self._come = threading.Condition()

    def __call__(self, what: object) -> None:
        with self._come:
            self.told.append(what)
            self._come.notify_all()

    def wait(self, count: int) -> None:
        with self._come:
            assert self._come.wait_for(lambda: len(self.told) >= count, LONG)


def tellers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "stemloom events"]


def gone(threads: list[threading.Thread]) -> bool:
    for thread in threads:
        thread.join(LONG)
    return not any(thread.is_alive() for thread in threads)


def test_one_event_is_told_after_another_in_their_order() -> None:
    notices, told = Notices(), []
    notices.add("bar", lambda what: told.append(("bar", what)))
    notices.add("section", lambda what: told.append(("section", what)))
    wanted = [(("bar", "section")[number % 3 == 0], number) for number in range(500)]
    for event, what in wanted:
        notices.tell(event, what)
    notices.close()
    assert told == wanted
    assert tellers() == []


def test_no_thread_begins_while_nobody_listens() -> None:
    notices = Notices()
    notices.tell("bar", 1)
    assert tellers() == []
    notices.close()
    notices.close()


@pytest.mark.parametrize(
    "error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError]
)
def test_what_a_call_raises_is_logged_and_ends_nothing(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    notices, heard = Notices(), Heard()

    def fail(what: object) -> None:
        raise error

    notices.add("bar", fail)
    notices.add("bar", heard)
    for number in range(3):
        notices.tell("bar", number)
    heard.wait(3)
    notices.close()
    assert caplog.text.count("the host's call for the event 'bar' failed") == 3


def test_a_call_that_blocks_ends_no_other_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing more happens that could remind anybody."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.01)
    notices, gates, heard = Notices(), [Gate() for _ in range(3)], Heard()
    for gate in gates:
        notices.add("bar", gate)
    notices.add("failed", heard)
    notices.tell("bar", 1)
    notices.tell("failed", 2)
    heard.wait(1)
    notices.tell("failed", 3)
    heard.wait(2)
    assert [gate.calls for gate in gates] == [[1]] * 3
    for gate in gates:
        gate.open.set()
    threads = tellers()
    notices.close()
    assert gone(threads)


def test_threads_that_were_needed_for_a_while_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.01)
    notices, heard = Notices(), Heard()
    notices.add("section", heard)
    for number in range(20):
        gate = Gate()
        with notices.add("bar", gate):
            notices.tell("bar", number)
            assert gate.begun.wait(LONG)
            notices.tell("section", number)
            heard.wait(number + 1)
            gate.open.set()
    notices.close()
    assert gone(tellers())


@pytest.mark.parametrize("queued", [0, 5])
def test_close_waits_for_a_stated_time_and_says_what_was_not_told(
    queued: int, caplog: pytest.LogCaptureFixture
) -> None:
    notices, gate = Notices(), Gate()
    notices.add("started", gate)
    for number in range(queued + 1):
        notices.tell("started", number)
    assert gate.begun.wait(LONG)
    notices.close(within=0.05)
    assert caplog.messages == [
        f"{queued} events could not be told to the host: its call for 'started' has not come back"
    ]
    threads = tellers()
    gate.open.set()
    assert gone(threads)
    assert gate.calls == [0], "what was given up is not told afterwards"


def test_a_call_that_waits_for_the_loop_that_closes_the_player() -> None:
    async def main() -> None:
        notices, loop = Notices(), asyncio.get_running_loop()
        begun = threading.Event()

        def call(what: object) -> None:
            begun.set()
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(LONG)

        notices.add("bar", call)
        notices.tell("bar", 1)
        assert begun.wait(LONG)
        notices.close(within=0.05)

    asyncio.run(main())
    assert gone(tellers())


def test_what_waits_for_a_call_is_bounded_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    notices, gate, heard = Notices(), Gate(), Heard()
    notices.add("bar", gate)
    notices.tell("bar", -1)
    assert gate.begun.wait(LONG)
    notices.add("section", heard)
    notices.tell("section", "kept")
    for number in range(3 * MOST_WAITING):
        notices.tell("bar", number)
    gate.open.set()
    notices.close()
    assert gate.calls == [-1, *range(2 * MOST_WAITING, 3 * MOST_WAITING)]
    assert heard.told == ["kept"], "only the oldest of its own kind went"
    assert [each for each in caplog.messages if "dropped" in each] == [
        "2,000 events 'bar' were dropped: the host's call was behind"
    ]


def test_a_subscription_takes_its_call_back() -> None:
    notices, heard, other = Notices(), Heard(), Heard()
    end = notices.add("bar", heard)
    notices.add("bar", heard)
    notices.add("bar", other)
    notices.tell("bar", 1)
    other.wait(1)
    end()
    end()
    notices.tell("bar", 2)
    notices.close()
    end()
    assert heard.told == [1, 1, 2], "the same call, given twice, is taken back once"
    assert other.told == [1, 2]


def test_what_is_queued_for_a_call_that_is_taken_back_is_not_told() -> None:
    notices, gate, heard = Notices(), Gate(), Heard()
    notices.add("bar", gate)
    notices.tell("bar", 1)
    assert gate.begun.wait(LONG)
    with notices.add("section", heard):
        notices.tell("section", 1)
    gate.open.set()
    notices.close()
    assert heard.told == []


@pytest.mark.parametrize("act", ["close", "subscribe", "unsubscribe", "tell"])
def test_a_call_may_use_what_called_it(act: str) -> None:
    notices, heard, queued = Notices(), Heard(), threading.Event()
    acts: dict[str, Callable[[], object]] = {
        "close": notices.close,
        "subscribe": lambda: notices.add("section", heard),
        "unsubscribe": lambda: end(),
        "tell": lambda: notices.tell("section", 2),
    }

    def call(what: object) -> None:
        assert queued.wait(LONG)
        acts[act]()
        heard(what)

    end = notices.add("bar", call)
    notices.tell("bar", 1)
    notices.tell("bar", 2)
    queued.set()
    wanted = [1] if act == "unsubscribe" else [1, 2]
    heard.wait(len(wanted))
    threads = tellers()
    notices.close()
    assert gone(threads)
    assert heard.told[:2] == wanted


def test_nothing_begins_after_the_close() -> None:
    notices, heard = Notices(), Heard()
    notices.add("bar", heard)
    stream = notices.stream("bar")
    notices.close()
    notices.tell("bar", 1)
    assert heard.told == []
    for act in (lambda: notices.add("bar", print), lambda: notices.stream()):
        with pytest.raises(EngineError, match="the player is closed: it tells no more events"):
            act()
    assert asyncio.run(all_of(stream)) == []


async def coroutine(what: object) -> None:
    pass


@pytest.mark.parametrize(
    ("event", "call", "error", "words"),
    [
        ("bars", print, ValueError, "there is no event 'bars': they are bar, section, "),
        ("\ud800" * 99, print, ValueError, r"there is no event '\\ud800"),
        (None, print, TypeError, "the name of an event is a text; None is none"),
        ([], print, TypeError, "the name of an event is a text"),
        ("bar", None, TypeError, "None cannot be called with what happens"),
        ("bar", coroutine, TypeError, "is a coroutine function: iterate over `events`"),
    ],
)
def test_what_cannot_be_told_is_refused(
    event: str, call: Callable[[object], object], error: type[Exception], words: str
) -> None:
    notices = Notices()
    with pytest.raises(error, match=words) as raised:
        notices.add(event, call)
    assert len(str(raised.value)) < 300
    if call is print:
        with pytest.raises(error, match=words):
            notices.stream(event)


def test_who_is_dropped_is_collected_although_a_call_holds_it() -> None:
    class Host:
        def __init__(self) -> None:
            self.notices, self.heard = Notices(), Heard()
            self.notices.add("bar", self.call)

        def call(self, what: object) -> None:
            self.heard(what)

    host = Host()
    heard, dropped = host.heard, weakref.ref(host)
    host.notices.tell("bar", 1)
    heard.wait(1)
    threads = tellers()
    assert threads
    del host

    def collected() -> bool:
        gc.collect()
        return dropped() is None

    # The thread lets go of the call a moment after it came back.
    for thread in threads:
        while not collected() and thread.is_alive():
            pass
    assert collected()
    assert gone(threads)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_tells_nothing_and_does_not_hang() -> None:
    notices, gate = Notices(), Gate()
    notices.add("bar", gate)
    stream = notices.stream("bar")
    notices.tell("bar", 1)
    assert gate.begun.wait(LONG)
    with notices._changed:  # as another thread may hold it at the fork
        child = os.fork()
        if child == 0:
            found = 1
            try:
                found = _in_the_child(notices, stream)
            finally:
                os._exit(found)
    assert os.waitpid(child, 0)[1] == 0
    gate.open.set()
    notices.close()
    assert gate.calls == [1]


def _in_the_child(notices: Notices, stream: EventStream[object]) -> int:
    notices.tell("bar", 2)
    notices.close()
    with pytest.raises(EngineError, match="belongs to the process that opened it"):
        notices.add("bar", print)
    assert asyncio.run(all_of(stream)) == []
    return 0


async def all_of(stream: EventStream[object]) -> list[object]:
    return [what async for _, what in stream]


def test_events_are_iterated_over() -> None:
    async def main() -> list[tuple[str, object]]:
        notices, found = Notices(), []
        stream = notices.stream("bar", "section")
        every = notices.stream()
        for number in range(5):
            notices.tell(("bar", "section", "xrun")[number % 3], number)

        def more() -> None:
            for number in range(5, 2000):
                notices.tell("bar", number)
            notices.close()

        thread = threading.Thread(target=more)
        async for event, what in stream:
            found.append((event, what))
            if what == 4:
                thread.start()
        thread.join()
        assert [what async for _, what in every][-1] == 1999
        assert every.dropped == 1000
        assert stream.dropped + len(found) == 1999
        return found

    found = asyncio.run(main())
    assert found[:4] == [("bar", 0), ("section", 1), ("bar", 3), ("section", 4)]
    assert found[-1] == ("bar", 1999)


def test_another_loop_may_go_on_with_a_stream() -> None:
    notices = Notices()
    stream = notices.stream("bar")

    async def first() -> object:
        notices.tell("bar", 1)
        return await anext(stream)

    async def second() -> object:
        threading.Timer(0, notices.tell, ("bar", 3)).start()
        return [await anext(stream), await anext(stream)]

    assert asyncio.run(first()) == ("bar", 1)
    notices.tell("bar", 2)
    assert asyncio.run(second()) == [("bar", 2), ("bar", 3)]
    notices.tell("bar", 4)
    asyncio.run(stream.aclose())
    notices.tell("bar", 5)
    assert asyncio.run(all_of(stream)) == []
    notices.close()


def test_a_stream_that_is_dropped_is_forgotten() -> None:
    notices = Notices()
    dropped = weakref.ref(notices.stream("bar"))
    gc.collect()
    assert dropped() is None
    notices.tell("bar", 1)
    notices.close()


def test_a_task_that_waits_is_let_go_when_the_player_is_dropped() -> None:
    async def main() -> None:
        notices = Notices()
        stream = notices.stream("bar")
        waits = asyncio.create_task(all_of(stream))
        await asyncio.sleep(0)
        del notices
        gc.collect()
        assert await asyncio.wait_for(waits, LONG) == []

    asyncio.run(main())
