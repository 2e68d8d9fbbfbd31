"""The words of the audit: small frozen values that every other module speaks.

Nothing here knows pytest, files or the running process.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pytest_secaudit.lean import lean

if TYPE_CHECKING:
    from pytest_secaudit.blind import BlindSpots
    from pytest_secaudit.facts import Facts
    from pytest_secaudit.source import TestModule


class Severity(enum.IntEnum):
    """How much a finding matters; a gate compares them by order."""

    INFO = 1
    ADVISORY = 2
    DEFECT = 3

    @property
    def word(self) -> str:
        """The word users read and write: ``defect``, ``advisory`` or ``info``."""
        return self.name.lower()


DEFECT = Severity.DEFECT
ADVISORY = Severity.ADVISORY
INFO = Severity.INFO

Evidence = Literal["suspected", "confirmed", "not-reached", "cleared"]
Status = Literal["new", "ignored", "expected", "baselined"]
Basis = Literal["measured", "read", "not judged"]
OwnerKind = Literal["test", "fixture", "setup", "import", "window", "outside"]

#: The first digit of a code is its dimension, in the words of the founding reviews.
DIMENSIONS: Mapping[int, str] = {
    0: "conclusion",
    1: "mock and test environment",
    2: "exception and error handling",
    3: "data handling, logging and input",
    4: "configuration and settings",
    5: "patch and mock use",
    6: "resource allocation and clean-up",
    7: "sleep and synchronisation",
    8: "mocking of critical functions",
    9: "API and service handling",
}


def dimension_of(code: str) -> int:
    """The first digit of a code, whoever's it is: 7 of ``PSA701`` and of ``SHOP7``."""
    return int(next(filter(str.isdigit, code), "0"))


@lean
@dataclass(frozen=True, slots=True)
class Question:
    """Something a file alone cannot tell, to be asked of live objects where there are any.

    ``kind`` names the question (`pytest_secaudit.live` answers them), ``args`` are plain
    strings, so that an unanswered question can wait in the cache.
    """

    kind: str
    args: tuple[str, ...] = ()


ProofKind = Literal["never-ran", "ran", "returned", "swallowed"]


@lean
@dataclass(frozen=True, slots=True)
class Proof:
    """The lines of the file that decide a suspicion, once it is known whether they ran.

    Attributes:
        kind: ``never-ran``: confirmed by a test that passed while none of ``lines`` ran, cleared if one did, not reached
            if there are lines ``at`` which it must have come past, and none of them ran;
            ``ran``: confirmed if one of ``lines`` ran in a test that passed;
            ``returned``: confirmed if one of ``at`` ran in a test that passed and ``lines`` never did, which clear it;
            ``swallowed``: confirmed if a failure that one of ``lines`` raised was caught at ``at``, cleared if ``lines``
            ran and nothing was caught.
        said: the message of the confirmed finding, where it differs.
        level: the severity of the confirmed finding, where it differs.
    """

    kind: ProofKind
    lines: tuple[int, ...]
    at: tuple[int, ...] = ()
    said: str = ""
    level: Severity | None = None


@lean
@dataclass(frozen=True, slots=True)
class Hit:
    """What a rule yields: a place, what is wrong there, and what to do about it.

    Attributes:
        node: the node to point at (any `ast` node with a position).
        message: one line, lower case, with nothing in it that varies from run to run.
        fix: one line naming the user's own code where that is possible.
        severity: where it differs from the check's default.
        security: the security word that the place is about, if any.
        subject: what is changed, as the run will name it (``os.environ['TZ']``, ``shop.orders.charge``).
        acknowledged: the user's own comment that explains the place: ``188-189: text``.
        if_it_fails: it only happens when something fails before; a test that passes does not clear it.
        unless: the hit is dropped when live objects answer one of these with yes.
        only_if: the hit is dropped unless live objects answer each of these with yes.
        decided_by: the lines whose running clears or confirms it.
    """

    node: ast.AST
    message: str
    fix: str = ""
    severity: Severity | None = None
    security: str | None = None
    subject: str | None = None
    acknowledged: str | None = None
    if_it_fails: bool = False
    unless: tuple[Question, ...] = ()
    only_if: tuple[Question, ...] = ()
    decided_by: Proof | None = None


