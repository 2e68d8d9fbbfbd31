"""The commands that work on JSON reports: ``merge`` and ``diff``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from pytest_secaudit.adopting import adopted, read_baseline
from pytest_secaudit.audit import with_findings
from pytest_secaudit.baseline import Baseline
from pytest_secaudit.checks.headings import HEADINGS
from pytest_secaudit.comparing import compared, lines
from pytest_secaudit.files_out import print_text, write_atomically
from pytest_secaudit.merging import merged
from pytest_secaudit.model import INFO, Audit, Check, Finding, Heading
from pytest_secaudit.reading import text_at
from pytest_secaudit.reports import json as json_report
from pytest_secaudit.reports import terminal
from pytest_secaudit.reports.formats import Extras, render
from pytest_secaudit.settings import (
    DEFAULT_BASELINE,
    FAIL_LEVELS,
    BadSetting,
    Settings,
    parse_report,
    parse_report_root,
)


class BadReport(ValueError):
    """A file that cannot be used; the message names it."""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The parsers of both."""
    merge = commands.add_parser("merge", help="join the JSON reports of shards: all together are one complete run")
    merge.add_argument("reports", nargs="+", metavar="REPORT.json", type=Path)
    merge.add_argument("--report", action="append", default=[], metavar="FORMAT[:PATH]", help="write a report of all")
    merge.add_argument("--report-root", default="", metavar="FOLDER", help="of the rootdir within the repository")
    merge.add_argument("--baseline", type=Path, metavar="PATH", help="findings that are known and not new")
    merge.add_argument("--write-baseline", action="store_true", help="write what is found to the baseline")
    merge.add_argument("--fail-on", choices=FAIL_LEVELS, default="none", help="exit 1 for a new finding at this level")
    merge.add_argument("--fail-on-new-checks", action="store_true", help="also for checks that the baseline lacks")
    merge.add_argument("-v", "--verbose", action="count", default=0, help="info findings, all places of a group")
    diff = commands.add_parser("diff", help="what is fixed, new and still there between two JSON reports")
    diff.add_argument("old", metavar="OLD.json", type=Path)
    diff.add_argument("new", metavar="NEW.json", type=Path)


def merge(options: argparse.Namespace) -> int:
    """0, or 1 for a failed gate or a report that could not be written.

    Raises:
        BadReport, BadSetting: for what cannot be used.
    """
    folder = Path.cwd()
    audits = [_read(path) for path in options.reports]
    path = options.baseline or (Path(DEFAULT_BASELINE) if options.write_baseline else None)
    settings = Settings(
        checks=(),
        fail_on=options.fail_on,
        reports=tuple(parse_report("--report", value, folder) for value in options.report),
        baseline=folder / path if path is not None else None,
        write_baseline=options.write_baseline,
        fail_on_new_checks=options.fail_on_new_checks,
        report_root=parse_report_root("--report-root", options.report_root),
    )
    old = None
    if settings.baseline is not None:
        old = read_baseline(settings.baseline, folder, may_be_missing=settings.write_baseline)
    result = merged(audits)
    catalogue = _catalogue(result, old)
    settings = replace(settings, checks=catalogue, catalogue=catalogue)
    found = adopted(with_findings(result, result.findings, settings), settings, old, folder, partial(text_at, folder))
    for line in terminal.summary(found.result, options.verbose, _width()):
        print_text(f"{line.text}\n")
    errors = list(_written(found.result, settings, folder, with_cleared=options.verbose >= 2))
    if found.text is not None and settings.baseline is not None:
        errors += _write(settings.baseline, found.text, "the baseline")
    for text in (*errors, *([found.result.gate.reason] if found.result.gate.reason else [])):
        print_text(f"{text}\n")
    return 1 if errors or found.result.gate.failed else 0


def _catalogue(result: Audit, old: Baseline | None) -> tuple[Heading, ...]:
    """The headings of ours, and of checks of plugins and conftests as far as the reports tell."""
    checks: dict[str, Heading] = {heading.code: heading for heading in HEADINGS}
    told: dict[str, Finding] = {}
    for finding in (*result.findings, *result.cleared):
        known = told.get(finding.code)
        if known is None or finding.severity > known.severity:
            told[finding.code] = finding
    for code in (*result.evidence.checks, *told):
        if code not in checks:
            finding_or_none = told.get(code)
            checks[code] = Check(
                code,
                finding_or_none.name if finding_or_none else code.lower(),
                finding_or_none.severity if finding_or_none else INFO,
                f"A check of a plugin or a conftest.\n\n`pytest --secaudit-explain={code}` shows its page where it is.",
                cwe=finding_or_none.cwe if finding_or_none else None,
                revision=old.catalogue.get(code, 1) if old is not None else 1,
            )
    return tuple(checks[code] for code in sorted(checks))


def _written(result: Audit, settings: Settings, folder: Path, *, with_cleared: bool) -> Iterable[str]:
    extras = Extras(settings.catalogue, partial(text_at, folder), root=settings.report_root, with_cleared=with_cleared)
    for target in settings.reports:
        text = render(target.format, result, extras)
        if target.path is None:
            print_text(text)
        else:
            yield from _write(target.path, text, "the report")


def _write(path: Path, text: str, what: str) -> list[str]:
    try:
        write_atomically(path, text)
    except OSError as error:
        return [f"{what} {path} was not written: {error.strerror or error}"]
    return []


def diff(options: argparse.Namespace) -> int:
    """0, whatever the difference is.

    Raises:
        BadReport: for what cannot be used.
    """
    for line in lines(compared(_read(options.old), _read(options.new))):
        print_text(f"{line}\n")
    return 0


def _read(path: Path) -> Audit:
    try:
        return json_report.parse(path.read_text("utf-8"))
    except OSError as error:
        raise BadReport(f"{path}: it cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise BadReport(f"{path}: {error}") from None


def _width() -> int:
    return int(os.environ.get("COLUMNS") or 80)


def run(options: argparse.Namespace) -> int:
    """One of the two; 2 for what cannot be used."""
    try:
        return merge(options) if options.command == "merge" else diff(options)
    except (BadReport, BadSetting) as error:
        print(f"python -m pytest_secaudit {options.command}: {error}", file=sys.stderr)
        return 2
