"""Real time slept: by whom, where, and in all."""

from __future__ import annotations

import asyncio
import functools
import math
import operator
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

from pytest_secaudit.model import Place
from pytest_secaudit.watch import clock as clock_module
from pytest_secaudit.watch import real
from pytest_secaudit.watch.clock import Clock, Slept
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps, original_of

SHORT = 0.005
MAIN = threading.get_ident()


class World:
    """A clock, and files of tests and of a product that sleep.

    Attributes:
        before: what ``time.sleep`` was without it: the tap of an audit of this very run, perhaps.
    """

    def __init__(self, root: Path) -> None:
        self.before = time.sleep
        self.root = root
        self.actor = "a test"
        self.taps = Taps()
        self.stack = Stack(
            lambda path: path.removeprefix(str(root) + os.sep), lambda path: os.path.basename(path).startswith("test_")
        )
        self.stack._files[__file__] = ("machinery", __file__)
        self.clock = Clock(self.taps, self.stack, self.who)

    def who(self) -> tuple[str, bool]:
        return self.actor, threading.get_ident() != MAIN

    def define(self, file: str, source: str, **names: object) -> dict[str, Any]:
        found: dict[str, Any] = {"time": time, "asyncio": asyncio, **names}
        exec(compile(source, str(self.root / file), "exec"), found)
        return found

    def slept(self) -> list[Slept]:
        return sorted(self.clock.drain(), key=lambda one: str(one.site))

    def only(self) -> Slept:
        [one] = self.slept()
        return one


@pytest.fixture(autouse=True)
def _left_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = time.sleep, asyncio.sleep, asyncio.tasks.sleep
    yield
    monkeypatch.undo()
    assert all(map(operator.is_, (time.sleep, asyncio.sleep, asyncio.tasks.sleep), before))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.taps.take_back()


def about(seconds: float) -> Any:
    return pytest.approx(seconds, abs=0.003)


# --- plain sleeps


def test_a_sleep_of_a_test(world: World) -> None:
    world.define("test_a.py", "def test_it(s):\n    time.sleep(s)\n")["test_it"](SHORT)
    one = world.only()
    assert (one.site.edit, one.site.written_at) == (Place("test_a.py", 2), Place("test_a.py", 2))
    assert (one.actor, one.kind, one.calls, one.cut) == ("a test", "sleep", 1, 0)
    assert [one.in_thread, one.under_mock, one.called_back, one.overlapped] == [False] * 4
    assert one.seconds == one.ended - one.began == about(SHORT)
    assert one.seconds <= SHORT + 1e-9
    assert world.clock.seconds_total() == about(SHORT)
    assert world.clock.seconds_in_threads() == 0


def test_a_sleep_of_product_code(world: World) -> None:
    product = world.define("shop.py", "def retry():\n    time.sleep(0.005)\n")
    test = world.define(
        "test_a.py", "def test_it():\n    for _ in range(3):\n        retry()\n", retry=product["retry"]
    )
    test["test_it"]()
    one = world.only()
    assert (one.site.edit, one.site.written_at) == (Place("test_a.py", 3), Place("shop.py", 2))
    assert (one.calls, one.called_back) == (3, False)
    assert one.seconds == pytest.approx(3 * SHORT, abs=0.005)


def test_each_actor_and_each_line_has_its_own_sum(world: World) -> None:
    test = world.define("test_a.py", "def test_it():\n    time.sleep(0.002)\n    time.sleep(0.002)\n")["test_it"]
    for actor in ("a", "a", "b"):
        world.actor = actor
        test()
    assert [(one.calls, one.site.edit.line) for one in world.clock.drain("a")] == [(2, 2), (2, 3)]
    assert [(one.actor, one.calls) for one in world.clock.drain()] == [("b", 1), ("b", 1)]
    assert world.clock.drain() == ()
    assert world.clock.seconds_total() == pytest.approx(6 * 0.002, abs=0.006)


@pytest.mark.parametrize("seconds", [0, 0.0, False, 0.0005])
def test_what_only_yields_is_no_sleep(world: World, seconds: float) -> None:
    time.sleep(seconds)
    asyncio.run(asyncio.sleep(seconds))
    asyncio.run(asyncio.sleep(delay=-1))
    assert world.slept() == []
    assert world.clock.seconds_total() == 0


