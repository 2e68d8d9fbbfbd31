"""The audited run: the hooks that are registered once ``--secaudit`` is on.

In one process everything happens here. Under xdist each worker reads the files of the tests it
runs and sends what it found along with their reports; the controller only gathers and judges.
"""

from __future__ import annotations

import datetime
import os
import platform
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from pytest_secaudit import __version__
from pytest_secaudit.audit import Seen, audit, blind_facts, with_exit_status
from pytest_secaudit.cache import ReadingCache, catalogue_key
from pytest_secaudit.careful import careful, noted
from pytest_secaudit.carrying import CARRIER, Cargo, joined, readings_in, unpack, worker_id
from pytest_secaudit.collected import Collector
from pytest_secaudit.conclusion import plural
from pytest_secaudit.conventions import Conventions
from pytest_secaudit.files_out import print_text, write_atomically
from pytest_secaudit.model import NOT_COLLECTED, Audit, FixtureRow, NotAudited, Run
from pytest_secaudit.no_gc import no_gc
from pytest_secaudit.notes import Note
from pytest_secaudit.offered import Offered, offered
from pytest_secaudit.options import read_settings
from pytest_secaudit.outfit import FAILED, KEY, Outfit, begin, end
from pytest_secaudit.output import print_summary, say_in_the_final_line
from pytest_secaudit.reader import Reader
from pytest_secaudit.reading import load, text_at
from pytest_secaudit.redact import clean
from pytest_secaudit.relative import relative_to_root
from pytest_secaudit.settings import BadSetting, Settings
from pytest_secaudit.static import StaticHalf

if TYPE_CHECKING:
    from pytest_secaudit.baseline import Baseline
    from pytest_secaudit.facts import Facts
    from pytest_secaudit.fixture_check import FixtureCheck
    from pytest_secaudit.worker import WorkerAudit

# Tests freeze and fake the clock; ours must go on.
_clock = time.perf_counter
_today = datetime.date.today


def prepare(config: pytest.Config) -> None:
    """Put the taps in place, before anybody takes hold of what they stand for."""
    begin(config)


def install(config: pytest.Config) -> None:
    """Register the audit of this run.

    Raises:
        pytest.UsageError: for a wrong setting.
    """
    found = offered(config)
    settings = _settings(config, found)
    conventions = Conventions(tuple(config.getini("python_functions")))
    worker = worker_id(config)
    key = catalogue_key(settings.catalogue, conventions)
    cache = ReadingCache(_cache_folder(config), key, worker)
    collector = Collector(config)
    static = StaticHalf(
        collector,
        Reader(settings.catalogue, conventions, cache),
        time_limit=_limits_every_test(config),
        note=_noter(collector, conventions) if settings.reports else None,
    )
    known = None if worker else _baseline(config, settings)
    outfit = _watch(config, settings, worker)
    part: MainAudit | WorkerAudit
    if worker:
        from pytest_secaudit.worker import WorkerAudit

        part = WorkerAudit(config, static, outfit, found)
    else:
        part = MainAudit(config, settings, static, outfit, known, found)
    if FAILED in config.stash:
        part.troubles.append(("the watch", config.stash[FAILED]))
    if isinstance(part, MainAudit) and settings.check_fixtures and outfit is not None:
        from pytest_secaudit.fixture_check import FixtureCheck

        part.check = FixtureCheck(
            config, settings.check_fixtures, static, outfit.hooks.casting, outfit.hooks.namespaces
        )
        config.pluginmanager.register(part.check, "secaudit-fixture-check")
    config.pluginmanager.register(part, "secaudit-session")
    config.add_cleanup(cache.save)


def _settings(config: pytest.Config, found: Offered) -> Settings:
    try:
        return read_settings(config, found.catalogue)
    except pytest.UsageError as error:  # the code may be that of a check which is missing
        raise pytest.UsageError(
            "; ".join([str(error), *(f"{one.path}: {one.reason}" for one in found.failures)])
        ) from None


def _baseline(config: pytest.Config, settings: Settings) -> Baseline | None:
    if settings.baseline is None:
        return None
    from pytest_secaudit.adopting import read_baseline

    try:
        return read_baseline(settings.baseline, config.rootpath, may_be_missing=settings.write_baseline)
    except BadSetting as error:
        raise pytest.UsageError(str(error)) from None


def _noter(
    collector: Collector, conventions: Conventions
) -> Callable[[Path, str, ModuleType | None], tuple[Note, ...]]:
    """Notes what a review says of a file; loaded only for a report."""
    from pytest_secaudit.endings import with_endings
    from pytest_secaudit.noting import notes_in

    def note(file: Path, path: str, module: ModuleType | None) -> tuple[Note, ...]:
        try:
            data = load(file)
        except Exception:  # the reading of the file says why
            return ()
        return with_endings(notes_in(data, path, conventions), module, collector.relative)

    return note


