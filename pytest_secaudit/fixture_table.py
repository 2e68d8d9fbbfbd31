"""The table of fixtures: what each costs, what it left, who changes its value, and what to do about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import chain

from pytest_secaudit.facts import DefinedFixture, Facts
from pytest_secaudit.model import SCOPES, Finding, FixtureRow
from pytest_secaudit.watch.record import FixtureRan

#: What a fixture that could be wider costs at least, in seconds, and how often it is set up.
_DEAR, _OFTEN = 0.2, 3
#: As many tests and names are told in one row.
_MOST_NAMED = 20


def table(
    facts: Facts,
    findings: Iterable[Finding],
    *,
    is_complete: bool,
    unwatched: str = "",
    places: Collection[str] = ("",),
) -> tuple[FixtureRow, ...]:
    """A row for each fixture that was set up, or is defined in a file that was read.

    Args:
        facts: what is known of the files and the fixtures.
        findings: all of them.
        is_complete: every test ran, so that what was never set up is not used at all.
        unwatched: why no set-up was seen, if none could be.
        places: the files and folders whose tests ran; an empty name is the rootdir.
    """
    told = _Told(findings)
    ran = united(facts.ran)
    rows = []
    met: set[tuple[str, DefinedFixture]] = set()
    for one in ran:
        defined = _definition(facts, one)
        if defined is not None:
            met.add((one.path, defined))
        rows.append(_row(one, defined, told, ran))
    for path, file in facts.files.items():
        for defined in file.fixtures:
            if (path, defined) not in met:
                is_unused = is_complete and not unwatched and _is_below(path, places)
                hint = "no test of a complete run asks for it" if is_unused else ""
                verdict = f"not judged: {unwatched}" if unwatched else "not run"
                rows.append(FixtureRow(defined.name, defined.scope, path, defined.line, verdict=verdict, hint=hint))
    return tuple(sorted(rows, key=lambda row: (row.path, row.line, row.name)))


def _is_below(path: str, places: Collection[str]) -> bool:
    """Whether the tests that could ask for what this file defines all ran."""
    return any(not place or path == place or path.startswith(f"{place}/") for place in places)


def united(ran: Iterable[FixtureRan]) -> tuple[FixtureRan, ...]:
    """Each fixture once, over all processes."""
    by_fixture: defaultdict[tuple[str, str], list[FixtureRan]] = defaultdict(list)
    for one in ran:
        by_fixture[one.id, one.name].append(one)
    return tuple(_one(group) for group in by_fixture.values())


def _one(group: Sequence[FixtureRan]) -> FixtureRan:
    return replace(
        group[0],
        setups=sum(one.setups for one in group),
        failures=sum(one.failures for one in group),
        setup_s=sum(one.setup_s for one in group),
        teardown_s=sum(one.teardown_s for one in group),
        users=sum(one.users for one in group),
        touches=tuple(sorted(set(chain.from_iterable(one.touches for one in group)))),
        values=tuple(sorted(set(chain.from_iterable(one.values for one in group)))),
        changed=tuple(sorted(set(chain.from_iterable(one.changed for one in group)))),
    )


def _definition(facts: Facts, ran: FixtureRan) -> DefinedFixture | None:
    """What was read of it: the decorators of a function stand above the line that reading knows."""
    file = facts.files.get(ran.path)
    same = [one for one in (file.fixtures if file else ()) if one.name == ran.name and one.line >= ran.line]
    return min(same, key=lambda one: one.line, default=None)


class _Told:
    """What the findings say of fixtures."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._left: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._changed: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for finding in findings:
            if finding.evidence != "confirmed" or "area" not in finding.detail or finding.subject is None:
                continue
            if finding.code == "PSA106":
                self._changed[finding.subject].update((owner.id, None) for owner in finding.owners)
                continue
            for owner in finding.owners:
                if owner.kind == "fixture":
                    self._left[owner.id][finding.subject] = None

    def left_by(self, ran: FixtureRan) -> tuple[str, ...]:
        return tuple(sorted(self._left.get(ran.id, ())))[:_MOST_NAMED]

    def changed_by(self, ran: FixtureRan) -> tuple[str, ...]:
        """Of a fixture of the function every test has its own value."""
        owners = chain.from_iterable(self._changed.get(subject, ()) for subject in ran.changed)
        return () if ran.scope == "function" else tuple(sorted(set(owners)))[:_MOST_NAMED]


def _row(ran: FixtureRan, defined: DefinedFixture | None, told: _Told, every: Sequence[FixtureRan]) -> FixtureRow:
    left, changed = told.left_by(ran), told.changed_by(ran)
    return FixtureRow(
        name=ran.name,
        scope=ran.scope,
        path=ran.path,
        line=defined.line if defined is not None else ran.line,
        plugin=ran.plugin,
        setups=ran.setups,
        users=ran.users,
        setup_s=round(ran.setup_s, 3),
        teardown_s=round(ran.teardown_s, 3),
        left=left,
        touches=ran.touches,
        value_changed_by=changed,
        verdict=_verdict(ran, left),
        hint=_hint(ran, left, changed, every),
    )


def _verdict(ran: FixtureRan, left: Sequence[str]) -> str:
    if left:
        return "leaks"
    if not ran.setups:  # only tests that were skipped ask for it
        return "not run"
    if ran.failures == ran.setups:
        return "not judged: its set-up never came to its end"
    return "clean"


def _hint(ran: FixtureRan, left: Sequence[str], changed: Sequence[str], every: Sequence[FixtureRan]) -> str:
    if changed:
        return "a narrower scope, or a copy for each test"
    if left or not _could_be_wider(ran, every):
        return ""
    return f"it makes the same value each time, {ran.setup_s:.1f} s in all: with a wider scope it would be made once"


def _could_be_wider(ran: FixtureRan, every: Sequence[FixtureRan]) -> bool:
    """It is dear, makes the same unchangeable value each time, and nothing that it does or needs ends with a test."""
    if ran.scope == "session" or ran.plugin is not None or ran.failures or ran.has_teardown or ran.touches:
        return False
    if ran.setups < _OFTEN or ran.setup_s < _DEAR or len(ran.values) != 1 or ran.values == ("",):
        return False
    wider = {one.name for one in every if SCOPES.index(one.scope) > SCOPES.index(ran.scope)}
    narrow = {one.name for one in every if SCOPES.index(one.scope) <= SCOPES.index(ran.scope)}
    return all(name in wider and name not in narrow for name in ran.asks)
