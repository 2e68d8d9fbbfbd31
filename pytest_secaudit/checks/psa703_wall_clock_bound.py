"""A test asserts that something took less than a short time by the clock of the machine.

On a busy machine it fails although nothing is wrong; on a fast one it passes although the product has
become ten times slower. Nobody believes the next red run, whatever it says.

Instead: assert on what makes it fast (the number of calls, that nothing was waited for), or hand the
code a clock that the test moves. Lower bounds are fine: a machine is never faster than its clock.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, Check, Hit, Question
from pytest_secaudit.source import (
    Role,
    Scope,
    TestModule,
    dotted_name,
    parameter_names,
    source_of,
    terminal_name,
)
from pytest_secaudit.source.mocks import replacements, resolved_target
from pytest_secaudit.source.restores import fixtures_asked

BAD = (
    """
import time
from time import monotonic
from datetime import datetime, timedelta
import pytest

LIMIT = 2

def test_fast(job):
    start = time.time()
    job.run()
    assert time.time() - start < 1  # PSA703

def test_elapsed(job):
    start = monotonic()
    job.run()
    elapsed = monotonic() - start
    assert 0.1 < elapsed < 0.5  # PSA703
    assert 0.5 >= elapsed  # PSA703
    assert elapsed <= LIMIT and job.done  # PSA703
    assert elapsed == pytest.approx(0.3, abs=0.1)  # PSA703

def test_dates(job):
    before = datetime.now()
    job.run()
    after = datetime.now()
    assert after - before < timedelta(seconds=1)  # PSA703
    assert (after - before).total_seconds() < 0.2  # PSA703

def test_faster(job):
    t0 = time.perf_counter()
    job.run()
    t1 = time.perf_counter()
    first = t1 - t0
    job.run()
    second = time.perf_counter() - t1
    assert second < first  # PSA703
""",
    """
import time, unittest

class TestJob(unittest.TestCase):
    def test_fast(self):
        start = time.monotonic()
        run()
        duration = time.monotonic() - start
        self.assertLess(duration, 0.5)  # PSA703
        self.assertTrue(duration <= 1.5)  # PSA703
        self.assertAlmostEqual(duration, 0.1, delta=0.05)  # PSA703
        self.assertGreater(0.2, duration)  # PSA703
""",
)
GOOD = (
    # lower bounds; generous bounds
    """
import time, unittest

def test_waits(job):
    start = time.time()
    job.run()
    assert time.time() - start > 1
    assert time.time() - start >= 0.5
    assert time.time() - start < 30
    assert 1 < time.time() - start < 60

class TestJob(unittest.TestCase):
    def test_waits(self):
        start = time.monotonic()
        run()
        elapsed = time.monotonic() - start
        self.assertGreater(elapsed, 0.5)
        self.assertGreaterEqual(elapsed, 0.5)
        self.assertLess(0.5, elapsed)
        self.assertLess(elapsed, 60)
""",
    # the clock is moved or replaced
    """
import time
from freezegun import freeze_time

@freeze_time("2020-01-01")
def test_frozen(job):
    start = time.time()
    job.run()
    assert time.time() - start < 1
""",
    """
import time, trio
from unittest import mock

def test_replaced(monkeypatch, job):
    monkeypatch.setattr(time, "monotonic", lambda: 1)
    start = time.monotonic()
    job.run()
    assert time.monotonic() - start < 1

@mock.patch("shop.jobs.time.sleep")
def test_own(sleep, job):
    assert job.time - job.start < 1

async def test_autojump(autojump_clock):
    start = trio.current_time()
    await trio.sleep(10)
    assert trio.current_time() - start < 1
""",
    # what the product measures or stamps is not the time that the test takes
    """
import time
from datetime import datetime, timedelta

def test_stamp(order, clock):
    now = time.time()
    order.save()
    assert order.created >= now
    assert abs(order.expires - now) < 3600
    assert order.duration < 2
    begin = clock.time()
    assert clock.time() - begin < 1
    yesterday = datetime.now() - timedelta(days=1)
    assert yesterday < datetime.now()
    assert now - 10 < order.created
""",
    # a loop's deadline decides nothing
    """
import time

def test_poll(job):
    start = time.time()
    while time.time() - start < 5:
        if job.done():
            break
    assert job.done()

def wait_until(job):
    since = time.time()
    while not job.done():
        job.wait(1)
        assert time.time() - since < 2
