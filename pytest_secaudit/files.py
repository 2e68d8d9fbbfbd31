"""What the run knows of each file, for its review."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeVar

from pytest_secaudit.model import FileRun, Finding, Observation
from pytest_secaudit.notes import Note
from pytest_secaudit.observing import Ran, observations
from pytest_secaudit.redact import clean
from pytest_secaudit.watch.record import Watched

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


def observed(
    notes: Mapping[str, tuple[Note, ...]],
    runs: Iterable[FileRun],
    findings: Iterable[Finding],
    watched: Watched,
    cleared: Iterable[Finding] = (),
) -> tuple[Observation, ...]:
    """What there is to say of each file that was noted.

    Args:
        notes: path -> what was read there.
        runs: how the tests of each file ended.
        findings: all of them.
        watched: what was seen while the tests ran.
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
    in_file = _by_path((finding.path, finding) for finding in findings)
    not_this_time = _by_path((finding.path, finding) for finding in cleared)
    slept = _by_path((one.place.path, one) for one in watched.slept)
    contacts = _by_path((one.owner.path, one) for one in watched.contacts)
    lines = _by_path((one.path, line) for one in watched.lines for line in one.lines)
    followed = watched.watchers.get("lines", "").startswith("on")
    return tuple(
        one
        for path in sorted(notes)
        for one in observations(
            path,
            notes[path],
            Ran(
                passed=ran.get(path, everybody).passed,
                failed=ran.get(path, everybody).failed,
                skipped=ran.get(path, everybody).skipped,
                watchers=watched.watchers,
                findings=in_file[path],
                cleared=not_this_time[path],
                slept=slept[path],
                contacts=contacts[path],
                lines=frozenset(lines[path]) if followed else None,
                raised=_raised(watched, path),
            ),
        )
    )


def _raised(watched: Watched, path: str) -> dict[int, bool]:
    """Line of a simulated failure -> whether it was raised in any test."""
    found: dict[int, bool] = {}
    for one in watched.simulated:
        if one.path == path:
            found[one.line] = found.get(one.line, False) or one.raised
    return found


def _by_path(pairs: Iterable[tuple[str, T]]) -> defaultdict[str, list[T]]:
    found: defaultdict[str, list[T]] = defaultdict(list)
    for path, one in pairs:
        found[path].append(one)
    return found
