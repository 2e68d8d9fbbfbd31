"""What the watch of one process knows, as plain values: they travel from workers, are merged, weighed and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_secaudit.lean import lean
from pytest_secaudit.model import Owner, Place

if TYPE_CHECKING:
    from pytest_secaudit.watch.blind.record import Executed, Replaced


@lean
@dataclass(frozen=True, slots=True)
class Claimed:
    """A change that was still in force when its owner's scope was over.

    Attributes:
        source: the process it happened in (``gw0``, or empty), and its number there: a later record replaces an earlier.
        group: the class or module whose set-ups run before the owner.
        said: how the message goes on after "left SUBJECT ".
        site: the line to edit as the stack showed it, or None.
        importing: the module whose import wrote, where the stack showed one.
        after_failure: its owner is a test that failed.
        paid_by: who put it back later: a kind of owner, or an empty string.
        remade: the next set-up put it back before a test body ran.
        seen_in_group: a test body of the group ran while it was in force, as far as anybody looked.
        is_part: it is one part of the subject.
        seen, seen_by, victims: how many later tests ran while it was in force, some of them, those that failed.
        began, until: how many test bodies of the process had begun when it was left, and when it was put back, if ever.
    """

    source: str
    serial: int
    code: str
    area: str
    subject: str
    said: str
    fix: str
    owner: Owner
    group: str
    site: Place | None = None
    written_at: Place | None = None
    level: str = ""
    after_failure: bool = False
    paid_by: str = ""
    remade: bool = False
    seen_in_group: bool = False
    is_part: bool = False
    seen: int = 0
    seen_by: tuple[str, ...] = ()
    victims: tuple[str, ...] = ()
    began: int = 0
    until: int | None = None


@lean
@dataclass(frozen=True, slots=True)
class Slept:
    """Real time slept at one line by one owner; ``identity`` is a fingerprint of the line without its number."""

    place: Place
    written_at: Place
    owner: Owner
    calls: int
    seconds: float
    kind: str
    identity: str
    function: str = ""
    in_thread: bool = False
    under_mock: bool = False
    called_back: bool = False
    overlapped: bool = False


@lean
@dataclass(frozen=True, slots=True)
class Contacted:
    """Something outside the process that was reached, or tried."""

    kind: str
    what: str
    owner: Owner
    place: Place | None = None
    written_at: Place | None = None


@lean
@dataclass(frozen=True, slots=True)
class Noticed:
    """What a watcher saw once: a secret in an output, a load of untrusted data."""

    code: str
    subject: str
    message: str
    fix: str
    owner: Owner
    place: Place | None = None
    written_at: Place | None = None
    security: str | None = None


@lean
@dataclass(frozen=True, slots=True)
class Interest:
    """The lines of one file that somebody wants to know about.

    Attributes:
        path: the file; relative to the rootdir.
        lines: which of them.
        handlers: those of them in handlers that may swallow the failure of an assertion.
        tests: first line -> id, of test functions whose start is worth knowing.
        unseen: id of a test function -> what it calls that may check and stands elsewhere, as it is written.
        heard_only: ids of tests for which only the start of such a call says anything.
        by_any: whether what any test of the file runs decides something: it stands in a helper or fixture.
    """

    path: str
    lines: frozenset[int] = frozenset()
    handlers: frozenset[int] = frozenset()
    tests: Mapping[int, str] = field(default_factory=dict)
    unseen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    heard_only: frozenset[str] = frozenset()
    by_any: bool = False

    def __bool__(self) -> bool:
        return bool(self.lines or self.tests)


@lean
@dataclass(frozen=True, slots=True)
class LinesRan:
    """Which lines of interest of one file ran while one test did.

    Attributes:
        path: the file; relative to the rootdir.
        test: the id of the test; empty for what ran in none (set-ups, imports).
        functions: the ids of the test functions of this file that were started, of those that are followed.
        lines: those of the lines that are followed that ran, sorted.
        swallowed: the lines of assertions whose failure was caught by a handler that is followed, sorted.
        passed: the body of the test ended well.
        whole: nothing kept us from seeing every line.
        checked: a check that stands elsewhere was started.
    """

    path: str
    test: str
    functions: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    swallowed: tuple[int, ...] = ()
    passed: bool = True
    whole: bool = True
    checked: bool = False


@lean
@dataclass(frozen=True, slots=True)
class SimulatedFailure:
    """An exception that a replacement was told to raise, in a test that passed.

    Attributes:
        path, line: where the patch was made, or else the test.
        exception: the name of its type.
        raised: whether the replacement was called at all.
    """

    path: str
    line: int
    test: str
    exception: str
    raised: bool


@lean
@dataclass(frozen=True, slots=True)
class FixtureRan:
    """One fixture over all its set-ups in one process.

    Attributes:
        id: of its owner in findings.
        path, line: where it is defined.
        asks: the names of the fixtures that it asks for.
        has_teardown: it is a generator.
        setups, failures: how often it was set up, and how often that failed or skipped.
        setup_s, teardown_s: its own seconds in all.
        users: how many tests ran with it.
        touches: the process-wide state that was changed while it stood.
        values: what tells its values apart: one token if all were equal, an empty one for what nobody can tell.
        changed: the subjects that changed in its values while it stood.
    """

    id: str
    name: str
    scope: str
    path: str
    line: int
    plugin: str | None
    asks: tuple[str, ...]
    has_teardown: bool
    setups: int
    failures: int
    setup_s: float
    teardown_s: float
    users: int
    touches: tuple[str, ...]
    values: tuple[str, ...]
    changed: tuple[str, ...] = ()


@lean
@dataclass(frozen=True, slots=True)
class Watched:
    """One process's share.

    Attributes:
        watchers: name -> ``on`` or ``off: why``.
        fixtures: the ids of the fixtures that were set up.
        slept_s: real time slept in all, concurrent sleeps counted once.
        slept_in_threads_s: the same of threads that tests and fixtures started; not part of it.
        seconds: what watching took.
        costs: the same by watcher, estimated.
        bodies: how many test bodies ran in each process.
        lines: which lines of interest ran.
        simulated: the failures that mocks of passed tests were told to raise.
        fixtures_ran: what is known of each fixture, where the table of them was asked for.
        replaced: the functions that were replaced, and
        executed: what ran of the project, where blind spots were asked for.
    """

    claims: tuple[Claimed, ...] = ()
    slept: tuple[Slept, ...] = ()
    contacts: tuple[Contacted, ...] = ()
    noticed: tuple[Noticed, ...] = ()
    watchers: Mapping[str, str] = field(default_factory=dict)
    fixtures: tuple[str, ...] = ()
    slept_s: float = 0.0
    slept_in_threads_s: float = 0.0
    seconds: float = 0.0
    costs: Mapping[str, float] = field(default_factory=dict)
    bodies: Mapping[str, int] = field(default_factory=dict)
    lines: tuple[LinesRan, ...] = ()
    simulated: tuple[SimulatedFailure, ...] = ()
    fixtures_ran: tuple[FixtureRan, ...] = ()
    replaced: tuple[Replaced, ...] = ()
    executed: tuple[Executed, ...] = ()


def to_plain(watched: Watched) -> dict[str, Any]:
    """A JSON-ready form; `from_plain` reads it back."""
    return asdict(watched)


def from_plain(data: Mapping[str, Any]) -> Watched:
    """The record that `to_plain` wrote.

    Raises:
        KeyError, TypeError, ValueError: when the data are not of that form.
    """
    return Watched(
        **{
            **data,
            "claims": tuple(
                Claimed(
                    **{
                        **claim,
                        "owner": _owner(claim["owner"]),
                        "site": _place(claim["site"]),
                        "written_at": _place(claim["written_at"]),
                        "seen_by": tuple(claim["seen_by"]),
                        "victims": tuple(claim["victims"]),
                    }
                )
                for claim in data["claims"]
            ),
            "slept": tuple(
                Slept(
                    **{
                        **item,
                        "place": _place(item["place"]),
                        "written_at": _place(item["written_at"]),
                        "owner": _owner(item["owner"]),
                    }
                )
                for item in data["slept"]
            ),
            "fixtures": tuple(data["fixtures"]),
            "contacts": tuple(Contacted(**_placed(item)) for item in data["contacts"]),
            "simulated": tuple(SimulatedFailure(**item) for item in data["simulated"]),
            "fixtures_ran": tuple(map(fixture_ran, data["fixtures_ran"])),
            **_blind(data),
            "noticed": tuple(Noticed(**_placed(item)) for item in data["noticed"]),
            "lines": tuple(
                LinesRan(**{**item, **{name: tuple(item[name]) for name in ("functions", "lines", "swallowed")}})
                for item in data["lines"]
            ),
        }
    )


def fixture_ran(data: Mapping[str, Any]) -> FixtureRan:
    """The record that `dataclasses.asdict` made plain.

    Raises:
        KeyError, TypeError: when the data are not of that form.
    """
    return FixtureRan(**{**data, **{name: tuple(data[name]) for name in ("asks", "touches", "values", "changed")}})


def _blind(data: Mapping[str, Any]) -> dict[str, Any]:
    if not data["replaced"] and not data["executed"]:
        return {"replaced": (), "executed": ()}
    from pytest_secaudit.watch.blind import record  # most runs do not ask for blind spots

    return {
        "replaced": tuple(map(record.replaced, data["replaced"])),
        "executed": tuple(map(record.executed, data["executed"])),
    }


def _placed(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **item,
        "owner": _owner(item["owner"]),
        "place": _place(item["place"]),
        "written_at": _place(item["written_at"]),
    }


def _place(data: Mapping[str, Any] | None) -> Place | None:
    return Place(**data) if data is not None else None


def _owner(data: Mapping[str, Any]) -> Owner:
    return Owner(**{**data, "ids": tuple(data["ids"]), "written_at": _place(data["written_at"])})
