"""What is only ever mocked: functions of the project that tests replace and no test runs.

What nobody measured is unknown, never blind; and nothing is blind in a run that left tests out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from pytest_secaudit.blind import ANYTHING, BlindSpot, BlindSpots
from pytest_secaudit.facts import BlindFacts
from pytest_secaudit.model import ADVISORY, INFO, Finding, Heading, Observation, Owner, Place
from pytest_secaudit.reading import fingerprint
from pytest_secaudit.watch.blind.record import AND_OTHERS, OUTSIDE_OF_TESTS, Executed, Replaced, start_key

CODE = "PSA810"
#: The name of the watcher.
WATCHER = "blind spots"

ONLY_AT_IMPORT = "only at import"
CHECKS_NOTHING = "only by tests that check nothing"

_PARTIAL = "a partial run: tests were left out, and may run what these mock"
_MOST_OWNERS = 20
#: So many functions are named in one sentence.
_MOST_SAID = 6


def blind_spots(facts: BlindFacts, *, is_complete: bool) -> BlindSpots:
    """Which of the replaced functions nobody ran.

    Args:
        facts: of all processes.
        is_complete: every test that there is was run.
    """
    unmeasured, idle = facts.unmeasured, frozenset(facts.idle)
    functions = list(_joined(facts.replaced))
    verdicts = [(one, _Measured(one, facts.executed)) for one in functions]
    unknown = [one for one, found in verdicts if found.has_run is None]
    named = tuple(sorted({word for one in unknown for word in _named(one, facts.executed)}))
    whole = BlindSpots(replaced=len(functions), off=unmeasured, unknown=_ranked(unknown), named=named)
    blind = _ranked(one for one, found in verdicts if found.has_run is False)
    if not is_complete:
        return replace(whole, off=unmeasured or _PARTIAL, not_run=len(blind))
    half = ((one, found.half(idle)) for one, found in verdicts if found.has_run)
    return replace(whole, blind=blind, half=_ranked(replace(one, ran=ran) for one, ran in half if ran))


class _Measured:
    """What all measurements say of one function.

    Attributes:
        has_run: None where nobody can tell.
    """

    def __init__(self, one: BlindSpot, executed: Sequence[Executed]) -> None:
        self._one = one
        self._tests: set[str] = set()
        self._is_outside = self._has_others = False
        answers = {self._answer(part) for part in executed}
        self.has_run = True if True in answers else None
        if answers <= {False, None} and False in answers and not any(_named(one, executed)):
            self.has_run = False
        self._knows_tests = all(part.knows_tests for part in executed)

    def _answer(self, part: Executed) -> bool | None:
        one = self._one
        if one.checksum in part.forked:
            self._has_others = True
            return True
        if part.starts is not None:
            return self._seen(part, part.starts.get(one.path, {}).get(start_key(one.first, one.qualname), ()))
        if part.lines is None or one.path not in part.lines:
            return None
        lines = part.lines[one.path]
        if one.body:
            ran = [lines[line] for line in one.body if line in lines]
            return self._seen(part, tuple(chain.from_iterable(ran))) or bool(ran)
        if one.path not in part.entered or one.first <= 1:  # the module itself begins in its first line
            return None
        entered = one.first in part.entered[one.path]
        self._has_others = self._has_others or entered  # the tests of its line are those that define it, too
        return entered

    def _seen(self, part: Executed, who: Iterable[int]) -> bool:
        found = set(who)
        self._is_outside = self._is_outside or OUTSIDE_OF_TESTS in found
        self._has_others = self._has_others or AND_OTHERS in found
        self._tests.update(part.tests[number] for number in found if number >= 0)
        return bool(found)

    def half(self, idle: Collection[str]) -> str:
        """In what way it is hardly run, if it is known who ran it; else an empty string."""
        if not self._knows_tests or self._has_others:
            return ""
        if not self._tests:
            return ONLY_AT_IMPORT if self._is_outside else ""
        return CHECKS_NOTHING if self._tests.issubset(idle) else ""


def _named(one: BlindSpot, executed: Iterable[Executed]) -> Iterator[str]:
    """By what name child processes may have run it."""
    for part in executed:
        yield from {one.package, ANYTHING}.intersection(part.words)


def _joined(replaced: Iterable[Replaced]) -> Iterator[BlindSpot]:
    """One of each function, whoever replaced it."""
    by_function: defaultdict[tuple[str, int, str], list[Replaced]] = defaultdict(list)
    for one in replaced:
        by_function[one.path, one.first, one.qualname].append(one)
    for found in by_function.values():
        first = found[0]
        places = {f"{place.path}:{place.line}": place for one in found for place in one.places}
        yield BlindSpot(
            path=first.path,
            line=first.line,
            qualname=first.qualname,
            replaced_in=tuple(sorted({test for one in found for test in one.tests})),
            security=bool(first.word),
            word=first.word,
            places=tuple(sorted(places.values(), key=lambda place: (place.path, place.line))),
            with_class=all(one.with_class for one in found),
            first=first.first,
            body=first.body,
            package=first.package,
            checksum=first.checksum,
        )


def _ranked(found: Iterable[BlindSpot]) -> tuple[BlindSpot, ...]:
    """What is about security first, then what most tests replace; what is only replaced with its class behind others."""

    def rank(one: BlindSpot) -> tuple[object, ...]:
        return not one.security, one.with_class, -len(one.replaced_in), one.path, one.line, one.qualname

    return tuple(sorted(found, key=rank))


# --- as findings, and in a review


def findings_of(spots: BlindSpots, check: Heading) -> Iterator[Finding]:
    """One for each function that no test runs."""
    for one in spots.blind:
        owners = tuple(_owner(test, one.places) for test in one.replaced_in[:_MOST_OWNERS])
        name = one.qualname.rpartition(".")[2]
        about = f", which is about security ({one.word})" if one.security else ""
        whole = " with its class" if one.with_class else ""
        message = f"tests replace {one.qualname}{whole}{about}, and none runs it"
        yield Finding(
            code=check.code,
            name=check.name,
            severity=ADVISORY if one.security else INFO,
            message=message,
            fix=f"let one test call the real {name}, with only what it calls outside of the process replaced",
            path=one.path,
            line=one.line,
            column=1,
            end_line=one.line,
            owner=owners[0],
            owners=owners,
            evidence="confirmed",
            security=one.word or None,
            subject=f"{one.path}:{one.qualname}",
            cause=fingerprint(check.code, message),
            fingerprint=fingerprint(check.code, one.path, one.qualname),
            detail={"tests": len(one.replaced_in)},
            cwe=check.cwe,
        )


def _owner(test: str, places: Sequence[Place]) -> Owner:
    """A test that replaces it, and where: its own file's line, if it has one."""
    path = test.partition("::")[0]
    place = next((place for place in places if place.path == path), places[0] if places else Place(path, 1))
    return Owner("test", test, place.path, place.line, scope="function")


