"""``--secaudit-check-fixture``: set a fixture up and tear it down twice in scratch tests, and run nothing of the suite.

The scratch tests stand where pytest would look for tests: in a collected module or class that sees the fixture. After
each of them everything is torn down, wider fixtures too, so that the second finds what the first has left.
"""

from __future__ import annotations

import gc
import inspect
import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Final, Literal

import pytest

from pytest_secaudit.careful import careful
from pytest_secaudit.collected import definitions_of
from pytest_secaudit.conclusion import plural
from pytest_secaudit.lean import lean
from pytest_secaudit.model import ADVISORY, DEFECT, INFO, Audit, DimensionCount, Finding, FixtureRow, Gate
from pytest_secaudit.policy import count_by_level
from pytest_secaudit.redact import clean
from pytest_secaudit.settings import BadSetting, FixtureWanted
from pytest_secaudit.stage import Casting
from pytest_secaudit.static import StaticHalf
from pytest_secaudit.watch.namespaces import Namespaces

Turn = Literal["first", "again"]
_TURNS: Final[tuple[Turn, ...]] = ("first", "again")
Parent = pytest.Module | pytest.Class


@lean
@dataclass(frozen=True, slots=True)
class _Ended:
    """How one phase of a scratch test ended, where it did not pass."""

    turn: Turn
    when: str
    why: str
    parameter: str


@dataclass(slots=True)
class _Checked:
    """One fixture that is checked."""

    name: str
    id: str
    path: str
    line: int
    turns: int = 0
    ended: list[_Ended] = field(default_factory=list)