@lean
@dataclass(frozen=True, slots=True)
class Suspicion:
    """What a rule hands to the run instead of reporting it: too weak to say, worth to watch.

    Attributes:
        node: the place that will be named if the run confirms it.
        subject: what to watch, as the run will name it (``shop.orders.charge``).
        confirmed_by: what in the run makes it a finding, in words of the ledger
            (``changed-at-end-of-owner``, ``patch-open-at-end-of-owner``, ``line-not-reached``).
        message: the message of the finding it would become.
        decided_by: the lines whose running clears or confirms it.
    """

    node: ast.AST
    subject: str
    confirmed_by: str
    message: str
    decided_by: Proof | None = None


Rule = Callable[["TestModule"], "Iterable[Hit | Suspicion]"]


@lean
@dataclass(frozen=True, slots=True)
class Heading:
    """What every run knows of a check, without its file.

    Attributes:
        code: capital letters and digits, the first of which is the dimension; those of ours are ``PSA`` and three.
        name: kebab-case, and says what is wrong.
        severity: the level of a finding that says nothing else.
        cwe: the weakness in the Common Weakness Enumeration that the hazard is nearest to.
        since: the first version that has the check.
        suspected: the level of a finding by reading alone, where it is lower than what a run confirms.
        revision: one more each time that it finds what it did not find before: a baseline does not know of that.
    """

    code: str
    name: str
    severity: Severity
    cwe: int | None = field(default=None, kw_only=True)
    since: str = field(default="0.1.0", kw_only=True)
    suspected: Severity | None = field(default=None, kw_only=True)
    revision: int = field(default=1, kw_only=True)

    @property
    def dimension(self) -> int:
        return dimension_of(self.code)

    @property
    def by_reading(self) -> Severity:
        """The level of a finding by reading alone."""
        return self.suspected or self.severity


@lean
@dataclass(frozen=True, slots=True)
class Check(Heading):
    """One hazard: its heading, its page and examples, and the rule that suspects it.

    Attributes:
        page: the documentation in Markdown; its first line is the summary.
        bad: sources in which the check must report exactly the lines marked ``# CODE``.
        good: sources in which it must stay silent; every known trap is one of them.
        rule: reads a module and yields hits; None where the engine itself reports.
    """

    page: str
    bad: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    rule: Rule | None = None

    @property
    def summary(self) -> str:
        return self.page.strip().partition("\n")[0]


