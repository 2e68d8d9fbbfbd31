"""The findings that a team knows already and has put off: a file that people can read, merge and review.

An entry is known by what does not move: code, module and subject of what the run saw; code, module, qualified name and
text of the line of what was read. It has no line number, no owner and no hash.
"""

from __future__ import annotations

import json
import os.path
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from pytest_secaudit.claims import lasting
from pytest_secaudit.lean import lean
from pytest_secaudit.model import Audit, Finding, Heading, Owner
from pytest_secaudit.policy import NEW_CHECK
from pytest_secaudit.redact import clean
from pytest_secaudit.settings import DEPTHS

VERSION = 1
#: The checks that are about containers.
_CONTAINERS = ("PSA104", "PSA105")
#: Of a line of source so much is kept.
_WIDTH = 120

#: The text of a file, by its path in the report; raises OSError or ValueError.
SourceOf = Callable[[str], str]


class BadBaseline(ValueError):
    """A file that is none, or of a later version; the message says why."""


@lean
@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One hazard that is known.

    Attributes:
        path: of the module, relative to the rootdir; empty where the run could not tell whose it is.
        code: of the check.
        inside: the qualified name of the function or class that it is in; empty beside a subject.
        subject: what is left changed, or what is reached, without what differs from run to run.
        text: the line of source; empty beside a subject.
        count: how many of them there are.
        reason: why it is put off, if somebody has written that down.
    """

    path: str
    code: str
    inside: str = ""
    subject: str = ""
    text: str = ""
    count: int = 1
    reason: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        return (self.path, self.code, self.inside, self.subject, self.text)

    @property
    def said(self) -> str:
        """How a report names it."""
        place = f"{self.path}::{self.inside}" if self.inside else self.path
        return " ".join(part for part in (self.code, place, self.subject or self.text) if part)


@lean
@dataclass(frozen=True, slots=True)
class Baseline:
    """All that is known, and by which checks.

    Attributes:
        entries: sorted.
        catalogue: code -> revision of each check that was on when it was written.
        depth: how closely the tests were watched.
    """

    entries: tuple[Entry, ...] = ()
    catalogue: Mapping[str, int] = field(default_factory=dict)
    depth: str = "static"


# --- the file


def parse(text: str) -> Baseline:
    """The baseline that a file holds.

    Raises:
        BadBaseline: when it is no baseline, or one of a later version.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BadBaseline(f"it is no JSON: {clean(str(error))}") from None
    version = data.get("baseline_version") if isinstance(data, dict) else None
    if type(version) is not int or version < 1:
        raise BadBaseline("it is no baseline of pytest-secaudit")
    if version > VERSION:
        raise BadBaseline(f"it is of version {version}, and this pytest-secaudit reads {VERSION}")
    try:
        catalogue = {str(code): int(revision) for code, revision in data["catalogue"].items()}
        depth = DEPTHS[DEPTHS.index(data["depth"])]
        return Baseline(tuple(sorted(map(_entry, data["entries"]))), catalogue, depth)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadBaseline(f"it is damaged: {clean(f'{type(error).__name__}: {error}')}") from None


_FIELDS = ("code", "path", "in", "subject", "text", "count", "reason")


def _entry(data: Mapping[str, Any]) -> Entry:
    if not data["code"] or not set(data) <= set(_FIELDS):
        raise ValueError(f"an entry is not of the form {', '.join(_FIELDS)}")
    texts = {name: data.get(name, "") for name in _FIELDS if name != "count"}
    count = data.get("count", 1)
    if type(count) is not int or count < 1 or any(type(text) is not str for text in texts.values()):
        raise ValueError("an entry has a value of a wrong type")
    return Entry(inside=texts.pop("in"), count=count, **texts)


def render(baseline: Baseline) -> str:
    """The text of the file: an entry a line, sorted, so that it merges and diffs well."""
    head = {"baseline_version": VERSION, "depth": baseline.depth, "catalogue": dict(sorted(baseline.catalogue.items()))}
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    entries = ",\n".join(f"  {json.dumps(_plain(entry), ensure_ascii=False)}" for entry in sorted(baseline.entries))
    lines.append(f' "entries": [\n{entries}\n ]' if entries else ' "entries": []')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _plain(entry: Entry) -> dict[str, Any]:
    values = (entry.code, entry.path, entry.inside, entry.subject, entry.text, entry.count, entry.reason)
    named = zip(_FIELDS, values, strict=True)
    return {name: value for name, value in named if value and not (name == "count" and value == 1)}


