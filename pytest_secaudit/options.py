"""From pytest's options and ini values to `Settings`; every wrong value is a usage error that names itself."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from pytest_secaudit.model import Heading
from pytest_secaudit.relative import relative_to_root
from pytest_secaudit.settings import (
    DEFAULT_BASELINE,
    BadSetting,
    FixtureWanted,
    ReportTarget,
    Settings,
    parse_budget,
    parse_codes,
    parse_depth,
    parse_expected,
    parse_level,
    parse_per_file_ignore,
    parse_report,
    parse_report_root,
    parse_seconds,
    parse_watch_skip,
    selected,
)
from pytest_secaudit.watch.areas import WATCHERS


def read_settings(config: pytest.Config, catalogue: Sequence[Heading], *, others: bool = False) -> Settings:
    """The settings of this run.

    Args:
        config: of pytest.
        catalogue: all checks that there are.
        others: the configuration file may speak of checks that were not loaded here.

    Raises:
        pytest.UsageError: for the first wrong value.
    """
    try:
        return _settings(config, tuple(catalogue), others=others)
    except BadSetting as error:
        raise pytest.UsageError(str(error)) from None


def _settings(config: pytest.Config, catalogue: tuple[Heading, ...], *, others: bool) -> Settings:
    option = config.option
    select_name, select = _either(config, "select")
    level_name, level = "--secaudit-fail-on", option.secaudit_fail_on
    if level is None:
        level_name, level = "secaudit_fail_on", _text(config, "secaudit_fail_on") or "none"
    depth_name, depth = "--secaudit-depth", option.secaudit_depth
    if depth is None:
        depth_name, depth = (
            "secaudit_depth",
            _text(config, "secaudit_depth") or ("exact" if option.secaudit_check_fixture else "deep"),
        )
    return Settings(
        depth=parse_depth(depth_name, depth),
        watch_skip=parse_watch_skip("secaudit_watch_skip", _lines(config, "secaudit_watch_skip"), WATCHERS),
        max_sleep=_max_sleep(config),
        budget=_budget(config),
        checks=selected(select_name, select, catalogue, others=others and not select_name.startswith("-")),
        ignored=parse_codes("secaudit_ignore", _lines(config, "secaudit_ignore"), catalogue, others=others)
        | parse_codes("--secaudit-ignore", option.secaudit_ignore or (), catalogue),
        per_file_ignores=tuple(
            parse_per_file_ignore("secaudit_per_file_ignores", line, catalogue, others=others)
            for line in _lines(config, "secaudit_per_file_ignores")
        ),
        expected=tuple(
            parse_expected("secaudit_expected", line, catalogue, others=others)
            for line in _lines(config, "secaudit_expected")
        ),
        fail_on=parse_level(level_name, level),
        reports=_reports(config),
        suppress=not option.secaudit_no_suppress,
        catalogue=catalogue,
        others=others,
        baseline=_baseline(config),
        write_baseline=option.secaudit_write_baseline,
        fail_on_new_checks=_flag(config, "secaudit_fail_on_new_checks"),
        report_root=parse_report_root("secaudit_report_root", _text(config, "secaudit_report_root")),
        junit=_flag(config, "secaudit_junit"),
        check_fixtures=_check_fixtures(config),
        blind_spots=not option.secaudit_check_fixture
        and (option.secaudit_blindspots or _flag(config, "secaudit_blindspots")),
        fixtures=bool(option.secaudit_check_fixture) or option.secaudit_fixtures or _flag(config, "secaudit_fixtures"),
    )


def _check_fixtures(config: pytest.Config) -> tuple[FixtureWanted, ...]:
    given: list[str] = config.option.secaudit_check_fixture or []
    wanted = tuple(_fixture_wanted(config, text) for text in given)
    if wanted:
        name, value = "--secaudit-check-fixture", given[0]
        if config.option.collectonly:
            raise BadSetting(name, value, "it sets fixtures up, and --collect-only runs nothing")
        if "static" in (config.option.secaudit_depth, _text(config, "secaudit_depth")):
            raise BadSetting(name, value, "nothing is watched at the depth static")
        if getattr(config.option, "dist", "no") != "no":
            raise BadSetting(name, value, "it runs in one process: add -n0")
    return wanted


def _fixture_wanted(config: pytest.Config, text: str) -> FixtureWanted:
    """``NAME``, ``NAME@path/to/conftest.py`` (relative to where pytest was called) or ``ALL``."""
    name, at, path = text.partition("@")
    if not name or (at and not path):
        raise BadSetting("--secaudit-check-fixture", text, "accepted: NAME, NAME@PATH or ALL")
    if path:
        full = config.invocation_params.dir / path
        path = (
            relative_to_root(str(full.absolute()), config.rootpath, config.rootpath.resolve())
            if full.exists()
            else path
        )
    return FixtureWanted(text, None if name == "ALL" else name, path or None)


def _either(config: pytest.Config, name: str) -> tuple[str, list[str]]:
    """The option if it was given, else the ini value, with its name."""
    given: list[str] | None = getattr(config.option, f"secaudit_{name}")
    if given:
        return f"--secaudit-{name}", given
    return f"secaudit_{name}", _lines(config, f"secaudit_{name}")


def _lines(config: pytest.Config, name: str) -> list[str]:
    values = config.getini(name)
    return [line.strip() for line in values if line.strip()]


def _max_sleep(config: pytest.Config) -> float | None:
    try:
        value = config.getini("secaudit_max_sleep")
    except (TypeError, ValueError) as error:  # pytest before 9.2 lets these through
        raise BadSetting("secaudit_max_sleep", str(error), "accepted: a number of seconds, as in 2.5") from None
    return parse_seconds("secaudit_max_sleep", value)


def _budget(config: pytest.Config) -> float:
    try:
        value = config.getini("secaudit_budget")
    except (TypeError, ValueError) as error:  # pytest before 9.2 lets these through
        raise BadSetting("secaudit_budget", str(error), "accepted: a number of per cent, as in 2.5") from None
    return parse_budget("secaudit_budget", value)


def _text(config: pytest.Config, name: str) -> str:
    return str(config.getini(name) or "").strip()


def _flag(config: pytest.Config, name: str) -> bool:
    try:
        return bool(config.getini(name))
    except (TypeError, ValueError) as error:  # pytest before 9.2 lets these through
        raise BadSetting(name, str(error), "accepted: true, false") from None


def _baseline(config: pytest.Config) -> Path | None:
    """The file of the baseline: the option's, relative to where pytest was called, or the setting's."""
    given, named = config.option.secaudit_baseline, _text(config, "secaudit_baseline")
    writes = config.option.secaudit_write_baseline
    if writes and config.option.secaudit_no_suppress:
        raise BadSetting("--secaudit-write-baseline", "--secaudit-no-suppress", "not both: what is ignored is not new")
    if given is not None:
        setting, value, path = "--secaudit-baseline", given, config.invocation_params.dir / Path(given).expanduser()
    elif named:
        setting, value, path = "secaudit_baseline", named, _folder_of_settings(config) / Path(named).expanduser()
    elif writes:
        setting, value, path = "--secaudit-write-baseline", DEFAULT_BASELINE, config.rootpath / DEFAULT_BASELINE
    else:
        return None
    if path.is_dir():
        raise BadSetting(setting, value, "it is a folder; accepted: the path of a file")
    if writes and not hasattr(config, "workerinput"):
        _check_writable(setting, value, path)
    return path


def _folder_of_settings(config: pytest.Config) -> Path:
    return config.inipath.parent if config.inipath else config.rootpath


# --- reports


def _reports(config: pytest.Config) -> tuple[ReportTarget, ...]:
    given: list[str] = config.option.secaudit_report or []
    setting, values, folder = "--secaudit-report", given, config.invocation_params.dir
    if not given:
        setting, values = "secaudit_report", _lines(config, "secaudit_report")
        folder = _folder_of_settings(config)
    targets = tuple(parse_report(setting, value, folder) for value in values)
    if not hasattr(config, "workerinput"):  # a worker writes no report
        for value, target in zip(values, targets, strict=True):
            if target.path is not None:
                _check_writable(setting, value, target.path)
    return targets


def _check_writable(setting: str, value: str, path: Path) -> None:
    """Find out now, not after an hour of tests; missing folders are made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        _try_to_write(path)
    except OSError as error:
        why = error.strerror or str(error)
        raise BadSetting(setting, value, f"it cannot be written: {why}") from None


def _try_to_write(path: Path) -> None:
    if path.exists():
        with open(path, "ab"):
            return
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    os.unlink(scratch)
