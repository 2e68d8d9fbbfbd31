"""Context variables of the project and its tests, in the context that the tests run in.

A context is an immutable map behind a thin shell: as long as it is the same map, nothing was set. A variable is only
reported when it is found in the namespace of a module or class under the rootdir: what libraries keep in theirs is
their own affair.
"""

from __future__ import annotations

import contextvars
import gc
import weakref
from collections.abc import Callable, Hashable, Sequence
from types import ModuleType
from typing import Any

from pytest_secaudit.strangers import called, type_name
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.values import Hidden
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Held
from pytest_secaudit.watch.tapping import Taps

_PLAIN = (bool, bytes, float, int, str)
_MISSING = object()
_MAX_PLACES = 1000


class ContextVars:
    """The current context of the thread that runs the tests."""

    name = "contextvars"
    code = "PSA103"
    off = ""

    def __init__(self, taps: Taps, stack: Stack, *, is_project: Callable[[ModuleType], bool]) -> None:  # noqa: ARG002
        self._is_project = is_project
        self._context: contextvars.Context | None = None
        self._map: object = None
        self._places: dict[contextvars.ContextVar[Any], str] = {}
        self._projects: dict[int, tuple[weakref.ref[ModuleType], bool]] = {}
        self._modules = 0

    def look(self) -> Sequence[Change]:
        now = contextvars.copy_context()
        inner = gc.get_referents(now)
        if inner and inner[0] is self._map:
            return ()
        before, self._context = self._context, now
        self._map = inner[0] if inner else None
        return () if before is None else self._changes(before, now)

    def _changes(self, before: contextvars.Context, now: contextvars.Context) -> list[Change]:
        changes = []
        for variable in {**before, **now}:
            old, new = before.get(variable, _MISSING), now.get(variable, _MISSING)
            if old is not new and (place := self._place(variable)):
                was, is_now = _value(variable, old), _value(variable, new)
                if was != is_now:
                    changes.append(Change(f"contextvar {variable.name}", was, is_now, key=place))
        return changes

    def _place(self, variable: contextvars.ContextVar[Any]) -> str:
        """Where under the rootdir the variable is kept, ``shop.cart:Cart.user``; or an empty string."""
        if self._modules != len(real.modules) or len(self._places) > _MAX_PLACES:
            self._modules = len(real.modules)
            self._places = {known: place for known, place in self._places.items() if place}
        if variable not in self._places:
            self._places[variable] = self._look_for(variable)
        return self._places[variable]

    def _look_for(self, variable: contextvars.ContextVar[Any]) -> str:
        for name, module in list(real.modules.items()):
            if type(module) is not ModuleType or not self._is_ours(module):
                continue
            space = vars(module).copy()
            for key, value in space.items():
                if value is variable:
                    return f"{name}:{key}"
                if type(value) is type:
                    found = next((inner for inner, one in list(vars(value).items()) if one is variable), None)
                    if found is not None:
                        return f"{name}:{key}.{found}"
        return ""

    def _is_ours(self, module: ModuleType) -> bool:
        known = self._projects.get(id(module))
        if known is None or known[0]() is not module:
            known = self._projects[id(module)] = (weakref.ref(module), self._is_project(module))
        return known[1]

    def said(self, change: Change) -> str:
        if change.after == ABSENT:
            return f"unset (it was {_said(change.before)})"
        return f"set to {_said(change.after)} (it was {_said(change.before)})"

    def fix(self, change: Change) -> str:
        name = change.key.partition(":")[2]
        return f"token = {name}.set(...), and {name}.reset(token) in a finally or after the fixture's yield"

    def settle(self) -> None: ...

    def stop(self) -> None:
        self._context = self._map = None
        self._places.clear()
        self._projects.clear()


def _value(variable: contextvars.ContextVar[Any], value: object) -> Hashable:
    """The value, or what the variable says without one; None is as good as none."""
    if value is _MISSING:
        try:
            value = contextvars.Context().run(variable.get)
        except LookupError:
            return ABSENT
    if value is None:
        return ABSENT
    return Hidden((type_name(value), value)) if type(value) in _PLAIN else Held(value, called(value))


def _said(value: object) -> str:
    """Never the value itself: a context is where tokens and users travel."""
    if type(value) is Hidden:
        kind = value.value[0]  # type: ignore[index]
        return "an int" if kind == "int" else f"a {kind}"
    return value.said if type(value) is Held else "not set"