def rebased(baseline: Baseline, old: Path, new: Path) -> Baseline:
    """The same with paths that were relative to one folder relative to another."""

    def moved(path: str) -> str:
        if not path or os.path.isabs(path):
            return path
        try:
            return Path(os.path.relpath(old / path, new)).as_posix()
        except ValueError:  # on another drive of Windows
            return path

    return replace(baseline, entries=tuple(sorted(replace(one, path=moved(one.path)) for one in baseline.entries)))


# --- what a finding is known by


def entries_of(findings: Iterable[Finding], source_of: SourceOf) -> Iterator[tuple[Finding, tuple[Entry, ...]]]:
    """Each finding with what it is known by: one entry, or one for each module whose tests or fixtures did it."""
    texts: dict[str, list[str]] = {}
    for finding in findings:
        if finding.subject:
            subject = _subject(finding.code, finding.subject)
            paths = dict.fromkeys(map(_module, finding.owners or (finding.owner,)))
            yield finding, tuple(Entry(path, finding.code, subject=subject) for path in paths)
        else:
            text = _line(finding, texts, source_of)
            yield finding, (Entry(finding.path, finding.code, _inside(finding.owner), text=text),)


def _subject(code: str, subject: str) -> str:
    """Of a container the container: whether a run names its keys hangs on how many changed between two looks."""
    whole = subject.partition("[")[0] if code in _CONTAINERS else subject
    return lasting(code, whole)


def _module(owner: Owner) -> str:
    """Of several tests, one of which did it, no run knows for sure."""
    return "" if owner.kind in ("window", "outside") else owner.path


def _inside(owner: Owner) -> str:
    return owner.id.partition("::")[2].partition("[")[0] if owner.kind not in ("window", "outside") else ""


def _lasts(finding: Finding) -> bool:
    """What a test left after its own failure goes with the failure."""
    return not finding.detail.get("after_failure")


def _line(finding: Finding, texts: dict[str, list[str]], source_of: SourceOf) -> str:
    if finding.path not in texts:
        try:
            texts[finding.path] = source_of(finding.path).splitlines()
        except (OSError, ValueError):
            texts[finding.path] = []
    lines = texts[finding.path]
    line = lines[finding.line - 1] if 0 < finding.line <= len(lines) else ""
    return clean(" ".join(line.split()))[:_WIDTH]


# --- using it


def known(findings: Sequence[Finding], baseline: Baseline, source_of: SourceOf) -> tuple[Finding, ...]:
    """The findings; those that are new and that the baseline has are ``baselined``.

    Of more places of one key than are known, the last ones are new. What a check found that the baseline was written
    without stays new and says so.
    """
    subjects: dict[tuple[str, str], dict[str, str]] = {}
    left: Counter[tuple[str, ...]] = Counter()
    reasons: dict[tuple[str, ...], str] = {}
    for entry in baseline.entries:
        if entry.subject:
            subjects.setdefault((entry.code, entry.subject), {})[entry.path] = entry.reason
        else:
            left[entry.key] += entry.count
            reasons[entry.key] = entry.reason

    def reason_of(entries: tuple[Entry, ...]) -> str | None:
        first = entries[0]
        if not first.subject:
            if left[first.key] < 1:
                return None
            left[first.key] -= 1
            return reasons[first.key]
        paths = subjects.get((first.code, first.subject))
        if paths is None or not ("" in paths or all(one.path in paths or not one.path for one in entries)):
            return None
        return next((paths[one.path] for one in entries if one.path in paths), "")

    result: dict[int, Finding] = {}
    new = sorted((one for one in findings if one.status == "new"), key=lambda one: (one.path, one.line, one.column))
    for finding, entries in entries_of(new, source_of):
        reason = reason_of(entries)
        if reason is not None:
            result[id(finding)] = replace(finding, status="baselined", reason=reason or None)
    return tuple(result.get(id(finding), finding) for finding in findings)