def said_of(spots: BlindSpots) -> Iterator[Observation]:
    """What a review says of the files that replace them."""
    found: defaultdict[tuple[str, str], dict[BlindSpot, list[int]]] = defaultdict(dict)
    for one in (*spots.blind, *spots.half):
        for place in one.places:
            found[place.path, one.ran].setdefault(one, []).append(place.line)
    for (path, ran), lines in sorted(found.items()):
        named = [
            f"`{one.qualname}` ({one.path}:{one.line}) at {', '.join(map(str, mine))}" for one, mine in lines.items()
        ]
        more = [f"{len(named) - _MOST_SAID} more"] if len(named) > _MOST_SAID else []
        said = "; ".join([*named[:_MOST_SAID], *more])
        every = tuple(sorted({line for mine in lines.values() for line in mine}))
        yield Observation(path, 8, every, f"replaced here, and run {ran or 'by no test'}: {said}", "measured")


def with_blind_spots(observations: Iterable[Observation], spots: BlindSpots | None) -> tuple[Observation, ...]:
    """The observations of all files that are reviewed, with those."""
    observations = tuple(observations)
    if spots is None:
        return observations
    reviewed = {one.path for one in observations}
    more = (one for one in said_of(spots) if one.path in reviewed)
    return tuple(sorted((*observations, *more), key=lambda one: (one.path, one.dimension)))
