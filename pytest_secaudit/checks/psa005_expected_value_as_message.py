"""An expected value stands where the message of an assertion belongs, so that it is not compared.

`self.assertTrue(result, 5)` passes for every true result: the second argument is what is printed on
failure. `self.assertTrue(check(), True)` passes even for the text "Fail", and so does
`assert check(), True`. `self.assertIsNone(None, x)` never looks at `x`.

`assert check(), True` is an *advisory*: most often the call answers `True` or `False`, and only a
wrong type would slip through.

Strings, tuples, names and calls in that place are taken for messages and not reported.

Instead: compare: `assert result == 5`, `self.assertEqual(5, result)`, `self.assertIs(result, True)`,
`self.assertIsNone(x)`.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_secaudit.lean import lean
from pytest_secaudit.model import ADVISORY, DEFECT, Check, Hit
from pytest_secaudit.source import Scope, TestModule, source_of, terminal_name
from pytest_secaudit.source.mock_assertions import expects_an_error

BAD = (
    """
import unittest

class TestServer(unittest.TestCase):
    def test_status(self):
        self.assertTrue(self.server.status(), 200)  # PSA005
        self.assertTrue(self.server.verify(), True)  # PSA005
        self.assertTrue(self.server.offset, -1)  # PSA005
        self.assertTrue(self.server.read(), b"data")  # PSA005
        self.assertFalse(self.server.error, None)  # PSA005
        self.assertFalse(self.server.is_down(), False)  # PSA005
        self.assertTrue(self.server.load, 0.5)  # PSA005
        self.assertIsNone(None, self.server.error)  # PSA005
        self.assertIsNone(None, self.server.get("x"))  # PSA005
""",
    """
def test_graph(graph, template):
    assert graph.is_tree(), True  # PSA005 advisory
    assert graph.parent("root"), None  # PSA005 advisory
    assert graph.root, True  # PSA005
    assert template.render(), b"text"  # PSA005
    assert template.globals["answer"](), 42  # PSA005
""",
)
GOOD = (
    # messages
    """
import unittest

class TestServer(unittest.TestCase):
    def test_status(self, expected):
        self.assertTrue(self.server.up, "server is down")
        self.assertTrue(self.server.up, f"server is {self.server}")
        self.assertTrue(self.server.up, "status %s" % self.server)
        self.assertTrue(self.server.up, (1, 2))
        self.assertTrue(self.server.up, expected)
        self.assertTrue(self.server.up, self.server.log())
        self.assertTrue(self.server.up, self.server.status)
        self.assertTrue(self.server.up, msg=None)
        self.assertTrue(self.server.up, msg=200)
        self.assertTrue(self.server.up)
        self.assertFalse(self.server.up, [1])
        self.assertIsNone(self.server.error, 5)
        self.assertIsNone(None)
        self.assertIsNone(None, "still here")
        self.assertIsNone(None, f"still here {expected}")
        self.assertIsNone(None, msg=expected)
        self.assertTrue(*expected, 5)
""",
    # the first argument is true or false by itself, so that nothing is lost
    """
import unittest

class TestServer(unittest.TestCase):
    def test_status(self):
        self.assertTrue(self.server.status == 200, True)
        self.assertTrue(isinstance(self.server, Server), True)
        self.assertFalse("x" in self.server, False)
        self.assertTrue(not self.server.error, 1)
        for number in (1, 2):
            self.assertTrue(number < 3, 4)
        self.assertTrue(True, 1)
        self.assertFalse(False, 0)
""",
    # messages of the statement, and what is true or false by itself
    """
def test_graph(graph, expected):
    assert graph.is_tree(), "no tree"
    assert graph.is_tree(), expected
    assert graph.is_tree(), (1, 2)
    assert graph.is_tree(), graph.nodes
    assert graph.size() == 3, 3
    assert False, 5
    assert 0, 1
    assert graph and graph.size() == 3
    assert "a" in graph and graph.size() == 3, 3
""",
    # labels
    """
def test_steps(self, step):
    assert step("a"), 1
    assert step("b"), 2
    assert step("c"), 3
    for number in step:
        def inner():
            self.assertTrue(step("d"), 0)
            self.assertTrue(step("e"), 1)
