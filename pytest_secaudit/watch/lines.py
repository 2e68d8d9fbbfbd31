"""Which lines of interest ran: assertions that may be dead, early returns, guards.

From Python 3.12 on by `sys.monitoring`, told of just the code objects that hold such lines: nothing else becomes slower,
threads and greenlets are seen. Before, by a trace function, while a test with such lines runs, and only where the
slot for it is free: it belongs to debuggers and to coverage first.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, FrameType, FunctionType
from typing import Any

from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import bases_of, home_of_class, is_class, is_module, names_of, type_name
from pytest_secaudit.watch import tool_ids
from pytest_secaudit.watch.record import Interest, LinesRan

_TOOL = "pytest-secaudit"
_CHECKS = re.compile(r"^_*(assert|check|verify|expect)", re.IGNORECASE)
_DEPTH = 6


@dataclass(slots=True)
class _Followed:
    """A code object (kept: its id must not be used again), and what is of interest in it."""

    code: CodeType
    path: str
    lines: frozenset[int]
    handlers: frozenset[int]
    test: str
    is_check: bool = False


@dataclass(slots=True)
class _Run:
    """What has been seen while one test ran."""

    test: str
    functions: set[tuple[str, str]] = field(default_factory=set)
    lines: set[tuple[str, int]] = field(default_factory=set)
    swallowed: set[tuple[str, int]] = field(default_factory=set)
    passed: bool = True
    whole: bool = True
    checked: bool = False

    def records(self) -> Iterator[LinesRan]:
        for path in sorted({path for path, _ in (*self.functions, *self.lines)}):
            yield LinesRan(
                path=path,
                test=self.test,
                functions=tuple(sorted(test for home, test in self.functions if home == path)),
                lines=tuple(sorted(line for home, line in self.lines if home == path)),
                swallowed=tuple(sorted(line for home, line in self.swallowed if home == path)),
                passed=self.passed,
                whole=self.whole,
                checked=self.checked,
            )


class Lines:
    """Notes, for each test, which lines of interest ran.

    Attributes:
        state: ``on``, or ``off:`` and why.
    """

    def __init__(self, state: str = "on") -> None:
        self.state = state
        self._followed: dict[int, _Followed] = {}
        self._run: _Run | None = None
        self._last: _Run | None = None
        self._between = _Run("")
        self._records: list[LinesRan] = []
        self._known: dict[tuple[str, bool], Interest | None] = {}
        self._shared: set[str] = set()
        self._tests: set[str] = set()
        self._anyone = False
        monitoring = getattr(sys, "monitoring", None)
        self._eye: _Monitor | _Tracer = (
            _Monitor(monitoring, self._line_ran, self._started, self._fails)
            if monitoring is not None
            else _Tracer(self._followed, self._line_ran, self._started, self._fails)
        )

    @property
    def is_on(self) -> bool:
        return self.state == "on"

    # --- what to follow

    def follow(self, interest: Interest, names: Mapping[str, object], *, own: bool) -> None:
        """Take in a file of which the module's namespace is at hand."""
        self._known[interest.path, own] = interest or None
        if not interest or not self.is_on:
            return
        why = self._eye.open()
        if why:
            self._fails(why)
            return
        wanted = [*interest.lines, *interest.tests]
        last, file = max(wanted), os.path.basename(_text(names.get("__file__")))
        for code in codes_in(names, file):
            if code.co_firstlineno <= last:
                self._follow_code(code, interest)
        if interest.unseen and self._eye.is_cheap:
            for code in _checks_called(interest.unseen, names):
                nothing = _Followed(code, "", frozenset(), frozenset(), "")
                self._followed.setdefault(id(code), nothing).is_check = True

    def _follow_code(self, code: CodeType, interest: Interest) -> None:
        lines = interest.lines.intersection(line for *_, line in code.co_lines() if line)
        test = interest.tests.get(code.co_firstlineno, "")
        is_vain = test in interest.heard_only and not self._eye.is_cheap
        if is_vain or test.rpartition("::")[2] != code.co_name:
            test = ""
        if not lines and not test:
            return
        known = self._followed.get(id(code))
        if known is not None:
            lines, test = lines | known.lines, test or known.test
        is_check = known is not None and known.is_check
        self._followed[id(code)] = _Followed(code, interest.path, lines, interest.handlers & lines, test, is_check)
        if test:
            self._tests.add(test)
        else:
            self._shared.add(interest.path)
        self._eye.follow(code, lines=bool(lines), start=bool(test))

    def attend(self, paths: Iterable[str]) -> None:
        """Tests of these files come now, those of the first one first of all."""
        paths = list(paths)
        own = self._known.get((paths[0], True)) if paths else None
        others = [known for path in paths[1:] if (known := self._known.get((path, False))) is not None]
        if self._eye.is_cheap:
            self._anyone = bool(others) or any(path in self._shared for path in paths)
        else:
            self._anyone = any(known.by_any for known in (own, *others) if known is not None)
        if self.is_on and self._eye.is_cheap:
            self._eye.hear_checks(
                [one.code for one in self._followed.values() if one.is_check] if own and own.unseen else []
            )

    # --- tests

    def begin(self, test: str) -> None:
        """The body of a test is about to run."""
        self._flush()
        if self.is_on and self._followed and (self._anyone or test.partition("[")[0] in self._tests):
            self._run = _Run(test)
            why = self._eye.begin()
            if why:
                self._fails(why)

    def end(self) -> None:
        """It is over."""
        run, self._run = self._run, None
        if run is not None:
            run.whole = self._eye.end()
            self._last = run

    def did_not_pass(self, test: str) -> None:
        """The body of the test that ran last failed, or ended as one that was expected to."""
        if self._last is not None and self._last.test == test:
            self._last.passed = False

    def _flush(self) -> None:
        run, self._last = self._last, None
        if run is not None:
            self._records.extend(run.records())

    def drain(self) -> tuple[LinesRan, ...]:
        """What ran since the last time."""
        self._flush()
        between, self._between = self._between, _Run("")
        records, self._records = (*self._records, *between.records()), []
        return records

    def stop(self) -> None:
        """Leave the process as it was."""
        self._eye.close(one.code for one in self._followed.values())
        self._followed.clear()

    def _fails(self, why: str) -> None:
        if self.is_on:
            self.state = f"off: {why}"

    # --- called for every line and start: nothing here may raise, nothing may touch what the test owns

    def _line_ran(self, code: CodeType, line: int) -> bool:
        """Whether the line is of interest."""
        followed = self._followed.get(id(code))
        if followed is None or line not in followed.lines:
            return False
        run = self._run or self._between
        run.lines.add((followed.path, line))
        if line in followed.handlers:
            failed = _line_of_failure(code)
            if failed is not None:
                run.swallowed.add((followed.path, failed))
        return True

    def _started(self, code: CodeType) -> None:
        followed, run = self._followed.get(id(code)), self._run
        if followed is None or run is None:
            return
        if followed.is_check:
            run.checked = True
        if followed.test:
            run.functions.add((followed.path, followed.test))


