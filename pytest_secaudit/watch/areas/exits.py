"""Functions that tests register to be called when the interpreter exits, and leave registered.

Only registrations in a test-side line count, and those of a function of the test file that is on the stack: libraries
and products register when they are imported or first used, once.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import count
from types import BuiltinFunctionType, FrameType, FunctionType, MethodType
from typing import Any

from pytest_secaudit.strangers import called, is_module, names_of
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.origins import QUIETLY
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Site
from pytest_secaudit.watch.tapping import Taps
from pytest_secaudit.watch.writes import caller

_callbacks: Callable[[], int] = real.own(getattr(atexit, "_ncallbacks", lambda: 1))
_REGISTERED = "registered"


class Exits:
    """What `atexit` will call."""

    name = "atexit"
    code = "PSA103"
    off = ""

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self._stack = stack
        self._new: list[Change] = []
        self._left: dict[str, tuple[Hashable, str]] = {}
        self._serials = count()
        taps.put(atexit, "register", self._around_register)
        taps.put(atexit, "unregister", self._around_unregister)

    @property
    def stirred(self) -> Sequence[object]:
        return (self._new, self._left)

    def look(self) -> Sequence[Change]:
        if self._left and not _callbacks():  # somebody has called them all, or cleared them
            self._take_out(list(self._left))
        if not self._new:
            return ()
        changes, self._new = self._new, []
        return changes

    def _around_register(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        result = original(*args, **kwargs)
        with QUIETLY:
            if self._is_by_test(args[0]):
                name = called(args[0])
                key = f"{next(self._serials)} {_expression(args[0], caller())}"
                self._left[key] = _identity(args[0]), f"atexit.register({name})"
                self._note(key, ABSENT, _REGISTERED, self._stack.site())
        return result

    def _around_unregister(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        result = original(*args, **kwargs)
        with QUIETLY:
            gone = _identity(args[0])
            self._take_out([key for key, (identity, _) in self._left.items() if identity == gone])
        return result

    def _take_out(self, keys: Sequence[str]) -> None:
        for key in keys:
            fresh = next((change for change in self._new if change.key == key), None)
            if fresh is not None:  # nobody has seen it
                self._new.remove(fresh)
            else:
                self._note(key, _REGISTERED, ABSENT, None)
            del self._left[key]

    def _note(self, key: str, before: str, after: str, site: Site | None) -> None:
        self._new.append(Change(self._left[key][1], before, after, site, key))

    def _is_by_test(self, function: object) -> bool:
        frame = caller()
        if frame is not None and self._stack.kind(frame) == "test":
            return True
        file = function.__code__.co_filename if type(function) is FunctionType else ""
        while frame is not None:
            if self._stack.kind(frame) == "test":
                return frame.f_code.co_filename == file
            frame = frame.f_back
        return False

    def said(self, change: Change) -> str:
        return "registered" if change.after == _REGISTERED else "unregistered"

    def fix(self, change: Change) -> str:
        name = change.key.partition(" ")[2] or "what was registered"
        return f"atexit.unregister({name}) in a finally, or after the fixture's yield"

    def settle(self) -> None: ...

    def stop(self) -> None:
        self._left.clear()
        self._new.clear()


def _expression(function: object, frame: FrameType | None) -> str:
    """What the code that registers it calls it; empty if that is not known."""
    whole, names = function, []
    if type(function) is MethodType:
        whole, names = function.__self__, [function.__func__.__name__]
    elif type(function) is BuiltinFunctionType and not is_module(function.__self__):
        whole, names = function.__self__, [function.__name__]
    for space in (frame.f_locals, frame.f_globals) if frame is not None else ():
        for name, value in list(space.items()):
            if value is whole:
                return ".".join((name, *names))
        for name, value in list(space.items()):
            if is_module(value) and names_of(value).get(own := called(whole).rpartition(".")[2]) is whole:
                return ".".join((name, own, *names))
    return "" if names else called(function).rpartition(".")[2]


def _identity(function: object) -> Hashable:
    """What tells a function from others, as long as `atexit` holds it; a bound method is made anew each time."""
    if type(function) is MethodType:
        return id(function.__self__), id(function.__func__)
    if type(function) is BuiltinFunctionType:
        return id(function.__self__), function.__name__
    return id(function)
