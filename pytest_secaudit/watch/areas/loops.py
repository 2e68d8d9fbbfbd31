"""asyncio's event loop policy and the current loop of the main thread.

Asking asyncio makes what it is asked for, so its own variables are read, and nothing is imported. What counts is a
policy of another kind than the default, and a loop that code of the project or its tests made current and left open: a
policy or loop made on first use, a closed loop and no loop are all the same, and plugins look after theirs.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import FrameType, ModuleType
from typing import Any

from pytest_secaudit.strangers import called, home_of, names_of, type_name
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.origins import QUIETLY, library
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change, Held, Site
from pytest_secaudit.watch.tapping import Taps
from pytest_secaudit.watch.writes import caller

_DEFAULT = "asyncio's default"
_NONE = "none that is open"
_DEFAULTS = (
    ("WindowsProactorEventLoopPolicy", "_WindowsProactorEventLoopPolicy")
    if sys.platform == "win32"
    else ("_UnixDefaultEventLoopPolicy",)
)
_POLICY = "the asyncio event loop policy"
_LOOP = "the current asyncio event loop"


class EventLoops:
    """The policy and the loop that `asyncio.get_event_loop` would answer with."""

    name = "asyncio"
    code = "PSA103"
    off = ""

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self._taps = taps
        self._stack = stack
        self._events: ModuleType | None = None
        self._policy: object = None
        self._local: threading.local | None = None
        self._policy_said = _DEFAULT
        self._loop: object = None
        self._slot: Hashable = _NONE
        self._is_open = False
        self._set: tuple[int, Site] | None = None
        self._has_looked = False

    @property
    def stirred(self) -> Sequence[object]:
        return (self._events is not None,)

    def look(self) -> Sequence[Change]:
        has_looked, self._has_looked = self._has_looked, True
        events = real.modules.get("asyncio.events")
        if events is None:
            return ()
        if events is not self._events:
            self._tap(events)
        policy = events.__dict__.get("_event_loop_policy")
        if policy is not self._policy:
            self._local = _local_of(policy)
        loop = getattr(self._local, "_loop", None)
        if policy is self._policy and loop is self._loop and (not self._is_open or is_open(loop)):
            return ()
        changes = [*self._changed_policy(policy), *self._changed_loop(loop)]
        return changes if has_looked else ()

    def _changed_policy(self, policy: object) -> list[Change]:
        self._policy = policy
        before, self._policy_said = self._policy_said, _said(policy)
        return [Change(_POLICY, before, self._policy_said)] if before != self._policy_said else []

    def _changed_loop(self, loop: object) -> list[Change]:
        self._loop = loop
        site = self._set[1] if self._set is not None and self._set[0] == id(loop) else None
        counts = loop is not None and is_open(loop) and (site is not None or self._is_open)
        before, self._slot = self._slot, Held(loop, called(loop)) if counts else _NONE
        self._is_open = counts
        if type(self._slot) is Held:
            self._slot.loosen()
        return [Change(_LOOP, before, self._slot, site)] if before != self._slot else []

    # --- who made it current

    def _tap(self, events: ModuleType) -> None:
        self._events = events
        for name in ("BaseDefaultEventLoopPolicy", "_BaseDefaultEventLoopPolicy"):
            found = names_of(events).get(name)
            if isinstance(found, type):
                self._taps.put(found, "set_event_loop", self._around)

    def _around(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        result = original(*args, **kwargs)
        with QUIETLY:
            loop = args[1] if len(args) > 1 else kwargs["loop"]
            site = self._stack.of(caller())
            meant = site.written_at is not None and not site.importing and not library(site)
            if real.get_ident() == real.main_thread.ident:
                self._set = (id(loop), site) if meant and not _is_on_demand(caller()) else None
        return result

    # --- words

    def said(self, change: Change) -> str:
        if change.subject == _POLICY:
            return f"at {change.after} (it was {change.before})"
        return "open" if type(change.after) is Held else "unset"

    def fix(self, change: Change) -> str:
        if change.subject == _POLICY:
            return (
                f"asyncio.set_event_loop_policy({'None' if change.before == _DEFAULT else 'the old one'}) in a finally"
            )
        return "use asyncio.run, or close the loop and asyncio.set_event_loop(None) in a finally"

    def settle(self) -> None: ...

    def stop(self) -> None:
        self._events = None
        self._policy = self._local = self._loop = None


def current_loop(policy: object) -> object:
    """The loop that the policy keeps for this thread; it is not asked, only looked at."""
    return getattr(_local_of(policy), "_loop", None)


def _local_of(policy: object) -> threading.local | None:
    """Where asyncio's own policies, and those derived from them, keep the loop of each thread."""
    local = names_of(policy).get("_local") if policy is not None else None
    return local if issubclass(type(local), threading.local) and home_of(local).startswith("asyncio") else None  # type: ignore[return-value]


def is_open(loop: object) -> bool:
    """Whether the loop is not closed; what stands in for one never is."""
    try:
        return type(loop).is_closed(loop) is not True  # type: ignore[attr-defined]
    except Exception:
        return True


def _is_on_demand(frame: FrameType | None) -> bool:
    """Whether asyncio sets the loop because somebody asked for one."""
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("asyncio."):
        if frame.f_code.co_name == "get_event_loop":
            return True
        frame = frame.f_back
    return False


def _said(policy: object) -> str:
    if policy is None or (type_name(policy) in _DEFAULTS and home_of(policy).startswith("asyncio.")):
        return _DEFAULT
    return f"{home_of(policy)}.{type_name(policy)}"
