"""Lines of interest are noted for the test in which they ran, and nothing else is."""

from __future__ import annotations

import functools
import importlib
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from pytest_secaudit.watch import lines as lines_module
from pytest_secaudit.watch.lines import Lines, codes_in
from pytest_secaudit.watch.record import Interest

NEW = sys.version_info >= (3, 12)
TRACED = not NEW and sys.gettrace() is not None


@pytest.fixture
def watcher() -> Iterator[Lines]:
    if TRACED:
        pytest.skip("somebody traces these tests")
    made = Lines()
    yield made
    made.stop()
    assert not NEW or "pytest-secaudit" not in map(sys.monitoring.get_tool, range(6))


def module(source: str) -> dict[str, Any]:
    """The namespace of a module of this source, which begins in its first line."""
    names: dict[str, Any] = {"__name__": "test_it", "__file__": "/suite/test_it.py"}
    code = compile(textwrap.dedent(source).strip(), "/suite/test_it.py", "exec", dont_inherit=True)
    exec(code, names)
    return names


def interest(
    *lines: int, tests: Mapping[int, str] | None = None, handlers: tuple[int, ...] = (), **more: Any
) -> Interest:
    return Interest("test_it.py", frozenset(lines), frozenset(handlers), tests or {1: "test_it.py::test_a"}, **more)


def during(watcher: Lines, run: Callable[[], object], test: str = "test_it.py::test_a") -> None:
    watcher.attend(["test_it.py"])
    watcher.begin(test)
    try:
        run()
    finally:
        watcher.end()


LOOP = """
def test_a(found):
    for one in found:
        assert one
    return 3
"""


@pytest.mark.parametrize(("found", "ran"), [([], ()), ([1], (3,)), ([1] * 9, (3,))])
def test_a_line_ran_or_it_did_not(watcher: Lines, found: list[int], ran: tuple[int, ...]) -> None:
    names = module(LOOP)
    watcher.follow(interest(3), names, own=True)
    during(watcher, lambda: names["test_a"](found))
    (record,) = watcher.drain()
    assert (record.path, record.test, record.lines) == ("test_it.py", "test_it.py::test_a", ran)
    assert (record.functions, record.passed, record.whole) == (("test_it.py::test_a",), True, True)
    assert watcher.drain() == ()
    assert watcher.state == "on"


def test_each_test_has_lines_of_its_own(watcher: Lines) -> None:
    names = module(LOOP)
    watcher.follow(interest(3), names, own=True)
    during(watcher, lambda: names["test_a"]([1]), "test_it.py::test_a[1]")
    during(watcher, lambda: names["test_a"]([]), "test_it.py::test_a[2]")
    during(watcher, lambda: names["test_a"]([1]), "test_it.py::test_a[3]")
    assert [record.lines for record in watcher.drain()] == [(3,), (), (3,)]


def test_a_test_that_failed_says_so(watcher: Lines) -> None:
    names = module(LOOP)
    watcher.follow(interest(3), names, own=True)
    with pytest.raises(AssertionError):
        during(watcher, lambda: names["test_a"]([0]))
    watcher.did_not_pass("test_it.py::test_other")
    watcher.did_not_pass("test_it.py::test_a")
    (record,) = watcher.drain()
    assert not record.passed


def test_a_test_that_is_not_started_has_no_record(watcher: Lines) -> None:
    watcher.follow(interest(3), module(LOOP), own=True)
    during(watcher, lambda: None)
    assert watcher.drain() == ()


def test_what_is_of_no_interest_is_not_even_listened_for(watcher: Lines) -> None:
    names = module(LOOP)
    watcher.follow(Interest("test_it.py"), names, own=True)
    during(watcher, lambda: names["test_a"]([1]))
    assert watcher.drain() == ()
    assert not NEW or "pytest-secaudit" not in map(sys.monitoring.get_tool, range(6))


HIDDEN = """
import functools
def wraps(function):
    @functools.wraps(function)
    def wrapper(*args): return function(*args)
    return wrapper
def closes_over(function):
    return lambda *args: function(*args)
@wraps
@closes_over
def test_a():
    return 11
class TestIt:
    @staticmethod
    def test_b():
        return 15
    @classmethod
    @wraps
    def test_c(cls):
        return 19
    class TestInner:
        def test_d(self):
            def inner():
                return 23
            return inner()
    @property
    def e(self):
        return 27
f = functools.partial(lambda x:
    x + 29, 1)
"""


