"""A coroutine or generator is a test method of a class that never runs its body.

`unittest.TestCase` calls the method, gets a coroutine or generator back, and drops it. The test
passes even if it says `assert False`; only a warning tells.

Instead: inherit from `unittest.IsolatedAsyncioTestCase`, or write a plain test function and let
an async plugin of pytest run it. Out of a generator make a loop with `self.subTest`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.model import DEFECT, Check, Hit, Question
from pytest_secaudit.source import Scope, TestModule

BAD = (
    """
import unittest
from unittest import TestCase

class TestAsync(unittest.TestCase):
    async def test_denied(self):  # PSA010
        assert False

    def test_generator(self):  # PSA010
        yield
        assert False

    def test_plain(self):
        async def inner():
            yield 1
        self.assertTrue([(yield_) for yield_ in (1,)])

class Base(TestCase):
    def setUp(self):
        self.value = 1

class TestDerived(Base):
    def test_delegates(self):  # PSA010
        yield from self.values()
""",
    """
from unittest import mock
from shop.testing import ShopTestCase

class TestShop(ShopTestCase):
    @mock.patch("shop.charge")
    async def test_maybe(self, charge):  # PSA010
        assert charge
""",
)
GOOD = (
    """
import unittest

class Plain(unittest.TestCase):
    __test__ = False

    async def test_never_collected(self):
        await nothing()
""",
    """
import unittest
from unittest import IsolatedAsyncioTestCase
from tornado.testing import AsyncTestCase, AsyncHTTPTestCase
from twisted.trial import unittest as trial
from twisted.trial.unittest import TestCase
import django.test
from rest_framework.test import APITestCase
import asynctest
from aiohttp.test_utils import AioHTTPTestCase
from shop.testing import ShopAsyncTestCase, LiveServerTestCase

class TestIsolated(IsolatedAsyncioTestCase):
    async def test_a(self): pass

class TestBoth(ShopMixin, unittest.IsolatedAsyncioTestCase):
    async def test_a(self): pass

class TestTornado(AsyncTestCase):
    async def test_a(self): pass

class TestTornadoHttp(AsyncHTTPTestCase):
    def test_a(self): yield

class TestTrial(TestCase):
    async def test_a(self): pass

class TestTrialToo(trial.TestCase):
    def test_a(self): yield

class TestDjango(django.test.TestCase):
    async def test_a(self): pass

class TestRest(APITestCase):
    async def test_a(self): pass

class TestAsynctest(asynctest.TestCase):
    async def test_a(self): pass

class TestAio(AioHTTPTestCase):
    async def test_a(self): pass

class TestOwn(ShopAsyncTestCase):
    async def test_a(self): pass

class TestLive(LiveServerTestCase):
    async def test_a(self): pass

class TestGrandchild(TestIsolated):
    async def test_b(self): pass
""",
    """
class TestPytest:
    async def test_a(self):
        pass

async def test_function():
    pass

def test_old_generator():
    yield
""",
    """
import unittest
import pytest
from shop.testing import async_test, run_in_loop
from tornado.testing import gen_test

class TestDecorated(unittest.TestCase):
    @async_test
    async def test_a(self): pass

    @gen_test
    def test_b(self): yield

    @run_in_loop()
    async def test_c(self): pass

    @unittest.skip("later")
    async def test_d(self): pass

    async def helper(self): pass

    async def asyncSetUp(self): pass

@run_all
class TestDecoratedClass(unittest.TestCase):
    async def test_a(self): pass

@unittest.skip("later")
class TestSkipped(unittest.TestCase):
    async def test_a(self): pass
""",
    """
import testtools
import unittest
from shop.testing import AsyncRunner

class TestRunner(testtools.TestCase):
    run_tests_with = AsyncRunner

    async def test_a(self): pass

class OwnRunner(unittest.TestCase):
    def _callTestMethod(self, method):
        run(method())

class TestOwnRunner(OwnRunner):
    async def test_a(self): pass

class TestOwnCall(unittest.TestCase):
    def run(self, result=None):
        pass

    async def test_a(self): pass

class TestMeta(unittest.TestCase, metaclass=RunsCoroutines):
    async def test_a(self): pass
""",
    """
import unittest

class TestUnittestItself(unittest.TestCase):
    def test_not_awaited(self):
        class Inner(unittest.TestCase):
            async def test_a(self): pass
        Inner("test_a").run()

class Mixin(object):
    async def test_a(self): pass
