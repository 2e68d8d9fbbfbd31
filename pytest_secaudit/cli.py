"""``python -m pytest_secaudit check PATH...``: the rules on files, importing nothing of theirs.

The settings are those of the pytest configuration file above the paths, read by pytest itself. Checks of plugins and
conftests are not loaded; codes of theirs mean nothing here.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pytest_secaudit import __version__
from pytest_secaudit.adopting import adopted, read_baseline
from pytest_secaudit.audit import Seen, audit
from pytest_secaudit.checks import whole
from pytest_secaudit.checks.headings import HEADINGS
from pytest_secaudit.conventions import Conventions
from pytest_secaudit.files import facts_of, observed
from pytest_secaudit.files_out import print_text
from pytest_secaudit.joining import add_commands, run
from pytest_secaudit.live import Surroundings, scopes_in_effect, settle
from pytest_secaudit.model import Audit, Check, NotAudited, Run
from pytest_secaudit.notes import Note
from pytest_secaudit.noting import notes_in
from pytest_secaudit.options import read_settings
from pytest_secaudit.reading import Reading, load, text_at
from pytest_secaudit.redact import clean
from pytest_secaudit.relative import relative_to_root
from pytest_secaudit.reports import terminal
from pytest_secaudit.reports.formats import Extras, render
from pytest_secaudit.rules import read
from pytest_secaudit.settings import FAIL_LEVELS, REPORT_FORMATS, BadSetting, Settings
from pytest_secaudit.settling import surrounds
from pytest_secaudit.testfiles import files_of_tests
from pytest_secaudit.watch.record import Watched

FORMATS = ("text", *REPORT_FORMATS)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing at the gate's level; 1: the gate failed; 2: wrong usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command != "check":
        return run(options)
    for path in options.paths:
        if not path.exists():
            parser.error(f"there is no file or folder {path}")
    runner = _Check(options)
    with _only_pytest():
        status = int(pytest.main(_pytest_arguments(options), plugins=[runner]))
    return runner.status if status == 0 else 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pytest_secaudit", description="Audit test files without running them."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="read test files and report what the built-in checks can tell")
    check.add_argument("paths", nargs="+", metavar="PATH", type=Path, help="files, or folders to search for test files")
    check.add_argument("--select", metavar="CODES", help="checks to use: codes, prefixes or names, by comma")
    check.add_argument("--ignore", metavar="CODES", help="checks to ignore")
    check.add_argument(
        "--format", choices=FORMATS, default="text", help="text (default), or a report on standard output"
    )
    check.add_argument("--fail-on", choices=FAIL_LEVELS, help="exit 1 if there is a finding at or above this level")
    check.add_argument("--baseline", metavar="PATH", help="findings that are known and not new")
    check.add_argument("-v", "--verbose", action="count", default=0, help="info findings, all places of a group")
    add_commands(commands)
    return parser


def _pytest_arguments(options: argparse.Namespace) -> list[str]:
    given = ["-p", "pytest_secaudit.plugin", "-p", "no:terminal", "--noconftest", "--no-secaudit"]
    # The user's plugins are not loaded here, so neither their options nor strictness about them apply.
    for key in ("addopts", "required_plugins", "strict", "strict_config", "strict_markers"):
        given += ["-o", f"{key}={'false' if key.startswith('strict') else ''}"]
    if options.select:
        given.append(f"--secaudit-select={options.select}")
    if options.ignore:
        given.append(f"--secaudit-ignore={options.ignore}")
    if options.fail_on:
        given.append(f"--secaudit-fail-on={options.fail_on}")
    if options.baseline:
        given.append(f"--secaudit-baseline={options.baseline}")
    return [*given, "--", *(str(path) for path in options.paths)]


@contextmanager
def _only_pytest() -> Iterator[None]:
    """No installed plugin is loaded, and no option comes from the environment."""
    changed = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": ""}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class _Check:
    """Takes the place of pytest's main: the configuration is read, nothing is collected."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.status = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        started = time.perf_counter()
        settings = replace(read_settings(config, HEADINGS, others=True), reports=())
        conventions = Conventions(tuple(config.getini("python_functions")))
        files = list(_test_files(self.options.paths, config.getini("python_files")))
        checks = tuple(map(whole, settings.catalogue))
        readings, missing = _read_all(files, config.rootpath, checks, conventions)
        result = audited(readings, missing, settings, time.perf_counter() - started)
        notes = {
            reading.path: _notes(config.rootpath / reading.path, reading.path, conventions) for reading in readings
        }
        facts = facts_of(readings, notes, Watched())
        said = observed(facts, (), result.findings, {})
        result = replace(result, facts=facts, observations=said)
        if settings.baseline is not None:
            try:
                old = read_baseline(settings.baseline, config.rootpath, may_be_missing=False)
            except BadSetting as error:
                raise pytest.UsageError(str(error)) from None
            result = adopted(
                result, settings, old, config.rootpath, partial(text_at, config.rootpath), config.getini("python_files")
            ).result
        _print(result, self.options, config.rootpath, settings)
        self.status = 1 if result.gate.failed else 0
        return 0


