"""Ignores of the user's: ``# secaudit: ignore[CODE] reason`` and ``@pytest.mark.secaudit(...)``.

Reading them never fails. What is malformed is kept with its problem, suppresses nothing, and is
reported as PSA093.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_secaudit.lean import lean

MARKER = "secaudit"


@lean
@dataclass(frozen=True, slots=True)
class Suppression:
    """One ignore and the lines it covers.

    Attributes:
        kind: ``comment`` or ``marker``.
        line: where it stands.
        first, last: the lines it covers, both included.
        codes: codes or names, as written.
        reason: why; empty is a problem.
        until: ISO date after which it is reported as expired, or None.
        problem: why it suppresses nothing, or None.
        test: the id part (``Class::test_x``) of the one test it stands in, or None.
    """

    kind: str
    line: int
    first: int
    last: int
    codes: tuple[str, ...]
    reason: str
    until: str | None = None
    problem: str | None = None
    test: str | None = None

    def covers(self, line: int) -> bool:
        return self.problem is None and self.first <= line <= self.last


def problem_of(codes: tuple[str, ...], reason: str) -> str | None:
    """Why an ignore of these codes, for this reason, suppresses nothing; None where it does."""
    if not codes:
        return "names no code"
    return None if reason else "gives no reason"


def split_codes(entries: Iterable[str]) -> tuple[str, ...]:
    """The codes of comma or white-space separated lists."""
    return tuple(code for entry in entries for code in re.split(r"[,\s]+", entry.strip()) if code)


def marker_suppression(
    arguments: Mapping[str, object], line: int, first: int, last: int, test: str | None
) -> Suppression:
    """The suppression that the arguments of a ``secaudit`` marker say."""
    ignore, reason, until = arguments.get("ignore"), arguments.get("reason"), arguments.get("until")
    codes = split_codes([ignore] if isinstance(ignore, str) else _strings(ignore))
    text = reason if isinstance(reason, str) else ""
    problem = problem_of(codes, text.strip())
    if until is not None and not _is_date(until):
        problem = "has an `until` that is not a date like 2027-03-31"
    unknown = set(arguments) - {"ignore", "reason", "until"}
    if unknown:
        problem = f"has an unknown argument `{min(unknown)}`"
    return Suppression("marker", line, first, last, codes, text.strip(), str(until) if until else None, problem, test)


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, (list, tuple, set)) else []


def _is_date(value: object) -> bool:
    try:
        datetime.date.fromisoformat(str(value))
    except ValueError:
        return False
    return True
