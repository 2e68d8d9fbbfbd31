"""Warning filters, and who shows warnings: watched where pytest does not reset them after every test.

Each filter is a subject of its own, by its words (``error::DeprecationWarning``): what puts the list back, in whatever
order, has put it back.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any

from pytest_secaudit.strangers import called, type_name
from pytest_secaudit.watch.areas.values import token
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Site
from pytest_secaudit.watch.tapping import Taps
from pytest_secaudit.watch.writes import Writes

_WARNINGS: Mapping[str, Any] = vars(warnings)
_SHOW = "warnings.showwarning"


class Filters:
    """The filters of the module `warnings`; since 3.14 a context may have its own, which end with it."""

    name = "warnings"
    code = "PSA103"

    def __init__(self, taps: Taps, stack: Stack, *, reset_by_pytest: bool = True) -> None:
        self.off = "pytest resets them after every test" if reset_by_pytest else ""
        self._writes = Writes(taps, stack)
        if not reset_by_pytest:  # which line wrote, and whether a library did when it was imported
            for name in ("filterwarnings", "simplefilter"):
                self._writes.listen(warnings, name, _added)
        self._last: list[object] = []
        self._shown: object = None
        self._words: dict[str, None] = {}

    def look(self) -> Sequence[Change]:
        now, shown = _WARNINGS.get("filters"), _WARNINGS.get("showwarning")
        sites: Mapping[Any, Site | None] = self._writes.taken()
        if type(now) is not list or (
            shown is self._shown and len(now) == len(self._last) and all(map(is_, now, self._last))
        ):
            return ()
        first = self._shown is None
        changes = [*self._new_words(now, sites), *self._new_hand(shown)]
        self._last, self._shown = now.copy(), shown
        return () if first else changes

    def _new_words(self, filters: Sequence[object], sites: Mapping[Any, Site | None]) -> list[Change]:
        before, self._words = self._words, dict.fromkeys(map(_said, filters))
        return [
            Change(f"warnings.filters[{words!r}]", "set", ABSENT)
            if words in before
            else Change(f"warnings.filters[{words!r}]", ABSENT, "set", sites.get(words))
            for words in before | self._words
            if (words in before) != (words in self._words)
        ]

    def _new_hand(self, shown: object) -> list[Change]:
        return [] if shown is self._shown else [Change(_SHOW, token(self._shown), token(shown))]

    def said(self, change: Change) -> str:
        if change.subject == _SHOW:
            return "replaced"
        return "removed" if change.after == ABSENT else "set"

    def fix(self, change: Change) -> str:
        if change.subject == _SHOW:
            return "with warnings.catch_warnings(record=True), or pytest.warns"
        return "with warnings.catch_warnings(), or @pytest.mark.filterwarnings"

    def settle(self) -> None: ...

    def stop(self) -> None:
        self._last, self._shown = [], None


def _added(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> str | None:
    """The filter that a call put in front, or behind the others."""
    filters = _WARNINGS.get("filters")
    at_the_end = kwargs.get("append", args[-1] if len(args) > 3 else False)  # its last argument, of either function
    return _said(filters[-1 if at_the_end is True else 0]) if type(filters) is list and filters else None


def _said(item: object) -> str:
    """A filter as the option ``-W`` writes it."""
    if type(item) is not tuple or len(item) != 5:
        return called(item)
    return ":".join(map(_word, item)).rstrip(":")


def _word(part: object) -> str:
    kind = type(part)
    if kind is re.Pattern:
        return str(part.pattern)  # type: ignore[attr-defined]
    if kind is str or kind is int:
        return str(part or "")
    if issubclass(kind, type):
        return called(part)
    return "" if part is None else type_name(part)
