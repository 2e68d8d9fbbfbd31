"""Real time slept: by whom, at which line, and in all.

What counts is the time that passed, never what was asked for: a patched sleep and a loop with a clock of its own slept
nothing. More than was asked for is never counted either: then others were running. Several names lead to one sleep
(anyio's calls asyncio's, eventlet's may call time's): the outermost counts.
"""

from __future__ import annotations

import re
import time
import types
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from pytest_secaudit.lean import lean
from pytest_secaudit.watch import real, tapping
from pytest_secaudit.watch.intervals import Union, overlapping
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Site
from pytest_secaudit.watch.tapping import Around, Taps, original_of

__unittest = True

#: What asks for less only yields (seconds).
SHORTEST: Final = 0.001

#: Where a sleep lives, beside the time module, once that module is loaded; the same function in two places stays one.
_MODULES = (
    "asyncio.tasks",
    "asyncio",
    "trio",
    "anyio._core._eventloop",
    "anyio",
    "gevent.hub",
    "gevent",
    "eventlet.greenthread",
    "eventlet",
)
_COROUTINES = ("asyncio", "trio", "anyio")
_KINDS = ("sleep", *_COROUTINES, "gevent", "eventlet")
_TIME = vars(time)
_MOCKS = ("unittest.mock", "mock.mock")
#: They sleep while they poll for what the caller waits for: that is waiting for an event.
_POLLS = ("subprocess", "eventlet.green.subprocess")
_INSTALLED = re.compile(r"[\\/](?:site|dist)-packages[\\/]", re.IGNORECASE)
_NO_LIMIT = float("inf")
_MAX_DEPTH = 500
_MAX_DELAYS = 1000
_FOLD_AT = 500


@lean
@dataclass(frozen=True, slots=True)
class Slept:
    """What one actor slept at one place.

    Attributes:
        kind: ``sleep`` for time.sleep, else the name of the library.
        in_thread: in another thread than the one that runs the tests; its actor is whoever started it.
        under_mock: in a function of the tests that a mock called in place of what it replaces: `site.edit` is there.
        called_back: in a function of the tests that code which is not the tests' own called: a callback, or a function
            put in the place of another without a mock.
        overlapped: one of the two held, and another such delay went on at the same time at another place.
        cut: how many of the calls ended by an exception.
        seconds: all that passed; what concurrent ones slept adds up.
        seconds_cut: what of it passed in those that were cut.
        began, ended: of the first and the last, on the clock of `real.perf_counter`.
    """

    actor: Hashable
    site: Site
    kind: str
    in_thread: bool
    under_mock: bool
    called_back: bool
    overlapped: bool
    calls: int
    cut: int
    seconds: float
    seconds_cut: float
    began: float
    ended: float

    @property
    def waited(self) -> float:
        """The seconds that somebody waited for: a task that is cancelled costs nobody its sleep."""
        return self.seconds if self.kind == "sleep" else self.seconds - self.seconds_cut


@lean
@dataclass(frozen=True, slots=True)
class _Key:
    """What one sum is kept for."""

    actor: Hashable
    site: Site
    kind: str
    in_thread: bool
    under_mock: bool
    called_back: bool

    @property
    def is_delay(self) -> bool:
        return self.under_mock or self.called_back

    @property
    def place(self) -> Hashable:
        return self.site.edit or self.site.written_at


@dataclass(slots=True)
class _Sum:
    began: float
    ended: float
    calls: int = 0
    cut: int = 0
    seconds: float = 0.0
    seconds_cut: float = 0.0