""",
)

_CLOCKS = frozenset(
    (
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "time.clock",
        "time.monotonic",
        "time.monotonic_ns",
        "time.perf_counter",
        "time.perf_counter_ns",
        "time.time",
        "time.time_ns",
        "timeit.default_timer",
    )
)
_NAMES = tuple(sorted({name.rpartition(".")[2] for name in _CLOCKS}))
_MOVED = re.compile(
    r"freez|time_?machine|time_?travel|travel|autojump|mock_?(time|clock)|fake_?(time|clock)|tick", re.IGNORECASE
)
#: A bound from here on leaves room for a busy machine.
_GENEROUS = 5.0
_BELOW = ("assertLess", "assertLessEqual", "assert_less", "assert_less_equal")
_ABOVE = ("assertGreater", "assertGreaterEqual", "assert_greater", "assert_greater_equal")
_NEAR = ("assertAlmostEqual", "assertAlmostEquals", "assert_almost_equal", "assertEqual")
_ASSERTIONS = (*_BELOW, *_ABOVE, *_NEAR, "assertTrue", "assert_", "assert_true")


def rule(module: TestModule) -> Iterator[Hit]:
    timed: dict[Scope, str] = {}
    for call, scope in module.calls(*_NAMES):
        if scope not in timed and scope.is_function and module.resolve(call.func, scope) in _CLOCKS:
            timed[scope] = dotted_name(call.func)
    for scope, clock in timed.items():
        watch = _Stopwatch(module, scope)
        for node, bounds in _assertions(scope):
            bound = next((limit for measured, limit in bounds if watch.is_tight(measured, limit)), None)
            if bound is not None and not _is_deadline(scope, node) and not _is_moved(module, scope):
                yield _hit(module, scope, node, watch.shown(bound), clock)


def _hit(module: TestModule, scope: Scope, node: ast.AST, bound: str, clock: str) -> Hit:
    root = clock.partition(".")[0]
    full = module.resolve(ast.Name(root, ast.Load()), scope)
    return Hit(
        node,
        f"expects the machine to be done {bound}",
        fix="assert on what makes it fast, or hand the code a clock that the test moves",
        unless=(
            Question("fixture-replaces", ("time", *fixtures_asked(module, scope))),
            Question("rebound", (root, full)),
        ),
    )


class _Stopwatch:
    """Which names of a function hold a reading of the clock, and which a time that has passed."""

    def __init__(self, module: TestModule, scope: Scope) -> None:
        self._module = module
        self._scope = scope
        self._values: dict[str, list[ast.expr]] = {}
        for node in scope.of(ast.Assign):
            for target in node.targets:
                self._values.setdefault(dotted_name(target), []).append(node.value)

    def is_tight(self, measured: ast.expr, limit: ast.expr) -> bool:
        """Whether this compares a time that has passed with a bound that a busy machine can miss."""
        if not self._has_passed(measured):
            return False
        seconds = self._seconds(limit)
        return seconds is None or 0 < seconds < _GENEROUS

    def shown(self, limit: ast.expr) -> str:
        """``0.5 s``, or the expression as written where the file does not tell its value."""
        seconds = self._seconds(limit)
        return f"in less time than {source_of(limit, 40)}" if seconds is None else f"within {seconds:g} s"

    def _has_passed(self, node: ast.expr, depth: int = 4) -> bool:
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.Sub):
                return self._is_reading(node.left) and self._is_reading(node.right)
            return isinstance(node.op, (ast.Mult, ast.Div)) and self._has_passed(node.left, depth)
        if isinstance(node, ast.Call):
            if terminal_name(node.func) == "total_seconds" and isinstance(node.func, ast.Attribute):
                return self._has_passed(node.func.value, depth)
            return (
                terminal_name(node.func) in ("abs", "round", "float", "int")
                and bool(node.args)
                and self._has_passed(node.args[0], depth)
            )
        if isinstance(node, ast.Attribute) and node.attr in ("seconds", "microseconds"):
            return self._has_passed(node.value, depth)
        values = self._values.get(dotted_name(node)) if depth else None
        return bool(values) and all(self._has_passed(value, depth - 1) for value in values or ())

    def _is_reading(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call):
            return self._module.resolve(node.func, self._scope) in _CLOCKS
        values = self._values.get(dotted_name(node))
        return bool(values) and all(isinstance(value, ast.Call) and self._is_reading(value) for value in values or ())

    def _seconds(self, node: ast.expr, depth: int = 4) -> float | None:
        """A bound in seconds, where the file tells it."""
        if isinstance(node, ast.Constant):
            return float(node.value) if isinstance(node.value, (int, float)) else None
        if isinstance(node, ast.Name) and depth:
            value = self._module.value(node.id, self._scope)
            return self._seconds(value, depth - 1) if value is not None else None
        if isinstance(node, ast.BinOp) and depth:
            left, right = self._seconds(node.left, depth - 1), self._seconds(node.right, depth - 1)
            if left is None or right is None:
                return None
            return {ast.Add: left + right, ast.Sub: left - right, ast.Mult: left * right}.get(type(node.op))
        if isinstance(node, ast.Call) and terminal_name(node.func) == "timedelta":
            return self._delta(node)
        if isinstance(node, ast.Call) and terminal_name(node.func) == "approx" and node.args:
            return self._seconds(node.args[0], depth - 1)
        return None

    def _delta(self, call: ast.Call) -> float | None:
        units = {
            "days": 86400.0,
            "hours": 3600.0,
            "minutes": 60.0,
            "seconds": 1.0,
            "milliseconds": 0.001,
            "microseconds": 1e-6,
        }
        total = 0.0
        for keyword in call.keywords:
            amount = self._seconds(keyword.value)
            if amount is None or keyword.arg not in units:
                return None
            total += amount * units[keyword.arg]
        return total if call.keywords else None


def _assertions(scope: Scope) -> Iterator[tuple[ast.AST, list[tuple[ast.expr, ast.expr]]]]:
    """Every assertion of a function, with its pairs of what must be small and how small."""
    for node in scope.of(ast.Assert):
        yield node, list(_compared(node.test))
    for call in scope.calls:
        name = terminal_name(call.func)
        if name in _ASSERTIONS and call.args:
            yield call, list(_compared(call.args[0]) if len(call.args) == 1 else _called(name, call))


def _compared(test: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        for value in test.values:
            yield from _compared(value)
    if not isinstance(test, ast.Compare):
        return
    sides = [test.left, *test.comparators]
    for operator, left, right in zip(test.ops, sides, sides[1:], strict=False):
        if isinstance(operator, (ast.Lt, ast.LtE)):
            yield left, right
        elif isinstance(operator, (ast.Gt, ast.GtE)):
            yield right, left
        elif isinstance(operator, ast.Eq) and isinstance(right, ast.Call) and terminal_name(right.func) == "approx":
            yield left, right


def _called(name: str, call: ast.Call) -> Iterator[tuple[ast.expr, ast.expr]]:
    first, second = call.args[:2]
    if name in _BELOW:
        yield first, second
    elif name in _ABOVE:
        yield second, first
    elif name in _NEAR:
        yield first, second
        yield second, first


def _is_deadline(scope: Scope, assertion: ast.AST) -> bool:
    """Inside a loop that waits, it is what ends the waiting."""
    return any(isinstance(node, ast.While) for node in scope.ancestors(assertion))


def _is_moved(module: TestModule, scope: Scope) -> bool:
    """Whether the clock is frozen, moved or replaced anywhere in the file: then who knows which one this is."""
    if any(_MOVED.search(full) for full in module.imported_names().values()):
        return True
    around: Scope | None = scope
    while around is not None and around is not module.root:
        if around.is_function and any(_MOVED.search(name) for name in parameter_names(around.node)):
            return True
        if any(_MOVED.search(name) for name, _ in module.decorators(around)):
            return True
        around = around.enclosing
    return _is_replaced(module, scope)


def _is_replaced(module: TestModule, scope: Scope) -> bool:
    inside = set(scope.outermost.within())
    decorators = {
        node for outer in (scope.outermost, scope.outermost.enclosing) if outer for _, node in module.decorators(outer)
    }
    return any(
        re.search(
            r"(^|\.)(time|monotonic|perf_counter|datetime|sleep|default_timer)$", resolved_target(module, replacement)
        )
        for replacement in replacements(module)
        if replacement.scope in inside
        or replacement.call in decorators
        or module.role(replacement.scope.outermost) is Role.SETUP
    )


CHECK = Check("PSA703", "wall-clock-bound", ADVISORY, __doc__, BAD, GOOD, rule)