@pytest.mark.parametrize("wrong", [-1, math.nan, "1", None, object()])
def test_a_wrong_argument_fails_as_ever(world: World, wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError)) as info:
        time.sleep(wrong)
    with pytest.raises(type(info.value)) as original:
        original_of(time.sleep)(wrong)
    assert str(info.value) == str(original.value)
    assert world.slept() == []


def test_numbers_of_other_types(world: World) -> None:
    class Float(float):
        def __ge__(self, other: object) -> bool:
            raise RuntimeError

    class Number:
        def __index__(self) -> int:
            raise RuntimeError

    time.sleep(Float(0))
    time.sleep(Float(0.002))
    assert world.only().seconds <= 0.002 + 1e-9
    with pytest.raises(ValueError, match="negative"):
        time.sleep(Float(-1))
    assert clock_module._asked((Number(),), {}) == math.inf  # it is asked by nobody but the real sleep


def test_an_exception_ends_a_sleep_and_passes(world: World) -> None:
    if not hasattr(signal, "setitimer"):
        pytest.skip("needs a signal that comes by itself")

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(KeyboardInterrupt):
            time.sleep(5)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    one = world.only()
    assert (one.calls, one.cut) == (1, 1)
    assert 0.005 < one.seconds < 3
    assert world.clock.seconds_total() == one.seconds


def test_a_patched_sleep_slept_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with mock.patch("time.sleep"):
        time.sleep(5)
        world.clock.refresh()
        assert isinstance(time.sleep, mock.MagicMock)
    with mock.patch("time.sleep", autospec=True), mock.patch("asyncio.sleep"):
        time.sleep(5)
        asyncio.run(asyncio.sleep(5))
    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", lambda seconds: None)
        world.clock.refresh()
        time.sleep(5)
    assert world.slept() == []


def test_the_poll_of_subprocess_waits_for_an_event(world: World) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(timeout=0.05)
        child.communicate(b"\n", timeout=60)
    assert world.slept() == []


def test_the_poll_of_eventlets_subprocess_too(world: World) -> None:
    source = "def wait():\n    time.sleep(0.002)\n"
    world.define("green/subprocess.py", source, __name__="eventlet.green.subprocess")["wait"]()
    assert world.slept() == []


# --- a clock that is not the real one


def test_freezegun(world: World) -> None:
    freezegun = pytest.importorskip("freezegun")
    with freezegun.freeze_time("2020-01-01"):
        time.sleep(SHORT)
    assert world.only().seconds == about(SHORT)


def test_time_machine(world: World) -> None:
    time_machine = pytest.importorskip("time_machine")
    with time_machine.travel(0, tick=False):
        time.sleep(SHORT)
    assert world.only().seconds == about(SHORT)


def test_those_who_go_through_all_modules_do_not_find_ours() -> None:
    """freezegun looks for the very functions in the namespaces of all modules, pyfakefs for functions by their names."""
    found = {
        name: value
        for name, value in vars(real).items()
        if value in (time.perf_counter, time.sleep, os.stat, os.listdir, os.getcwd, os.path.isabs, os.path.join)
    }
    assert found == {}
    functions = [value for value in vars(real).values() if callable(value)]
    assert [value for value in functions if getattr(value, "__name__", "") in (*dir(os.path), *dir(os))] == [os.fspath]
    assert real.listdir(real.getcwd()) == os.listdir(os.getcwd())


def test_a_loop_with_a_clock_of_its_own(world: World) -> None:
    class Loop(asyncio.SelectorEventLoop):
        moved = 0

        def time(self) -> float:
            return super().time() + self.moved

    loop = Loop()
    loop.call_later(0.01, setattr, loop, "moved", 60)
    loop.run_until_complete(asyncio.sleep(10))
    loop.close()
    assert world.slept() == []


def test_pyfakefs(tmp_path: Path) -> None:
    pyfakefs = pytest.importorskip("pyfakefs.fake_filesystem_unittest")
    (tmp_path / "there").touch()
    with pyfakefs.Patcher():
        assert not os.path.exists(tmp_path)
        assert real.stat(str(tmp_path)).st_mtime > 0
        assert real.listdir(str(tmp_path)) == ["there"]
        assert Stack(str, lambda path: False).of(sys._getframe()).written_at is not None


# --- asyncio