def _watch(config: pytest.Config, settings: Settings, worker: str) -> Outfit | None:
    """The watch, where tests will run: not in the controller of xdist, not when nothing runs at all."""
    only_read = settings.depth == "static" or config.option.collectonly
    if only_read or (not worker and getattr(config.option, "dist", "no") != "no"):
        end(config)
        return None
    outfit = config.stash.get(KEY, None) or begin(config)  # late when a conftest loads the plugin
    if outfit is not None:
        outfit.is_one_of_several(worker)
        outfit.may_take(settings.budget)
        if settings.fixtures:
            outfit.log_fixtures(config)
        outfit.remember_in(_cache_folder(config))
    return outfit


def _limits_every_test(config: pytest.Config) -> bool:
    """Whether pytest-timeout is there and told to end any test that takes too long."""
    if not config.pluginmanager.has_plugin("timeout"):
        return False
    try:
        return bool(config.getoption("timeout", None) or float(config.getini("timeout") or 0))
    except (ValueError, TypeError, KeyError):  # some other plugin of that name
        return False


def _cache_folder(config: pytest.Config) -> Path | None:
    cache: pytest.Cache | None = getattr(config, "cache", None)  # absent with -p no:cacheprovider
    try:
        return Path(cache.mkdir("secaudit")) if cache is not None else None
    except OSError:
        return None