class Clock:
    """Hears every real sleep of the run.

    Args:
        taps: what is put there is taken back by its owner.
        who: tells who acts, and whether in another thread than the one that runs the tests.
    """

    def __init__(self, taps: Taps, stack: Stack, who: Callable[[], tuple[Hashable, bool]]) -> None:
        self._taps = taps
        self._stack = stack
        self._who = who
        self._arounds = {kind: _asleep(self, kind) if kind in _COROUTINES else _sleeping(self, kind) for kind in _KINDS}
        self._slept: deque[tuple[_Key, float, float, bool]] = deque()  # not summed up yet; any thread may append
        self._summing = real.new_lock()
        self._sums: dict[_Key, _Sum] = {}
        self._delays: deque[tuple[Hashable, float, float]] = deque(maxlen=_MAX_DELAYS)
        self._in_tests, self._in_threads = Union(), Union()
        self._time_sleep: object = None
        self._modules = 0
        self.refresh()

    # --- the taps

    def refresh(self) -> None:
        """Before each test: take in what was imported since, and what gevent or eventlet put in the place of ours."""
        if _TIME.get("sleep") is self._time_sleep and len(real.modules) == self._modules:
            return
        self._modules = len(real.modules)
        self._tap(time)
        self._time_sleep = _TIME.get("sleep")
        for name in _MODULES:
            self._tap(real.modules.get(name))

    def _tap(self, module: object) -> None:
        try:
            found = object.__getattribute__(module, "__dict__").get("sleep")  # loads no lazy module
        except AttributeError:
            return
        kind = _kind_of(original_of(found))
        if module is time and kind not in self._arounds and _is_of_a_library(original_of(found)):
            kind = "sleep"
        if kind in self._arounds:
            self._taps.put(module, "sleep", self._arounds[kind])

    # --- one sleep

    def begin(self) -> tuple[Hashable, bool, float] | None:
        """Who begins to sleep, whether in a thread, and when."""
        try:
            return *self._who(), real.perf_counter()
        except Exception:
            return None

    def end(self, kind: str, begun: tuple[Hashable, bool, float], asked: float, *, cut: bool) -> None:
        """The sleep of the caller's frame is over."""
        now = real.perf_counter()
        actor, in_thread, began = begun
        seconds = min(now - began, asked)
        too_soon = not cut and seconds < asked / 2 < _NO_LIMIT  # by a clock that is not the real one
        if seconds < SHORTEST or too_soon:
            return
        try:
            seen = self._look_out(real.getframe(1).f_back)
            if seen is None:
                return
            key = _Key(actor, self._stack.of(real.getframe(1).f_back), kind, in_thread, *seen)
            self._slept.append((key, began, began + seconds, cut))
            if len(self._slept) >= _FOLD_AT and self._summing.acquire(blocking=False):
                try:
                    self._sum_up()
                finally:
                    self._summing.release()
        except Exception:
            return

    def _look_out(self, frame: FrameType | None) -> tuple[bool, bool] | None:
        """Whether a mock called the function of the tests that sleeps, or other code did; None for what is no sleep."""
        while frame is not None and frame.f_globals.get("__name__") == tapping.__name__:
            frame = frame.f_back
        if frame is not None and frame.f_globals.get("__name__") in _POLLS:
            return None
        under_mock = called_back = in_test = decided = False
        for _ in range(_MAX_DEPTH):
            if frame is None:
                break
            if frame.f_code is _SLEEPING or frame.f_code is _ASLEEP:
                return None  # within another sleep, which counts
            if not decided:
                kind = self._stack.kind(frame)
                under_mock = kind == "machinery" and _is_mock(frame)
                called_back = kind == "other" and in_test
                in_test = in_test or kind == "test"
                decided = under_mock or kind == "other"
            frame = frame.f_back
        return under_mock, called_back

    # --- the sums

    def _sum_up(self) -> None:
        while self._slept:
            try:
                key, began, ended, cut = self._slept.popleft()
            except IndexError:  # another thread was faster
                return
            one = self._sums.setdefault(key, _Sum(began, ended))
            one.began = min(one.began, began)
            one.ended = max(one.ended, ended)
            one.calls += 1
            one.cut += cut
            one.seconds += ended - began
            one.seconds_cut += ended - began if cut else 0
            if key.is_delay:
                self._delays.append((key.place, began, ended))
            # A task that is cancelled was not waited for: a heartbeat that goes on beside the tests costs nothing.
            if not cut or key.kind == "sleep":
                (self._in_threads if key.in_thread else self._in_tests).add(began, ended)

    @contextmanager
    def _summed_up(self) -> Iterator[None]:
        held = self._summing.acquire(timeout=1)  # only a process forked at a bad moment has to wait
        try:
            self._sum_up()
            yield
        finally:
            if held:
                self._summing.release()

    def drain(self, actor: Hashable | None = None) -> tuple[Slept, ...]:
        """What this actor slept since the last time, or what all did; what still sleeps is not in it."""
        with self._summed_up():
            keys = [key for key in self._sums if actor is None or key.actor == actor]
            sums = [(key, self._sums.pop(key)) for key in keys]
            together = overlapping(self._delays) if any(key.is_delay for key in keys) else set()
        return tuple(
            Slept(
                actor=key.actor,
                site=key.site,
                kind=key.kind,
                in_thread=key.in_thread,
                under_mock=key.under_mock,
                called_back=key.called_back,
                overlapped=key.is_delay and key.place in together,
                calls=one.calls,
                cut=one.cut,
                seconds=one.seconds,
                seconds_cut=one.seconds_cut,
                began=one.began,
                ended=one.ended,
            )
            for key, one in sums
        )

    def seconds_total(self) -> float:
        """How long the tests slept, concurrent sleeps once, threads and cancelled tasks left out."""
        with self._summed_up():
            return self._in_tests.seconds

    def seconds_in_threads(self) -> float:
        """How long any other thread slept, concurrent sleeps once."""
        with self._summed_up():
            return self._in_threads.seconds