def _test_files(paths: Iterable[Path], patterns: Sequence[str]) -> Iterator[Path]:
    """The files given, and below the folders given those that pytest would look at, with every conftest."""
    for path in paths:
        if path.is_dir():
            yield from sorted(files_of_tests(path, (*patterns, "conftest.py")))
        else:
            yield path


def _read_all(
    files: Iterable[Path], root: Path, checks: Sequence[Check], conventions: Conventions
) -> tuple[list[Reading], list[NotAudited]]:
    readings: dict[str, Reading] = {}
    missing: list[NotAudited] = []
    for file in dict.fromkeys(files):
        relative = clean(relative_to_root(os.path.abspath(file), root, root.resolve()))
        try:
            readings[relative] = read(load(file), relative, checks, conventions)
        except OSError as error:
            missing.append(NotAudited(relative, f"cannot be read: {error.strerror or error}"))
    surroundings = [*readings.values(), *_conftests_above(files, root, readings, checks, conventions)]
    return [_settled(reading, surroundings) for reading in readings.values()], missing


def _conftests_above(
    files: Iterable[Path], root: Path, known: Collection[str], checks: Sequence[Check], conventions: Conventions
) -> Iterator[Reading]:
    """The conftests above the files, where they were not asked for: not reported, but their fixtures count."""
    folders = {folder for file in files for folder in file.resolve().parents if folder.is_relative_to(root)}
    for folder in sorted(folders):
        conftest = folder / "conftest.py"
        relative = conftest.relative_to(root).as_posix()
        if relative not in known and conftest.is_file():
            yield read(load(conftest), relative, checks, conventions)


def _notes(file: Path, path: str, conventions: Conventions) -> tuple[Note, ...]:
    try:
        return notes_in(load(file), path, conventions)
    except OSError:
        return ()


def _settled(reading: Reading, every: Sequence[Reading]) -> Reading:
    near = [other for other in every if other.path == reading.path or surrounds(other.path, reading.path)]
    fixtures = [fixture for other in near for fixture in other.fixtures]
    around = Surroundings(
        fixture_replacements={fixture.name: fixture.replaces for fixture in fixtures},
        autouse=tuple(fixture.name for fixture in fixtures if fixture.autouse),
        restores=tuple((other.path, fact) for other in near for fact in other.restores),
        fixture_scopes=scopes_in_effect(reading.path, near),
    )
    return settle(reading, around)


def audited(readings: Sequence[Reading], missing: Sequence[NotAudited], settings: Settings, seconds: float) -> Audit:
    """The audit of files that were only read."""
    run = Run(
        python=platform.python_version(),
        pytest=pytest.__version__,
        depth="static",
        workers=0,
        workers_lost=(),
        duration_s=round(seconds, 3),
        audit_s=round(seconds, 3),
        complete=False,
        exit_status=0,
        collect_only=True,
    )
    seen = Seen(
        readings=tuple(sorted(readings, key=lambda reading: reading.path)),
        not_audited=tuple(missing),
        collected=sum(reading.tests for reading in readings),
        outcomes={},
        markers=(),
        watched=Watched(),
        run=run,
        today=datetime.date.today(),  # noqa: DTZ011 - the user's own calendar
    )
    return audit(seen, settings, __version__)


def _print(result: Audit, options: argparse.Namespace, root: Path, settings: Settings) -> None:
    if options.format != "text":
        source_of = partial(text_at, root)
        extras = Extras(settings.catalogue, source_of, root=settings.report_root, everything=True)
        print_text(render(options.format, result, extras))
        return
    width = int(os.environ.get("COLUMNS") or 80)
    for line in terminal.summary(result, options.verbose, width):
        print_text(f"{line.text}\n")
    if result.gate.reason:
        print_text(f"{result.gate.reason}\n")
