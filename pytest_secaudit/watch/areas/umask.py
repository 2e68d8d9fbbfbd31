"""The umask, which can only be read by setting it: so it is followed, by what `os.umask` is given and gives back."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from pytest_secaudit.watch import real
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change
from pytest_secaudit.watch.tapping import Taps
from pytest_secaudit.watch.writes import Writes

SUBJECT = "the umask"

_STATUS = "/proc/self/status"
_ALL = 0o777
_open = real.own(os.open)
_read = real.own(os.read)
_close = real.own(os.close)


class Umask:
    """Watches the permissions that new files do not get."""

    name = "umask"
    code = "PSA103"

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self._first: int | None = None
        self._seen: int | None = None
        self._now: int | None = None
        #: Found by a call that we heard: somebody had set it without us.
        self._unheard: int | None = None
        self._has_looked = False
        self._writes = Writes(taps, stack)
        self.off = "" if self._writes.listen(os, "umask", self._set) else "os.umask is not a plain function here"

    @property
    def stirred(self) -> Sequence[object]:
        return (self._writes.sites,)

    def look(self) -> Iterable[Change]:
        now, before = self._now, self._seen
        if now == before and self._has_looked:
            return ()
        sites = self._writes.taken()
        self._seen, had_looked, self._has_looked = now, self._has_looked, True
        if not had_looked or (now == self._unheard and now != self._first):
            return ()
        return [Change(SUBJECT, before, now, sites.get(SUBJECT))]

    look_closely = look  # what it was told when it settled

    def _set(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: int) -> Hashable | None:
        if self._now is None:
            self._first = self._seen = result
        elif self._now != result:
            self._unheard = result
        self._now = int(args[0] if args else kwargs["mask"]) & _ALL
        return SUBJECT if self._now != self._seen else None

    def said(self, change: Change) -> str:
        return f"at {_octal(change.after)} (it was {_octal(change.before)})"

    def fix(self, change: Change) -> str:  # noqa: ARG002 - the form of an area
        return "os.umask gives back the old mask: set it again after a fixture's yield"

    def settle(self) -> None:
        """Ask the system, where it tells: somebody may have put it back without us."""
        if self._now is not None:
            told = _told()
            self._now = self._now if told is None else told

    def stop(self) -> None:
        """Nothing to end."""


def _octal(mask: Hashable) -> str:
    return f"0o{mask:03o}" if isinstance(mask, int) else "unknown"


def _told() -> int | None:
    """What Linux says it is."""
    try:
        descriptor = _open(_STATUS, os.O_RDONLY)
    except OSError:
        return None
    try:
        _, found, rest = _read(descriptor, 4096).partition(b"\nUmask:")
    finally:
        _close(descriptor)
    digits = rest.split(None, 1)[0] if found and rest.strip() else b""
    return int(digits, 8) if digits.isdigit() else None