def _sleeping(clock: Clock, kind: str) -> Around:
    def sleeping(original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        asked = _asked(args, kwargs)
        begun = clock.begin() if asked >= SHORTEST else None
        if begun is None:
            return original(*args, **kwargs)
        cut = True
        try:
            result = original(*args, **kwargs)
            cut = False
            return result
        finally:
            clock.end(kind, begun, asked, cut=cut)

    return sleeping


def _asleep(clock: Clock, kind: str) -> Around:
    async def asleep(original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        asked = _asked(args, kwargs)
        begun = clock.begin() if asked >= SHORTEST else None
        if begun is None:
            return await original(*args, **kwargs)
        cut = True
        try:
            result = await original(*args, **kwargs)
            cut = False
            return result
        except GeneratorExit:  # thrown away while it slept: nobody waited, and nobody knows until when
            begun = None
            raise
        finally:
            if begun is not None:
                clock.end(kind, begun, asked, cut=cut)

    return asleep


def _code_of(make: Callable[[Any, str], Any]) -> types.CodeType:
    code: types.CodeType = make(None, "").__code__
    return code


_SLEEPING = _code_of(_sleeping)
_ASLEEP = _code_of(_asleep)


def _asked(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> float:
    """How many seconds; no limit where it is no plain number, none where it is for ever: that waits for its end."""
    asked = args[0] if args else kwargs.get("seconds", kwargs.get("delay", 0))
    kind = type(asked)
    if kind not in (float, int, bool):
        if not issubclass(kind, float):
            return _NO_LIMIT
        asked = float.__float__(asked)  # numpy's is one
    return 0.0 if asked == _NO_LIMIT else asked  # anyio.sleep_forever asks for infinity


def _kind_of(function: object) -> str:
    if type(function) is types.BuiltinFunctionType:
        return "sleep"
    return (function.__module__ or "").partition(".")[0] if type(function) is types.FunctionType else ""


def _is_of_a_library(function: object) -> bool:
    """Whether an installed library put a function of its own there, as os-brick does: what it wraps nobody can tap."""
    return type(function) is types.FunctionType and _INSTALLED.search(function.__code__.co_filename) is not None


def _is_mock(frame: FrameType) -> bool:
    return frame.f_code.co_name in ("_execute_mock_call", "_mock_call") and frame.f_globals.get("__name__") in _MOCKS