def test_a_coroutine_that_sleeps(world: World) -> None:
    product = world.define("shop.py", "async def retry():\n    return await asyncio.sleep(0.005, 'done')\n")
    test = world.define("test_a.py", "async def test_it():\n    return await retry()\n", retry=product["retry"])
    assert asyncio.run(test["test_it"]()) == "done"
    one = world.only()
    assert (one.site.edit, one.site.written_at) == (Place("test_a.py", 2), Place("shop.py", 2))
    assert (one.kind, one.calls, one.cut) == ("asyncio", 1, 0)
    assert one.seconds == about(SHORT)


def test_concurrent_sleeps_are_no_longer_than_the_wall_time(world: World) -> None:
    async def main() -> None:
        await asyncio.gather(*(asyncio.sleep(0.02) for _ in range(5)))

    asyncio.run(main())
    one = world.only()
    assert (one.calls, one.seconds) == (5, pytest.approx(0.1, abs=0.01))
    assert 0.018 < world.clock.seconds_total() < 0.08


def test_what_others_computed_meanwhile_was_not_slept(world: World) -> None:
    async def main() -> None:
        sleeping = asyncio.ensure_future(asyncio.sleep(0.002))
        await asyncio.sleep(0)
        end = real.perf_counter() + 0.05
        while real.perf_counter() < end:
            pass
        await sleeping

    asyncio.run(main())
    assert world.only().seconds <= 0.002 + 1e-9


def test_a_sleep_for_ever_waits_for_whoever_ends_it(world: World) -> None:
    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.sleep(math.inf), 0.01)

    asyncio.run(main())
    assert not world.slept()
    assert not world.clock.seconds_total()


def test_a_cancelled_task_was_not_waited_for(world: World) -> None:
    async def main() -> None:
        beat = asyncio.ensure_future(asyncio.sleep(60))
        await asyncio.sleep(0.005)
        beat.cancel()
        with pytest.raises(asyncio.CancelledError):
            await beat

    asyncio.run(main())
    one = world.only()
    assert (one.calls, one.cut) == (2, 1)
    assert 0.004 < one.seconds_cut < 3
    assert world.clock.seconds_total() == pytest.approx(one.seconds - one.seconds_cut)


def test_a_coroutine_that_is_thrown_away(world: World) -> None:
    async def main() -> None:
        sleeping = asyncio.sleep(60)
        sleeping.send(None)
        await asyncio.sleep(0.002)
        sleeping.close()

    asyncio.run(main())
    assert world.only().seconds <= 0.002 + 1e-9


def test_the_actor_is_who_began_to_sleep(world: World) -> None:
    async def main() -> None:
        sleeping = asyncio.ensure_future(asyncio.sleep(0.01))
        await asyncio.sleep(0)
        world.actor = "the next"
        await sleeping

    asyncio.run(main())
    assert world.only().actor == "a test"


# --- threads


def test_a_thread_is_shown_apart(world: World) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(time.sleep, [0.01] * 3))
    one = world.only()
    assert (one.in_thread, one.calls, one.called_back) == (True, 3, False)
    assert world.clock.seconds_total() == 0
    assert 0.009 < world.clock.seconds_in_threads() < 0.028


def test_a_thread_without_a_frame_of_python(world: World) -> None:
    import _thread

    _thread.start_new_thread(time.sleep, (0.002,))
    end = real.perf_counter() + 10
    while not world.clock._slept and real.perf_counter() < end:
        pass
    assert world.only().site.written_at is None