def marked(findings: Iterable[Finding], baseline: Baseline, catalogue: Iterable[Heading]) -> tuple[Finding, ...]:
    """The findings; those of checks that the baseline was written without, or that are stricter now, say so."""
    later = {one.code for one in catalogue if baseline.catalogue.get(one.code, 0) < one.revision}
    return tuple(
        replace(one, reason=NEW_CHECK, detail={**one.detail, "new_check": True})
        if one.status == "new" and one.code in later
        else one
        for one in findings
    )


class Disk(Protocol):
    """What there is beside what was run."""

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""

    def tests_below(self, folder: str) -> Iterable[str]:
        """The paths of the test files in a folder."""


def stale(baseline: Baseline, audit: Audit, source_of: SourceOf, disk: Disk) -> tuple[Entry, ...]:
    """The entries that no longer happen, as far as this run can tell: all tests of the file ran and were watched."""
    entries = [entry for _, mine in entries_of(audit.findings, source_of) for entry in mine]
    found = {entry.key for entry in entries}
    changed = {(entry.code, entry.subject) for entry in entries if entry.subject}
    somewhere = {(entry.code, entry.subject) for entry in entries if entry.subject and not entry.path}

    def happens(entry: Entry) -> bool:
        if not entry.subject:
            return entry.key in found
        one = (entry.code, entry.subject)
        return entry.key in found or one in somewhere or (not entry.path and one in changed)

    whole = _Judged(audit, baseline.depth, disk)
    return tuple(entry for entry in baseline.entries if not happens(entry) and whole.judges(entry))


class _Judged:
    """What this run would have found had it still been there."""

    def __init__(self, audit: Audit, depth: str, disk: Disk) -> None:
        off = any("failed" in state or "skip" in state for state in audit.evidence.watchers.values())
        as_deep = DEPTHS.index(audit.run.depth) >= DEPTHS.index(depth)
        self._can_tell = audit.run.complete and as_deep and not off
        self._checks = set(audit.evidence.checks)
        self._unread = {item.path for item in audit.evidence.not_audited}
        self._files = {one.path: one.collected == one.passed for one in audit.files}
        self._disk = disk

    def judges(self, entry: Entry) -> bool:
        if not self._can_tell or entry.code not in self._checks or entry.path in self._unread:
            return False
        if entry.path in self._files:
            return self._files[entry.path]
        if entry.path and not self._disk.exists(entry.path):
            return True
        # A conftest, a helper: all that may stand on it has to have run.
        folder = entry.path.rpartition("/")[0] if entry.path.endswith("conftest.py") else ""
        return all(self._files.get(path, False) for path in self._disk.tests_below(folder))


def updated(
    old: Baseline | None,
    audit: Audit,
    source_of: SourceOf,
    disk: Disk,
    catalogue: Iterable[Heading],
) -> Baseline:
    """The baseline with what this run found, without what is gone for sure; reasons are kept.

    What this run could not judge stays: a partial run never shrinks it.
    """
    counts: Counter[tuple[str, ...]] = Counter()
    entries: dict[tuple[str, ...], Entry] = {}
    lasting_ones = (one for one in audit.findings if one.status in ("new", "baselined") and _lasts(one))
    for _, found in entries_of(lasting_ones, source_of):
        for entry in found:
            counts[entry.key] += 1
            entries[entry.key] = replace(entry, count=1 if entry.subject else counts[entry.key])
    before = {entry.key: entry for entry in (old.entries if old is not None else ())}
    for entry in stale(old, audit, source_of, disk) if old is not None else ():
        before.pop(entry.key, None)
    judges = _Judged(audit, old.depth if old is not None else "static", disk).judges
    for key, entry in before.items():
        now = entries.get(key)
        kept = entry.count if now is None or not judges(entry) else 0
        entries[key] = replace(now or entry, count=max(kept, now.count if now else 0), reason=entry.reason)
    on = set(audit.evidence.checks)
    revisions = {one.code: one.revision for one in catalogue if one.code in on}
    depths = [audit.run.depth, *([old.depth] if old is not None and old.entries else [])]
    return Baseline(
        tuple(sorted(entries.values())),
        {**(old.catalogue if old is not None else {}), **revisions},
        max(depths, key=DEPTHS.index),
    )
