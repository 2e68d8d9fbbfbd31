"""Each check reports exactly the marked lines of its BAD examples, and nothing in its GOOD ones."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pytest_secaudit.checks import built_in
from pytest_secaudit.live import Surroundings, scopes_in_effect, settle
from pytest_secaudit.model import Check
from pytest_secaudit.rules import read

EXPECTED = re.compile(r"#.*?\b(PSA\d{3})(?: (defect|advisory|info|armed))?")
CHECKS = built_in()
WITH_RULE = [check for check in CHECKS if check.rule is not None]


def expected(check: Check, source: str) -> set[tuple[int, str]]:
    """Line and level of each mark ``# CODE`` or ``# CODE level`` for this check."""
    return {
        (number, match[2] or (check.suspected or check.severity).word)
        for number, line in enumerate(source.splitlines(), 1)
        for match in EXPECTED.finditer(line)
        if match[1] == check.code
    }


def only_watches(check: Check) -> bool:
    """Whether the check reports nothing by itself: its examples mark what the run is told to watch."""
    return all(level == "armed" for source in check.bad for _, level in expected(check, source))


def reported(check: Check, source: str) -> set[tuple[int, str]]:
    """What the check reports for one file, with what the file's own fixtures tell taken into account."""
    reading = read(source.encode(), "tests/test_example.py", [check])
    assert (reading.error, reading.failures) == (None, ())
    if only_watches(check):
        assert not reading.hits
        return {(armed.line, "armed") for armed in reading.armed}
    around = Surroundings(
        fixture_replacements={fixture.name: fixture.replaces for fixture in reading.fixtures},
        autouse=[fixture.name for fixture in reading.fixtures if fixture.autouse],
        restores=[(reading.path, fact) for fact in reading.restores],
        fixture_scopes=scopes_in_effect(reading.path, [reading]),
    )
    # Without live objects a hit that needs their yes would always be silent.
    open_hits = tuple(replace(hit, only_if=()) for hit in reading.hits)
    return {(hit.line, hit.severity.word) for hit in settle(replace(reading, hits=open_hits), around).hits}


@pytest.mark.parametrize(
    ("check", "number"), [(c, n) for c in WITH_RULE for n in range(len(c.bad))], ids=lambda v: getattr(v, "code", v)
)
def test_bad_example_is_reported_at_its_marked_lines(check: Check, number: int) -> None:
    marks = expected(check, check.bad[number])
    assert marks, "a BAD example marks at least one line"
    assert reported(check, check.bad[number]) == marks


@pytest.mark.parametrize(
    ("check", "number"), [(c, n) for c in WITH_RULE for n in range(len(c.good))], ids=lambda v: getattr(v, "code", v)
)
def test_good_example_is_silent(check: Check, number: int) -> None:
    assert reported(check, check.good[number]) == set()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_check_is_documented(check: Check) -> None:
    assert re.fullmatch(r"PSA\d{3}", check.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", check.name)
    assert check.summary.endswith(".")
    assert check.rule is None or (check.bad and check.good)
