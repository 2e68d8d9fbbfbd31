"""Threads that are left: seen with the line that started them; workers, library threads and quick ones are not."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import logging.handlers
import multiprocessing.pool
import queue
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_secaudit.watch.areas import patience
from pytest_secaudit.watch.areas.threads import Threads
from pytest_secaudit.watch.engine import Engine
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Held
from pytest_secaudit.watch.tapping import Taps

Waiting = Callable[..., threading.Thread]


def relative(path: str) -> str:
    return f"<site-packages>/{path.rpartition('/')[2]}" if "site-packages" in path else path


@pytest.fixture
def area() -> Iterator[Threads]:
    taps = Taps()
    area = Threads(taps, Stack(relative, lambda path: path == __file__))
    assert not area.look()
    yield area
    taps.take_back()
    area.stop()


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    """Makes threads that wait until the test is over, or for an event of their own."""
    over, threads = threading.Event(), []

    def make(name: str = "worker", *, daemon: bool = False, until: threading.Event = over) -> threading.Thread:
        thread = threading.Thread(target=until.wait, name=name, daemon=daemon, args=(30,))
        threads.append(thread)
        return thread

    yield make
    over.set()
    for thread in threads:
        if thread.ident is not None:
            thread.join()


def test_a_thread_that_is_left_and_its_end(area: Threads, waiting: Waiting) -> None:
    end = threading.Event()
    thread = waiting("worker-7", until=end)
    assert not area.look()
    thread.start()
    wrote = sys._getframe().f_lineno - 1
    (change,) = area.look()
    assert (change.subject, change.before, change.after) == ("thread worker-7", ABSENT, Held(thread))
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.line == wrote
    assert (area.said(change), area.level(change), area.code) == ("running", "", "PSA601")
    assert not area.look()
    end.set()
    thread.join()
    (gone,) = area.look()
    assert (gone.subject, gone.key, gone.before, gone.after) == (change.subject, change.key, change.after, ABSENT)
    assert not area.look()


def test_a_daemon_is_said_to_be_one(area: Threads, waiting: Waiting) -> None:
    waiting(daemon=True).start()
    (change,) = area.look()
    assert (area.said(change), area.level(change)) == ("running (daemon)", "info")


def test_several_of_one_name_are_told_apart(area: Threads, waiting: Waiting) -> None:
    waiting().start()
    waiting().start()
    one, other = area.look()
    assert one.subject == other.subject
    assert one.key != other.key


def test_what_ended_before_anybody_looked_is_not_seen(area: Threads) -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    assert not area.look()


def test_a_moment_is_given_to_what_is_about_to_end(area: Threads, waiting: Waiting) -> None:
    end = threading.Event()
    waiting(until=end).start()
    (change,) = area.look()
    end.set()
    area.settle({change.key})
    (gone,) = area.look()
    assert gone.after == ABSENT


def test_patience_has_its_limits(area: Threads, waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(patience.real, "sleep", sleep)
    monkeypatch.setattr(patience.real, "perf_counter", lambda: now[0])
    for number in range(10):
        thread = threading.Thread(target=waiting().run, name=f"other-{number}")
        thread.start()
        thread.join(0)
    changes = area.look()
    area.settle({changes[0].key})
    assert 0.3 <= sum(slept) < 0.35
    slept.clear()
    area.settle()  # they all do the same as the one that did not end
    assert not slept
    own = patience.Patience()
    for number in range(20):
        own.wait(lambda: [1], {1: str(number)})
    assert 1.9 < sum(slept) < 2.1


def test_one_that_lives_as_long_as_the_session_costs_a_shorter_one_no_patience(area: Threads, waiting: Waiting) -> None:
    engine = Engine([area])
    engine.follow_threads()
    session = Actor("fixture", "conftest.py::server", scope="session", path="conftest.py")
    test = Actor("test", "test_a.py::test_x", scope="function", path="test_a.py")
    engine.enter(session)
    waiting().start()
    engine.leave(session)
    engine.enter(test)
    end = threading.Event()
    waiting(until=end).start()
    engine.leave(test)
    end.set()
    engine.close(test)
    assert not area._patience._hopeless
    assert not engine.ledger.claims
    assert engine.ledger.owes(session)


def test_nothing_to_wait_for_costs_no_sleep(area: Threads, waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting().start()
    area.look()
    monkeypatch.setattr(patience.real, "sleep", None)
    area.settle(())
    area.settle({"of somebody else"})


def test_no_thread_is_kept_alive(area: Threads) -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    gone = weakref.ref(thread)
    del thread
    gc.collect()
    assert gone() is None
    assert not area._starts
    assert not area.look()


def test_a_known_thread_that_ended_may_go(area: Threads, waiting: Waiting) -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    (change,) = area.look()
    end.set()
    thread.join()
    gone = weakref.ref(thread)
    del thread
    gc.collect()
    assert gone() is None
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, ABSENT)


def test_who_started_a_thread_is_known_within_it(area: Threads) -> None:
    area.on_start = lambda: "test_x"
    seen = []
    thread = threading.Thread(target=lambda: seen.append(area.starter_of(threading.get_ident())))
    thread.start()
    thread.join()
    assert seen == ["test_x"]
    assert area.starter_of(threading.get_ident()) is None
    assert area.starter_of(-1) is None


@pytest.mark.parametrize(
    "run",
    [
        lambda act: in_a_pool(act, ""),
        lambda act: in_a_pool(act, "mine"),
        lambda act: in_an_older_pool(act),  # noqa: PLW0108 - it is defined below
        lambda act: asyncio.run(in_a_thread(act)),
    ],
)
def test_a_worker_of_a_pool_is_known(area: Threads, run: Callable[[Callable[[], object]], object]) -> None:
    assert run(lambda: area.works_for_others(threading.get_ident())) is True


def in_a_pool(act: Callable[[], object], name: str) -> object:
    with ThreadPoolExecutor(1, thread_name_prefix=name) as pool:
        return pool.submit(act).result()


def in_an_older_pool(act: Callable[[], object]) -> object:
    pool = multiprocessing.pool.ThreadPool(1)
    try:
        return pool.apply(act)
    finally:
        pool.close()
        pool.join()


async def in_a_thread(act: Callable[[], object]) -> object:
    return await asyncio.to_thread(act)


def test_any_other_thread_works_for_who_started_it(area: Threads) -> None:
    seen = []
    thread = threading.Thread(target=lambda: seen.append(area.works_for_others(threading.get_ident())))
    thread.start()
    thread.join()
    assert [*seen, area.works_for_others(threading.get_ident()), area.works_for_others(-1)] == [False] * 3


# --- noise


def test_workers_of_executors_are_silent(area: Threads) -> None:
    with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="mine") as executor:
        executor.submit(int).result()
        assert not area.look()
    assert not area.look()


def test_what_asyncio_starts_is_silent(area: Threads) -> None:
    async def main() -> None:
        await asyncio.to_thread(int)
        assert not area.look()

    asyncio.run(main())
    assert not area.look()


def test_a_loop_that_runs_in_a_thread_is_not(area: Threads) -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="loop")
    thread.start()
    assert [change.subject for change in area.look()] == ["thread loop"]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    assert [change.after for change in area.look()] == [ABSENT]


def test_strangers_in_the_list_of_threads_are_silent(area: Threads) -> None:
    import _thread

    done = _thread.allocate_lock()
    done.acquire()

    def act() -> None:
        threading.current_thread()  # makes a stand-in
        done.release()

    _thread.start_new_thread(act, ())
    done.acquire()
    assert not area.look()


@pytest.mark.parametrize("name", ["waitpid-3", "pymongo_kill_cursors", "QueueFeederThread", "tqdm_monitor"])
def test_well_known_helpers_are_silent(area: Threads, waiting: Waiting, name: str) -> None:
    waiting(name).start()
    assert not area.look()


def test_a_librarys_background_thread_is_silent_and_its_other_one_is_not(area: Threads, waiting: Waiting) -> None:
    library = types.ModuleType("library")
    text = "def start(thread): thread.start()"
    exec(compile(text, "/site-packages/library.py", "exec"), vars(library))
    library.start(waiting(daemon=True))
    assert not area.look()
    library.start(waiting("serving"))
    assert [change.subject for change in area.look()] == ["thread serving"]


def test_a_timer_that_is_cancelled_and_a_listener_that_is_stopped(area: Threads) -> None:
    timer = threading.Timer(30, int)
    timer.start()
    listener = logging.handlers.QueueListener(queue.Queue())
    listener.start()
    assert [area.level(change) for change in area.look()] == ["", "info"]
    timer.cancel()
    listener.stop()
    area.settle()
    assert [change.after for change in area.look()] == [ABSENT, ABSENT]


# --- odd threads


def test_a_thread_that_cannot_start_raises_as_ever(area: Threads, waiting: Waiting) -> None:
    class Careless(threading.Thread):
        def __init__(self) -> None: ...

    with pytest.raises(RuntimeError, match="__init__"):
        Careless().start()
    thread = threading.Thread(target=int)
    thread.start()
    with pytest.raises(RuntimeError, match="once"):
        thread.start()
    thread.join()
    with pytest.raises(TypeError):
        threading.Thread.start()  # type: ignore[call-arg]
    assert not area.look()


def test_a_thread_with_a_mind_of_its_own(area: Threads) -> None:
    end = threading.Event()

    class Hostile(threading.Thread):
        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = threading.Thread.__hash__  # `threading` keeps threads in sets

        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

        def run(self) -> None:
            end.wait(30)

    thread = Hostile(name="hostile")
    thread.start()
    thread._name = thread  # type: ignore[attr-defined]
    assert [change.subject for change in area.look()] == ["thread without a name"]
    thread._name = "hostile"  # type: ignore[attr-defined]
    end.set()
    thread.join()
    assert [change.after for change in area.look()] == [ABSENT]
