"""What the lines that ran say: which suspicions they confirm or clear, and which passed tests checked something."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_secaudit.model import Evidence, Owner, Proof
from pytest_secaudit.reading import Armed, Guard, Reading, StaticHit, TestFact
from pytest_secaudit.redact import clean
from pytest_secaudit.watch.record import Interest, LinesRan, Watched

#: The name of the watcher.
WATCHER = "lines"


def interest(reading: Reading, *, own: bool) -> Interest:
    """The lines of a file that the run is to follow.

    Args:
        reading: of the file.
        own: tests are collected from it; else tests of other files stand on it, and inherit those that it defines.
    """
    proofs = [(hit.owner, hit.decided_by) for hit in reading.hits if hit.decided_by is not None]
    proofs += [(armed.owner, armed.decided_by) for armed in reading.armed if armed.decided_by is not None]
    decided = {owner.id for owner, _ in proofs}
    open_facts = [fact for fact in reading.open_facts if fact.lines or fact.unseen]
    lines = {line for _, proof in proofs for line in (*proof.lines, *proof.at)}
    lines.update(line for fact in open_facts for line in fact.lines)
    lines.update(line for guard in reading.guards for line in range(guard.line, guard.end_line + 1))
    decided.update(guard.owner for guard in reading.guards)
    every = reading.facts if decided or not own else ()
    followed = [fact for fact in every if not own or fact.test in decided] + open_facts
    return Interest(
        path=reading.path,
        lines=frozenset(lines),
        handlers=frozenset(line for _, proof in proofs if proof.kind == "swallowed" for line in proof.at),
        tests={fact.line: fact.test for fact in followed},
        unseen={fact.test: fact.unseen for fact in open_facts if fact.unseen},
        heard_only=frozenset(fact.test for fact in open_facts if not fact.lines and fact.test not in decided),
        by_any=any(not own or owner.kind != "test" for owner, _ in proofs),
    )


# --- suspicions


def evidence(readings: Iterable[Reading], watched: Watched, outcomes: Mapping[str, str]) -> dict[str, Evidence]:
    """Fingerprint -> what the lines that ran say of the suspicion; nothing where they do not say anything."""
    if watched.watchers.get(WATCHER) != "on":
        return {}
    seen = _Seen(watched.lines, outcomes)
    return {
        identity: verdict
        for reading in readings
        for owner, identity, proof in _decidable(reading)
        if (verdict := seen.verdict(owner, proof)) is not None
    }


def _decidable(reading: Reading) -> Iterator[tuple[Owner, str, Proof]]:
    found: list[StaticHit | Armed] = [*reading.hits, *reading.armed]
    for one in found:
        if one.decided_by is not None:
            yield one.owner, one.fingerprint, one.decided_by


@dataclass(slots=True)
class _Together:
    """All runs of one test function, or of one file: what ran in any of them, and in those that passed."""

    lines: set[int] = field(default_factory=set)
    in_passed: set[int] = field(default_factory=set)
    swallowed: set[int] = field(default_factory=set)
    has_passed: bool = False
    whole: bool = True

    def add(self, record: LinesRan, *, passed: bool) -> None:
        self.lines.update(record.lines)
        self.whole = self.whole and record.whole
        if passed:
            self.has_passed = True
            self.in_passed.update(record.lines)
            self.swallowed.update(record.swallowed)


class _Seen:
    """What all processes saw, merged over parameters and workers."""

    def __init__(self, records: Iterable[LinesRan], outcomes: Mapping[str, str]) -> None:
        self._by_function: defaultdict[str, _Together] = defaultdict(_Together)
        self._by_path: defaultdict[str, _Together] = defaultdict(_Together)
        for record in records:
            passed = record.passed and (not record.test or outcomes.get(record.test) == "passed")
            self._by_path[record.path].add(record, passed=passed)
            for function in record.functions:
                self._by_function[function].add(record, passed=passed)

    def verdict(self, owner: Owner, proof: Proof) -> Evidence | None:
        runs = self._by_function.get(owner.id) if owner.kind == "test" else self._by_path.get(owner.path)
        if runs is None or not runs.has_passed or not runs.whole:
            return None  # nothing passed: nothing was decided
        ran = not runs.lines.isdisjoint(proof.lines)
        if proof.kind == "swallowed":
            if not runs.swallowed.isdisjoint(proof.lines):
                return "confirmed"
            return "cleared" if ran else "not-reached"
        if proof.kind == "ran":
            return "confirmed" if not runs.in_passed.isdisjoint(proof.lines) else "not-reached"
        if ran:
            return "cleared"
        if proof.kind == "returned" and runs.in_passed.isdisjoint(proof.at):
            return "not-reached"
        return "confirmed"


# --- tests that checked something


@dataclass(frozen=True, slots=True)
class Checked:
    """How many passed tests checked something, and of how many passed tests that is known."""

    tests: int
    judged: int


def checked(readings: Iterable[Reading], watched: Watched, outcomes: Mapping[str, str]) -> Checked | None:
    """The share of passed tests that evaluated a check; None where no test passed or nothing was read."""
    facts = {fact.test: fact for reading in readings for fact in reading.facts}
    passed = [test for test, outcome in outcomes.items() if outcome == "passed"]
    if not facts or not passed:
        return None
    by_test: defaultdict[str, list[LinesRan]] = defaultdict(list)
    for record in watched.lines:
        by_test[record.test].append(record)
    is_watched = watched.watchers.get(WATCHER) == "on"
    sure = _sure_by_name(facts.values())
    answers = [_has_checked(test, facts, sure, by_test.get(test, []) if is_watched else None) for test in passed]
    judged = [answer for answer in answers if answer is not None]
    return Checked(tests=sum(judged), judged=len(judged))


def _sure_by_name(facts: Iterable[TestFact]) -> dict[tuple[str, str], bool]:
    """File and name of a test -> whether all tests of that name there surely check: one class inherits them of another."""
    found: dict[tuple[str, str], bool] = {}
    for fact in facts:
        key = _name(fact.test)
        found[key] = found.get(key, True) and fact.checks == "sure"
    return found


def _name(test: str) -> tuple[str, str]:
    path, _, rest = test.partition("::")
    return path, rest.rpartition("::")[2]


def _has_checked(
    test: str,
    facts: Mapping[str, TestFact],
    sure: Mapping[tuple[str, str], bool],
    records: Sequence[LinesRan] | None,
) -> bool | None:
    """Yes, no, or None where nobody knows."""
    function = test.partition("[")[0]
    if function not in facts:
        function = clean(function)
    own = facts.get(function)
    if own is not None and own.checks == "sure":
        return True
    if own is not None and own.checks == "maybe" and not own.lines:
        return False  # nothing in it checks, and nothing it calls is named like a check
    started = {name for record in records or () for name in record.functions}
    mine = [fact for name in started if (fact := facts.get(name)) is not None]
    if not mine and own is None and sure.get(_name(function)):
        return True
    if not mine or records is None:
        return None
    ran = {(record.path, line) for record in records for line in record.lines}
    for fact in mine:
        path = fact.test.partition("::")[0]
        if fact.checks == "sure" or any((path, line) in ran for line in fact.lines):
            return True
    if any(record.checked for record in records):
        return True
    certain = all(fact.checks == "maybe" for fact in mine) and all(record.whole for record in records)
    return False if certain else None


# --- guards


def lines_that_ran(watched: Watched) -> dict[str, frozenset[int]]:
    """Path -> the lines of interest that ran in any test, whatever became of it."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for record in watched.lines:
        found[record.path].update(record.lines)
    return {path: frozenset(lines) for path, lines in sorted(found.items())}


@dataclass(frozen=True, slots=True)
class GuardSeen:
    """A guard that this run had the chance to reach, and whether it did."""

    guard: Guard
    ran: bool


def guards_seen(reading: Reading, watched: Watched) -> tuple[GuardSeen, ...]:
    """The guards of a file whose test was started, and those that ran; of the others this run knows nothing."""
    if watched.watchers.get(WATCHER) != "on":
        return ()
    mine = [record for record in watched.lines if record.path == reading.path]
    started = {function for record in mine for function in record.functions if record.whole}
    lines = {line for record in mine for line in record.lines}
    seen = [
        GuardSeen(guard, ran=not lines.isdisjoint(range(guard.line, guard.end_line + 1))) for guard in reading.guards
    ]
    return tuple(one for one in seen if one.ran or one.guard.owner in started)
