"""Signal handlers, and the interval timer that will send SIGALRM.

`signal.signal` calls ``_signal.signal``, and so does everybody else in Python. What faulthandler registers is not to be
seen; handlers of pytest-timeout and of a running event loop are theirs to take away.
"""

from __future__ import annotations

import importlib
import signal
from collections.abc import Hashable, Iterable, Mapping, Sequence
from operator import is_
from typing import Any

from pytest_secaudit.strangers import is_from
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.values import shown, token
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change
from pytest_secaudit.watch.tapping import Taps
from pytest_secaudit.watch.writes import Writes, caller

TIMER = "the interval timer"

_TOOLS = ("_pytest", "asyncio", "faulthandler", "pytest_timeout", "uvloop", "xdist")

_signal: Any = importlib.import_module("_signal")
_getsignal = real.own(_signal.getsignal)


class Signals:
    """Watches what a signal does to the process."""

    name = "signals"
    code = "PSA103"

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self.off = ""
        settable = {*map(int, signal.valid_signals())} - {getattr(signal, "SIGKILL", 0), getattr(signal, "SIGSTOP", 0)}
        self._named = tuple(sorted(settable & {*map(int, signal.Signals)}))
        self._numbers = (*self._named, *sorted(settable - {*self._named}))
        self._raw: list[object] = []
        self._seen: dict[int, Hashable] = {}
        self._timer = _Timer()
        self._writes = Writes(taps, stack)
        self._hears = self._writes.listen(_signal, "signal", _handled)
        if self._timer.known:  # the names in `signal` are those that programs use
            self._writes.listen(signal, "alarm", _timed)
            self._writes.listen(signal, "setitimer", _timed)

    @property
    def stirred(self) -> Sequence[object]:
        return (self._writes.sites, not self._hears, self._timer.runs)

    def look(self) -> Iterable[Change]:
        if not self._writes.sites and self._hears and self._raw and not self._timer.runs:
            return ()
        return self._compared() if self._writes.sites or not self._hears or not self._raw else self._of_the_timer({})

    def look_closely(self) -> Iterable[Change]:
        """Find also what was set past `signal.signal`."""
        if self._raw and not self._writes.sites and all(map(is_, map(_getsignal, self._named), self._raw)):
            return self._of_the_timer({})
        return self._compared()

    def _compared(self) -> list[Change]:
        sites = self._writes.taken()
        is_first = not self._raw
        self._raw = list(map(_getsignal, self._numbers))
        changes = []
        for number, handler in zip(self._numbers, self._raw, strict=True):
            before = self._seen.get(number)
            if is_from(handler, *_TOOLS):
                if not is_first:
                    continue
                handler = _default_of(number)  # noqa: PLW2901 - there when we came, and gone when its owner likes
            now = token(handler)
            if now != before:
                self._seen[number] = now
                changes.append(Change(f"signal {_name(number)}", before, now, sites.get(number)))
        return [] if is_first else [*changes, *self._of_the_timer(sites)]

    def _of_the_timer(self, sites: Mapping[Hashable, Any]) -> list[Change]:
        if TIMER not in sites and not self._timer.runs:
            return []
        before, now = self._timer.runs, self._timer.ask()
        return [] if now == before else [Change(TIMER, before, now, sites.get(TIMER))]

    def said(self, change: Change) -> str:
        if change.subject == TIMER:
            return "running: SIGALRM will come in a later test"
        before, after = _shown(change.before), _shown(change.after)
        return f"{after}, another one than before" if before == after else f"{after} (it was {before})"

    def fix(self, change: Change) -> str:
        if change.subject == TIMER:
            return "signal.alarm(0) in a finally"
        return f"signal.signal(signal.{change.subject.removeprefix('signal ')}, saved) in a finally"

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Let go of the handlers."""
        self._raw, self._seen = [], {}


class _Timer:
    """Whether the timer that `signal.alarm` and `signal.setitimer` share is running."""

    def __init__(self) -> None:
        get = getattr(signal, "getitimer", None)
        self.known = get is not None
        self._left = real.own(get) if get is not None else None
        self._which = getattr(signal, "ITIMER_REAL", 0)
        self.runs = False

    def ask(self) -> bool:
        self.runs = self._left is not None and self._left(self._which)[0] > 0
        return self.runs


def _default_of(number: int) -> object:
    """What Python itself does at a signal."""
    return signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _shown(handler: Hashable) -> str:
    if handler == int(signal.SIG_DFL):
        return "set to its default"
    if handler == int(signal.SIG_IGN):
        return "ignored"
    return "set outside Python" if handler is None else f"handled by {shown(handler).removeprefix('_')}"


def _handled(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> Hashable:
    return int(args[0])


def _timed(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> Hashable | None:
    frame = caller()
    module = "" if frame is None else str(frame.f_globals.get("__name__"))
    return None if module.partition(".")[0] in _TOOLS else TIMER
