"""An assertion is about something that is always true, whatever the product does.

A literal, an f-string, a display with something in it, a `lambda` and a generator are all true; so is
anything `or "text"`, and a length is never below zero. Often the comparison has slipped into the place
of the message: `assert 200, response.status` never looks at the status.

A bare `assert True` or `assert 1` is understood as a mark that this line is reached, and is not
reported.

Instead: compare with what the product returned: `assert response.status == 200`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.model import DEFECT, Check, Hit
from pytest_secaudit.source import Scope, TestModule, source_of
from pytest_secaudit.source.mock_assertions import expects_an_error

BAD = (
    """
def test_download(client):
    data = client.get("/file")
    assert b"123", data["name"]  # PSA004
    assert "ok", data.status  # PSA004
    assert 200, data.code  # PSA004
    assert f"name {data}"  # PSA004
    assert ["a", "b"], data["list"]  # PSA004
    assert {"a": 1}  # PSA004
    assert (data["size"] == 3, "wrong size")  # PSA004
""",
    """
def test_names(names):
    assert (name.isupper() for name in names)  # PSA004
    assert lambda: names.first() == "a"  # PSA004
    assert len(names) >= 0  # PSA004
    assert 0 <= len(names), "no names"  # PSA004
    assert len(names) > -1  # PSA004
    assert "\\0" not in names or True  # PSA004
    assert names.sorted() or "names are not sorted"  # PSA004
    assert names.first() == "a" or "b"  # PSA004
    assert "a" or "b" in names  # PSA004
    assert 17, 19 == names.span()  # PSA004
    assert "topic", "payload" in names.sent  # PSA004
""",
    """
import unittest

class TestStatus(unittest.TestCase):
    def test_status(self):
        self.assertTrue("active", self.server.status)  # PSA004
        self.assertTrue(200)  # PSA004
        self.assertTrue(x > 0 for x in self.server.loads)  # PSA004
        self.assertTrue(len(self.server.loads) >= 0)  # PSA004
""",
)
GOOD = (
    # a mark that the line is reached, or must not be
    """
import unittest

def test_reached(client):
    client.close()
    assert True
    assert True, "still here"
    assert 1
    assert 1, "still here"
    assert False, "unreachable"
    assert 0, "unreachable"
    assert None
    assert ""
    assert ()

class TestReached(unittest.TestCase):
    def test_reached(self):
        self.assertTrue(True)
        self.assertTrue(True, "still here")
        self.assertTrue(1)
        self.assertTrue(expr=True)
""",
    # what may be false
    """
def test_may_be_false(names, more, n):
    assert f"{names}"
    assert f"{names}{more}"
    assert [*names]
    assert {**names}
    assert [name for name in names]
    assert (names)
    assert names or more
    assert names or []
    assert names or None or ""
    assert names and "text"
    assert len(names) >= n
    assert len(names) > 0
    assert len(names) >= 1
    assert 0 <= len(names) <= 3
    assert 0 < len(names)
    assert any(name for name in names)
    assert "a" in names
    assert (1, 2) == names
    assert not "text" in names
    assert (True if names else more)
""",
    # a function called len that is not the builtin
    """
def len(thing):
    return -1

def test_len(thing):
    assert len(thing) >= 0
""",
    # the text of a message, and an assertion that is expected to hold or not
    """
import pytest

def test_message(value):
    assert value == 1, "value"
    assert value, f"value {value}"
    with pytest.raises(TypeError):
        assert [value, []] or {value}
""",
    # another assertTrue
    """
class Page:
    def assertTrue(self, *texts):
        assert all(text in self.text for text in texts)

    def test_texts(self):
        self.assertTrue("a", "b")

def assertTrue(text):
    assert text in page()

def test_page():
    assertTrue("text")
""",
    # the truth of a literal is the subject
    """
class TestList(unittest.TestCase):
    def test_truth(self):
        self.assertTrue(not [])
        self.assertTrue([42])

    def test_bool(self):
        assert (1, 2)
""",
    # several conditions in a chain of or, as a fallback that is computed
    """
def test_fallback(a, b):
    assert a == 1 or b == 1
    assert a == 1 or b.fail("x")
    assert (a or 5) == 5
    assert (a or "x").startswith("x")