def _line_of_failure(code: CodeType) -> int | None:
    """Of a handler that is running: the line of its function at which the failure of an assertion was raised."""
    kind, _, trace = sys.exc_info()
    while trace is not None and trace.tb_frame.f_code is not code:
        trace = trace.tb_next
    if trace is None or kind is None:
        return None
    bases = bases_of(kind)  # pytest's own failures are no AssertionError
    is_failure = any(base is AssertionError for base in bases) or any(map(_is_pytests_failure, bases))
    return trace.tb_lineno if is_failure else None


def _is_pytests_failure(cls: type) -> bool:
    return cls is names_of(sys.modules.get("_pytest.outcomes")).get("Failed")


# --- the two ways to see


class _Monitor:
    """`sys.monitoring`, with events for single code objects."""

    #: Tests without lines of interest do not become slower.
    is_cheap = True

    def __init__(
        self,
        monitoring: Any,
        line_ran: Callable[[CodeType, int], bool],
        started: Callable[[CodeType], None],
        fails: Callable[[str], None],
    ) -> None:
        self._monitoring = monitoring
        self._line_ran = line_ran
        self._started = started
        self._fails = fails
        self._tool: int | None = None
        self._events: dict[int, int] = {}
        self._heard: list[CodeType] = []

    def open(self) -> str:
        """Take a tool id; why not, if there is none."""
        if self._tool is not None:
            return ""
        self._tool = tool_ids.take(self._monitoring, _TOOL)
        if self._tool is None:
            return tool_ids.NONE_FREE
        events = self._monitoring.events
        self._monitoring.register_callback(self._tool, events.LINE, self._on_line)
        self._monitoring.register_callback(self._tool, events.PY_START, self._on_start)
        return ""

    def follow(self, code: CodeType, *, lines: bool, start: bool) -> None:
        events = self._monitoring.events
        wanted = (events.LINE if lines else 0) | (events.PY_START if start else 0) | self._events.get(id(code), 0)
        self._events[id(code)] = wanted
        self._monitoring.set_local_events(self._tool, code, wanted)

    def hear_checks(self, codes: list[CodeType]) -> None:
        """Be told when one of these is started, and no longer of those before."""
        if codes == self._heard:
            return
        for code in self._heard:
            self._monitoring.set_local_events(self._tool, code, self._events.get(id(code), 0))
        for code in codes:
            events = self._events.get(id(code), 0) | self._monitoring.events.PY_START
            self._monitoring.set_local_events(self._tool, code, events)
        self._heard = codes

    def begin(self) -> str:
        return ""

    def end(self) -> bool:
        return True

    def close(self, codes: Iterable[CodeType]) -> None:
        tool, self._tool = self._tool, None
        if tool is None or self._monitoring.get_tool(tool) != _TOOL:
            return
        for code in codes:
            self._monitoring.set_local_events(tool, code, 0)
        events = self._monitoring.events
        for event in (events.LINE, events.PY_START):
            self._monitoring.register_callback(tool, event, None)
        self._monitoring.free_tool_id(tool)

    def _on_line(self, code: CodeType, line: int) -> object:
        try:
            return None if self._line_ran(code, line) else self._monitoring.DISABLE
        except Exception as error:  # it would come out in the middle of a test
            self._fails(_failed(error))
            return self._monitoring.DISABLE

    def _on_start(self, code: CodeType, _offset: int) -> object:
        try:
            self._started(code)
        except Exception as error:
            self._fails(_failed(error))
            return self._monitoring.DISABLE
        return None


