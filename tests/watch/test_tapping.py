"""A tap is told from what it stands for by nobody, and is taken back without a trace. DESIGN: what we put into the user's process."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import os
import pickle
import random
import socket
import subprocess
import sys
import threading
import time
import traceback
import types
import typing
import warnings
from collections.abc import Iterator
from unittest import mock

import pytest

from pytest_secaudit.watch import tapping
from pytest_secaudit.watch.tapping import BuiltinTap, Taps, original_of


def passes(original, args, kwargs):
    __tracebackhide__ = True
    return original(*args, **kwargs)


HOLDERS = (time, asyncio, asyncio.tasks, os, socket, socket.socket, random, subprocess.Popen)


async def passes_async(original, args, kwargs):
    __tracebackhide__ = True
    return await original(*args, **kwargs)


@pytest.fixture(autouse=True)
def _left_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = [dict(vars(holder)) for holder in HOLDERS]
    yield
    monkeypatch.undo()
    assert [dict(vars(holder)) for holder in HOLDERS] == before
    assert type(time.sleep) is type(before[0]["sleep"])  # a tap is equal to what it stands for


@pytest.fixture
def taps() -> Iterator[Taps]:
    made = Taps()
    yield made
    made.take_back()


def facts(function: typing.Any) -> dict[str, object]:
    """What code may ask of a function; the answers must not depend on us."""
    specced = mock.create_autospec(function)
    return {
        "signature": shown(inspect.signature, function),
        "specced": (type(specced).__name__, shown(inspect.signature, specced), sorted(dir(specced))),
        "hints": shown(typing.get_type_hints, function),
        "is": [
            ask(function)
            for ask in (
                callable,
                inspect.isbuiltin,
                inspect.isroutine,
                inspect.isfunction,
                inspect.ismethod,
                inspect.iscoroutinefunction,
                inspect.isclass,
                inspect.isgeneratorfunction,
            )
        ],
        "names": [
            getattr(function, name, None) for name in ("__name__", "__qualname__", "__module__", "__doc__", "__self__")
        ],
        "source": shown(inspect.getsource, function),
        "text": str(shown(inspect.getdoc, function)),
        "copies": [type(copy.copy(function)) is type(function), copy.deepcopy([function])[0] is function],
    }


def shown(ask: typing.Callable[[typing.Any], object], function: object) -> str:
    try:
        return str(ask(function))
    except (TypeError, ValueError, OSError) as error:
        return f"{type(error).__name__}: {error}"


TAPPED = [
    (time, "sleep"),
    (os, "system"),
    (socket, "gethostbyname"),
    (socket, "getaddrinfo"),
    (random, "seed"),
    (asyncio.tasks, "sleep"),
    (subprocess.Popen, "__init__"),
]


@pytest.mark.parametrize(("holder", "name"), TAPPED, ids=lambda value: getattr(value, "__name__", value))
def test_nobody_can_tell(taps: Taps, holder: typing.Any, name: str) -> None:
    original = getattr(holder, name)
    before = facts(original)
    attributes = set(dir(original))
    around = passes_async if holder is asyncio.tasks else passes
    assert taps.put(holder, name, around)
    assert facts(getattr(holder, name)) == before
    assert set(dir(getattr(holder, name))) - attributes <= ({"__wrapped__"} if inspect.isfunction(original) else set())


def test_a_builtin_is_still_one(taps: Taps) -> None:
    original = time.sleep
    printed = repr(original)
    taps.put(time, "sleep", passes)
    assert type(time.sleep) is BuiltinTap
    assert isinstance(time.sleep, types.BuiltinFunctionType)
    assert repr(time.sleep) == str(time.sleep) == printed
    assert not hasattr(time.sleep, "__dict__")
    assert time.sleep == original
    assert original == time.sleep
    assert time.sleep != os.getcwd
    assert {time.sleep: 1}[original] == 1
    assert original_of(time.sleep) is original_of(original)


def test_it_is_no_descriptor(taps: Taps) -> None:
    heard = []
    taps.put(time, "sleep", lambda original, args, kwargs: heard.append(args))

    class R:
        pause = time.sleep

    R().pause(0)
    R.pause(0)
    functools.partial(time.sleep, 0)()
    assert heard == [(0,), (0,), (0,)]
    assert not hasattr(vars(R)["pause"], "__get__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_pickles_as_the_original(taps: Taps, protocol: int) -> None:
    before = pickle.dumps([time.sleep, asyncio.sleep], protocol)
    taps.put(time, "sleep", passes)
    taps.put(asyncio.tasks, "sleep", passes_async)
    taps.put(asyncio, "sleep", passes_async)
    assert pickle.dumps([time.sleep, asyncio.sleep], protocol) == before
    saved = time.sleep
    taps.take_back()
    assert pickle.loads(pickle.dumps(saved, protocol)) is time.sleep


def test_what_lives_elsewhere_than_it_says_pickles_too(taps: Taps) -> None:
    original, bound = os.system, random.seed
    taps.put(os, "system", passes)
    taps.put(random, "seed", passes)
    taps.put(socket.socket, "connect", passes)
    assert pickle.loads(pickle.dumps(os.system)) is original_of(original)
    assert pickle.loads(pickle.dumps(random.seed)).__name__ == bound.__name__
    assert pickle.loads(pickle.dumps(socket.socket.connect)) is socket.socket.connect


def test_copies_are_the_same(taps: Taps) -> None:
    taps.put(time, "sleep", passes)
    taps.put(asyncio, "sleep", passes_async)
    for function in (time.sleep, asyncio.sleep):
        assert copy.copy(function) is function
        assert copy.deepcopy({"a": [function]})["a"][0] is function


def test_what_wraps_it_gets_nothing_of_ours(taps: Taps) -> None:
    taps.put(time, "sleep", passes)
    taps.put(asyncio, "sleep", passes_async)

    @functools.wraps(time.sleep)
    def blocking() -> None: ...

    @functools.wraps(asyncio.sleep)
    async def waiting() -> None: ...

    assert vars(blocking) == {"__wrapped__": time.sleep}
    assert vars(waiting) == {"__wrapped__": asyncio.sleep}
    assert original_of(waiting) is waiting


def test_a_function_in_two_places_stays_one(taps: Taps) -> None:
    before = asyncio.sleep
    taps.put(asyncio.tasks, "sleep", passes_async)
    taps.put(asyncio, "sleep", passes_async)
    assert asyncio.sleep is asyncio.tasks.sleep
    taps.take_back()
    assert asyncio.sleep is asyncio.tasks.sleep is before


def test_coroutine_functions(taps: Taps) -> None:
    heard = []

    async def around(original, args, kwargs):
        heard.append((args, kwargs))
        return await original(*args, **kwargs)

    taps.put(asyncio, "sleep", around)
    coroutine = asyncio.sleep(0, result=3)
    assert heard == []
    assert coroutine.__qualname__ == coroutine.__name__ == "sleep"
    assert asyncio.run(coroutine) == 3
    assert heard == [((0,), {"result": 3})]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.sleep(0)
    assert [str(warning.message) for warning in caught] == ["coroutine 'sleep' was never awaited"]


@pytest.mark.parametrize(
    ("holder", "name", "args", "kwargs"),
    [
        (time, "sleep", ("1",), {}),
        (time, "sleep", (), {}),
        (time, "sleep", (-1,), {}),
        (time, "sleep", (0, 0), {}),
        (time, "sleep", (), {"seconds": 0}),
        (random, "seed", (1, 2, 3), {}),
        (socket.socket, "connect", (), {}),
    ],
)
def test_errors_are_the_same(taps: Taps, holder: typing.Any, name: str, args: tuple, kwargs: dict) -> None:
    with pytest.raises((TypeError, ValueError)) as before:
        getattr(holder, name)(*args, **kwargs)
    assert taps.put(holder, name, passes)
    with pytest.raises(type(before.value)) as after:
        getattr(holder, name)(*args, **kwargs)
    assert str(after.value) == str(before.value)
    assert after.value.__context__ is None


def test_pytest_hides_our_frames(taps: Taps) -> None:
    taps.put(time, "sleep", passes)
    with pytest.raises(TypeError) as info:
        time.sleep("1")
    assert [entry.name for entry in info.traceback.filter(info)] == ["test_pytest_hides_our_frames"]


class Frozen(Exception):
    """As a frozen dataclass makes them."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


