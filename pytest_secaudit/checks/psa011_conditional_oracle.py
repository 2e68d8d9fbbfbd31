"""No assertion of a passed test was evaluated: all of them stand under a condition that was never true.

Every assertion stands in an `if`, or in a loop over something that the test computes. When the product
returns nothing, the loop has nothing to go over: the test is green because there was nothing to check.

Such tests are too common to be reported for their looks: reading alone reports nothing here and only hands the
test on to be watched. A finding it becomes when a run has seen it pass without a single assertion evaluated.

Instead: assert on the condition itself first (`assert found`, `assert len(found) == 3`), or give the
test an input for which it is known.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import cast

from pytest_secaudit.model import DEFECT, Check, Proof, Suspicion
from pytest_secaudit.source import (
    FUNCTIONS,
    Scope,
    TestModule,
    own_nodes,
    parameter_names,
    source_of,
    terminal_name,
)
from pytest_secaudit.source.oracles import (
    calls_in,
    is_assertion,
    is_failure,
    lines_of,
    may_assert,
    possible_checks,
    raises_block,
    skips,
)
from pytest_secaudit.source.syntax import LOOPS, TRIES, WITHS

BAD = (
    """
import unittest
from shop import find, orders

def test_found():
    for order in find(state="paid"):  # PSA011 armed
        assert order.total > 0

def test_of_name(client):
    response = client.get("/orders")
    rows = response.json()["rows"]
    for row in rows:  # PSA011 armed
        assert row["id"]

def test_if():
    result = find(1)
    if result:  # PSA011 armed
        assert result.total == 3

class TestOrders(unittest.TestCase):
    def test_errors(self):
        for name in dir(orders):
            cls = getattr(orders, name)
            if isinstance(cls, type):  # PSA011 armed
                self.assertTrue(cls.message)

    def test_inner(self):
        found = find(1)
        if found.open:  # PSA011 armed
            for name in ("a", "b"):
                self.assertTrue(found[name])

    def test_both_ways_inside(self):
        for order in find():  # PSA011 armed
            if order.open:
                self.assertTrue(order.total)
            else:
                self.assertFalse(order.total)

    def test_chosen(self):
        for order in [order for order in find() if order.open]:  # PSA011 armed
            self.assertTrue(order.total)

    def test_with(self):
        with self.client as client:
            for key, value in sorted(client.settings().items()):  # PSA011 armed
                self.assertEqual(key, value)
""",
)
GOOD = (
    # an assertion on the guaranteed path
    """
def test_counted():
    found = find()
    assert found
    for order in found:
        assert order.total

def test_helper(client):
    found = find()
    check_all(found)
    for order in found:
        assert order.total

def test_raises():
    with pytest.raises(ValueError):
        find(-1)
    for order in find():
        assert order

def test_with(client):
    with client:
        assert client.get()
    for order in find():
        assert order

def test_try():
    try:
        assert find()
    finally:
        close()
    for order in find():
        assert order

def test_assertion_as_value(self):
    error = self.assertRaises(ValueError, find)
    if error.code:
        assert error.code == 3
""",
    # the loop is known to run
    """
import pytest
CASES = [1, 2]

def test_literal():
    for case in (1, 2):
        assert find(case)

def test_constant():
    for case in CASES:
        assert find(case)

def test_range():
    for n in range(3):
        assert find(n)
    for n, case in enumerate(CASES):
        assert find(n)

def test_local():
    cases = {"a": 1}
    for key, value in cases.items():
        assert find(key) == value

@pytest.mark.parametrize("cases", [[1], [2]])
def test_parameter(cases):
    for case in cases:
        assert find(case)

def test_written_out():
    known = [find(1), find(2)]
    more = known + [make() for _ in range(3)]
    for case in (find(3), *known):
        assert case
    for case in more:
        assert case
    for n in range(len(known)):
        assert known[n]

def test_filled():
    cases = {}
    for name in ("a", "b"):
        cases[name] = find(name)
    for name in cases.keys():
        assert cases[name]

def test_short_names():
    found = find()
    eq_(len(found), 3)
    for case in found:
        assert case

class TestIt:
    def test_of_self(self):
        for case in self.cases:
            assert find(case)
""",
    # both ways assert; a condition about the platform, the input or an option
    """
import sys, platform, pytest

def test_both():
    found = find()
    if found:
        assert found.total
    else:
        assert count() == 0

def test_platform():
    if sys.platform == "win32":
        assert find()

def test_system():
    if platform.system() == "Linux":
        assert find()

@pytest.mark.parametrize("empty", [True, False])
def test_parameter(empty):
    found = find(empty)
    if not empty:
        assert found

def test_match():
    match find():
        case 1:
            assert True
        case _:
            assert count()
""",
    # fails or raises on its own, or hands a function to somebody who calls it
    """
import pytest