class _Tracer:
    """A trace function, where nobody else has one."""

    is_cheap = False

    def __init__(
        self,
        followed: Mapping[int, _Followed],
        line_ran: Callable[[CodeType, int], bool],
        started: Callable[[CodeType], None],
        fails: Callable[[str], None],
    ) -> None:
        def trace(frame: FrameType, event: str, arg: object) -> Any:
            if event != "call" or id(frame.f_code) not in followed:
                return None
            try:
                started(frame.f_code)
            except Exception as error:  # it would come out in the middle of a test
                fails(_failed(error))
                return None
            return trace_lines

        def trace_lines(frame: FrameType, event: str, arg: object) -> Any:
            if event == "line":
                try:
                    line_ran(frame.f_code, frame.f_lineno)
                except Exception as error:
                    fails(_failed(error))
                    return None
            return trace_lines

        # The watcher of trace functions passes over those of tools, which it knows by the name of this module.
        trace.__module__ = trace_lines.__module__ = "trace"
        self._trace = trace
        # Tests put functions of their own in the place of these.
        self._get, self._set = sys.gettrace, sys.settrace
        self._is_ours = False

    def open(self) -> str:
        return ""

    def follow(self, code: CodeType, *, lines: bool, start: bool) -> None:
        """Nothing to do: it is asked for each call."""

    def hear_checks(self, codes: list[CodeType]) -> None:
        """Nothing to do: calls of others are not followed."""

    def begin(self) -> str:
        if self._get() is not None:
            return "the trace function is that of coverage, a debugger or a test"
        self._set(self._trace)
        self._is_ours = True
        return ""

    def end(self) -> bool:
        """Whether it was ours all the time, as far as can be told."""
        was_ours, self._is_ours = self._is_ours, False
        if was_ours and self._get() is self._trace:
            self._set(None)
            return True
        return False

    def close(self, codes: Iterable[CodeType]) -> None:  # noqa: ARG002 - the form of a way to see
        self.end()


