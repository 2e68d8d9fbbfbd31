"""Every state that is watched, in real runs: left behind it is reported once, put back in whatever way it is silent."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from pytest_secaudit.watch import areas

ROOT = Path(__file__).parents[1]


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_states", ROOT / "docs" / "generate_states.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()
TABLE = GENERATOR.states_module()
#: What is no change of state, but an act; and a sleep of the tests' own is none of theirs.
ACTS = frozenset(("PSA701", "PSA901", "PSA902", "PSA903"))
MARK = re.compile(r"# LEFT (?P<code>\w+) (?P<kind>\w+) (?P<scope>\w+)")


class Left(NamedTuple):
    """A finding, as far as the marks go."""

    code: str
    kind: str
    scope: str | None
    line: int


class Case(NamedTuple):
    """A module of a state that leaves something behind: ``bad`` or ``also``."""

    state: Any
    which: str

    @property
    def text(self) -> str:
        return getattr(self.state, self.which)  # type: ignore[no-any-return]

    @property
    def file(self) -> str:
        return f"test_{_slug(self.state.name)}_{self.which}.py"

    @property
    def id(self) -> str:
        return f"{_slug(self.state.name)}-{self.which}"

    def expected(self) -> set[Left]:
        lines = enumerate(self.text.splitlines(), 1)
        return {Left(mark["code"], mark["kind"], mark["scope"], n) for n, line in lines if (mark := MARK.search(line))}


def _slug(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_").lower()


def _here(state: Any) -> bool:
    """Whether there is such a thing in this process."""
    return (
        (not state.platforms or sys.platform in state.platforms)
        and (not state.needs or importlib.util.find_spec(state.needs) is not None)
        and (state.before is None or sys.version_info < state.before)
    )


STATES = [state for state in TABLE.STATES if _here(state)]
CASES = [Case(state, which) for state in STATES for which in ("bad", "also")]


# --- runs


class Audit(NamedTuple):
    """What a run printed, and its report."""

    output: str
    data: dict[str, Any]
    status: int

    @property
    def confirmed(self) -> list[dict[str, Any]]:
        """Findings about states; that a module keeps a thing in a list of its own is another matter."""
        confirmed = [one for one in self.data["findings"] if one["evidence"] == "confirmed"]
        return [one for one in confirmed if one["code"] not in ACTS and not str(one["subject"]).endswith(".KEPT")]

    @property
    def troubles(self) -> list[str]:
        """What failed in the audit itself."""
        watchers = self.data["evidence"]["watchers"].items()
        failed = [f"{name} {state}" for name, state in watchers if "failed" in state]
        return failed + [str(one) for one in self.data["evidence"]["not_audited"]]


def audit(folder: Path, environment: Mapping[str, str], modules: Mapping[str, str], *args: str) -> Audit:
    """Run these modules in a process of their own, without any other plugin."""
    tests = folder / "tests"
    tests.mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    for name, text in modules.items():
        (tests / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "pytest_secaudit.plugin", "--secaudit"]
    command += [f"--secaudit-report=json:{folder / 'audit.json'}", "-q", *args]
    run = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )
    output = run.stdout + run.stderr
    assert "INTERNALERROR" not in output, output
    report = folder / "audit.json"
    assert report.exists(), output
    return Audit(output, json.loads(report.read_text(encoding="utf-8")), run.returncode)


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """That of the runs: what else is installed must not matter."""
    return {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@pytest.fixture(scope="module")
def report_of(
    request: pytest.FixtureRequest, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Case], Audit]]:
    """The run of each case by itself. Two run at a time, ahead of the tests that ask; in a worker, one when asked."""
    folder = tmp_path_factory.mktemp("cases")

    def run(case: Case) -> Audit:
        # at depth exact, so that how fast the machine is decides nothing
        return audit(folder / case.id, environment, {case.file: case.text}, "--secaudit-depth=exact", *case.state.args)

    if hasattr(request.config, "workerinput"):
        yield run
        return
    with ThreadPoolExecutor(2) as pool:
        runs: dict[str, Future[Audit]] = {case.id: pool.submit(run, case) for case in _selected(request.session.items)}
        yield lambda case: runs[case.id].result()
        pool.shutdown(wait=True, cancel_futures=True)


def _selected(items: Iterable[pytest.Item]) -> Iterator[Case]:
    for item in items:
        case = item.callspec.params.get("case") if hasattr(item, "callspec") else None
        if isinstance(case, Case):
            yield case


# --- left behind


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
def test_left_behind_is_reported_once_with_owner_and_line(case: Case, report_of: Callable[[Case], Audit]) -> None:
    run = report_of(case)
    assert run.status == 0, run.output
    assert run.troubles == []
    found = [Left(one["code"], one["owner"]["kind"], one["owner"]["scope"], one["line"]) for one in run.confirmed]
    assert sorted(found) == sorted(case.expected()), [one["message"] for one in run.confirmed]
    assert {one["subject"] for one in run.confirmed if not _is_named(case.state.subject, one["subject"])} == set()


def _is_named(pattern: str, subject: str) -> bool:
    """Whether the subject is this one; ``*`` stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), subject) is not None