class FixtureCheck:
    """The plugin of such a run.

    Args:
        config: of the run.
        wanted: the fixtures to check.
        static: reads the files that were collected.
        casting: tells where a fixture is defined.
        namespaces: what watches modules, if anything does.
    """

    def __init__(
        self,
        config: pytest.Config,
        wanted: Sequence[FixtureWanted],
        static: StaticHalf,
        casting: Casting,
        namespaces: Namespaces | None = None,
    ) -> None:
        if namespaces is not None:
            namespaces.sessions_recur = True
        self.troubles: list[tuple[str, str]] = []
        self._wanted = wanted
        self._static = static
        self._casting = casting
        self._function = _name_of_a_test(config.getini("python_functions"))
        self._scratch: dict[pytest.Item, tuple[_Checked, Turn]] = {}
        self._named: list[tuple[object, str]] = []
        self._checked: dict[tuple[str, str, int], _Checked] = {}

    # --- the scratch tests

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        parents = _parents_of(items)
        self._static.collect(items)
        defined = _defined(self._static)
        for wanted in self._wanted:
            if not self._make(wanted, parents, defined):
                raise pytest.UsageError(str(_unknown(wanted, defined)))
        config.hook.pytest_deselected(items=list(items))
        items[:] = list(self._scratch)

    def _make(
        self,
        wanted: FixtureWanted,
        parents: Sequence[Parent],
        defined: Mapping[str, Sequence[str]],
    ) -> bool:
        """Whether there is such a fixture; the scratch tests of each definition of it."""
        names = sorted(defined) if wanted.name is None else [wanted.name]
        found = wanted.name is None
        for name in names:
            paths = [path for path in defined.get(name, ()) if wanted.is_at(path)]
            for path in paths:
                mine = replace(wanted, path=path)
                made = [self._make_in(parent, name, mine) for parent in _defining(path, parents)]  # each class its own
                found = any(made) or any(self._make_in(one, name, mine) for one in _seeing(path, parents)) or found
            if not paths:  # of a plugin
                found = any(self._make_in(parent, name, wanted) for parent in parents) or found
        return found

    def _make_in(self, parent: Parent, name: str, wanted: FixtureWanted) -> bool:
        turns = {turn: self._scratch_tests(parent, name, turn) for turn in _TURNS}
        definitions = definitions_of(turns["first"][0]).get(name, ()) if turns["first"] else ()
        if not definitions:
            return False
        path, line = self._casting.place_of(definitions[-1])
        if not wanted.is_at(path):
            return False
        key = name, path, line
        if key in self._checked:
            return True
        checked = self._checked[key] = _Checked(name, self._casting.id_of(definitions[-1]), path, line)
        for first, again in zip(turns["first"], turns["again"], strict=True):
            self._scratch.update({first: (checked, "first"), again: (checked, "again")})
        return True

    def _scratch_tests(self, parent: Parent, name: str, turn: Turn) -> list[pytest.Item]:
        """One for each parameter, as pytest makes them of a function of that name."""

        def scratch(*_: object) -> None:
            """Only asks for the fixture."""

        title = self._function.replace("*", f"{_identifier(name)}_{turn}")
        scratch.__name__ = scratch.__qualname__ = title
        asked = pytest.mark.usefixtures(name)(scratch)
        if _needs_anyio(parent, name):
            asked = pytest.mark.usefixtures("anyio_backend")(asked)
        setattr(parent.obj, title, asked)  # pytest looks a test up where it was collected
        self._named.append((parent.obj, title))
        made = parent.ihook.pytest_pycollect_makeitem(collector=parent, name=title, obj=asked)
        return [one for one in made or () if isinstance(one, pytest.Item)]

    # --- the run

    @careful
    def pytest_unconfigure(self) -> None:
        for holder, title in self._named:
            if title in vars(holder):
                delattr(holder, title)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            raise session.Interrupted(f"{plural(session.testsfailed, 'error')} during collection")
        for item in session.items:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)  # what is wider goes down as well
            self._sweep_after(item)
            if session.shouldstop:
                raise session.Interrupted(str(session.shouldstop))
        return True

    @careful
    def _sweep_after(self, item: pytest.Item) -> None:
        """What a set-up leaves that never came to its end would be collected, and warned of, under the next fixture."""
        checked, turn = self._scratch[item]
        parameter = _parameter_of(item)
        if any((one.turn, one.parameter) == (turn, parameter) for one in checked.ended):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                gc.collect()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self._note(item, call, report)
        return report

    @careful
    def _note(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        known = self._scratch.get(item)
        if known is None:
            return
        checked, turn = known
        checked.turns += report.when == "setup" and report.passed
        if report.passed:
            return
        parameter = _parameter_of(item)
        why = _why(report.when, call.excinfo.value if call.excinfo is not None else None)
        checked.ended.append(_Ended(turn, report.when, why, parameter))
        has_begun = any(
            one.turn == "first" and one.when == "setup" and one.parameter == parameter for one in checked.ended
        )
        if report.when == "setup" and report.failed and has_begun:  # it cannot be judged here, and that fails no run
            report.outcome = "skipped"
            report.longrepr = (checked.path, checked.line, f"not judged: {why}")

    # --- what it comes to

    def judged(self, result: Audit) -> Audit:
        """The audit of the fixtures that were checked, and of nothing else."""
        checked = self._by_row(result.fixtures or ())
        rows = tuple(_judged(row, checked[row]) for row in result.fixtures or () if row in checked)
        ids = {clean(one.id) for one in self._checked.values()}
        findings = tuple(finding for finding in result.findings if _is_of(finding, ids))
        bad = [row for row in rows if row.verdict == "leaks"]
        is_judged = any(not row.verdict.startswith("not judged") for row in rows)
        gate = result.gate
        if bad:
            gate = Gate(gate.fail_on, failed=True, reason=f"the fixture check failed the run: {_said(bad)}")
        dimensions = tuple(_counted(one, findings) for one in result.conclusion.dimensions)
        conclusion = replace(
            result.conclusion,
            verdict="defects" if bad else "no defects found" if is_judged else "nothing audited",
            text=_concluded(rows),
            dimensions=dimensions,
        )
        return replace(
            result,
            findings=findings,
            cleared=(),
            also_cleared=(),
            settled=(),
            observations=(),
            fixtures=rows,
            conclusion=conclusion,
            gate=gate,
            tests_judged_for_checks=0,
        )

    def _by_row(self, rows: Iterable[FixtureRow]) -> dict[FixtureRow, _Checked]:
        """A row knows the line of the ``def``, a definition that of its first decorator."""
        by_place: defaultdict[tuple[str, str], list[FixtureRow]] = defaultdict(list)
        for row in rows:
            by_place[row.name, row.path].append(row)
        found = {}
        for one in self._checked.values():
            below = [row for row in by_place[one.name, one.path] if row.line >= one.line]
            if below:
                found[min(below, key=lambda row: row.line)] = one
        return found


def _judged(row: FixtureRow, checked: _Checked) -> FixtureRow:
    if not checked.turns:
        why = checked.ended[0].why if checked.ended else "it was not set up"
        return replace(row, verdict=f"not judged: {why}", hint="")
    unjudged = [one for one in checked.ended if one.turn == "first" and one.when == "setup"]
    never = {one.parameter for one in unjudged}
    judged = [one for one in checked.ended if one.parameter not in never]
    second = [one for one in judged if one.turn == "again" and one.when == "setup"]
    ended_badly = [one for one in judged if one.when == "teardown"]
    said = [] if row.left else ["leaves nothing"]
    if second:
        said.append(f"does not work twice: {_with_parameter(second[0])}")
    elif ended_badly:
        said.append(f"its clean-up fails: {_with_parameter(ended_badly[0])}")
    else:
        said.append("works twice")
    said += [f"not judged: {_with_parameter(one)}" for one in unjudged]
    verdict = "leaks" if row.left or second or ended_badly else "clean"
    return replace(row, verdict=verdict, hint=f"checked: {', '.join(said)}")


# --- where a scratch test can stand


def _parents_of(items: Iterable[pytest.Item]) -> list[Parent]:
    """Modules first; no classes of unittest, which makes tests in its own way."""
    nodes = (node for item in items for node in item.listchain())
    found = dict.fromkeys(
        node
        for node in nodes
        if isinstance(node, pytest.Module) or (isinstance(node, pytest.Class) and type(node) is pytest.Class)
    )
    return sorted(found, key=lambda node: isinstance(node, pytest.Class))


def _defining(path: str, parents: Sequence[Parent]) -> list[Parent]:
    """Those of the file itself: its classes may define fixtures of one name."""
    return [one for one in parents if one.nodeid.partition("::")[0] == path]


def _seeing(path: str, parents: Sequence[Parent]) -> Sequence[Parent]:
    """Those that see what a file without tests defines: of a conftest all below its folder."""
    folder, _, name = path.rpartition("/")
    below = folder if name == "conftest.py" else ""
    return [one for one in parents if not below or one.nodeid.startswith(f"{below}/")] or parents


def _parameter_of(item: pytest.Item) -> str:
    return item.name.partition("[")[2].rstrip("]")


def _identifier(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _name_of_a_test(patterns: Sequence[str]) -> str:
    """A name that the user's ``python_functions`` collects; ``*`` stands for its middle."""
    first = next(iter(patterns), "test")
    if not any(letter in first for letter in "*?["):
        return f"{first}_secaudit_*"
    head, _, tail = first.partition("*")
    return f"{head}_secaudit_*{tail}".replace("?", "x").lstrip("_") if "[" not in first else "test_secaudit_*"


def _needs_anyio(parent: Parent, name: str) -> bool:
    """Whether the fixture is asynchronous, or stands on one that is, and it is anyio that runs such ones."""
    manager = parent.config.pluginmanager
    if not manager.hasplugin("anyio"):
        return False
    probe = pytest.Function.from_parent(parent, name="secaudit_probe", callobj=pytest.mark.usefixtures(name)(_nothing))
    functions = (definitions[-1].func for definitions in definitions_of(probe).values() if definitions)
    # pytest-asyncio marks what is its own; in its mode ``auto`` all are.
    not_its_own = [
        one for one in functions if _is_asynchronous(one) and not getattr(one, "_force_asyncio_fixture", False)
    ]
    is_auto = manager.hasplugin("asyncio") and "auto" in (
        str(parent.config.getoption("asyncio_mode", None)),
        str(_ini(parent.config, "asyncio_mode")),
    )
    return bool(not_its_own) and not is_auto


def _is_asynchronous(function: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _ini(config: pytest.Config, name: str) -> object:
    try:
        return config.getini(name)
    except (KeyError, ValueError):
        return None


def _nothing() -> None:
    """A function to ask with."""


# --- names


def _defined(static: StaticHalf) -> dict[str, list[str]]:
    """Name of a fixture -> the files that define one, of those that were collected."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for reading in static.everything(_no_progress).readings:
        for fixture in reading.fixtures:
            if reading.path not in found[fixture.name]:
                found[fixture.name].append(reading.path)
    return dict(found)


def _no_progress(done: int, total: int) -> None:
    """It is soon done."""


def _unknown(wanted: FixtureWanted, defined: Mapping[str, Sequence[str]]) -> BadSetting:
    name = wanted.name or ""
    if name in defined:
        places = ", ".join(defined[name])
        return BadSetting("--secaudit-check-fixture", wanted.text, f"there is no {name!r} there; defined in: {places}")
    near = get_close_matches(name, defined, n=3) or sorted(defined)[:5]
    known = f"similar: {', '.join(near)}" if near else "no collected file defines one"
    return BadSetting(
        "--secaudit-check-fixture", wanted.text, f"accepted: a fixture that collected tests see, or ALL; {known}"
    )


# --- words


def _why(when: str, raised: BaseException | None) -> str:
    if raised is None:
        return "it did not come to its end"
    if isinstance(raised, pytest.skip.Exception):
        return clean(f"it skips: {raised}")
    if isinstance(raised, AttributeError) and "no attribute 'param'" in str(raised):
        return "it needs request.param, which only a test can give"
    text = str(raised).strip().partition("\n")[0]
    part = "clean-up" if when == "teardown" else "set-up"
    return clean(f"its {part} raised {type(raised).__name__}{f': {text}' if text else ''}")[:200]


def _with_parameter(ended: _Ended) -> str:
    return f"[{ended.parameter}] {ended.why}" if ended.parameter else ended.why


def _is_of(finding: Finding, fixtures: Collection[str]) -> bool:
    is_left = finding.evidence == "confirmed" and "area" in finding.detail
    return is_left and any(owner.id in fixtures for owner in finding.owners)


def _counted(one: DimensionCount, findings: Iterable[Finding]) -> DimensionCount:
    levels = count_by_level(finding for finding in findings if finding.dimension == one.digit)
    return replace(one, defect=levels[DEFECT], advisory=levels[ADVISORY], info=levels[INFO], cleared=0)


def _said(rows: Sequence[FixtureRow]) -> str:
    first = rows[0]
    what = f"leaves {first.left[0]}" if first.left else first.hint.partition(", ")[2]
    more = f", and {plural(len(rows) - 1, 'more fixture')} like it" if len(rows) > 1 else ""
    return f"{first.name} {what}{more}"


def _concluded(rows: Sequence[FixtureRow]) -> str:
    judged = [row for row in rows if not row.verdict.startswith("not judged")]
    bad = [row for row in judged if row.verdict == "leaks"]
    unjudged = f"; {plural(len(rows) - len(judged), 'fixture')} not judged" if len(judged) < len(rows) else ""
    if not judged:
        return f"no fixture was judged{unjudged}"
    if bad:
        return f"{len(bad)} of {plural(len(judged), 'fixture')} {'is' if len(bad) == 1 else 'are'} not clean{unjudged}"
    verb = "leaves nothing and works" if len(judged) == 1 else "leave nothing and work"
    return f"{plural(len(judged), 'fixture')} {verb} twice{unjudged}"