def test_many_threads_lose_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "_FOLD_AT", 3)
    drained: list[Slept] = []
    threads = [threading.Thread(target=lambda: [time.sleep(0.001) for _ in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        drained += world.clock.drain()
    drained += world.clock.drain()
    assert sum(one.calls for one in drained) == 8 * 20


# --- delays in the place of something


def slow(world: World) -> Callable[..., None]:
    found: Callable[..., None] = world.define("test_a.py", "\ndef slow(*args):\n    time.sleep(0.002)\n")["slow"]
    return found


PRODUCT = (
    "class Orders:\n    def charge(self):\n        time.sleep(0.002)\n    def place(self):\n        self.charge()\n"
)


def orders(world: World) -> Any:
    return world.define("shop.py", PRODUCT)["Orders"]


@pytest.mark.parametrize("how", ["new", "autospec", "spec"])
def test_the_side_effect_of_a_mock(world: World, how: str) -> None:
    cls = orders(world)
    wanted = {} if how == "new" else {how: True}
    with mock.patch.object(cls, "charge", side_effect=slow(world), **wanted):
        cls().place()
    one = world.only()
    assert (one.under_mock, one.called_back) == (True, False)
    assert one.site.edit == Place("test_a.py", 3)
    assert one.site.function == "slow"


def test_the_side_effect_of_a_mock_of_a_coroutine(world: World) -> None:
    async def main() -> None:
        later = world.define("test_a.py", "async def later():\n    await asyncio.sleep(0.002)\n")["later"]
        await mock.AsyncMock(side_effect=later)()

    asyncio.run(main())
    one = world.only()
    assert one.under_mock
    assert one.site.edit == Place("test_a.py", 2)


@pytest.mark.parametrize("effect", [lambda: time.sleep, lambda: functools.partial(time.sleep, 0.002)])
def test_a_mock_that_sleeps_by_itself(world: World, effect: Callable[[], Any]) -> None:
    fake = mock.Mock(side_effect=effect())
    fake(*([0.002] if fake.side_effect is time.sleep else []))
    assert world.only().under_mock


def test_a_mock_that_only_passes_on(world: World) -> None:
    """What sleeps is the product, not what was put in its place."""
    one = orders(world)()
    one.charge = mock.Mock(wraps=one.charge)
    world.define("test_a.py", "def test_it(one):\n    one.place()\n")["test_it"](one)
    found = world.only()
    assert not found.under_mock
    assert not found.called_back


def test_a_function_in_the_place_of_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    cls = orders(world)
    monkeypatch.setattr(cls, "charge", slow(world))
    cls().place()
    one = world.only()
    assert (one.under_mock, one.called_back) == (False, True)
    assert one.site.edit == Place("test_a.py", 3)


def test_a_test_that_calls_a_mock_sleeps_itself(world: World) -> None:
    test = world.define("test_a.py", "def test_it(fake):\n    fake()\n    time.sleep(0.002)\n")["test_it"]
    test(mock.Mock())
    assert not world.only().under_mock


def test_delays_that_overlapped(world: World) -> None:
    source = "\n".join(f"def slow_{name}():\n    time.sleep(0.03)" for name in "abc")
    found = world.define("test_a.py", source)
    a, b, c = (mock.Mock(side_effect=found[f"slow_{name}"]) for name in "abc")
    thread = threading.Thread(target=a)
    thread.start()
    b()
    thread.join()
    c()
    assert [(one.site.function, one.overlapped) for one in world.slept()] == [
        ("slow_a", True),
        ("slow_b", True),
        ("slow_c", False),
    ]


# --- the sleeps of others, as stand-ins; the real ones are in test_clock_libraries.py


def library(monkeypatch: pytest.MonkeyPatch, name: str, sleep: Callable[..., Any], inside: str = "") -> ModuleType:
    """A module that is loaded, with a sleep of its own."""
    sleep.__module__ = f"{name}.{inside}".rstrip(".")
    module = ModuleType(name)
    module.sleep = sleep
    monkeypatch.setitem(sys.modules, name, module)
    return module


def test_what_is_imported_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float = 0) -> None:
        real.sleep(seconds)

    gevent = library(monkeypatch, "gevent", sleep, "hub")
    world.clock.refresh()
    gevent.sleep(0.002)
    assert world.only().kind == "gevent"
    world.taps.take_back()
    assert gevent.sleep is sleep


def test_what_loads_its_sleep_at_the_first_use(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """anyio's namespace has it only then; where it is defined it can be found before."""

    async def sleep(delay: float) -> None:
        await asyncio.sleep(delay)

    defining = library(monkeypatch, "anyio._core._eventloop", sleep)
    world.clock.refresh()
    asyncio.run(defining.sleep(0.002))
    assert world.only().kind == "anyio"


def test_what_replaces_the_sleep_of_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float = 0) -> None:
        real.sleep(seconds)

    original, ours = original_of(time.sleep), time.sleep
    try:
        sleep.__module__ = "eventlet.greenthread"
        time.sleep = sleep
        world.clock.refresh()
        time.sleep(0.002)
        assert world.only().kind == "eventlet"
        time.sleep = original  # somebody saved it before us
        world.clock.refresh()
        time.sleep(0.002)
        assert world.only().kind == "sleep"
        assert time.sleep is ours
    finally:
        world.taps.take_back()
        assert time.sleep is world.before


@pytest.mark.parametrize("tapped", [True, False])
def test_a_library_that_wraps_the_sleep_of_time(world: World, tapped: bool) -> None:
    """As os-brick does when it is imported; with eventlet what it saved is a function that nobody taps."""
    saved = time.sleep if tapped else real.sleep
    wrapper = world.define("site-packages/os_brick.py", "def _sleep(secs):\n    saved(secs)\n", saved=saved)["_sleep"]
    try:
        time.sleep = wrapper
        world.clock.refresh()
        world.define("test_a.py", "def test_it(s):\n    time.sleep(s)\n")["test_it"](SHORT)
        one = world.only()
        assert (one.site.edit, one.site.written_at) == (Place("test_a.py", 2), Place("test_a.py", 2))
        assert (one.kind, one.calls) == ("sleep", 1)
    finally:
        world.taps.take_back()
        assert time.sleep is wrapper
        time.sleep = world.before


def test_what_tests_put_in_the_place_of_the_sleep_of_time_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = world.define("test_a.py", "def sleep(seconds):\n    pass\n")["sleep"]
    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", fake)
        world.clock.refresh()
        assert time.sleep is fake


def test_a_sleep_within_a_sleep_counts_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep(delay: float) -> None:
        await asyncio.sleep(delay)

    def block(seconds: float = 0) -> None:
        time.sleep(seconds)

    anyio = library(monkeypatch, "anyio", sleep)
    eventlet = library(monkeypatch, "eventlet", block)
    world.clock.refresh()

    async def main() -> None:
        await asyncio.gather(anyio.sleep(0.01), asyncio.sleep(0.01), anyio.sleep(0.01))

    asyncio.run(main())
    eventlet.sleep(0.002)
    assert sorted((one.kind, one.calls) for one in world.slept()) == [("anyio", 2), ("asyncio", 1), ("eventlet", 1)]


@pytest.mark.parametrize("module", [mock.Mock(), None, object(), mock.NonCallableMagicMock(sleep=time.sleep)])
def test_what_is_no_module(world: World, monkeypatch: pytest.MonkeyPatch, module: object) -> None:
    monkeypatch.setitem(sys.modules, "trio", module)
    world.clock.refresh()
    assert world.slept() == []


def test_nothing_new_costs_next_to_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.clock.refresh()
    monkeypatch.setattr(world.clock, "_tap", lambda module: pytest.fail("looked again"))
    world.clock.refresh()


# --- what must not happen


def test_who_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.clock, "_who", lambda: 1 / 0)
    time.sleep(0.002)
    asyncio.run(asyncio.sleep(0.002))
    assert world.slept() == []


def test_the_stack_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.clock, "_stack", None)
    time.sleep(0.002)
    assert world.slept() == []


