"""The locale: all its categories are one subject, and what is said names those that differ."""

from __future__ import annotations

import locale
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from pytest_secaudit.redact import clean
from pytest_secaudit.watch import real
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change
from pytest_secaudit.watch.tapping import Taps, original_of
from pytest_secaudit.watch.writes import Writes

SUBJECT = "the locale"

#: What `locale.setlocale` calls; the name is private.
_INNER = "_setlocale"


class Locale:
    """Watches how numbers, dates and text are written and read."""

    name = "locale"
    code = "PSA103"

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self.off = ""
        self._seen: str | None = None
        inner: Any = original_of(vars(locale).get(_INNER) or vars(locale).get("setlocale"))
        self._set = real.own(inner)
        self._everything = locale.LC_ALL
        self._writes = Writes(taps, stack)
        self._hears = self._writes.listen(locale, _INNER, _written)

    @property
    def stirred(self) -> Sequence[object]:
        return (self._writes.sites, not self._hears)

    def look(self) -> Iterable[Change]:
        if not self._writes.sites and self._hears and self._seen is not None:
            return ()
        return self.look_closely()

    def look_closely(self) -> Iterable[Change]:
        """Find also what a library in C set."""
        sites = self._writes.taken()
        try:
            now = str(self._set(self._everything, None))
        except (locale.Error, ValueError):  # it is in a state that cannot be told
            return ()
        before, self._seen = self._seen, now
        return () if before in (None, now) else [Change(SUBJECT, before, now, sites.get(SUBJECT))]

    def said(self, change: Change) -> str:
        before, after = _categories(change.before), _categories(change.after)
        if None in before and None in after:
            return clean(f"at {after[None]} (it was {before[None]})")
        names = [name for name in {**before, **after} if name is not None]
        pairs = [(name, after.get(name, after.get(None)), before.get(name, before.get(None))) for name in names]
        return clean(", ".join(f"with {name} at {now} (it was {was})" for name, now, was in pairs if now != was))

    def fix(self, change: Change) -> str:  # noqa: ARG002 - the form of an area
        return "locale.setlocale(locale.LC_ALL, saved) after a fixture's yield"

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Nothing to end."""


def _written(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> Hashable | None:
    asked_only = len(args) < 2 or args[1] is None
    return None if asked_only else SUBJECT


def _categories(text: Hashable) -> dict[str | None, str]:
    """``LC_CTYPE=C;LC_TIME=de_DE`` by category; one name for all of them under None."""
    if not isinstance(text, str) or "=" not in text:
        return {None: str(text)}
    return {name: value for name, _, value in (part.partition("=") for part in text.split(";"))}
