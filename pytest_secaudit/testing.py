"""For those who write checks and plugins: a check against its own examples, and what an inner run was told.

`assert_examples` and `assert_audit` raise AssertionError, and say in it what they saw.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from pytest_secaudit.catalogue import flaw_of
from pytest_secaudit.live import Surroundings, scopes_in_effect, settle
from pytest_secaudit.model import Check
from pytest_secaudit.reading import Reading
from pytest_secaudit.rules import read

if TYPE_CHECKING:
    import pytest

__all__ = ["assert_audit", "assert_examples"]

#: A line of an example, and the level that is told there (``armed`` where the run is only told what to watch).
_Told = tuple[int, str]


def assert_examples(check: Check) -> None:
    """Read the check's examples: each of ``bad`` is reported at its marked lines alone, each of ``good`` nowhere.

    A line is marked by the code in its comment, ``# SHOP701``, with a level where that is not the check's own:
    ``# SHOP701 info``. The examples are read as a test module, and nothing of them is run.

    Raises:
        AssertionError: with the source, the lines that were expected, and those that were found.
    """
    flaw = flaw_of(check)
    if flaw:
        raise AssertionError(f"no check could be like this: {flaw}")
    if check.rule is None or not check.bad or not check.good:
        raise AssertionError(f"{check.code} needs a rule, a bad example and a good one")
    wrong = [
        *(
            text
            for number, source in enumerate(check.bad, 1)
            for text in _judged(check, f"bad example {number}", source)
        ),
        *(
            text
            for number, source in enumerate(check.good, 1)
            for text in _judged(check, f"good example {number}", source)
        ),
    ]
    if wrong:
        raise AssertionError("\n\n".join(wrong))


def _judged(check: Check, title: str, source: str) -> Iterator[str]:
    """What is wrong with one example, if anything is."""
    expected = _marked(check, source) if title.startswith("bad") else set()
    if title.startswith("bad") and not expected:
        yield f"{check.code}: {title} marks no line with `# {check.code}`\n{_numbered(source, {})}"
        return
    reading = read(source.encode(), "tests/test_example.py", [check])  # never raises
    if reading.error is not None:
        yield f"{check.code}: {title} cannot be read: {reading.error}\n{_numbered(source, {})}"
        return
    for _, error in reading.failures:
        yield f"{check.code}: the rule raised in {title}: {error}\n{_numbered(source, {})}"
        return
    found = _found(check, reading)
    if found != expected:
        signs = {line: "-" for line, _ in expected - found} | {line: "+" for line, _ in found - expected}
        told = f"expected: {_listed(expected)}\nfound:    {_listed(found)}"
        yield f"{check.code}: {title} is not reported as it says\n{told}\n{_numbered(source, signs)}"


def _marked(check: Check, source: str) -> set[_Told]:
    mark = re.compile(rf"#.*?\b{check.code}\b(?: (defect|advisory|info|armed)\b)?")
    return {
        (number, match[1] or check.by_reading.word)
        for number, line in enumerate(source.splitlines(), 1)
        for match in mark.finditer(line)
    }


def _found(check: Check, reading: Reading) -> set[_Told]:
    """What the check reports, with what the example's own fixtures tell taken into account."""
    around = Surroundings(
        fixture_replacements={fixture.name: fixture.replaces for fixture in reading.fixtures},
        autouse=[fixture.name for fixture in reading.fixtures if fixture.autouse],
        restores=[(reading.path, fact) for fact in reading.restores],
        fixture_scopes=scopes_in_effect(reading.path, [reading]),
    )
    # Without live objects a hit that needs their yes would always be silent.
    asked = replace(reading, hits=tuple(replace(hit, only_if=()) for hit in reading.hits))
    hits = {(hit.line, hit.severity.word) for hit in settle(asked, around).hits}
    if _only_watches(check):
        return hits | {(armed.line, "armed") for armed in reading.armed}
    return hits


def _only_watches(check: Check) -> bool:
    """Whether the check reports nothing by itself: its examples mark what the run is told to watch."""
    return all(level == "armed" for source in check.bad for _, level in _marked(check, source))


def _listed(told: set[_Told]) -> str:
    return ", ".join(f"line {line} ({level})" for line, level in sorted(told)) or "nothing"


def _numbered(source: str, signs: dict[int, str]) -> str:
    """The source; before a line that was expected in vain stands a minus, before one that was found beyond a plus."""
    lines = enumerate(source.splitlines(), 1)
    return "\n".join(f"{signs.get(number, ''):1} {number:3} | {line}".rstrip() for number, line in lines)


# --- inner runs


_TITLE = re.compile(r"=+ test-suite audit =+")
_ANY_TITLE = re.compile(r"=+ .* =+")
_QUIET = re.compile(r"audit: (.*)")
#: The sentence that tells how much was found, in the words of `conclusion`.
_COUNTS = re.compile(
    r"(?:(?P<defects>[\d,]+) (?:suspected )?defects?)?(?:, )?(?:(?P<advisories>[\d,]+) (?:suspected )?advisor(?:y|ies))?"
    r"(?:no defects found|no suspicion)?(?=[ ,]|$)"
)
_IS_COUNTS = re.compile(r"[\d,]+ (?:suspected )?(?:defect|advisor)|no defects found|no suspicion")


def assert_audit(result: pytest.RunResult, *, defects: int = 0, advisories: int | None = None) -> None:
    """Check how many new findings an inner ``--secaudit`` run of `pytester` told, in its process or in one of its own.

    Args:
        result: of the inner run, with pytest's terminal output.
        defects: how many defects, suspected ones among them.
        advisories: how many advisories; None for any number.

    Raises:
        AssertionError: with what was told; also when nothing was audited.
    """
    section = _section(result)
    counts = _counts(section)
    wanted = {"defects": defects, "advisories": advisories}
    differences = [
        f"{count} {name}, not {wanted[name]}"
        for name, count in counts.items()
        if wanted[name] is not None and count != wanted[name]
    ]
    if differences:
        raise AssertionError("\n".join([f"the audit told {' and '.join(differences)}:", *section]))


def _section(result: pytest.RunResult) -> list[str]:
    """The lines of the audit's section, or the one line of ``-q``."""
    starts = [number for number, line in enumerate(result.outlines, 1) if _TITLE.fullmatch(line)]
    if starts:
        return list(takewhile(lambda line: not _ANY_TITLE.fullmatch(line), result.outlines[starts[-1] :]))
    quiet = [match[1] for line in result.outlines if (match := _QUIET.fullmatch(line))]
    if quiet:
        return quiet[-1:]
    told = "\n".join([*result.outlines, *result.errlines]) or "(it printed nothing)"
    raise AssertionError(
        f"the inner run was not audited, or told nothing of it (exit status {int(result.ret)}); it needs --secaudit, "
        f"and neither -qq nor --no-summary:\n{told}"
    )


def _counts(section: list[str]) -> dict[str, int]:
    for number, line in enumerate(section):
        if _IS_COUNTS.match(line):
            match = _COUNTS.match(" ".join(section[number : number + 2]))  # it may be wrapped
            if match is not None:
                return {name: int((match[name] or "0").replace(",", "")) for name in ("defects", "advisories")}
    raise AssertionError("\n".join(["the inner run audited nothing:", *section]))
