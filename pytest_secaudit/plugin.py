"""What pytest loads: options, ini keys, the marker. Inert, and light to import, until asked.

Everything else is imported only once ``--secaudit`` (or ``secaudit = true``) is seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator

import pytest

MARKER_HELP = (
    "secaudit(*, ignore, reason, until=None): do not report these findings of the test-suite audit here, "
    'as in @pytest.mark.secaudit(ignore=["PSA701"], reason="the broker needs a moment")'
)

#: Options that only make sense when the run is audited: a gate that can never fail is a mistake.
_NEED_THE_AUDIT = {
    "secaudit_fail_on": "--secaudit-fail-on",
    "secaudit_report": "--secaudit-report",
    "secaudit_depth": "--secaudit-depth",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("secaudit", "test-suite audit (pytest-secaudit)")
    group.addoption(
        "--secaudit", action="store_true", default=None, dest="secaudit", help="audit the collected tests in this run"
    )
    group.addoption("--no-secaudit", action="store_false", dest="secaudit", help="do not audit, whatever the ini says")
    for option, metavar, text in (
        ("select", "CODES", "checks to use instead of the default set: codes, prefixes (PSA7) or names, by comma"),
        ("ignore", "CODES", "checks to ignore"),
        ("report", "FORMAT[:PATH]", "write a report: json:PATH, markdown:PATH; markdown alone is printed"),
    ):
        group.addoption(
            f"--secaudit-{option}", action="append", default=None, dest=f"secaudit_{option}", metavar=metavar, help=text
        )
    group.addoption(
        "--secaudit-depth",
        default=None,
        dest="secaudit_depth",
        metavar="LEVEL",
        help="how closely to watch the tests run: static (not at all), process, deep (default), exact",
    )
    group.addoption(
        "--secaudit-fail-on",
        default=None,
        dest="secaudit_fail_on",
        metavar="LEVEL",
        help="exit 1 if there is a new finding at or above LEVEL: none (default), defect, advisory, info",
    )
    group.addoption(
        "--secaudit-no-suppress",
        action="store_true",
        default=False,
        dest="secaudit_no_suppress",
        help="show what comments, markers and settings hide",
    )
    group.addoption(
        "--secaudit-explain",
        default=None,
        dest="secaudit_explain",
        metavar="CODE",
        help="print the page of one check (code or name) and exit",
    )
    group.addoption(
        "--secaudit-list", action="store_true", default=False, dest="secaudit_list", help="list all checks and exit"
    )
    parser.addini("secaudit", "audit every run", type="bool", default=False)
    parser.addini("secaudit_select", "checks to use instead of the default set", type="linelist", default=[])
    parser.addini("secaudit_ignore", "checks to ignore", type="linelist", default=[])
    parser.addini("secaudit_per_file_ignores", "lines `glob: CODES`", type="linelist", default=[])
    parser.addini(
        "secaudit_expected",
        "lines `CODE subject-glob [owner-glob]  reason`: what is meant",
        type="linelist",
        default=[],
    )
    parser.addini("secaudit_fail_on", "none, defect, advisory or info", type="string", default="")
    parser.addini("secaudit_depth", "static, process, deep or exact", type="string", default="")
    parser.addini("secaudit_budget", "per cent of run time that depth deep may add", type="string", default="")
    parser.addini("secaudit_watch_skip", "what not to watch, by name", type="linelist", default=[])
    parser.addini(
        "secaudit_max_sleep", "seconds that the whole run may really sleep (PSA704)", type="string", default=""
    )
    parser.addini("secaudit_report", "reports to write: lines FORMAT[:PATH]", type="linelist", default=[])


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    if config.option.secaudit_list or config.option.secaudit_explain is not None:
        from pytest_secaudit import explain

        return explain.main(config)
    return None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    if _is_on(early_config, early_config.known_args_namespace):
        from pytest_secaudit.no_gc import no_gc

        with no_gc():
            from pytest_secaudit import session
        session.prepare(early_config)  # before a conftest says `from time import sleep`
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER_HELP)
    if _is_on(config, config.option):
        from pytest_secaudit import session

        session.install(config)
    elif config.option.secaudit is None:
        _refuse_options_without_effect(config)


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