def _failed(error: Exception) -> str:
    return clean(f"the audit failed here: {type(error).__name__}: {error}")


# --- code objects of a live module


def codes_in(names: Mapping[str, object], file: str) -> Iterator[CodeType]:
    """The code of the functions that a module has made, nested ones included, also behind decorators.

    Args:
        names: the namespace of the module.
        file: the last part of its file's name.
    """
    seen: set[int] = set()
    todo = [(value, _DEPTH) for value in names.values()]
    home = names.get("__name__")
    while todo:
        found, depth = todo.pop()
        if id(found) in seen or not depth:
            continue
        seen.add(id(found))
        if type(found) is FunctionType:
            if found.__globals__ is names and os.path.basename(found.__code__.co_filename) == file:
                yield from _nested(found.__code__)
        todo.extend((inner, depth - 1) for inner in _inside(found, home))


def _inside(found: Any, home: object) -> Iterator[object]:
    """What may hold a function that is wrapped."""
    kind = type(found)
    if kind is FunctionType:
        if found.__closure__:
            yield from filter(_is_callable, map(_content, found.__closure__))
        yield from filter(_is_callable, found.__dict__.values())  # as ``__wrapped__``, or under another name
    elif kind in (staticmethod, classmethod, types.MethodType):
        yield found.__func__
    elif kind is property:
        yield from (found.fget, found.fset, found.fdel)
    elif kind is functools.partial:
        yield found.func
    elif issubclass(kind, type):
        if home_of_class(found) == home:
            yield from names_of(found).values()
    elif type_name(found) == "FixtureFunctionDefinition":  # what pytest makes of a fixture
        yield from names_of(found).values()


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _is_callable(found: object) -> bool:
    return type(found) in (FunctionType, types.MethodType, functools.partial, staticmethod, classmethod)


def _nested(code: CodeType) -> Iterator[CodeType]:
    todo = [code]
    while todo:
        found = todo.pop()
        yield found
        todo.extend(inner for inner in found.co_consts if type(inner) is CodeType)


def _text(found: object) -> str:
    return found if type(found) is str else ""


# --- checks that stand elsewhere


def _checks_called(unseen: Mapping[str, Iterable[str]], names: Mapping[str, object]) -> Iterator[CodeType]:
    """The code of what tests call that is named like a check, and of the assertions of unittest and its relatives."""
    for module, cls in (
        ("unittest.case", "TestCase"),
        ("unittest.mock", "NonCallableMock"),
        ("unittest.mock", "AsyncMockMixin"),
        ("testtools.testcase", "TestCase"),
    ):
        found = names_of(sys.modules.get(module)).get(cls)
        members = names_of(found) if is_class(found) else {}
        yield from (code for name, value in members.items() if name.startswith("assert") and (code := _code(value)))
    for test, called in unseen.items():
        for name in called:
            if _CHECKS.match(name.rpartition(".")[2]):
                code = _code(_named(name.split("."), test, names))
                if code is not None:
                    yield code


def _named(parts: list[str], test: str, names: Mapping[str, object]) -> object:
    """What a name or attribute stands for in a test, as far as namespaces tell."""
    first, *rest = parts
    found: object
    if first in ("self", "cls"):
        found = names.get(test.split("::")[1])
    else:
        found = names.get(first)
    for name in rest:
        if is_module(found):
            found = names_of(found).get(name)
        elif is_class(found):
            found = next((names_of(base)[name] for base in bases_of(found) if name in names_of(base)), None)
        else:
            return None
    return found


def _code(found: Any) -> CodeType | None:
    if type(found) in (staticmethod, classmethod, types.MethodType):
        found = found.__func__
    return found.__code__ if type(found) is FunctionType else None