@lean
@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file; ``path`` is relative to the rootdir, with ``/``."""

    path: str
    line: int


@lean
@dataclass(frozen=True, slots=True)
class Owner:
    """Whose code is meant: a test, a fixture (with its scope), a set-up, an import."""

    kind: OwnerKind
    id: str
    path: str
    line: int
    scope: str | None = None
    plugin: str | None = None
    ids: tuple[str, ...] = ()
    written_at: Place | None = None

    @property
    def order(self) -> tuple[bool, str]:
        """The order of a finding's owners: who is known comes before one of several, and has the place to edit."""
        return self.kind == "window", self.id


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One hazard at one place, with its owners, its evidence and what became of it."""

    code: str
    name: str
    severity: Severity
    message: str
    path: str
    line: int
    column: int
    end_line: int
    owner: Owner
    fingerprint: str
    evidence: Evidence = "suspected"
    status: Status = "new"
    reason: str | None = None
    security: str | None = None
    cwe: int | None = None
    fix: str = ""
    owners: tuple[Owner, ...] = ()
    subject: str | None = None
    written_at: Place | None = None
    acknowledged: str | None = None
    seen_by: tuple[str, ...] = ()
    victims: tuple[str, ...] = ()
    try_command: str | None = None
    cause: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dimension(self) -> int:
        return dimension_of(self.code)

    @property
    def order(self) -> tuple[object, ...]:
        """The order of every report: worst first, seen before suspected, with what failed, security, the rest, ignores."""
        aside = self.code.startswith("PSA09")
        doubts = (self.evidence != "confirmed", not self.victims, self.security is None)
        return (-self.severity, aside, *doubts, self.code, self.path, self.line, self.column, self.message)


@lean
@dataclass(frozen=True, slots=True, order=True)
class Cleared:
    """A suspicion of which the run saw the opposite."""

    path: str
    line: int
    code: str
    fingerprint: str

    @property
    def dimension(self) -> int:
        return dimension_of(self.code)


@lean
@dataclass(frozen=True, slots=True)
class NotAudited:
    """A file or item that could not be read, and why."""

    path: str
    reason: str


#: The reason of a file whose tests nobody knows.
NOT_COLLECTED = "could not be collected"
#: In the reason ``not by its own checks: why``: a plugin or conftest is named, none of whose checks are used.
OWN_CHECKS = "its own checks"


@lean
@dataclass(frozen=True, slots=True)
class Gate:
    """What the run was asked to fail on, and whether it did."""

    fail_on: str = "none"
    failed: bool = False
    reason: str | None = None


@lean
@dataclass(frozen=True, slots=True)
class BaselineUse:
    """The baseline of this run.

    Attributes:
        path: of the file, as the user named it.
        entries: how many it has, after it was written if it was.
        stale: what it has and no longer happens, in words.
        is_written: this run wrote it.
        is_first: and there was none before.
    """

    path: str
    entries: int
    stale: tuple[str, ...] = ()
    is_written: bool = False
    is_first: bool = False


@lean
@dataclass(frozen=True, slots=True)
class DimensionCount:
    """How much of one dimension was examined, and what was found there."""

    digit: int
    name: str
    examined: int
    defect: int
    advisory: int
    info: int
    cleared: int


@lean
@dataclass(frozen=True, slots=True)
class Run:
    """How the tests were run. Durations are seconds.

    Attributes:
        dearest: the part of the audit that took most of its time.
    """

    python: str
    pytest: str
    depth: str
    workers: int
    workers_lost: tuple[str, ...]
    duration_s: float
    audit_s: float
    complete: bool
    exit_status: int
    collect_only: bool
    dearest: str = ""


@lean
@dataclass(frozen=True, slots=True)
class EvidenceSummary:
    """What was looked at, so that "nothing found" and "nothing looked at" differ."""

    modules: int
    tests_collected: int
    tests_run: int
    tests_skipped: int
    tests_with_a_check: int | None
    fixtures: int
    checks: tuple[str, ...]
    watchers: Mapping[str, str]
    not_audited: tuple[NotAudited, ...]


@lean
@dataclass(frozen=True, slots=True)
class Conclusion:
    """The verdict in one word group and one sentence, and what it rests on."""

    verdict: str
    text: str
    security: str
    dimensions: tuple[DimensionCount, ...]


@lean
@dataclass(frozen=True, slots=True)
class SleepSite:
    """A line at which real time was slept (seconds), and some of the tests that did."""

    path: str
    line: int
    calls: int
    seconds: float
    tests: tuple[str, ...]
    in_threads: bool = False


@lean
@dataclass(frozen=True, slots=True)
class Sleep:
    """Real time slept in the run: in all (concurrent sleeps counted once), as a share of the run, and where."""

    total_s: float = 0.0
    share: float = 0.0
    in_threads_s: float = 0.0
    sites: tuple[SleepSite, ...] = ()


#: From the narrowest to the widest.
SCOPES = ("function", "class", "module", "package", "session")


@lean
@dataclass(frozen=True, slots=True)
class FixtureRow:
    """One fixture in the table of them.

    Attributes:
        path, line: where it is defined.
        plugin: that defines it, if it is none of the user's.
        setups: how often it was set up.
        users: how many tests ran with it.
        setup_s, teardown_s: its own seconds in all, without the fixtures that it asks for.
        left: what it left changed or running.
        touches: the process-wide state that is changed while it stands: not safe beside other threads.
        value_changed_by: the tests that change its value for those after them.
        verdict: ``clean``, ``leaks``, ``not run`` or ``not judged: why``.
        hint: what the figures speak for, if anything.
    """

    name: str
    scope: str
    path: str
    line: int
    plugin: str | None = None
    setups: int = 0
    users: int = 0
    setup_s: float = 0.0
    teardown_s: float = 0.0
    left: tuple[str, ...] = ()
    touches: tuple[str, ...] = ()
    value_changed_by: tuple[str, ...] = ()
    verdict: str = "not run"
    hint: str = ""


@lean
@dataclass(frozen=True, slots=True)
class Contact:
    """Something outside the process that was reached, or tried, and who did."""

    kind: str
    what: str
    owners: tuple[str, ...]


@lean
@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a change that a finding is about was in force, counted in the test bodies of one process.

    Attributes:
        fingerprint: of the finding.
        process: the worker (``gw0``), or an empty string.
        began: how many test bodies had begun when it was left behind.
        until: how many had begun when somebody put it back; None where it stayed.
    """

    fingerprint: str
    process: str
    began: int
    until: int | None = None