""",
)


def rule(module: TestModule) -> Iterator[Hit]:
    for node, scope in module.each(ast.Assert):
        if node.test.__class__ in _CANDIDATES and _is_idle(module, scope, node, node.test, node.msg):
            yield Hit(node, _message(node.test), fix=_fix(node.test, node.msg))
    for call, scope in module.calls("assertTrue"):
        if call.args and call.args[0].__class__ in _CANDIDATES and module.definition(call.func, scope) is None:
            test, message = call.args[0], call.args[1] if len(call.args) > 1 else None
            if _is_idle(module, scope, call, test, message):
                yield Hit(call, _message(test), fix=_fix(test, message))


def _is_idle(module: TestModule, scope: Scope, node: ast.AST, test: ast.expr, message: ast.expr | None) -> bool:
    if isinstance(test, ast.Constant) and test.value == 1 and (test.value is True or _is_text(message)):
        return False  # marks a place
    if message is None and isinstance(test, _LITERALS) and _TRUTH_TEST.search(scope.outermost.name):
        return False  # the truth of this literal is the subject
    return always_true(module, scope, test) and not expects_an_error(scope, node)


def _is_text(message: ast.expr | None) -> bool:
    """Whether a message is one: written out as text, or not there at all."""
    is_string = isinstance(message, ast.Constant) and isinstance(message.value, str)
    return message is None or is_string or isinstance(message, ast.JoinedStr)


_LITERALS = (ast.Constant, ast.Dict, ast.List, ast.Set, ast.Tuple)
_TRUTH_TEST = re.compile(r"_(bool|boolcontext|truth|truthy|truthiness)$")
_CANDIDATES = frozenset(
    (
        ast.BoolOp,
        ast.Compare,
        ast.Constant,
        ast.Dict,
        ast.GeneratorExp,
        ast.JoinedStr,
        ast.Lambda,
        ast.List,
        ast.Set,
        ast.Tuple,
    )
)


def always_true(module: TestModule, scope: Scope, test: ast.expr) -> bool:
    """Whether an expression is true whatever its names stand for."""
    match test:
        case ast.Constant():
            return bool(test.value)
        case ast.JoinedStr():
            return any(isinstance(part, ast.Constant) and part.value for part in test.values)
        case ast.List() | ast.Tuple() | ast.Set():
            return any(not isinstance(item, ast.Starred) for item in test.elts)
        case ast.Dict():
            return any(key is not None for key in test.keys)
        case ast.Lambda() | ast.GeneratorExp():
            return True
        case ast.BoolOp(op=ast.Or()):
            return any(always_true(module, scope, operand) for operand in test.values)
        case ast.Compare():
            return _length_is_not_negative(module, scope, test)
    return False


def _length_is_not_negative(module: TestModule, scope: Scope, test: ast.Compare) -> bool:
    """``len(x) >= 0``, ``len(x) > -1`` and the same the other way round."""
    if len(test.ops) != 1:
        return False
    left, operator, right = test.left, test.ops[0], test.comparators[0]
    if isinstance(operator, (ast.LtE, ast.Lt)):
        left, right = right, left
    elif not isinstance(operator, (ast.GtE, ast.Gt)):
        return False
    if not (isinstance(left, ast.Call) and module.resolve(left.func, scope) == "builtins.len"):
        return False
    bound = "0" if isinstance(operator, (ast.GtE, ast.LtE)) else "-1"
    return source_of(right) == bound


def _message(test: ast.expr) -> str:
    return f"asserts {source_of(test)}, which is always true"


def _fix(test: ast.expr, message: ast.expr | None) -> str:
    if isinstance(test, ast.Tuple) and message is None and len(test.elts) == 2:
        return f"drop the parentheses: assert {source_of(test.elts[0])}, {source_of(test.elts[1], 30)}"
    if message is not None and not isinstance(message, (ast.Constant, ast.JoinedStr, ast.Lambda)):
        return _meant_comparison(test, message)
    match test:
        case ast.GeneratorExp():
            return f"ask all of them: all{source_of(test)}"
        case ast.Lambda():
            return f"assert the result: {source_of(test.body)}"
        case ast.BoolOp():
            return _without_constant(test)
        case ast.Compare():
            return "compare with the length that is expected"
    return "assert what the product returned"


def _meant_comparison(test: ast.expr, message: ast.expr) -> str:
    if not isinstance(message, ast.Compare):
        return f"compare them: assert {source_of(message)} == {source_of(test, 40)}"
    if isinstance(message.ops[0], ast.Eq):  # assert 1, 2 == f()
        return f"compare as a tuple: assert ({source_of(test, 40)}, {source_of(message.left)}) == ..."
    return f"assert the comparison itself: {source_of(message)}"


def _without_constant(test: ast.BoolOp) -> str:
    first, second = test.values[0], test.values[1]
    last = test.values[-1]
    if isinstance(first, _LITERALS) and isinstance(last, ast.Compare):  # "a" or "b" in found
        written_out = ast.Compare(first, last.ops, last.comparators)
        return f"write the comparison out for each: assert {source_of(written_out)} or ..."
    is_value = isinstance(second, _LITERALS) and not (isinstance(second, ast.Constant) and second.value is True)
    if is_value and isinstance(first, ast.Compare) and isinstance(first.ops[0], ast.Eq):
        wanted = f"({source_of(first.comparators[-1])}, {source_of(second)})"
        return f"if either may be: assert {source_of(first.left)} in {wanted}"
    return f"drop what is always true: assert {source_of(first)}"


CHECK = Check("PSA004", "constant-assertion", DEFECT, __doc__, BAD, GOOD, rule, cwe=571)
