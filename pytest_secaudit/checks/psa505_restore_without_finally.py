"""A context manager of the tests puts something back only if its block raises nothing.

In a function under `@contextmanager` an error in the `with` block is raised at the `yield`. Without `try` and
`finally` around it, the lines below never run: one failing test leaves its replacement behind, and the tests that
fail after it fail for no reason of their own. (A pytest fixture is different: pytest resumes it after a failure.)

Instead: put the `yield` into `try:` and the lines below it into `finally:`; or use `mock.patch` or
`contextlib.ExitStack` for the change itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from pytest_secaudit.model import ADVISORY, Check, Hit
from pytest_secaudit.source import Role, Scope, TestModule, own_nodes, source_of, terminal_name
from pytest_secaudit.source.syntax import TRIES, WITHS

BAD = (
    """
import contextlib, os
from contextlib import contextmanager
import shop

@contextmanager
def fake_charge(result):
    real = shop.charge
    shop.charge = lambda: result
    yield  # PSA505
    shop.charge = real

@contextlib.contextmanager
def working_in(folder):
    before = os.getcwd()
    os.chdir(folder)
    yield folder  # PSA505
    os.chdir(before)

class TestShop:
    @contextmanager
    def limit(self, number):
        old, shop.LIMITS["day"] = shop.LIMITS["day"], number
        yield  # PSA505
        shop.LIMITS["day"] = old

    @contextlib.asynccontextmanager
    async def level(self, value):
        saved = getattr(shop, "level")
        setattr(shop, "level", value)
        yield  # PSA505
        setattr(shop, "level", saved)
""",
)
GOOD = (
    """
# on every path
from contextlib import contextmanager, ExitStack
from unittest import mock
import shop

@contextmanager
def fake_charge(result):
    real = shop.charge
    shop.charge = lambda: result
    try:
        yield
    finally:
        shop.charge = real

@contextmanager
def with_except(result):
    real = shop.charge
    shop.charge = lambda: result
    try:
        yield
    except Exception:
        shop.charge = real
        raise
    shop.charge = real

@contextmanager
def with_patch(result):
    with mock.patch.object(shop, "charge"):
        yield
""",
    """
# pytest resumes a fixture after a failed test
import pytest
import shop

@pytest.fixture
def fake_charge():
    real = shop.charge
    shop.charge = lambda: 1
    yield
    shop.charge = real
""",
    """
# nothing is saved and put back: life spans, recorders
from contextlib import asynccontextmanager, contextmanager
import shop

@asynccontextmanager
async def lifespan(app):
    app.state.started = True
    yield
    app.state.started = False

@contextmanager
def recorder(log):
    start = len(log)
    log.append("in")
    yield log
    log.append("out")
    log.size = len(log) - start

@contextmanager
def timed():
    before = shop.clock()
    yield
    assert shop.clock() > before
""",
    """
# a manager that is the subject of the test, and what is local to it
from contextlib import contextmanager

def test_manager():
    class State:
        value = 0
    state = State()

    @contextmanager
    def changed():
        old = state.value
        state.value = 1
        yield
        state.value = old

    with changed():
        assert state.value == 1
""",
)


def rule(module: TestModule) -> Iterator[Hit]:
    if "contextmanager" not in module.text:
        return
    for scope in module.functions(Role.HELPER):
        if _is_manager(module, scope):
            for node in _bare_yields(scope):
                found = _put_back(scope, node)
                if found:
                    yield _hit(scope, node, found)


def _is_manager(module: TestModule, scope: Scope) -> bool:
    at_the_top = scope.outermost is scope
    return at_the_top and any(
        name.rpartition(".")[2] in ("contextmanager", "asynccontextmanager") for name, _ in module.decorators(scope)
    )


def _bare_yields(scope: Scope) -> Iterator[ast.Yield]:
    """The yields that no ``try`` is around; nor an ``async with``, which may well do the restoring."""
    for node in scope.of(ast.Yield):
        if not any(isinstance(around, (*TRIES, ast.AsyncWith)) for around in scope.ancestors(node)):
            if not any(_may_catch(around) for around in scope.ancestors(node)):
                yield node


def _may_catch(node: ast.AST) -> bool:
    """``with ExitStack() as stack``: what was registered there runs on every path."""
    items: list[ast.withitem] = getattr(node, "items", []) if isinstance(node, WITHS) else []
    return any("Stack" in source_of(item.context_expr, 80) for item in items)


def _put_back(scope: Scope, node: ast.Yield) -> str:
    """The place that gets back, below the yield, what was read from it above; an empty string if there is none."""
    saved: dict[str, str] = {}
    changed: set[str] = set()
    for statement in _statements(scope):
        if statement.lineno < node.lineno:
            saved.update(_saved(statement))
            changed.update(place for place, _ in _written(statement))
        elif statement.lineno > node.lineno:
            for place, value in _written(statement):
                if place in changed and isinstance(value, ast.Name) and saved.get(value.id) == place:
                    return place
    return ""


def _statements(scope: Scope) -> Sequence[ast.stmt]:
    return sorted((n for n in own_nodes(scope.node) if isinstance(n, (ast.Assign, ast.Expr))), key=lambda n: n.lineno)


def _saved(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    """Local name and the place that its value was read from."""
    for target, value in _pairs(statement):
        if isinstance(target, ast.Name):
            yield target.id, _place_read(value)


def _place_read(value: ast.expr) -> str:
    if isinstance(value, ast.Call):
        name = terminal_name(value.func)
        if name == "getattr" and len(value.args) > 1:
            return _attribute(value.args[0], value.args[1])
        if name == "get" and value.args and isinstance(value.func, ast.Attribute):
            return f"{source_of(value.func.value, 120)}[{source_of(value.args[0], 120)}]"
        if name in ("getcwd", "getcwdu", "cwd"):
            return "the working directory"
        return ""
    return source_of(value, 240) if isinstance(value, (ast.Attribute, ast.Subscript)) else ""


def _written(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """The places that a statement writes, and the values."""
    for target, value in _pairs(statement):
        if isinstance(target, (ast.Attribute, ast.Subscript)):
            yield source_of(target, 240), value
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call):
        name = terminal_name(call.func)
        if name == "setattr" and len(call.args) > 2:
            yield _attribute(call.args[0], call.args[1]), call.args[2]
        elif name == "chdir" and call.args:
            yield "the working directory", call.args[0]


def _pairs(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    for target in statement.targets if isinstance(statement, ast.Assign) else ():
        value = statement.value  # type: ignore[attr-defined]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            yield from zip(target.elts, value.elts, strict=True)
        else:
            yield target, value


def _attribute(owner: ast.expr, name: ast.expr) -> str:
    known = isinstance(name, ast.Constant) and isinstance(name.value, str)
    written = str(name.value) if known and isinstance(name, ast.Constant) else source_of(name, 60)
    return f"{source_of(owner, 120)}.{written}"


def _hit(scope: Scope, node: ast.Yield, place: str) -> Hit:
    return Hit(
        node,
        f"{scope.name} puts {place} back only if the block under it raises nothing",
        fix="try: yield, finally: the lines below it",
        if_it_fails=True,
    )


CHECK = Check("PSA505", "restore-without-finally", ADVISORY, __doc__, BAD, GOOD, rule, cwe=459)