def test_the_memory_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def sleep(seconds: float = 0) -> None:
        now[0] += seconds

    gevent = library(monkeypatch, "gevent", sleep)
    world.clock.refresh()
    monkeypatch.setattr(real, "perf_counter", lambda: now[0])
    fake = mock.Mock(side_effect=lambda: gevent.sleep(1))
    most = 0
    for _ in range(1500):
        fake()
        now[0] += 1
        most = max(most, len(world.clock._slept))
    assert most < 600
    assert world.clock.seconds_total() == pytest.approx(1500)
    assert len(world.clock._slept) == 0
    assert len(world.clock._sums) == 1
    assert len(world.clock._delays) <= 1000
    assert world.only().calls == 1500


def test_a_run_inside_a_run_hears_alone(world: World, tmp_path: Path) -> None:
    inner = World(tmp_path)
    try:
        time.sleep(0.002)
        assert inner.only().calls == 1
    finally:
        inner.taps.take_back()
    assert world.slept() == []
    time.sleep(0.002)
    assert world.only().calls == 1


def test_after_the_run(world: World) -> None:
    saved = time.sleep
    world.taps.take_back()
    saved(0.002)
    time.sleep(0.002)
    assert world.slept() == []
    assert time.sleep is world.before
    assert saved == time.sleep