def fails(fail: bool = True) -> None:
    if fail:
        raise Frozen


async def fails_async() -> None:
    fails()


def frames(act: typing.Callable[[], object]) -> list[str]:
    """What a program that prints the traceback shows."""
    try:
        act()
    except (Frozen, TypeError) as error:
        return [
            f"{os.path.basename(frame.filename)} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
    return []


@pytest.mark.skipif(sys.version_info < (3, 11), reason="a bare raise puts the frames back")
def test_a_traceback_that_the_program_prints_shows_no_frame_of_ours(
    taps: Taps, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = types.ModuleType("place")
    monkeypatch.setattr(place, "fails", fails, raising=False)
    monkeypatch.setattr(place, "fails_async", fails_async, raising=False)
    acts = [lambda: time.sleep("1"), lambda: place.fails(fail=True), lambda: asyncio.run(place.fails_async())]
    before = [frames(act) for act in acts]
    assert all(before)
    for way in (tapping._only_call, functools.partial(tapping._only_call)):  # two that hear
        taps.put(time, "sleep", way)
        taps.put(place, "fails", way)
        taps.put(place, "fails_async", tapping._only_call)
    assert [frames(act) for act in acts] == before


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="there they are gone from the start")
def test_unittest_hides_our_frames(taps: Taps) -> None:
    taps.put(time, "sleep", passes)
    with pytest.raises(TypeError) as info:
        time.sleep("1")
    ours = [frame for frame, _ in traceback.walk_tb(info.tb) if frame.f_code.co_filename.endswith("tapping.py")]
    assert any("__unittest" in frame.f_globals for frame in ours)


# --- taking back


def test_taken_back(taps: Taps) -> None:
    originals = [vars(holder)[name] for holder, name in TAPPED]
    for holder, name in TAPPED:
        taps.put(holder, name, passes_async if holder is asyncio.tasks else passes)
    taps.take_back()
    assert all(vars(holder)[name] is original for (holder, name), original in zip(TAPPED, originals, strict=True))


def test_an_inherited_method_is_deleted_again(taps: Taps) -> None:
    heard = []

    class Names(list): ...

    def around(original, args, kwargs):
        heard.append(args[1])
        return original(*args, **kwargs)

    names = Names()
    assert taps.put(Names, "append", around)
    names.append("a")
    assert (names, heard) == (["a"], ["a"])
    assert Names.append.__module__ == __name__
    taps.take_back()
    assert "append" not in vars(Names)
    names.append("b")
    assert (names, heard) == (["a", "b"], ["a"])


def test_what_was_saved_goes_on_working_and_only_passes_on(taps: Taps) -> None:
    heard = []
    before = time.sleep

    def around(original, args, kwargs):
        heard.append(args)
        return original(*args, **kwargs)

    taps.put(time, "sleep", around)
    saved = time.sleep
    saved(0)
    taps.take_back()
    saved(0)
    assert heard == [(0,)]
    assert time.sleep is before
    assert original_of(saved) is original_of(before)


def test_what_somebody_else_put_there_stays(taps: Taps, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", time.sleep)  # undone to what it is now, in the end
        taps.put(time, "sleep", passes)
        ours = time.sleep
        theirs = time.sleep = lambda seconds: None
        taps.take_back()
        assert time.sleep is theirs
        time.sleep = ours
        time.sleep(0)


def test_patches_around_and_within(taps: Taps) -> None:
    original = time.sleep
    taps.put(time, "sleep", passes)
    ours = time.sleep
    with mock.patch.object(time, "sleep") as fake:
        time.sleep(5)
        fake.assert_called_once_with(5)
    assert time.sleep is ours
    with mock.patch("time.sleep", autospec=True):
        time.sleep(5)
    taps.take_back()
    assert time.sleep is original


def test_taken_back_within_a_patch(taps: Taps) -> None:
    original = time.sleep
    taps.put(time, "sleep", passes)
    with mock.patch.object(time, "sleep") as fake:
        taps.take_back()
        assert time.sleep is fake
    assert time.sleep == original
    time.sleep(0)
    time.sleep = original


def test_put_within_a_patch_of_its_own_class(taps: Taps) -> None:
    before = vars(socket.socket).get("listen")
    taps.put(socket.socket, "listen", passes)
    with mock.patch.object(socket.socket, "listen") as fake:
        with socket.socket() as sock:
            sock.listen()
        assert fake.call_count == 1
    taps.take_back()
    assert vars(socket.socket).get("listen") is before


# --- several listeners


def order(heard: list[str], name: str):
    def around(original, args, kwargs):
        heard.append(name)
        result = original(*args, **kwargs)
        heard.append(f"{name} ends")
        return result

    return around


def test_listeners_of_one_run_compose(taps: Taps) -> None:
    heard: list[str] = []
    for name in "abc":
        assert taps.put(time, "sleep", order(heard, name))
    time.sleep(0)
    assert heard == ["a", "b", "c", "c ends", "b ends", "a ends"]


def test_listeners_of_one_run_compose_for_coroutines(taps: Taps) -> None:
    heard: list[str] = []

    def listener(name: str):
        async def around(original, args, kwargs):
            heard.append(name)
            return await original(*args, **kwargs)

        return around

    taps.put(asyncio, "sleep", listener("a"))
    taps.put(asyncio, "sleep", listener("b"))
    assert asyncio.run(asyncio.sleep(0, 7)) == 7
    assert heard == ["a", "b"]


def test_one_listener_twice_hears_once(taps: Taps) -> None:
    heard: list[str] = []
    around = order(heard, "a")
    taps.put(time, "sleep", around)
    taps.put(time, "sleep", around)
    time.sleep(0)
    assert heard == ["a", "a ends"]


def test_a_run_inside_a_run_hears_alone(taps: Taps) -> None:
    heard: list[str] = []
    original = time.sleep
    taps.put(time, "sleep", order(heard, "outer"))
    tap = time.sleep
    inner = Taps()
    inner.put(time, "sleep", order(heard, "inner"))
    inner.put(time, "sleep", order(heard, "second"))
    assert time.sleep is tap
    time.sleep(0)
    assert heard == ["inner", "second", "second ends", "inner ends"]
    inner.take_back()
    assert time.sleep is tap
    time.sleep(0)
    assert heard[4:] == ["outer", "outer ends"]
    taps.take_back()
    assert time.sleep is original


def test_runs_may_end_in_the_wrong_order(taps: Taps) -> None:
    heard: list[str] = []
    original = time.sleep
    inner = Taps()
    taps.put(time, "sleep", order(heard, "outer"))
    inner.put(time, "sleep", order(heard, "inner"))
    taps.take_back()
    time.sleep(0)
    assert heard == ["inner", "inner ends"]
    inner.take_back()
    assert time.sleep is original


def test_put_again_after_somebody_put_the_original_back(taps: Taps) -> None:
    heard: list[str] = []
    original = time.sleep
    around = order(heard, "a")
    taps.put(time, "sleep", around)
    tap = time.sleep
    time.sleep = original
    taps.put(time, "sleep", around)
    assert time.sleep is tap
    time.sleep(0)
    assert heard == ["a", "a ends"]
    taps.take_back()
    assert time.sleep is original


def test_ours_that_somebody_took_to_another_place_is_taken_back_there_too(taps: Taps) -> None:
    module = types.ModuleType("gevent_like")
    original = time.sleep
    taps.put(time, "sleep", passes)
    module.sleep = time.sleep
    taps.put(module, "sleep", passes)
    taps.put(module, "sleep", passes)
    taps.take_back()
    assert module.sleep is time.sleep is original


def test_threads(taps: Taps) -> None:
    heard = []

    def around(original, args, kwargs):
        heard.append(threading.get_ident())
        return original(*args, **kwargs)

    taps.put(time, "sleep", around)
    threads = [threading.Thread(target=time.sleep, args=(0,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heard) == 4
    assert threading.get_ident() not in heard


# --- what is not tapped


class Base:
    @staticmethod
    def static(value: int) -> int:
        return value

    @classmethod
    def made(cls) -> type:
        return cls

    def method(self) -> str:
        return "base"


class Derived(Base): ...


@pytest.mark.parametrize("holder", [Base, Derived])
@pytest.mark.parametrize("name", ["static", "made"])
def test_static_and_class_methods_are_refused(taps: Taps, holder: typing.Any, name: str) -> None:
    before = dict(vars(holder))
    assert not taps.put(holder, name, passes)
    assert dict(vars(holder)) == before


def test_a_method_of_a_base_is_tapped_in_the_class_named_only(taps: Taps) -> None:
    heard: list[str] = []
    taps.put(Base, "method", order(heard, "base"))
    taps.put(Derived, "method", order(heard, "derived"))
    assert Base().method() == "base"
    assert heard == ["base", "base ends"]
    heard.clear()
    assert Derived().method() == "base"
    assert heard == ["derived", "base", "base ends", "derived ends"]
    taps.take_back()
    assert "method" not in vars(Derived)
    assert original_of(Base.method) is Base.method


@pytest.mark.parametrize(
    "found", [mock.Mock(), mock.AsyncMock(), mock.create_autospec(Base), Base, 3, None, functools.partial(int), print]
)
def test_only_functions_are_tapped(taps: Taps, found: object) -> None:
    module = types.ModuleType("some_module")
    module.name = found
    assert taps.put(module, "name", passes) is (found is print)
    assert (module.name is found) is (found is not print)
    assert not taps.put(module, "missing", passes)


def test_no_hostile_object_is_asked(taps: Taps) -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(name)

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None

    module = types.ModuleType("some_module")
    module.name = Hostile()
    assert not taps.put(module, "name", passes)
    assert type(original_of(module.name)) is Hostile
