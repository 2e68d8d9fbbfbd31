"""Which checks there are, and which of them a list of codes, prefixes or names means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from pytest_secaudit.model import Check, Heading, Severity

HeadingT = TypeVar("HeadingT", bound=Heading)

_CODE = r"[A-Z]+[0-9]+"
_NAME = r"[a-z0-9]+(-[a-z0-9]+)*"


class UnknownCode(ValueError):
    """A code, prefix or name that means no check; the message names the nearest ones."""


class BadCheck(ValueError):
    """An object that cannot be a check of this run; the message names it, its source, and what is accepted."""


def matching(selector: str, checks: Iterable[HeadingT]) -> tuple[HeadingT, ...]:
    """The checks that a code (``PSA701``), a code prefix (``PSA7``, ``SHOP``) or a name (``real-sleep``) means.

    Raises:
        UnknownCode: when it means none.
    """
    checks = tuple(checks)
    wanted = selector.strip()
    code = wanted.upper()
    found = tuple(check for check in checks if wanted.lower() == check.name or code == check.code)
    if not found:
        found = tuple(
            check for check in checks if _letters(check.code) == _letters(code) and check.code.startswith(code)
        )
    if not found:
        raise UnknownCode(f"unknown check {selector!r}{_nearest(wanted, checks)}")
    return found


def codes_of(selectors: Iterable[str], checks: Iterable[Heading], *, others: bool = False) -> frozenset[str]:
    """The codes that all these selectors mean together.

    Args:
        selectors: see `matching`.
        checks: those that are known.
        others: there may be more checks elsewhere; what can only mean one of those means none of these.

    Raises:
        UnknownCode: for the first selector that means no check.
    """
    checks = tuple(checks)
    known = [one for one in selectors if not (others and may_be_elsewhere(one, checks))]
    return frozenset(check.code for selector in known for check in matching(selector, checks))


def may_be_elsewhere(selector: str, checks: Iterable[Heading]) -> bool:
    """Whether it has the form of a code, prefix or name, and can be none of a check here; a misspelt name may, too."""
    wanted = selector.strip()
    if re.fullmatch(r"[A-Za-z]+[0-9]*", wanted):
        return all(_letters(wanted.upper()) != _letters(check.code) for check in checks)
    return re.fullmatch(_NAME, wanted.lower()) is not None and all(wanted.lower() != check.name for check in checks)


def _letters(code: str) -> str:
    return code.rstrip("0123456789")


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


# --- other people's checks


def gathered(
    ours: Iterable[Heading], offers: Iterable[tuple[str, Iterable[object]]]
) -> tuple[tuple[Heading, ...], list[tuple[str, str]]]:
    """All checks by code, and source and code of those that can never report anything.

    Args:
        ours: the built-in ones.
        offers: who offers, and what.

    Raises:
        BadCheck: for what is no check, and for a code or name that two of them have.
    """
    found: dict[str, Heading] = {}
    sources: dict[str, str] = {}
    idle: list[tuple[str, str]] = []
    pairs: list[tuple[str, Heading]] = [("pytest-secaudit", heading) for heading in ours]
    for source, offer in offers:
        for one in offer:
            flaw = flaw_of(one)
            if flaw or not isinstance(one, Check):
                raise BadCheck(f"{_shown(one)} of {source} is not accepted; {flaw}")
            if _letters(one.code) == "PSA":
                raise BadCheck(f"the check {one.code!r} of {source} is not accepted; PSA is for the built-in ones")
            pairs.append((source, one))
            idle += [(source, one.code)] * (one.rule is None)
    for source, check in pairs:
        for name in (check.code.lower(), check.name):
            if name in sources:
                where = f"from {sources[name]} and from {source}" if sources[name] != source else f"twice from {source}"
                shown = check.code if name == check.code.lower() else name
                raise BadCheck(f"{shown!r} comes {where}; accepted: a code and a name of its own for each check")
            sources[name] = source
        found[check.code] = check
    return tuple(found[code] for code in sorted(found)), idle


def flaw_of(one: object) -> str:
    """What keeps an object from being a check, and what is accepted; an empty string if nothing does."""
    if not isinstance(one, Check):
        return "accepted: objects of pytest_secaudit.model.Check"
    for field, is_right, accepted in _fields(one):
        if not is_right:
            return f"{field}: {_short(getattr(one, field))}; accepted: {accepted}"
    return ""


def _fields(check: Check) -> Sequence[tuple[str, bool, str]]:
    """Of each field of a stranger's check: its name, whether it is right, and what would be."""
    code, name = check.code, check.name
    is_code = isinstance(code, str) and re.fullmatch(_CODE, code) is not None
    is_name = isinstance(name, str) and re.fullmatch(_NAME, name) is not None
    levels = "DEFECT, ADVISORY or INFO of pytest_secaudit.model"
    return (
        ("code", is_code, "capital letters and digits, as in SHOP701; the first digit is the dimension"),
        ("name", is_name, "small letters, digits and hyphens, as in real-mail"),
        ("severity", isinstance(check.severity, Severity), levels),
        ("suspected", check.suspected is None or isinstance(check.suspected, Severity), f"{levels}, or None"),
        ("page", isinstance(check.page, str) and bool(check.page.strip()), "a text whose first line is the summary"),
        ("bad", _are_sources(check.bad), "a tuple of sources"),
        ("good", _are_sources(check.good), "a tuple of sources"),
        ("rule", check.rule is None or callable(check.rule), "a function that takes a TestModule and yields Hits"),
        ("cwe", check.cwe is None or type(check.cwe) is int, "a number of the CWE, or None"),
        ("since", isinstance(check.since, str), "a version"),
        ("revision", type(check.revision) is int and check.revision > 0, "a number from 1"),
    )


def _are_sources(value: object) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(one, str) for one in value)


def _shown(one: object) -> str:
    return f"the check {_short(one.code)}" if isinstance(one, Check) else f"an object of type {type(one).__name__}"


def _short(value: object) -> str:
    return f"{value!r:.60}" if type(value) in (str, int, tuple, list) else f"an object of type {type(value).__name__}"
