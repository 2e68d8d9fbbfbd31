"""The trace and the profile function of the thread that runs the tests; those of coverage and debuggers are none."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable
from types import MethodType
from typing import Final

from pytest_secaudit.strangers import bases_of, home_of, home_of_class
from pytest_secaudit.watch.areas.values import shown, token
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change
from pytest_secaudit.watch.tapping import Taps

_TOOLS = frozenset(
    "bdb coverage pdb pydevd _pydevd_bundle _pydevd_frame_eval _pydevd_sys_monitoring debugpy ptvsd"
    " cProfile profile _lsprof yappi pyinstrument trace hypothesis".split()
)


_UNSEEN: Final = object()


class Tracing:
    """Watches who follows every line, or every call."""

    name = "tracing"
    code = "PSA111"

    def __init__(self, taps: Taps, stack: Stack) -> None:  # noqa: ARG002 - the form of an area
        self.off = ""
        self._trace = sys.gettrace
        self._profile = sys.getprofile
        self._last_trace: object = _UNSEEN
        self._last_profile: object = _UNSEEN

    def look(self) -> Iterable[Change]:
        trace, profile = self._trace(), self._profile()
        last_trace, last_profile = self._last_trace, self._last_profile
        if trace is last_trace and profile is last_profile:
            return ()
        self._last_trace, self._last_profile = trace, profile
        if last_trace is _UNSEEN:
            return ()
        return [*_change("sys.settrace", last_trace, trace), *_change("sys.setprofile", last_profile, profile)]

    def said(self, change: Change) -> str:
        if change.after is None:
            return f"without a function (it had {shown(change.before)})"
        return f"with {shown(change.after)}"

    def fix(self, change: Change) -> str:
        reader = change.subject.replace(".set", ".get")
        return f"{change.subject}(saved) in a finally; saved = {reader}()"

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Let go of the functions."""
        self._last_trace = self._last_profile = _UNSEEN


def _change(subject: str, before: object, after: object) -> Iterable[Change]:
    was, now = _of_a_user(before), _of_a_user(after)
    if was != now:
        yield Change(subject, was, now)


def _of_a_user(function: object) -> Hashable:
    return None if function is None or _is_a_tools(function) else token(function)


def _is_a_tools(function: object) -> bool:
    homes = {home_of(function)}
    if type(function) is MethodType:  # a debugger of one's own is a bdb.Bdb all the same
        homes.update(map(home_of_class, bases_of(type(function.__self__))))
    return any(home.partition(".")[0] in _TOOLS for home in homes)
