"""What pytest loads: options, ini keys, the marker, the fixture ``secaudit``. Inert, and light to import, until asked.

Everything else is imported only once ``--secaudit`` (or ``secaudit = true``) is seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_secaudit.leaks import Secaudit
    from pytest_secaudit.model import Heading

MARKER_HELP = (
    "secaudit(*, ignore, reason, until=None): do not report these findings of the test-suite audit here, "
    'as in @pytest.mark.secaudit(ignore=["PSA701"], reason="the broker needs a moment")'
)

#: Options that only make sense when the run is audited: a gate that can never fail is a mistake.
_NEED_THE_AUDIT = {
    "secaudit_fail_on": "--secaudit-fail-on",
    "secaudit_report": "--secaudit-report",
    "secaudit_depth": "--secaudit-depth",
    "secaudit_write_baseline": "--secaudit-write-baseline",
    "secaudit_fixtures": "--secaudit-fixtures",
    "secaudit_check_fixture": "--secaudit-check-fixture",
    "secaudit_blindspots": "--secaudit-blindspots",
}


#: Options of one value: their name after ``--secaudit-``, what stands for the value, and the help.
_VALUES = (
    ("depth", "LEVEL", "how closely to watch the tests run: static (not at all), process, deep (default), exact"),
    ("fail-on", "LEVEL", "exit 1 if there is a new finding at or above LEVEL: none (default), defect, advisory, info"),
    ("baseline", "PATH", "findings that are known and not new"),
    ("explain", "CODE", "print the page of one check (code or name) and exit"),
)
#: Options that may be given several times.
_LISTS = (
    ("select", "CODES", "checks to use instead of the default set: codes, prefixes (PSA7) or names, by comma"),
    ("ignore", "CODES", "checks to ignore"),
    (
        "report",
        "FORMAT[:PATH]",
        "write a report: json, sarif, html, gitlab, github, markdown; the last two may be printed",
    ),
    (
        "check-fixture",
        "NAME[@PATH]",
        "run nothing of the suite: set this fixture up and tear it down twice, exit 1 if it leaves something; or ALL",
    ),
)
_FLAGS = (
    ("no-suppress", "show what comments, markers, settings and baseline hide"),
    ("fixtures", "add the table of fixtures: what each costs, what it left, who changes its value"),
    ("blindspots", "list the functions of the project that tests replace and no test runs"),
    ("write-baseline", "write what is found now to the baseline; a partial run only adds to it"),
    ("list", "list all checks and exit"),
)
#: Ini keys of one value or none (``string``), of lines, and those that are true or false.
_INI_TEXTS = (
    ("fail_on", "none, defect, advisory or info"),
    ("depth", "static, process, deep or exact"),
    ("budget", "per cent of run time that depth deep may add"),
    ("max_sleep", "seconds that the whole run may really sleep (PSA704)"),
    ("baseline", "file of findings that are known and not new"),
    ("report_root", "folder of the rootdir within the repository, for reports that must know it"),
)
_INI_LINES = (
    ("select", "checks to use instead of the default set"),
    ("ignore", "checks to ignore"),
    ("per_file_ignores", "lines `glob: CODES`"),
    ("expected", "lines `CODE subject-glob [owner-glob]  reason`: what is meant"),
    ("watch_skip", "what not to watch, by name"),
    ("report", "reports to write: lines FORMAT[:PATH]"),
)
_INI_FLAGS = (
    ("fail_on_new_checks", "let findings of checks that the baseline was written without fail the run"),
    ("fixtures", "add the table of fixtures"),
    ("blindspots", "list what is only ever mocked"),
    ("junit", "findings as properties of the test cases in pytest's JUnit file"),
)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    # Also while the audit is off: pytest stops at a hook that nobody has specified, and a conftest may have ours.
    from pytest_secaudit.hookspecs import Hooks

    pluginmanager.add_hookspecs(Hooks)


def pytest_secaudit_checks() -> Iterable[Heading]:
    """The built-in checks, each by its heading; a check is loaded where it has something to read."""
    from pytest_secaudit.checks.headings import HEADINGS

    return HEADINGS


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("secaudit", "test-suite audit (pytest-secaudit)")
    add = group.addoption
    add("--secaudit", action="store_true", default=None, dest="secaudit", help="audit the collected tests in this run")
    add("--no-secaudit", action="store_false", dest="secaudit", help="do not audit, whatever the ini says")
    for name, metavar, text in _LISTS:
        add(f"--secaudit-{name}", action="append", default=None, dest=_dest(name), metavar=metavar, help=text)
    for name, metavar, text in _VALUES:
        add(f"--secaudit-{name}", default=None, dest=_dest(name), metavar=metavar, help=text)
    for name, text in _FLAGS:
        add(f"--secaudit-{name}", action="store_true", default=False, dest=_dest(name), help=text)
    parser.addini("secaudit", "audit every run", type="bool", default=False)
    for name, text in _INI_TEXTS:
        parser.addini(f"secaudit_{name}", text, type="string", default="")
    for name, text in _INI_LINES:
        parser.addini(f"secaudit_{name}", text, type="linelist", default=[])
    for name, text in _INI_FLAGS:
        parser.addini(f"secaudit_{name}", text, type="bool", default=False)


def _dest(option: str) -> str:
    return f"secaudit_{option.replace('-', '_')}"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    if config.option.secaudit_list or config.option.secaudit_explain is not None:
        from pytest_secaudit.explain import main

        return main(config)
    return None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    if _is_on(early_config, early_config.known_args_namespace):
        from pytest_secaudit.no_gc import no_gc

        with no_gc():
            from pytest_secaudit.session import prepare
        prepare(early_config)  # before a conftest says `from time import sleep`
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER_HELP)
    if _is_on(config, config.option):
        from pytest_secaudit.session import install

        install(config)
    elif config.option.secaudit is None:
        _refuse_options_without_effect(config)


@pytest.fixture(scope="session")
def secaudit(pytestconfig: pytest.Config) -> Secaudit:
    """Assert in a test of your own that code leaves the process as it was: ``with secaudit.no_leaks(): ...``."""
    from pytest_secaudit.leaks import Secaudit

    return Secaudit(pytestconfig.rootpath)


def _is_on(config: pytest.Config, option: argparse.Namespace) -> bool:
    if option.secaudit is not None:
        return bool(option.secaudit)
    try:
        return bool(config.getini("secaudit"))
    except (ValueError, TypeError) as error:  # pytest before 9.2 lets these through
        raise pytest.UsageError(f"secaudit: {error}; accepted: true, false") from None


def _refuse_options_without_effect(config: pytest.Config) -> None:
    for name, option in _NEED_THE_AUDIT.items():
        if getattr(config.option, name):
            raise pytest.UsageError(f"{option} has no effect without --secaudit (or `secaudit = true`)")