@lean
@dataclass(frozen=True, slots=True)
class Observation:
    """One sentence of a review: what can be said of a file in one dimension, and on what ground.

    Attributes:
        path: of the file, relative to the rootdir.
        dimension: the digit.
        lines: the lines that it is about, in order.
        text: a sentence without its full stop; lines are named in it where it speaks of several things.
        basis: the run saw it, the file says so, or nobody looked.
    """

    path: str
    dimension: int
    lines: tuple[int, ...]
    text: str
    basis: Basis


@lean
@dataclass(frozen=True, slots=True)
class FileRun:
    """The tests of one file: how many were collected, and how they ended."""

    path: str
    collected: int
    passed: int
    failed: int
    skipped: int


def as_cleared(finding: Finding) -> Cleared:
    """What is said of it in short."""
    return Cleared(finding.path, finding.line, finding.code, finding.fingerprint)


@lean
@dataclass(frozen=True, slots=True)
class Audit:
    """The whole result; a report is a pure function of it.

    Attributes:
        tests_judged_for_checks: how many passed tests are known to have checked something or nothing; those of
            ``evidence.tests_with_a_check`` are among them.
        lifetimes: of what was left behind, in the order in which it was.
        bodies: by process, how many test bodies ran there.
        baseline: the one that was used or written, if any.
        settled: the fingerprints of suspicions that what was seen stands for.
        also_cleared: suspicions that were cleared, of which a report that was read told no more.
        facts: what is known of the files; None where nobody asked for a report.
        fixtures: the table of them; None where nobody asked for it.
        blind_spots: what is only ever mocked; None where nobody asked for it.
    """

    version: str
    run: Run
    evidence: EvidenceSummary
    conclusion: Conclusion
    gate: Gate
    findings: tuple[Finding, ...]
    cleared: tuple[Finding, ...] = ()
    sleep: Sleep = Sleep()
    contacts: tuple[Contact, ...] = ()
    observations: tuple[Observation, ...] = ()
    files: tuple[FileRun, ...] = ()
    tests_judged_for_checks: int = 0
    lifetimes: tuple[Lifetime, ...] = ()
    bodies: Mapping[str, int] = field(default_factory=dict)
    baseline: BaselineUse | None = None
    settled: tuple[str, ...] = ()
    also_cleared: tuple[Cleared, ...] = ()
    facts: Facts | None = None
    fixtures: tuple[FixtureRow, ...] | None = None
    blind_spots: BlindSpots | None = None

    @property
    def all_cleared(self) -> tuple[Cleared, ...]:
        """All suspicions that the run cleared."""
        return tuple(sorted({*self.also_cleared, *map(as_cleared, self.cleared)}))

    def having(self, status: Status) -> tuple[Finding, ...]:
        """The findings of one status, worst first."""
        return tuple(finding for finding in self.findings if finding.status == status)
