"""The time zone that the C library goes by: `time.tzset` takes it from TZ, and it stays when TZ is put back."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from operator import is_, itemgetter
from typing import Any

from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import type_name
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change
from pytest_secaudit.watch.tapping import Taps
from pytest_secaudit.watch.writes import Writes

SUBJECT = "the time zone"

_ZONE = itemgetter("tzname", "timezone", "altzone", "daylight")


class TimeZone:
    """Watches what `time.localtime` goes by."""

    name = "time zone"
    code = "PSA103"

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self._namespace = vars(time)
        self._raw: tuple[object, ...] = ()
        self._seen: Hashable = None
        self._writes = Writes(taps, stack)
        known = all(name in self._namespace for name in ("tzset", "tzname", "timezone", "altzone", "daylight"))
        self.off = "" if known else "time.tzset is not on this platform"
        if known:
            self._writes.listen(time, "tzset", _set)

    @property
    def stirred(self) -> Sequence[object]:
        return (self._writes.sites,)

    def look(self) -> Iterable[Change]:
        return () if not self._writes.sites and self._raw else self.look_closely()

    def look_closely(self) -> Iterable[Change]:
        """Find also what was set by another name of `time.tzset`."""
        try:
            raw = _ZONE(self._namespace)
        except KeyError:  # a test took one away; what it does with it is not for us
            return ()
        if self._raw and all(map(is_, raw, self._raw)):
            return ()
        return self._compared(raw)

    def _compared(self, raw: tuple[object, ...]) -> list[Change]:
        sites = self._writes.taken()
        now = tuple(map(_plain, raw))
        before, self._seen = self._seen, now
        is_first, self._raw = not self._raw, raw
        return [] if is_first or before == now else [Change(SUBJECT, before, now, sites.get(SUBJECT))]

    def said(self, change: Change) -> str:
        return clean(f"at {_name(change.after)} (it was {_name(change.before)})")

    def fix(self, change: Change) -> str:  # noqa: ARG002 - the form of an area
        return "call time.tzset() again once TZ is put back"

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Nothing to end."""


def _set(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> Hashable:
    return SUBJECT


def _plain(value: Any) -> Hashable:
    """A value of `time`, or the type of what a mock put there."""
    if type(value) is int or (type(value) is tuple and all(type(part) is str for part in value)):
        plain: Hashable = value
        return plain
    return type_name(value)


def _name(zone: Hashable) -> str:
    """``CET/CEST``; the offset from UTC is another one where the names are the same."""
    if not isinstance(zone, tuple) or not isinstance(zone[0], tuple):
        return "a stand-in"
    names, offset = zone[0], zone[1]
    text = "/".join(dict.fromkeys(names))
    return f"{text} ({-offset / 3600:+g} h)" if isinstance(offset, int) and offset else text
