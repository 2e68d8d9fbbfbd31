"""A function inside a test holds assertions, and nothing calls it.

The test passes without having checked what stands there. Mostly a callback was never attached, an
inner `async def` was never awaited, or a test slipped into another one by its indentation.

Instead: call the function, hand it to what is to call it, or move the indentation back so that it
is a test of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.model import DEFECT, Check, Hit
from pytest_secaudit.source import Scope, TestModule, terminal_name
from pytest_secaudit.source.oracles import called, is_assertion, is_raises, raises_block

BAD = (
    """
import pytest

def test_nested(client):
    assert client

    def test_inner():  # PSA008
        assert client.get("/") == 403

async def test_body_in_a_closure(raft):
    async def _body():  # PSA008
        async with raft.cluster() as cluster:
            with pytest.raises(ValueError):
                cluster.join("stranger")
""",
    """
import unittest

class TestCallback(unittest.TestCase):
    def test_failure(self):
        d = self.connect()

        def check(error):  # PSA008
            self.assertEqual(error.code, 401)
            def again():
                pass
            again()

        return d

    def test_recursive(self):
        def walk(node):  # PSA008
            self.assertTrue(node)
            for child in node:
                walk(child)
""",
)
GOOD = (
    """
def test_called(mocker, d):
    def check(value):
        assert value

    def handed(value):
        assert value

    def deep():
        assert d

    check(1)
    d.addCallback(handed)

    class Handler:
        run = staticmethod(deep)

def test_returned():
    def inner():
        assert True
    return inner

def test_called_from_sibling():
    def inner():
        assert 1

    def outer():
        inner()

    outer()
""",
    """
def test_decorated(app):
    @app.route("/")
    def index():
        assert app.running
    app.get("/")

def test_no_assertion():
    def unused():
        return 1

def test_default_argument():
    def check():
        assert 1

    def run(f=check):
        f()

    run()
""",
    """
def test_by_name(run):
    def check():
        assert 1
    run(locals())

def test_by_eval():
    def check():
        assert 1
    eval("check()")

def test_global():
    global hook
    def hook():
        assert 1
""",
    """
from typing import TYPE_CHECKING, assert_type, assert_never

def test_types_only(value):
    def check_types() -> None:
        assert_type(value, int)

    if TYPE_CHECKING:
        def check_more() -> None:
            assert isinstance(value, int)

def test_must_never_run():
    def never():
        assert False, "defining a function does not run it"
""",
    """
def test_framework(pytester):
    class TestInner:
        def test_a(self):
            assert 1

        def helper(self):
            assert 2

    def outer():
        class Suite:
            def test_b(self):
                def inner():
                    assert 3
        return Suite

    pytester.run(TestInner, outer)
""",
    """
def helper():
    def unused():
        assert 1
""",
)

_LOOKS_UP_BY_NAME = frozenset(("_getframe", "currentframe", "eval", "exec", "globals", "locals", "stack", "vars"))
#: Assertions for the type checker: they are not meant to run.
_FOR_TYPES = frozenset(("assert_never", "assert_type"))


def rule(module: TestModule) -> Iterator[Hit]:
    for test in module.tests():
        if test.children and test.is_importable:
            for inner in _functions_inside(test):
                lines = sorted(_assertion_lines(module, inner))
                if lines and _is_out_of_reach(test, inner):
                    yield _hit(inner, lines)


def _hit(inner: Scope, lines: list[int]) -> Hit:
    never = f"the assertion in line {lines[0]} never runs"
    if len(lines) > 1:
        shown = ", ".join(map(str, lines[:4])) + (", ..." if len(lines) > 4 else "")
        never = f"the assertions in lines {shown} never run"
    return Hit(
        inner.node,
        f"nothing calls {inner.name}: {never}",
        fix=f"call {inner.name}, or hand it to what is to call it",
    )


def _functions_inside(test: Scope) -> Iterator[Scope]:
    """The functions in a test, at any depth, but no methods."""
    for child in test.children:
        if child.is_function:
            yield child
            yield from _functions_inside(child)


def _assertion_lines(module: TestModule, scope: Scope) -> Iterator[int]:
    """The lines of what surely asserts in a function, without assertions that are not meant to run."""
    for assertion in scope.of(ast.Assert):
        if not (isinstance(assertion.test, ast.Constant) and not assertion.test.value):
            yield assertion.lineno
    for statement in scope.of(ast.Expr):
        call = called(statement)
        if call is None or terminal_name(call.func) in _FOR_TYPES:
            continue
        if is_assertion(statement) or is_raises(module, scope, call):
            yield statement.lineno
    blocks: list[ast.With | ast.AsyncWith] = [*scope.of(ast.With), *scope.of(ast.AsyncWith)]
    for block in blocks:
        if raises_block(module, scope, block):
            yield block.lineno


def _is_out_of_reach(test: Scope, inner: Scope) -> bool:
    """Whether no name leads to the function, from anywhere in the test but its own body."""
    if inner.node.decorator_list or _is_plainly_used(inner):  # type: ignore[attr-defined]
        return False
    own: set[ast.AST] | None = None
    for node in ast.walk(test.node):
        if isinstance(node, ast.Name) and node.id == inner.name:
            own = own or set(ast.walk(inner.node))
            if node not in own:
                return False
        if isinstance(node, (ast.Global, ast.Nonlocal)) and inner.name in node.names:
            return False
        if isinstance(node, ast.Call) and terminal_name(node.func) in _LOOKS_UP_BY_NAME:
            return False
    return not _is_for_type_checker(inner)


def _is_plainly_used(inner: Scope) -> bool:
    """Whether the scope around calls the function or hands it on: the quick answer, and mostly the right one."""
    return any(
        isinstance(node, ast.Name) and node.id == inner.name
        for call in (inner.enclosing.calls if inner.enclosing else ())
        for node in (call.func, *call.args, *(keyword.value for keyword in call.keywords))
    )


def _is_for_type_checker(inner: Scope) -> bool:
    around = inner.enclosing.ancestors(inner.node) if inner.enclosing else ()
    blocks = (node for node in around if isinstance(node, ast.If))
    return any("TYPE_CHECKING" in ast.dump(block.test) for block in blocks)


CHECK = Check("PSA008", "uncalled-inner-check", DEFECT, __doc__, BAD, GOOD, rule, cwe=561)