""",
    # another assertTrue
    """
class Checks:
    def assertTrue(self, actual, expected):
        assert actual == expected

    def test_it(self):
        self.assertTrue(f(), 5)

def assertFalse(level, thing):
    assert not thing

def test_function(thing):
    assertFalse(thing, 0)
""",
    # the behaviour of the assertion is the subject
    """
import unittest

class TestAssertions(unittest.TestCase):
    def test_message(self):
        with self.assertRaises(self.failureException):
            self.assertTrue(0, 5)
        with self.assertRaisesRegex(AssertionError, "^3$"):
            self.assertFalse(self.thing, 3)
""",
)


def rule(module: TestModule) -> Iterator[Hit]:
    for scope, group in _candidates(module).items():
        numbers = [_number(found.value) for found in group]
        if len(group) > 1 and numbers in (list(range(len(group))), list(range(1, len(group) + 1))):
            continue  # 1, 2, 3 ...: labels
        for found in group:
            if not expects_an_error(scope, found.node):
                yield _hit(found)


@lean
@dataclass(frozen=True, slots=True)
class _Misplaced:
    node: ast.Assert | ast.Call
    method: str  # ``assert`` for the statement
    asserted: ast.expr
    value: ast.expr


def _candidates(module: TestModule) -> dict[Scope, list[_Misplaced]]:
    found: dict[Scope, list[_Misplaced]] = defaultdict(list)
    for node, scope in module.each(ast.Assert):
        if node.msg is not None and _is_value(node.msg) and not _is_decided(node.test):
            found[scope].append(_Misplaced(node, "assert", node.test, node.msg))
    for call, scope in module.calls("assertTrue", "assertFalse", "assertIsNone"):
        if _mistakes(call) and module.definition(call.func, scope) is None:
            found[scope].append(_Misplaced(call, terminal_name(call.func), *call.args))
    return found


def _mistakes(call: ast.Call) -> bool:
    if len(call.args) != 2 or call.keywords or any(isinstance(argument, ast.Starred) for argument in call.args):
        return False
    first, second = call.args
    if terminal_name(call.func) == "assertIsNone":
        return _is_none(first) and not isinstance(second, ast.JoinedStr) and not _is_text(second)
    return _is_value(second) and not _is_decided(first)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_value(node: ast.expr) -> bool:
    """A number, a boolean, ``None`` or bytes, written out: nobody's idea of a message."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return _is_none(node) or (isinstance(node, ast.Constant) and isinstance(node.value, (int, float, complex, bytes)))


def _number(node: ast.expr) -> int | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if type(value) is int else None


_BOOLEAN = frozenset(("all", "any", "bool", "callable", "hasattr", "isinstance", "issubclass"))


def _is_decided(node: ast.expr) -> bool:
    """Whether an expression is true or false by its form, so that a comparison would add nothing."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _BOOLEAN
    if isinstance(node, ast.BoolOp):
        return all(_is_decided(operand) for operand in node.values)
    return isinstance(node, (ast.Compare, ast.Constant)) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )


def _hit(found: _Misplaced) -> Hit:
    value, asserted = source_of(found.value), source_of(found.asserted)
    message = f"{value} is the message of {found.method} here: it is not compared with {asserted}"
    if found.method == "assertIsNone":
        return Hit(found.node, message, fix=f"assertIsNone({value})")
    by_identity = isinstance(found.value, ast.Constant) and isinstance(found.value.value, (bool, type(None)))
    if found.method == "assert":
        fix = f"compare them: assert {asserted} {'is' if by_identity else '=='} {value}"
        answers = by_identity and isinstance(found.asserted, (ast.Call, ast.Await))
        return Hit(found.node, message, fix=fix, severity=ADVISORY if answers else None)
    comparison = "assertIs" if by_identity else "assertEqual"
    return Hit(found.node, message, fix=f"compare them: {comparison}({asserted}, {value})")


CHECK = Check("PSA005", "expected-value-as-message", DEFECT, __doc__, BAD, GOOD, rule, cwe=628)
