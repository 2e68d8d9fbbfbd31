"""What the run knows of each file, and its review."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeVar

from pytest_secaudit.facts import DefinedFixture, Facts, FileFacts, SleptAt
from pytest_secaudit.model import Cleared, FileRun, Finding, Observation
from pytest_secaudit.notes import Note
from pytest_secaudit.observing import Ran, observations
from pytest_secaudit.reading import Reading
from pytest_secaudit.redact import clean
from pytest_secaudit.watch.record import SimulatedFailure, Watched

T = TypeVar("T")


def file_runs(outcomes: Mapping[str, str]) -> tuple[FileRun, ...]:
    """How the tests of each file ended, by path."""
    by_path: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for test, outcome in outcomes.items():
        by_path[clean(test.partition("::")[0])][outcome] += 1
    return tuple(
        FileRun(path, found.total(), found["passed"], found["failed"], found["skipped"])
        for path, found in sorted(by_path.items())
    )


def facts_of(readings: Iterable[Reading], notes: Mapping[str, tuple[Note, ...]], watched: Watched) -> Facts:
    """What one run knows.

    Args:
        readings: of every file.
        notes: path -> what was read there for a review.
        watched: what was seen while the tests ran.
    """
    slept = _by_path((one.place.path, one) for one in watched.slept)
    reached = _by_path((one.owner.path, (one.kind, clean(one.what))) for one in watched.contacts)
    ran = _by_path((one.path, line) for one in watched.lines for line in one.lines)
    raised = _by_path((one.path, one) for one in watched.simulated)
    followed = watched.watchers.get("lines", "").startswith("on")
    return Facts(
        files={
            reading.path: FileFacts(
                is_read=reading.error is None,
                examined=dict(reading.examined),
                fixtures=tuple(DefinedFixture(one.name, one.line, one.scope) for one in reading.fixtures),
                notes=notes.get(reading.path),
                slept=tuple(
                    SleptAt(one.place.line, one.calls, one.seconds, one.overlapped) for one in slept[reading.path]
                ),
                reached=tuple(sorted(set(reached[reading.path]))),
                lines=tuple(sorted(set(ran[reading.path]))) if followed else None,
                raised=_raised(raised[reading.path]),
            )
            for reading in readings
        },
        fixtures=tuple(sorted(map(clean, watched.fixtures))),
        sleeps=sum(one.calls for one in watched.slept),
        ran=watched.fixtures_ran,
    )


def observed(
    facts: Facts,
    runs: Iterable[FileRun],
    findings: Iterable[Finding],
    watchers: Mapping[str, str],
    cleared: Iterable[Cleared] = (),
) -> tuple[Observation, ...]:
    """What there is to say of each file that was noted.

    Args:
        facts: what is known of the files.
        runs: how the tests of each file ended.
        findings: all of them.
        watchers: name -> ``on``, or why not.
        cleared: suspicions of which the run saw the opposite.
    """
    ran = {run.path: run for run in runs}
    # A conftest or a module of helpers has no tests of its own: all that ran may have used it.
    everybody = FileRun(
        path="",
        collected=sum(run.collected for run in ran.values()),
        passed=sum(run.passed for run in ran.values()),
        failed=sum(run.failed for run in ran.values()),
        skipped=sum(run.skipped for run in ran.values()),
    )
    in_file = _by_path((path, finding) for finding in findings for path in _files_of(finding))
    not_this_time = _by_path((one.path, one) for one in cleared)
    return tuple(
        one
        for path, file in sorted(facts.files.items())
        if file.notes is not None
        for one in observations(
            path,
            file.notes,
            Ran(
                passed=ran.get(path, everybody).passed,
                failed=ran.get(path, everybody).failed,
                skipped=ran.get(path, everybody).skipped,
                watchers=watchers,
                findings=in_file[path],
                cleared=not_this_time[path],
                slept=file.slept,
                reached=file.reached,
                lines=frozenset(file.lines) if file.lines is not None else None,
                raised=file.raised,
            ),
        )
    )


def _files_of(finding: Finding) -> set[str]:
    """Its own, and those of all who left it: in none of them it can be said that nothing was left."""
    return {finding.path, *(owner.path for owner in finding.owners)}


def _raised(simulated: Iterable[SimulatedFailure]) -> dict[int, bool]:
    """Line of a simulated failure -> whether it was raised in any test."""
    found: dict[int, bool] = {}
    for one in simulated:
        found[one.line] = found.get(one.line, False) or one.raised
    return found


def _by_path(pairs: Iterable[tuple[str, T]]) -> defaultdict[str, list[T]]:
    found: defaultdict[str, list[T]] = defaultdict(list)
    for path, one in pairs:
        found[path].append(one)
    return found