def test_code_is_found_behind_decorators_and_inside_code() -> None:
    names = module(HIDDEN)
    names["other"] = pytest.raises  # of another module
    names["twin"] = module(LOOP)["test_a"]  # of another one with the same name of file
    found = list(codes_in(names, "test_it.py"))
    lines = {line for code in found for *_, line in code.co_lines()}
    assert {11, 15, 19, 23, 27, 29} <= lines
    assert names["twin"].__code__ not in found
    assert {code.co_filename for code in found} == {"/suite/test_it.py"}


def test_strangers_are_not_touched() -> None:
    class Angry:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

    class AngryClass(type):
        def __getattribute__(cls, name: str) -> object:
            raise RuntimeError(name)

    names = module(LOOP)
    names |= {"angry": Angry(), "cls": AngryClass("Made", (), {"__module__": "test_it", "test_b": names["test_a"]})}
    names["part"] = functools.partial(Angry().__init__)
    assert [code.co_name for code in codes_in(names, "test_it.py")] == ["test_a"]


SWALLOWS = """
def test_a(error, fails):
    try:
        raises(error)
        assert not fails
    except Exception:
        seen = 6
    return 7
def raises(error):
    if error: raise error
"""


@pytest.mark.parametrize(
    ("error", "fails", "ran", "swallowed"),
    [
        (None, True, (4, 5, 6), (4,)),
        (None, False, (4,), ()),
        (ValueError(), False, (5, 6), ()),
        (AssertionError(), False, (5, 6), (3,)),  # at another line: whoever asks knows which ones are assertions
    ],
)
def test_where_a_caught_failure_was_raised(
    watcher: Lines, error: Exception | None, fails: bool, ran: tuple[int, ...], swallowed: tuple[int, ...]
) -> None:
    names = module(SWALLOWS)
    watcher.follow(interest(4, 5, 6, handlers=(5, 6)), names, own=True)
    during(watcher, lambda: names["test_a"](error, fails))
    (record,) = watcher.drain()
    assert (record.lines, record.swallowed) == (ran, swallowed)


def test_a_failure_of_pytest_is_one(watcher: Lines) -> None:
    names = module(SWALLOWS.replace("assert not fails", "fails()").replace("Exception", "BaseException"))
    watcher.follow(interest(4, 5, 6, handlers=(5, 6)), names, own=True)
    during(watcher, lambda: names["test_a"](None, pytest.fail))
    assert [record.swallowed for record in watcher.drain()] == [(4,)]


def test_a_helper_is_followed_in_every_test(watcher: Lines) -> None:
    names = module("def check(x):\n    if x:\n        raise AssertionError")
    watcher.follow(Interest("test_it.py", frozenset({3}), by_any=True), names, own=True)
    during(watcher, lambda: names["check"](0))
    assert watcher.drain() == ()  # it did not run
    with pytest.raises(AssertionError):
        during(watcher, lambda: names["check"](1), "test_it.py::test_b")
    assert [(record.test, record.lines, record.functions) for record in watcher.drain()] == [
        ("test_it.py::test_b", (3,), ())
    ]


