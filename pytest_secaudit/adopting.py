"""The baseline of a run: what it hides, what it no longer needs, and how it is written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest_secaudit.baseline as known_ones
from pytest_secaudit.audit import with_findings
from pytest_secaudit.baseline import BadBaseline, Baseline, Entry, SourceOf, rebased
from pytest_secaudit.lean import lean
from pytest_secaudit.model import Audit, BaselineUse
from pytest_secaudit.settings import BadSetting, Settings
from pytest_secaudit.testfiles import PATTERNS, files_of_tests


@lean
@dataclass(frozen=True, slots=True)
class _Root:
    """The rootdir, for what was not run."""

    root: Path
    patterns: Sequence[str]

    def exists(self, path: str) -> bool:
        return (self.root / path).exists()

    def tests_below(self, folder: str) -> Iterator[str]:
        for file in files_of_tests(self.root / folder, self.patterns):
            yield file.relative_to(self.root).as_posix()


@lean
@dataclass(frozen=True, slots=True)
class Adopted:
    """A result after its baseline.

    Attributes:
        result: with the findings that are known marked as such.
        text: what is to be written to the baseline's file; None where nothing is.
    """

    result: Audit
    text: str | None = None


def read_baseline(path: Path, root: Path, *, may_be_missing: bool) -> Baseline | None:
    """The baseline in a file, its paths relative to the rootdir; None where there may be none, and is none.

    Raises:
        BadSetting: when it cannot be read, or is no baseline.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        if may_be_missing:
            return None
        raise BadSetting(
            "the baseline", str(path), "there is no such file; --secaudit-write-baseline makes it"
        ) from None
    except (OSError, ValueError) as error:
        raise BadSetting("the baseline", str(path), f"it cannot be read: {error}") from None
    try:
        return rebased(known_ones.parse(text), path.parent, root)
    except BadBaseline as error:
        raise BadSetting("the baseline", str(path), f"{error}; it is left as it is") from None


def adopted(
    result: Audit,
    settings: Settings,
    old: Baseline | None,
    root: Path,
    source_of: SourceOf,
    patterns: Sequence[str] = PATTERNS,
    here: Path | None = None,
) -> Adopted:
    """The result by the baseline, and the baseline by the result.

    Args:
        result: as it is without one.
        settings: with the path of the baseline.
        old: the baseline as it was read; None where there is none yet.
        root: the rootdir.
        source_of: the text of a file by its path in the report.
        patterns: of the names of test files.
        here: the folder of the command line; paths are told as they would be written there. None for the rootdir.
    """
    path = settings.baseline
    if path is None:
        return Adopted(result)
    disk = _Root(root, patterns)
    findings, stale = result.findings, tuple[Entry, ...]()
    if old is not None and settings.suppress:
        findings = known_ones.known(findings, old, source_of)
        if not settings.fail_on_new_checks:
            findings = known_ones.marked(findings, old, settings.catalogue)
        stale = known_ones.stale(old, result, source_of, disk)
    shown = _shown(path, here or root)
    said = tuple(entry.said for entry in stale)
    use = BaselineUse(shown, len(old.entries) if old is not None else 0, said)
    result = replace(with_findings(result, findings, settings), baseline=use)
    if not settings.write_baseline or result.run.exit_status not in (0, 1):
        return Adopted(result)
    new = known_ones.updated(old, result, source_of, disk, settings.catalogue)
    text = known_ones.render(rebased(new, root, path.parent))
    findings = known_ones.known(result.findings, new, source_of)
    use = BaselineUse(shown, len(new.entries), is_written=True, is_first=old is None)
    return Adopted(replace(with_findings(result, findings, settings), baseline=use), text)


def _shown(path: Path, here: Path) -> str:
    try:
        return Path(os.path.relpath(path, here)).as_posix()
    except ValueError:  # another drive
        return str(path)