def test_every_module_that_leaves_something_is_marked_once() -> None:
    assert [case.id for case in CASES if len(case.expected()) != 1] == []


def test_every_area_has_a_state() -> None:
    """Those of products, and what is no state of the process (namespaces, fixtures, files), are tried elsewhere."""
    products = {"dependency overrides", "django settings", "flask config", "oslo.config"}
    elsewhere = {*products, "files", "files elsewhere", "fixture values", "namespaces", "temporary paths"}
    assert {*areas.WATCHERS} - {*areas.ACTS} - elsewhere == {state.area for state in TABLE.STATES}


# --- put back


def _good(args: tuple[str, ...] = ()) -> dict[str, str]:
    """The modules that leave nothing behind; those whose fixture lasts as long as the session come last."""
    states = [state for state in STATES if not args or state.args == args]
    twins = {f"test_{_slug(state.name)}.py": state.good for state in states}
    noise = {} if args else {"test_noise.py": TABLE.NOISE}
    return twins | noise | {f"test_z_{_slug(state.name)}.py": state.lasting for state in states if not state.alone}


def _assert_silent(run: Audit) -> None:
    assert run.status == 0, run.output
    assert run.troubles == []
    assert [(one["code"], one["message"], f"{one['path']}:{one['line']}") for one in run.confirmed] == []


def test_put_back_is_silent(environment: dict[str, str], tmp_path: Path) -> None:
    _assert_silent(audit(tmp_path / "run", environment, _good(), "--secaudit-depth=exact"))


@pytest.mark.parametrize("args", sorted({state.args for state in STATES if state.args}), ids=" ".join)
def test_put_back_is_silent_also_where_pytest_does_not_help(
    args: tuple[str, ...], environment: dict[str, str], tmp_path: Path
) -> None:
    _assert_silent(audit(tmp_path / "run", environment, _good(args), "--secaudit-depth=exact", *args))


# --- with several processes


def test_put_back_is_silent_under_xdist(environment: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    _assert_silent(audit(tmp_path / "run", environment, _good(), "-p", "xdist", "-n", "2"))


@pytest.mark.parametrize("which", ["bad", "also"])
def test_left_behind_is_reported_under_xdist(which: str, environment: dict[str, str], tmp_path: Path) -> None:
    """All together, so that what one leaves is there while the next ones run: each is found all the same."""
    pytest.importorskip("xdist")
    cases = [case for case in CASES if case.which == which and _goes_with_others(case)]
    modules = {case.file: case.text for case in cases}
    run = audit(tmp_path / "run", environment, modules, "-p", "xdist", "-n", "2", "--dist=loadfile")
    assert run.status == 0, run.output
    assert run.troubles == []
    found = {(one["code"], one["subject"]) for one in run.confirmed}
    missing = [
        (left.code, case.state.subject)
        for case in cases
        for left in case.expected()
        if not any(code == left.code and _is_named(case.state.subject, subject) for code, subject in found)
    ]
    assert missing == []


def _goes_with_others(case: Case) -> bool:
    return not (case.state.alone or case.state.args)


# --- the page


def test_the_page_of_watched_states_is_fresh() -> None:
    """`python docs/generate_states.py` makes it."""
    assert not GENERATOR.is_stale(GENERATOR.page())


def test_a_stale_page_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    assert GENERATOR.is_stale("new\n", file)
    file.write_text("old\n", encoding="utf-8")
    assert GENERATOR.is_stale("new\n", file)
    file.write_text("new\n", encoding="utf-8")
    assert not GENERATOR.is_stale("new\n", file)
