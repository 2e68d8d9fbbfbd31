"""The working directory, also one that was deleted under the process."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from pytest_secaudit.redact import clean
from pytest_secaudit.watch import real
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change
from pytest_secaudit.watch.tapping import Taps
from pytest_secaudit.watch.writes import Writes

SUBJECT = "the working directory"
DELETED = "<deleted>"


class Cwd:
    """Watches where the process stands."""

    name = "cwd"
    code = "PSA102"

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self.off = ""
        self._seen: str | None = None
        self._writes = Writes(taps, stack)
        self._hears = self._writes.listen(os, "chdir", _moved)
        if hasattr(os, "fchdir"):
            self._hears &= self._writes.listen(os, "fchdir", _moved)

    @property
    def stirred(self) -> Sequence[object]:
        return (self._writes.sites, not self._hears)

    def look(self) -> Iterable[Change]:
        if not self._writes.sites and self._hears and self._seen is not None:
            return ()
        return self.look_closely()

    def look_closely(self) -> Iterable[Change]:
        """Find also a folder that was left without `os.chdir`, or deleted."""
        sites = self._writes.taken()
        here, before = _where(), self._seen
        if here == before:
            return ()
        self._seen = here
        return () if before is None else [Change(SUBJECT, before, here, sites.get(SUBJECT))]

    def said(self, change: Change) -> str:
        return clean(f"at {change.after} (it was {change.before})")

    def fix(self, change: Change) -> str:  # noqa: ARG002 - the form of an area
        return "monkeypatch.chdir(...), or contextlib.chdir from Python 3.11 on"

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Nothing to end."""


def _where() -> str:
    try:
        return real.getcwd()
    except OSError:
        return DELETED


def _moved(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> Hashable:
    return SUBJECT
