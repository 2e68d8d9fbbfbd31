"""Two tests of one scope have the same name, so the first one is never collected.

Python keeps only the last definition. The first test looks like part of the suite, and nobody sees
that it vanished: the number of tests just does not grow.

Instead: give each test a name of its own. If the two are copies, delete one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.model import DEFECT, Check, Hit
from pytest_secaudit.source import Role, Scope, TestModule, own_nodes
from pytest_secaudit.source.syntax import outside_parts

BAD = (
    """
import pytest
from unittest import mock

def test_login(client):  # PSA009
    assert client.login("a")

@pytest.mark.slow
@mock.patch("shop.charge")
def test_logout(charge, client):  # PSA009
    assert client.logout()

def test_login(client):
    assert not client.login("b")

async def test_logout(client):  # PSA009
    pass

def test_logout(client):
    pass
""",
    """
import unittest

class TestOrders(unittest.TestCase):  # PSA009
    def test_a(self):
        pass

class TestOrders(unittest.TestCase):
    class TestInner:  # PSA009
        def test_c(self):
            pass

    class TestInner:
        def test_d(self):
            pass

    def test_b(self):  # PSA009
        self.check(1)

    def helper(self):
        pass

    def test_b(self):
        self.check(2)
""",
)
GOOD = (
    """
import sys

if sys.platform == "win32":
    def test_path():
        assert 1
else:
    def test_path():
        assert 2

try:
    import fast
    class TestFast:
        def test_a(self):
            pass
except ImportError:
    class TestFast:
        pass

def test_default():
    pass

if sys.version_info < (3, 12):
    def test_default():
        pass
""",
    """
from typing import overload
import functools
import pytest

@overload
def test_types(a: int) -> int: ...
@overload
def test_types(a: str) -> str: ...
def test_types(a):
    return a

@functools.singledispatch
def test_dispatch(a):
    pass

@test_dispatch.register
def test_dispatch(a: int):
    pass

@registry.register("one")
def test_registered():
    pass

@registry.register("two")
def test_registered():
    pass

@pytest.fixture
def test_client():
    pass

@pytest.fixture
def test_client():
    pass
""",
    """
class TestProperty:
    @property
    def test_data(self):
        return 1

    @test_data.setter
    def test_data(self, value):
        pass

    @test_data.deleter
    def test_data(self):
        pass
""",
    """
from parameterized import parameterized

class TestExpanded:
    @parameterized.expand([1])
    def test_a(self, a):
        pass

    @parameterized.expand(["b"])
    def test_a(self, a):
        pass
""",
    """
def test_kept():
    pass

test_kept_too = test_kept

def test_kept():
    pass

def test_deleted():
    pass

del test_deleted

def test_deleted():
    pass

class TestBase:
    def test_a(self):
        pass

class TestBase(TestBase):
    def test_b(self):
        pass

def test_on_purpose():
    pass

def test_on_purpose():  # noqa: F811
    pass
""",
    """
def helper():
    pass

def helper():
    pass

class TestA:
    def test_same(self):
        pass

    def _check(self):
        pass

    def _check(self):
        pass

class TestB:
    def test_same(self):
        pass

class Data:
    x = 1

class Data:
    x = 2

class FakeClient:
    def test_connection(self):
        return 1

    def test_connection(self):
        return 2
""",
    """
def test_shadowing_is_the_subject(run):
    def test_a():
        pass

    def test_a():
        pass

    class TestX:
        def test_b(self):
            pass

        def test_b(self):
            pass

    run(TestX, test_a)
""",
)

#: Decorators that hand the test on and keep no reference of their own.
_KEEPS_NOTHING = re.compile(
    r"^(pytest|unittest|hypothesis|freezegun|django|twisted|testtools|tornado|ddt|nose|responses|vcr|moto)\."
    r"|skip|xfail|mark|patch|mock|freeze|time|override|settings|inline|gen_test|async|slow|requir|need|support"
    r"|only|unless|if_|_if|ignore|warning|deprecat|staticmethod|classmethod|impl_detail|refcount|no_tracing",
    re.IGNORECASE,
)
_REGISTERS = re.compile(
    r"register|route|expand|overload|setter|getter|deleter|fixture|property|dispatch|listen", re.IGNORECASE
)


def rule(module: TestModule) -> Iterator[Hit]:
    for scope in module.scopes:
        if len(scope.children) > 1 and not scope.is_function and _holds_tests(scope):
            for first, second in _twins(module, scope):
                if _is_lost(module, scope, first, second):
                    yield _hit(module, first, second)


def _hit(module: TestModule, first: Scope, second: Scope) -> Hit:
    line: int = second.node.lineno  # type: ignore[attr-defined]
    kind = "test class" if first.is_class else "test"
    return Hit(
        first.node,
        f"{kind} {first.qualname} is defined again in line {line}, so this one is never collected",
        fix=f"give one of the two {first.name} another name",
    )


def _holds_tests(scope: Scope) -> bool:
    """Whether pytest may collect from the module or class: a plain class needs a base or a telling name."""
    node = scope.node
    while isinstance(node, ast.ClassDef):
        if not node.bases and "test" not in node.name.lower():
            return False
        if scope.enclosing is None:
            return False
        scope = scope.enclosing
        node = scope.node
    return isinstance(node, ast.Module)


def _twins(module: TestModule, scope: Scope) -> Iterator[tuple[Scope, Scope]]:
    """Each test with the next definition of its name, in source order."""
    last: dict[str, Scope] = {}
    for child in scope.children:
        first = last.get(child.name)
        if (
            first is not None
            and first.is_class == child.is_class
            and _is_test(module, first)
            and _is_test(module, child)
        ):
            yield first, child
        last[child.name] = child


def _is_test(module: TestModule, scope: Scope) -> bool:
    if scope.is_function:
        return module.role(scope) is Role.TEST
    return scope.is_class and any(module.role(child) is Role.TEST for child in scope.children)


def _is_lost(module: TestModule, scope: Scope, first: Scope, second: Scope) -> bool:
    statements: list[ast.stmt] = scope.node.body  # type: ignore[attr-defined]
    if first.node not in statements or second.node not in statements:
        return False  # one of them is conditional
    decorators = [name for name, _ in module.decorators(first)]
    if any(_REGISTERS.search(name) or not _KEEPS_NOTHING.search(name) for name in decorators):
        return False
    return not _is_used_between(scope, first, second) and not _is_on_purpose(module, second)


def _is_used_between(scope: Scope, first: Scope, second: Scope) -> bool:
    """Whether the name is read or deleted before it is bound again (``test_b = test_a``, ``@test_a.setter``)."""
    start: int = first.node.end_lineno or 0  # type: ignore[attr-defined]
    end: int = second.node.lineno  # type: ignore[attr-defined]
    between = (node for node in own_nodes(scope.node) if start < getattr(node, "lineno", 0) < end)
    return any(
        isinstance(node, ast.Name) and node.id == first.name
        for part in (*between, *outside_parts(second.node))
        for node in ast.walk(part)
    )


def _is_on_purpose(module: TestModule, second: Scope) -> bool:
    line: int = second.node.lineno  # type: ignore[attr-defined]
    return "F811" in module.lines[line - 1]


CHECK = Check("PSA009", "shadowed-test", DEFECT, __doc__, BAD, GOOD, rule, cwe=561)