def test_an_error_of_ours_switches_it_off_and_never_gets_out(watcher: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    names = module(SWALLOWS)
    watcher.follow(interest(4, 5, 6, handlers=(5, 6)), names, own=True)

    def broken(_: object) -> int:
        raise ValueError("broken")

    monkeypatch.setattr(lines_module, "_line_of_failure", broken)
    during(watcher, lambda: names["test_a"](None, True))
    assert watcher.state == "off: the audit failed here: ValueError: broken"


# --- from Python 3.12 on

new = pytest.mark.skipif(not NEW, reason="sys.monitoring is new in 3.12")


@new
def test_only_code_with_lines_of_interest_is_listened_to(watcher: Lines) -> None:
    names = module(LOOP + "def test_b():\n    assert 6\n")
    watcher.follow(interest(3), names, own=True)
    tool = next(tool for tool in range(6) if sys.monitoring.get_tool(tool) == "pytest-secaudit")
    events = sys.monitoring.events
    assert sys.monitoring.get_local_events(tool, names["test_a"].__code__) == events.LINE | events.PY_START
    assert sys.monitoring.get_local_events(tool, names["test_b"].__code__) == 0
    assert sys.monitoring.get_events(tool) == 0
    watcher.stop()
    assert sys.monitoring.get_tool(tool) is None


@new
def test_without_a_free_tool_it_is_off(watcher: Lines) -> None:
    taken = [tool for tool in (2, 3, 4, 5) if sys.monitoring.get_tool(tool) is None]
    try:
        for tool in taken:
            sys.monitoring.use_tool_id(tool, "somebody")
        watcher.follow(interest(3), module(LOOP), own=True)
    finally:
        for tool in taken:
            sys.monitoring.free_tool_id(tool)
    assert watcher.state == "off: no tool id of sys.monitoring is free"


@new
def test_a_tool_that_was_taken_from_us_is_left_alone(watcher: Lines) -> None:
    names = module(LOOP)
    watcher.follow(interest(3), names, own=True)
    tool = next(tool for tool in range(6) if sys.monitoring.get_tool(tool) == "pytest-secaudit")
    sys.monitoring.free_tool_id(tool)
    sys.monitoring.use_tool_id(tool, "somebody")
    try:
        watcher.stop()
        assert sys.monitoring.get_tool(tool) == "somebody"
    finally:
        sys.monitoring.set_local_events(tool, names["test_a"].__code__, 0)
        sys.monitoring.free_tool_id(tool)


@new
def test_threads_are_seen(watcher: Lines) -> None:
    names = module(LOOP)
    watcher.follow(interest(3), names, own=True)

    def run() -> None:
        thread = threading.Thread(target=names["test_a"], args=([1],))
        thread.start()
        thread.join()

    during(watcher, run)
    assert [record.lines for record in watcher.drain()] == [(3,)]


ELSEWHERE = """
import unittest
from unittest import mock
class TestIt(unittest.TestCase):
    def test_a(self):
        self.inherited()
    def test_b(self):
        pass
def helper(case, called):
    case.assertEqual(1, 1)
def checks(case, called):
    verify_it()
def of_mock(case, called):
    called.assert_called_once_with(3)
def nothing(case, called):
    called(4)
def verify_it():
    pass
"""


@new
@pytest.mark.parametrize(
    ("inherited", "seen"), [("helper", True), ("checks", True), ("of_mock", True), ("nothing", False)]
)
def test_a_check_that_stands_elsewhere_is_heard(watcher: Lines, inherited: str, seen: bool) -> None:
    mock = importlib.import_module("unittest.mock")  # pytester may have made another one of it

    names = module(ELSEWHERE)
    test = "test_it.py::TestIt::test_a"
    watcher.follow(interest(tests={4: test}, unseen={test: ("self.inherited", "verify_it")}), names, own=True)
    called = mock.Mock()
    called(3)
    case = names["TestIt"]("test_a")
    case.inherited = lambda: names[inherited](case, called)
    during(watcher, case.test_a, test)
    assert [record.checked for record in watcher.drain()] == [seen]
    watcher.attend(["test_other.py"])
    tool = next(tool for tool in range(6) if sys.monitoring.get_tool(tool) == "pytest-secaudit")
    assert sys.monitoring.get_local_events(tool, type(case).assertEqual.__code__) == 0


# --- before

old = pytest.mark.skipif(NEW or TRACED, reason="a trace function is only used before 3.12")


@old
def test_the_trace_function_is_there_only_while_a_test_of_interest_runs(watcher: Lines) -> None:
    names = module(LOOP + "def test_b():\n    assert 6\n")
    watcher.follow(interest(3), names, own=True)
    seen = []
    during(watcher, lambda: seen.append(sys.gettrace()), "test_it.py::test_b")
    during(watcher, lambda: seen.append(sys.gettrace()))
    assert [trace is None for trace in (*seen, sys.gettrace())] == [True, False, True]


@old
def test_a_trace_function_of_somebody_else_is_left_alone(watcher: Lines) -> None:
    names = module(LOOP)
    watcher.follow(interest(3), names, own=True)

    def mine(*_: object) -> None:
        return None

    sys.settrace(mine)
    try:
        during(watcher, lambda: names["test_a"]([1]))
        found = sys.gettrace()
    finally:
        sys.settrace(None)
    assert found is mine
    assert watcher.state == "off: the trace function is that of coverage, a debugger or a test"


@old
def test_a_trace_function_that_a_test_sets_is_not_undone(watcher: Lines) -> None:
    names = module(LOOP)
    watcher.follow(interest(3), names, own=True)

    def mine(*_: object) -> None:
        return None

    def run() -> None:
        names["test_a"]([])
        sys.settrace(mine)

    try:
        during(watcher, run)
        found = sys.gettrace()
    finally:
        sys.settrace(None)
    assert found is mine
    assert [record.whole for record in watcher.drain()] == [False]
    assert watcher.state == "on"


@old
def test_a_test_in_which_only_calls_could_be_heard_is_not_traced(watcher: Lines) -> None:
    names = module(LOOP)
    test = "test_it.py::test_a"
    watcher.follow(Interest("test_it.py", tests={1: test}, heard_only=frozenset({test})), names, own=True)
    seen = []
    during(watcher, lambda: seen.append(sys.gettrace()))
    assert seen == [None]
