"""What a run knows of its files beside its findings: what a review is said from, and what the runs of shards are joined by."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.notes import Note
from pytest_secaudit.notes import from_plain as note_from_plain
from pytest_secaudit.watch import record
from pytest_secaudit.watch.blind import record as blind_record
from pytest_secaudit.watch.blind.record import Executed, Replaced
from pytest_secaudit.watch.record import FixtureRan


@lean
@dataclass(frozen=True, slots=True)
class SleptAt:
    """Real time slept at one line, in seconds; ``overlapped``: another sleep went on meanwhile."""

    line: int
    calls: int
    seconds: float
    overlapped: bool = False


@lean
@dataclass(frozen=True, slots=True)
class DefinedFixture:
    """A fixture that a file defines."""

    name: str
    line: int
    scope: str


@lean
@dataclass(frozen=True, slots=True)
class FileFacts:
    """What one run knows of a file.

    Attributes:
        is_read: it could be read.
        examined: dimension -> how many places there were to look at.
        fixtures: those that it defines.
        notes: what a review says of it by reading it; None where nobody asked.
        slept: real sleeps at its lines.
        reached: the kind and the name of what its tests and fixtures reached outside of the process.
        lines: those of its guards that ran; None where nobody looked.
        raised: line of a simulated failure -> whether it was raised, where that is known.
    """

    is_read: bool = False
    examined: Mapping[int, int] = field(default_factory=dict)
    fixtures: tuple[DefinedFixture, ...] = ()
    notes: tuple[Note, ...] | None = None
    slept: tuple[SleptAt, ...] = ()
    reached: tuple[tuple[str, str], ...] = ()
    lines: tuple[int, ...] | None = None
    raised: Mapping[int, bool] = field(default_factory=dict)


@lean
@dataclass(frozen=True, slots=True)
class BlindFacts:
    """What blind spots are told from.

    Attributes:
        replaced: the functions that were replaced, in each process.
        executed: what was measured, in each.
        idle: the tests that passed and are known to check nothing.
        unmeasured: why nobody measured, if so.
    """

    replaced: tuple[Replaced, ...] = ()
    executed: tuple[Executed, ...] = ()
    idle: tuple[str, ...] = ()
    unmeasured: str = ""


@lean
@dataclass(frozen=True, slots=True)
class Facts:
    """What one run knows of all its files.

    Attributes:
        files: by path, relative to the rootdir.
        fixtures: the ids of the fixtures that were set up.
        sleeps: how many sleeps were counted.
        ran: what is known of each fixture, by process, where the table of them was asked for.
        blind: what is known of blind spots; None where nobody asked for them.
    """

    files: Mapping[str, FileFacts] = field(default_factory=dict)
    fixtures: tuple[str, ...] = ()
    sleeps: int = 0
    ran: tuple[FixtureRan, ...] = ()
    blind: BlindFacts | None = None

    def examined(self, contacts: int) -> Mapping[int, int]:
        """Dimension -> the places that were read, and what was seen to happen: fixtures set up, sleeps, contacts."""
        totals = Counter({6: len(self.fixtures), 7: self.sleeps, 9: contacts})
        for file in self.files.values():
            totals.update(file.examined)
        return totals


def together(parts: Iterable[Facts]) -> Facts:
    """What several runs know: each may have run other tests of the same files."""
    parts = list(parts)
    by_path: defaultdict[str, list[FileFacts]] = defaultdict(list)
    for path, file in chain.from_iterable(part.files.items() for part in parts):
        by_path[path].append(file)
    return Facts(
        files={path: _one(found) for path, found in sorted(by_path.items())},
        fixtures=tuple(sorted(set(chain.from_iterable(part.fixtures for part in parts)))),
        sleeps=sum(part.sleeps for part in parts),
        ran=tuple(chain.from_iterable(part.ran for part in parts)),
        blind=_all_blind([part.blind for part in parts]),
    )


def _all_blind(parts: Sequence[BlindFacts | None]) -> BlindFacts | None:
    """None if a part does not know: what it ran is not known either."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return BlindFacts(
        replaced=tuple(chain.from_iterable(part.replaced for part in known)),
        executed=tuple(chain.from_iterable(part.executed for part in known)),
        idle=tuple(sorted(set(chain.from_iterable(part.idle for part in known)))),
        unmeasured=next((part.unmeasured for part in known if part.unmeasured), ""),
    )


def _one(found: list[FileFacts]) -> FileFacts:
    followed = [file.lines for file in found if file.lines is not None]
    raised: dict[int, bool] = {}
    for line, was in chain.from_iterable(file.raised.items() for file in found):
        raised[line] = raised.get(line, False) or was
    return FileFacts(
        is_read=any(file.is_read for file in found),
        examined={digit: max(file.examined.get(digit, 0) for file in found) for digit in _digits(found)},
        fixtures=max((file.fixtures for file in found), key=len),
        notes=next((file.notes for file in found if file.notes is not None), None),
        slept=tuple(chain.from_iterable(file.slept for file in found)),
        reached=tuple(sorted(set(chain.from_iterable(file.reached for file in found)))),
        lines=tuple(sorted(set(chain.from_iterable(followed)))) if followed else None,
        raised=raised,
    )


def _digits(found: Iterable[FileFacts]) -> list[int]:
    return sorted({digit for file in found for digit in file.examined})


# --- as plain data


def to_plain(facts: Facts) -> dict[str, Any]:
    """A JSON-ready form; `from_plain` reads it back."""
    return asdict(facts)


def from_plain(data: Mapping[str, Any]) -> Facts:
    """The facts that `to_plain` wrote.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: when the data are not of that form.
    """
    return Facts(
        files={path: _file(file) for path, file in data["files"].items()},
        fixtures=tuple(data["fixtures"]),
        sleeps=data["sleeps"],
        ran=tuple(map(record.fixture_ran, data["ran"])),
        blind=_blind(data["blind"]),
    )


def _blind(data: Mapping[str, Any] | None) -> BlindFacts | None:
    if data is None:
        return None
    return BlindFacts(
        replaced=tuple(map(blind_record.replaced, data["replaced"])),
        executed=tuple(map(blind_record.executed, data["executed"])),
        idle=tuple(data["idle"]),
        unmeasured=data["unmeasured"],
    )


def _file(data: Mapping[str, Any]) -> FileFacts:
    lines, notes = data["lines"], data["notes"]
    return FileFacts(
        is_read=data["is_read"],
        examined={int(digit): count for digit, count in data["examined"].items()},
        fixtures=tuple(DefinedFixture(**one) for one in data["fixtures"]),
        notes=None if notes is None else tuple(map(note_from_plain, notes)),
        slept=tuple(SleptAt(**one) for one in data["slept"]),
        reached=tuple((kind, what) for kind, what in data["reached"]),
        lines=None if lines is None else tuple(lines),
        raised={int(line): was for line, was in data["raised"].items()},
    )
