"""Names that were added to, replaced in or taken from `builtins`: every module sees them."""

from __future__ import annotations

import builtins
import types
from collections.abc import Hashable, Iterable, Mapping
from operator import is_
from typing import Any

from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import bases_of, home_of_class
from pytest_secaudit.watch.areas.values import shown, token
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps

#: Of interactive shells, and of `warnings`.
_NOISE = frozenset(("__IPYTHON__", "__PYDEV__", "__warningregistry__", "display", "get_ipython", "pydev_debug"))


class BuiltinNames:
    """Watches the names that need no import: how many there are, and now and then each of them (about 3 us)."""

    name = "builtins"
    code = "PSA103"
    stirred = ()

    def __init__(self, taps: Taps, stack: Stack) -> None:  # noqa: ARG002 - the form of an area
        self.off = ""
        self._names: dict[str, Any] = vars(builtins)
        self.sizes = (self._names,)
        self._seen: dict[str, object] = {}
        self._values: list[object] = []

    def look(self) -> Iterable[Change]:
        return () if len(self._names) == len(self._seen) else self._compared()

    def look_closely(self) -> Iterable[Change]:
        """Find also what was replaced."""
        if len(self._names) == len(self._values) and all(map(is_, self._names.values(), self._values)):
            return ()
        return self._compared()

    def _compared(self) -> list[Change]:
        now = dict(self._names)
        seen, self._seen = self._seen, now
        self._values = list(now.values())
        return [change for name in {**seen, **now} for change in _change(name, seen, now)] if seen else []

    def said(self, change: Change) -> str:
        if change.after == ABSENT:
            return "removed"
        what = shown(change.after)
        return f"added ({what})" if change.before == ABSENT else f"replaced by {what}"

    def fix(self, change: Change) -> str:
        return f'monkeypatch.setattr(builtins, "{change.subject.partition(".")[2]}", ...)'

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Let go of the values."""
        self._seen, self._values = {}, []


def _change(name: str, seen: Mapping[str, object], now: Mapping[str, object]) -> Iterable[Change]:
    if type(name) is not str or name in _NOISE or seen.get(name, ABSENT) is now.get(name, ABSENT):
        return
    before, after = _state(name, seen), _state(name, now)
    if before != after:
        yield Change(clean(f"builtins.{name}"), before, after)


def _state(name: str, names: Mapping[str, object]) -> Hashable:
    found = names.get(name, ABSENT)
    if found is ABSENT or (name == "_" and not _translates(found)):
        return ABSENT
    return token(found)


def _translates(found: object) -> bool:
    """Whether it is the ``_`` of gettext, or one that stands for it; an interactive prompt keeps its last result there."""
    if type(found) is types.MethodType:
        return any(home_of_class(base) == "gettext" for base in bases_of(type(found.__self__)))
    return type(found) is types.FunctionType and found.__name__ in ("<lambda>", "_", "gettext")