""",
)

_PLAIN = frozenset(("unittest.TestCase", "unittest.case.TestCase"))
_NEUTRAL = frozenset(("builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol"))
#: Bases that run coroutines, or whose name lets one think so.
_RUNS_COROUTINES = re.compile(
    r"^(twisted|django|rest_framework|asynctest|aiohttp|channels|pytest_django|wagtail|tornado)\b"
    r"|async|aio|isolated|trio|live"
    r"|transaction|simpletest|tornado|trial|coroutine|deferred|loop|tulip",
    re.IGNORECASE,
)
#: Decorators after which the method still is what it was.
_PASSES_THROUGH = re.compile(r"^(pytest\.mark|unittest\.mock|mock)\b|\bpatch\b")
#: What a class defines to run its tests in its own way.
_DRIVERS = frozenset(
    (
        "__call__",
        "__getattribute__",
        "__init__",
        "__init_subclass__",
        "_callTestMethod",
        "_run_test_method",
        "run",
        "runTest",
    )
)
_RUNNERS = frozenset(("run_tests_with", "_run_tests_with"))


def rule(module: TestModule) -> Iterator[Hit]:
    for test in module.tests():
        owner = test.enclosing
        if owner is None or not owner.is_class or not test.name.startswith("test"):
            continue
        kind = _kind(test)
        if kind and owner.is_importable and not _is_opted_out(owner) and _is_passed_through(module, test):
            roots = _roots(module, owner, 8)
            if roots and not any(map(_RUNS_COROUTINES.search, roots)):
                yield _hit(test, owner, kind, certain=roots <= _PLAIN and not _decorated(test))


def _hit(test: Scope, owner: Scope, kind: str, *, certain: bool) -> Hit:
    question = Question("body-never-runs", (owner.qualname, test.name))
    if kind == "a generator":
        fix = f"take the yield out of {test.name}; loop with self.subTest instead"
    else:
        fix = f"let {owner.name} inherit from unittest.IsolatedAsyncioTestCase"
    return Hit(
        test.node,
        f"{test.name} is {kind}, which unittest.TestCase never runs: it always passes",
        fix=fix,
        only_if=() if certain else (question,),
    )


def _kind(test: Scope) -> str:
    is_generator = bool(test.of(ast.Yield, ast.YieldFrom))
    if isinstance(test.node, ast.AsyncFunctionDef):
        return "an asynchronous generator" if is_generator else "a coroutine"
    return "a generator" if is_generator else ""


def _is_opted_out(cls: Scope) -> bool:
    """The class says ``__test__ = False``: pytest does not collect it."""
    return any(
        isinstance(node.value, ast.Constant)
        and node.value.value is False
        and any(isinstance(target, ast.Name) and target.id == "__test__" for target in node.targets)
        for node in cls.of(ast.Assign)
    )


def _decorated(test: Scope) -> bool:
    return bool(test.node.decorator_list)  # type: ignore[attr-defined]


def _is_passed_through(module: TestModule, test: Scope) -> bool:
    names = [name for name, _ in module.decorators(test)]
    return all(_PASSES_THROUGH.search(name) and "skip" not in name for name in names)


def _roots(module: TestModule, cls: Scope, depth: int) -> frozenset[str]:
    """The full names of the bases from other files; empty if there is none or the class may run its tests itself."""
    node: ast.ClassDef = cls.node  # type: ignore[assignment]
    if not depth or node.keywords or node.decorator_list or _drives(cls):
        return frozenset()
    roots: set[str] = set()
    for base, name in zip(node.bases, module.base_names(cls), strict=True):
        parent = module.definition(base, cls.enclosing or module.root)
        if parent is None or not parent.is_class or parent is cls:
            roots.update((name or "?",) if name not in _NEUTRAL else ())
        elif not _is_bare(parent):
            inherited = _roots(module, parent, depth - 1)
            if not inherited:
                return frozenset()
            roots |= inherited
    return frozenset(roots)


def _is_bare(cls: Scope) -> bool:
    """A mixin of this file: no bases, and nothing in it that runs tests."""
    node: ast.ClassDef = cls.node  # type: ignore[assignment]
    return not (node.bases or node.keywords or node.decorator_list or _drives(cls))


def _drives(cls: Scope) -> bool:
    assigned = (target for node in cls.of(ast.Assign) for target in node.targets)
    return any(child.name in _DRIVERS for child in cls.children) or any(
        isinstance(target, ast.Name) and target.id in _RUNNERS | _DRIVERS for target in assigned
    )


CHECK = Check("PSA010", "test-body-never-runs", DEFECT, __doc__, BAD, GOOD, rule, cwe=561)