def test_fails():
    for order in find():
        if order.broken:
            pytest.fail("broken")

def test_raises():
    for order in find():
        if order.broken:
            raise AssertionError(order)

def test_closure(reactor):
    def check(found):
        for order in found:
            assert order
    reactor.run(check)

def test_without():
    for order in find():
        order.pay()
""",
    # waits until
    """
def test_loop(queue):
    while True:
        found = queue.get()
        assert found
        if found.last:
            break
""",
)

_PLATFORM = frozenset(("os", "platform", "sys", "sysconfig", "locale", "six", "importlib"))
_ABOUT_PLATFORM = re.compile(
    r"version|platform|system|has_|_has|is_(win|linux|mac|posix|py)|support|avail|enabled|installed|feature|dialect|vendor|env",
    re.IGNORECASE,
)
#: Builtins that give back what they are given, as far as "is there anything in it" goes.
_TRANSPARENT = frozenset(
    "bytes copy dict enumerate frozenset items iter keys len list max min range reversed set sorted str tuple values zip".split()
)
#: The short names of assertions in older suites: ``eq_``, ``is_``, ``not_in``.
_SHORT = re.compile(
    r"^(eq|ne|is|is_not|is_true|is_false|in|not_in|le|lt|ge|gt|ok|raises)_$|^(is_true|is_false|is_none|eq_\w+)$"
)


def rule(module: TestModule) -> Iterator[Suspicion]:
    for test in module.tests():
        if (ast.For in test.nodes or ast.If in test.nodes or ast.AsyncFor in test.nodes) and not _is_plainly_sure(test):
            yield from _suspicion(module, test)


def _suspicion(module: TestModule, test: Scope) -> Iterator[Suspicion]:
    assertions = [node for node in (*test.of(ast.Assert), *test.of(ast.Expr)) if is_assertion(node)]
    if not assertions or any(map(is_failure, assertions)) or test.of(ast.Raise):
        return  # ``if broken: fail()`` has checked something when nothing fails
    if any(_checks_itself(module, child) for child in test.children):
        return
    first: ast.stmt | None = None
    for assertion in assertions:
        control = _control(module, test, assertion)
        if control is None:
            return
        first = first or control
    if first is None or _is_sure(module, test, test.body):
        return
    what = source_of(first.test if isinstance(first, ast.If) else cast("ast.For", first).iter, 50)
    yield Suspicion(
        first,
        test.qualname,
        "no-assertion-evaluated",
        f"passes without a single assertion: all of them depend on `{what}`",
        Proof("never-ran", lines_of(module, _checking_statements(module, test, assertions))),
    )


def _checking_statements(module: TestModule, test: Scope, assertions: list[ast.stmt]) -> list[ast.stmt]:
    """The assertions, and every statement with a call that may be one: none of them must have run."""
    found = dict.fromkeys(assertions)
    for node in possible_checks(module, test, test.body):
        around: ast.AST | None = node
        while around is not None and not isinstance(around, ast.stmt):
            around = test.parent(around)
        if isinstance(around, ast.stmt):
            found[around] = None
    return list(found)


def _is_plainly_sure(test: Scope) -> bool:
    """The common case, without a closer look: an assertion among the test's own statements."""
    return any(is_assertion(statement) for statement in test.node.body)  # type: ignore[attr-defined]


def _checks_itself(module: TestModule, child: Scope) -> bool:
    """A nested function or class that checks: whoever it is handed to decides whether it runs."""
    return any(may_assert(module, inner, inner.body, 1) for inner in child.within() if inner.body)


# --- what must run


def _is_sure(module: TestModule, test: Scope, statements: Iterable[ast.stmt], depth: int = 30) -> bool:
    """Whether something that may check or fail runs whenever these statements run; yes where that is too deep to tell."""
    return not depth or any(_statement_is_sure(module, test, statement, depth - 1) for statement in statements)


def _statement_is_sure(module: TestModule, test: Scope, statement: ast.stmt, depth: int) -> bool:
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        return False
    if isinstance(statement, WITHS):
        inner = raises_block(module, test, statement) is not None or _may_check(module, test, statement.items)
        return inner or _is_sure(module, test, statement.body, depth)
    if isinstance(statement, TRIES):
        attempt = cast("ast.Try", statement)
        return _is_sure(module, test, attempt.body, depth) or _is_sure(
            module, test, [*attempt.orelse, *attempt.finalbody], depth
        )
    if isinstance(statement, ast.If):
        both = _is_sure(module, test, statement.body, depth) and _is_sure(module, test, statement.orelse, depth)
        return both or _may_check(module, test, [statement.test])
    if isinstance(statement, LOOPS):
        head = statement.test if isinstance(statement, ast.While) else statement.iter
        return isinstance(statement, ast.While) or _may_check(module, test, [head])
    return isinstance(statement, (ast.Raise, ast.Match)) or skips(statement) or _may_check(module, test, [statement])


