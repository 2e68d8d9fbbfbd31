"""Which checks there are, and which of them a list of codes, prefixes or names means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from pytest_secaudit.model import Heading

HeadingT = TypeVar("HeadingT", bound=Heading)


class UnknownCode(ValueError):
    """A code, prefix or name that means no check; the message names the nearest ones."""


def matching(selector: str, checks: Iterable[HeadingT]) -> tuple[HeadingT, ...]:
    """The checks that a code (``PSA701``), a code prefix (``PSA7``) or a name (``real-sleep``) means.

    Raises:
        UnknownCode: when it means none.
    """
    checks = tuple(checks)
    wanted = selector.strip()
    found = tuple(check for check in checks if check.name == wanted.lower())
    if not found and wanted.upper().startswith("PSA"):
        found = tuple(check for check in checks if check.code.startswith(wanted.upper()))
    if not found:
        raise UnknownCode(f"unknown check {selector!r}{_nearest(wanted, checks)}")
    return found


def codes_of(selectors: Iterable[str], checks: Iterable[Heading]) -> frozenset[str]:
    """The codes that all these selectors mean together.

    Raises:
        UnknownCode: for the first selector that means no check.
    """
    checks = tuple(checks)
    return frozenset(check.code for selector in selectors for check in matching(selector, checks))


def one(selector: str, checks: Iterable[HeadingT]) -> HeadingT:
    """The single check of a code or name.

    Raises:
        UnknownCode: when there is no such check.
    """
    checks = tuple(checks)
    for check in checks:
        if selector.strip().lower() in (check.code.lower(), check.name):
            return check
    raise UnknownCode(f"unknown check {selector!r}{_nearest(selector, checks)}")


def _nearest(wanted: str, checks: Iterable[Heading]) -> str:
    import difflib  # heavy, and only for a mistake

    names = {name.lower(): check for check in checks for name in (check.code, check.name)}
    close = difflib.get_close_matches(wanted.lower(), names, n=3, cutoff=0.6)
    if not close:
        close = sorted(name for name in names if wanted and name.startswith(wanted.lower()[:4]))[:3]
    known = dict.fromkeys(f"{names[name].code} {names[name].name}" for name in close)
    return f"; did you mean {', '.join(known)}?" if known else "; --secaudit-list shows them all"