class MainAudit:
    """The single process, or the controller of pytest-xdist: gathers, judges and reports."""

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        static: StaticHalf,
        outfit: Outfit | None,
        known: Baseline | None,
        offered: Offered,
    ) -> None:
        self.config = config
        self.known = known
        self.check: FixtureCheck | None = None
        self.offered = offered
        self.settings = settings
        self.static = static
        self.outfit = outfit
        self._watching = outfit.hooks if outfit is not None else None
        self.started = _clock()
        self.today = _today()
        self.troubles: list[tuple[str, str]] = []
        self.items: list[pytest.Item] = []
        self.collected: set[str] = set()
        self.tests = 0
        self.outcomes: dict[str, str] = {}
        self.cargo: list[Cargo] = []
        self.workers: set[str] = set()
        self.workers_lost: set[str] = set()
        self.partial = False
        self.not_collected: set[NotAudited] = set()
        self.result: Audit | None = None
        self.write_errors: list[str] = []
        self.printed: list[str] = []
        self.warned: list[warnings.WarningMessage] = []

    # --- what happens in the run

    def pytest_report_header(self) -> str:
        on = plural(len(self.settings.checks), "check")
        return f"secaudit: {on} on, fail-on={self.settings.fail_on}"

    @careful
    def pytest_deselected(self) -> None:
        self.partial = True

    @careful
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.not_collected.add(NotAudited(clean(report.nodeid) or ".", NOT_COLLECTED))

    @careful
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = session.items
        self.tests = len(session.items)
        self.static.collect(session.items)
        self.cargo.append(self.static.everything(self._progress))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Three times for every test: only what says something goes further than this.
        try:
            if report.outcome != "passed" or report.sections or self.workers:
                self._take_in(report)
            elif report.when == "call":
                self.outcomes.setdefault(report.nodeid, "passed")
            elif report.when == "teardown" and self._watching is not None:
                self._watching.test_is_over()
        except AttributeError as error:  # somebody's own kind of report
            self.troubles.append(("pytest_runtest_logreport", clean(str(error))))

    @careful
    def _take_in(self, report: pytest.TestReport) -> None:
        test = report.nodeid
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[test] = _worse(self.outcomes.get(test), report)
        carried = report.__dict__.get(CARRIER)
        if carried is not None:
            self.cargo.append(unpack(carried))
        if self._watching is not None:
            self._watching.heard(report)

    @pytest.hookimpl(optionalhook=True)
    @careful
    def pytest_xdist_node_collection_finished(self, node: object, ids: list[str]) -> None:
        self.workers.add(_node_id(node))
        self.collected.update(ids)
        self.tests = len(ids)

    @pytest.hookimpl(optionalhook=True)
    @careful
    def pytest_testnodedown(self, node: object) -> None:
        carried = (getattr(node, "workeroutput", None) or {}).get(CARRIER)
        if carried is None:
            self.workers_lost.add(_node_id(node))
        else:
            self.cargo.append(unpack(carried))

    def _progress(self, done: int, total: int) -> None:
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and reporter.isatty and self.config.get_verbosity() >= 0:
            text = f"audit: read {done:,} of {total:,} files" if done < total else ""
            reporter.rewrite(text, erase=True)

    # --- the end of it

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._end_the_watch()
        self._read_coverage()
        with no_gc():
            self._judge(session)
        if self.result is None and self._was_asked_for() and session.exitstatus == 0:
            session.exitstatus = 1  # a gate that could not be read has not been passed
        if _leaves_out_summaries(self.config):
            self._summarise()  # before pytest 9.2, --no-summary leaves out the hook for it

    @careful
    def _end_the_watch(self) -> None:
        if self.outfit is not None:
            self.cargo.append(Cargo(watched=self.outfit.rest()))
            self.troubles.extend(self.outfit.hooks.troubles)

    @careful
    def _read_coverage(self) -> None:
        """What the user's own coverage says of functions that may be blind spots."""
        if self.settings.blind_spots and self.settings.depth != "static":
            from pytest_secaudit.covered import covered

            self.cargo.extend(covered(self.config, self.outfit, self.cargo, self.warned))

    @careful
    def _judge(self, session: pytest.Session) -> None:
        status = int(session.exitstatus)
        seen = self._seen(status)
        result = self._adopted(self._with_observations(audit(seen, self.settings, __version__), seen))
        if self.check is not None:
            result = self.check.judged(result)
            self.troubles.extend(self.check.troubles)
        say_in_the_final_line(result, self.config)
        if result.gate.failed and status == 0:
            session.exitstatus = status = 1
        self.result = with_exit_status(result, status)
        self._write_reports(self.result)
        self._annotate_junit(self.result)
        if self.write_errors and status == 0:
            session.exitstatus = 1

    def _with_observations(self, result: Audit, seen: Seen) -> Audit:
        if not self.settings.reports and self.settings.baseline is None and not self.settings.fixtures:
            return result  # nobody reads them, and what makes them need not be loaded
        from pytest_secaudit.files import facts_of, file_runs, observed

        notes = {path: found for cargo in self.cargo for path, found in cargo.notes.items()}
        runs = file_runs(seen.outcomes)
        facts = facts_of(seen.readings, notes, seen.watched)
        said = observed(facts, runs, result.findings, seen.watched.watchers, result.all_cleared)
        if self.settings.blind_spots:
            from pytest_secaudit.blind_spots import with_blind_spots

            facts = replace(facts, blind=blind_facts(seen))
            said = with_blind_spots(said, result.blind_spots)
        result = replace(result, files=runs, facts=facts, observations=said)
        return replace(result, fixtures=self._fixtures(result, facts)) if self.settings.fixtures else result

    def _fixtures(self, result: Audit, facts: Facts) -> tuple[FixtureRow, ...]:
        from pytest_secaudit.fixture_table import table

        unwatched = "" if result.evidence.watchers else "nothing was run" if result.run.collect_only else "not watched"
        places = places_named(self.config)
        return table(facts, result.findings, is_complete=result.run.complete, unwatched=unwatched, places=places)

    def _adopted(self, result: Audit) -> Audit:
        """The result by the baseline; a baseline that was asked for is written."""
        path = self.settings.baseline
        if path is None:
            return result
        from pytest_secaudit.adopting import adopted

        config = self.config
        root, patterns, here = config.rootpath, config.getini("python_files"), config.invocation_params.dir
        found = adopted(result, self.settings, self.known, root, self._source_of, patterns, here)
        if found.text is not None:
            self._write(path, found.text, "the baseline")
        elif self.settings.write_baseline:
            self.write_errors.append(f"the baseline {path} was not written: the run did not come to its end")
        return found.result

    def _source_of(self, path: str) -> str:
        return text_at(self.config.rootpath, path)

    def _was_asked_for(self) -> bool:
        return self.settings.gate_level is not None or bool(self.settings.reports) or self.settings.write_baseline

    def _seen(self, status: int) -> Seen:
        readings = {reading.path: reading for reading in readings_in(self.cargo)}
        not_audited = {item for cargo in self.cargo for item in cargo.not_audited} | self.not_collected
        not_audited.update(noted(self.troubles), self.offered.failures, self.offered.late(self.config))
        if self.workers_lost:
            known = readings.keys() | {item.path for item in not_audited}
            collected_files = {clean(test.partition("::")[0]) for test in self._collected_tests()}
            not_audited.update(NotAudited(path, "its worker was lost") for path in collected_files - known)
        return Seen(
            readings=tuple(readings[path] for path in sorted(readings)),
            not_audited=tuple(sorted(not_audited, key=lambda item: item.path)),
            collected=self.tests,
            outcomes=self.outcomes,
            markers=tuple(dict.fromkeys(marker for cargo in self.cargo for marker in cargo.markers)),
            watched=joined(cargo.watched for cargo in self.cargo if cargo.watched is not None),
            run=self._run(status),
            today=self.today,
        )

    def _collected_tests(self) -> set[str]:
        return self.collected | {item.nodeid for item in self.items}

    def _run(self, status: int) -> Run:
        collect_only = bool(self.config.option.collectonly)
        left_out = self.partial or self.workers_lost or self.not_collected
        whole = not (collect_only or left_out) and status in (0, 1)
        return Run(
            python=platform.python_version(),
            pytest=pytest.__version__,
            depth="static" if self.config.option.collectonly else self.settings.depth,
            workers=len(self.workers),
            workers_lost=tuple(sorted(self.workers_lost)),
            duration_s=round(_clock() - self.started, 3),
            audit_s=round(sum(cargo.seconds + _watching(cargo) for cargo in self.cargo), 3),
            complete=whole and self._collected_tests() <= self.outcomes.keys(),
            exit_status=status,
            collect_only=collect_only,
            dearest=_dearest(self.cargo),
        )

    def _write_reports(self, result: Audit) -> None:
        for target in self.settings.reports:
            text = self._render(target.format, result)
            if target.path is None:
                self.printed.append(text)
            else:
                self._write(target.path, text, "the report")

    def _annotate_junit(self, result: Audit) -> None:
        """In the file that pytest has written by now."""
        path = getattr(self.config.option, "xmlpath", None)
        if not self.settings.junit or not path:
            return
        from pytest_secaudit.reports import junit

        file = self.config.invocation_params.dir / os.path.expanduser(os.path.expandvars(path))
        try:
            text = junit.annotated(file.read_bytes(), result, self.config.option.junitprefix or "")
        except (OSError, SyntaxError) as error:  # no XML is a syntax error
            self.write_errors.append(f"{file} has no findings: {error}")
        else:
            self._write(file, text, "the report")

    def _write(self, path: Path, text: str, what: str) -> None:
        try:
            write_atomically(path, text)
        except OSError as error:
            self.write_errors.append(f"{what} {path} was not written: {error.strerror or error}")

    def _render(self, kind: str, result: Audit) -> str:
        from pytest_secaudit.reports.formats import Extras, render

        verbosity = self.config.get_verbosity()
        extras = Extras(
            catalogue=self.settings.catalogue,
            source_of=self._source_of,
            root=self.settings.report_root,
            with_cleared=not self.settings.suppress or verbosity >= 2,
            whole=files_named(self.config),
            everything=verbosity >= 1,
        )
        return render(kind, result, extras)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """After pytest's last line; what coverage warns of comes at the very end without us, too."""
        for said in self.warned:
            warnings.showwarning(said.message, said.category, said.filename, said.lineno)
        for text in self.printed:
            print_text(f"\n{text}")

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self) -> None:
        if not _leaves_out_summaries(self.config):
            self._summarise()

    @careful
    def _summarise(self) -> None:
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return
        if self.result is None:
            for hook, error in self.troubles:
                reporter.write_line(f"secaudit: no audit was made; {hook} failed with {error}", red=True)
        else:
            print_summary(self.result, self.write_errors, reporter, self.config)