def _may_check(module: TestModule, test: Scope, nodes: Iterable[ast.AST]) -> bool:
    nodes = list(nodes)
    if next(possible_checks(module, test, nodes), None) is not None:
        return True
    return any(_SHORT.match(terminal_name(call.func)) for call in calls_in(nodes))


# --- what decides


def _control(module: TestModule, test: Scope, assertion: ast.stmt) -> ast.stmt | None:
    """The `if` or loop that decides whether an assertion runs; None where the test itself lays that down."""
    for node in test.ancestors(assertion):
        if isinstance(node, ast.If) and not (_is_sure(module, test, node.body) and _is_sure(module, test, node.orelse)):
            return node if _is_computed(module, test, node.test) else None
        if isinstance(node, (ast.For, ast.AsyncFor)):
            if _may_be_empty(module, test, node.iter):
                return node
            if not _is_filled(module, test, node.iter):
                return None
        if isinstance(node, (ast.While, ast.ExceptHandler)) or type(node).__name__ == "match_case":
            return None
    return None


def _is_filled(module: TestModule, test: Scope, expression: ast.expr, depth: int = 4) -> bool:
    """A list or the like that is written out: what is around the loop decides."""
    if isinstance(expression, ast.Name) and depth:
        value = module.value(expression.id, test)
        return value is not None and _is_filled(module, test, value, depth - 1)
    return isinstance(expression, (ast.Tuple, ast.List, ast.Set, ast.Dict))


def _may_be_empty(module: TestModule, test: Scope, expression: ast.expr, depth: int = 4) -> bool:
    """Whether a loop over it may have nothing to go over: it comes from a call that the test makes."""
    if not depth or isinstance(expression, (ast.Tuple, ast.List, ast.Set, ast.Dict, ast.Constant)):
        return False
    if isinstance(expression, ast.BinOp):
        return all(_may_be_empty(module, test, side, depth - 1) for side in (expression.left, expression.right))
    if isinstance(expression, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        chosen = any(loop.ifs for loop in expression.generators)
        return chosen or _may_be_empty(module, test, expression.generators[0].iter, depth - 1)
    if isinstance(expression, ast.Call) and terminal_name(expression.func) in _TRANSPARENT:
        of = expression.func.value if isinstance(expression.func, ast.Attribute) else None
        return any(_may_be_empty(module, test, part, depth - 1) for part in (*expression.args, *([of] if of else ())))
    if isinstance(expression, ast.Name) and expression.id not in parameter_names(test.node):
        values = _assigned(test, expression.id)
        return bool(values) and all(_may_be_empty(module, test, value, depth - 1) for value in values)
    return _is_computed(module, test, expression, depth)


def _is_computed(module: TestModule, test: Scope, expression: ast.expr, depth: int = 4) -> bool:
    """Whether its value comes from a call that the test makes, and not from what it lays down or where it runs."""
    if not depth or _is_about_platform(module, test, expression):
        return False
    names = [node.id for node in own_nodes(expression) if isinstance(node, ast.Name)]
    if _parametrized(module, test) and not set(parameter_names(test.node)).isdisjoint(names):
        return False
    if any(terminal_name(call.func) not in _TRANSPARENT for call in calls_in([expression])):
        return True
    return any(
        _is_computed(module, test, value, depth - 1)
        for name in names
        if module.binder(name, test) is test
        for value in _assigned(test, name)
    )


def _assigned(test: Scope, name: str) -> list[ast.expr]:
    """What a local name is bound to by assignments and loops."""
    pairs = [(target, node.value) for node in test.of(ast.Assign) for target in node.targets]
    pairs += [(node.target, node.value) for node in test.of(ast.AnnAssign) if node.value is not None]
    pairs += [(loop.target, loop.iter) for loop in test.of(ast.For)]
    pairs += [(loop.target, loop.iter) for loop in test.of(ast.AsyncFor)]
    return [value for target, value in pairs if _binds(target, name)]


def _binds(target: ast.expr, name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store) for node in ast.walk(target)
    )


def _is_about_platform(module: TestModule, test: Scope, expression: ast.expr) -> bool:
    for node in own_nodes(expression):
        if isinstance(node, (ast.Name, ast.Attribute)):
            root = module.resolve(node, test).partition(".")[0]
            if root in _PLATFORM or _ABOUT_PLATFORM.search(terminal_name(node)):
                return True
    return False


def _parametrized(module: TestModule, test: Scope) -> bool:
    names = [name for holder in (test, test.enclosing) if holder for name, _ in module.decorators(holder)]
    return any(name.endswith(("parametrize", "data", "expand", "given")) for name in names)


CHECK = Check("PSA011", "conditional-oracle", DEFECT, __doc__, BAD, GOOD, rule)
