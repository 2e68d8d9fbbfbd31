"""What the lines that ran say: which suspicions they confirm or clear, and which passed tests checked something."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from pytest_secaudit.lean import lean
from pytest_secaudit.model import Evidence, Owner, Proof
from pytest_secaudit.reading import Armed, Reading, StaticHit, TestFact
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
        is_placed = proof.at or proof.kind == "returned"  # then what was never entered proves nothing
        return "not-reached" if is_placed and runs.in_passed.isdisjoint(proof.at) else "confirmed"


# --- tests that checked something


@lean
@dataclass(frozen=True, slots=True)
class Checked:
    """How many passed tests checked something, and of how many passed tests that is known.

    Attributes:
        idle: those that are known to have checked nothing.
    """

    tests: int
    judged: int
    idle: tuple[str, ...] = ()


def checked(readings: Iterable[Reading], watched: Watched, outcomes: Mapping[str, str]) -> Checked | None:
    """The share of passed tests that evaluated a check; None where no test passed or nothing was read."""
    passed = {test for test, outcome in outcomes.items() if outcome == "passed"}
    facts = _Facts(readings)
    if facts.is_empty or not passed:
        return None
    checks = judged = len(passed) - len(left := facts.without_sure(passed))
    by_test: defaultdict[str, list[LinesRan]] = defaultdict(list)
    for record in watched.lines:
        by_test[record.test].append(record)
    idle = []
    is_watched = watched.watchers.get(WATCHER) == "on"
    for test in sorted(left):  # file by file
        function = test.partition("[")[0]
        sure = facts.sure_of(test.partition("::")[0])
        known = function in sure or clean(function) in sure
        records = by_test.get(test, []) if is_watched else None
        answer = known or _has_checked(clean(function), facts, records)
        checks += answer is True
        judged += answer is not None
        if answer is False:
            idle.append(clean(test))
    return Checked(tests=checks, judged=judged, idle=tuple(idle))


class _Facts:
    """What is known of the test functions of all files."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = {reading.path: reading for reading in readings}
        self._last: tuple[str, frozenset[str]] = ("", frozenset())
        self._open = {fact.test: fact for reading in self._readings.values() for fact in reading.open_facts}

    @property
    def is_empty(self) -> bool:
        return not self._open and not any(reading.sure for reading in self._readings.values())

    def without_sure(self, tests: AbstractSet[str]) -> AbstractSet[str]:
        """Those that are not simply a function of which passing implies a check: most are, and need not be taken apart."""
        left = set(tests)
        for path in self._readings:
            left.difference_update(self.sure_of(path))
        return left

    def sure_of(self, path: str) -> frozenset[str]:
        """The functions of a file of which passing implies a check."""
        if self._last[0] != path:  # they are asked for file by file
            reading = self._readings.get(clean(path))
            lines = reading.sure.splitlines() if reading is not None else ()
            self._last = path, frozenset(line.partition(" ")[2] for line in lines)
        return self._last[1]

    def of(self, function: str) -> TestFact | None:
        """What is known of a function, wherever it stands."""
        if function in self._open:
            return self._open[function]
        is_sure = function in self.sure_of(function.partition("::")[0])
        return TestFact(function, 1, "sure") if is_sure else None

    def are_sure(self, function: str) -> bool:
        """Whether all tests of that name in its file surely check: one class inherits them of another."""
        path, _, rest = function.partition("::")
        end = f"::{rest.rpartition('::')[2]}"
        is_open = any(name.startswith(f"{path}::") and name.endswith(end) for name in self._open)
        return not is_open and any(name.endswith(end) for name in self.sure_of(path))


def _has_checked(function: str, facts: _Facts, records: Sequence[LinesRan] | None) -> bool | None:
    """Yes, no, or None where nobody knows, of a function that does not surely check."""
    own = facts.of(function)
    if own is not None and own.checks == "maybe" and not own.lines:
        return False  # nothing in it checks, and nothing it calls is named like a check
    started = {name for record in records or () for name in record.functions}
    mine = [fact for name in started if (fact := facts.of(name)) is not None]
    if not mine and own is None and facts.are_sure(function):
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