def places_named(config: pytest.Config) -> tuple[str, ...]:
    """The files and folders that the command line asks for, without those of which it names single tests."""
    if config.args_source is not config.ArgsSource.ARGS:
        return ("",)
    whole = [argument for argument in config.args if "::" not in argument]
    root, folder = config.rootpath, config.invocation_params.dir
    found = (relative_to_root(os.path.abspath(folder / argument), root, root.resolve()) for argument in whole)
    return tuple("" if place == "." else clean(place) for place in found)


def files_named(config: pytest.Config) -> frozenset[str]:
    """The files that the command line names, as reports write them: who names a file wants to read all of it."""
    root, folder = config.rootpath, config.invocation_params.dir
    paths = (folder / argument.partition("::")[0] for argument in config.args)
    return frozenset(
        clean(relative_to_root(os.path.abspath(path), root, root.resolve())) for path in paths if path.is_file()
    )


def _dearest(cargo: Sequence[Cargo]) -> str:
    costs = {"reading": sum(one.seconds for one in cargo)}
    costs |= joined(one.watched for one in cargo if one.watched is not None).costs
    return max(costs, key=lambda name: costs[name])


def _watching(cargo: Cargo) -> float:
    return cargo.watched.seconds if cargo.watched is not None else 0.0


def _leaves_out_summaries(config: pytest.Config) -> bool:
    return bool(getattr(config.option, "no_summary", False))  # absent with -p no:terminal


def _node_id(node: object) -> str:
    return str(getattr(getattr(node, "gateway", None), "id", "?"))


def _worse(before: str | None, report: pytest.TestReport) -> str:
    """The outcome of a test so far: failed beats passed, and skipped holds only if nothing ran."""
    if report.outcome == "failed" or before == "failed":
        return "failed"
    if report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        return "skipped"
    return before or "passed"
