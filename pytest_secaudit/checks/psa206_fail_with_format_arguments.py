"""`fail` is called like a logging function, with arguments for its message.

`self.fail(msg)` takes one message, and `pytest.fail(reason, pytrace)` a switch after it. Arguments
for `%s` make the failure a `TypeError` about `fail` itself (or are taken as the switch): the message
that should explain the failure is lost, and code that handles `AssertionError` does not see it.

Instead: format the message first.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, Check, Hit, Question
from pytest_secaudit.source import Role, Scope, TestModule, dotted_name, source_of

BAD = (
    """
import unittest

class TestMigrate(unittest.TestCase):
    def _find(self, flavors, name):
        for flavor in flavors:
            if flavor.name == name:
                return flavor
        self.fail("Unable to find old flavor with name %s. Flavors: "  # PSA206
                  "%s", name, flavors)

    def test_find(self):
        def inner():
            self.fail("no flavor %r", 1)  # PSA206
        self.fail("no flavor {}", 1)  # PSA206
""",
    """
import pytest
from pytest import fail

def test_owner(path):
    pytest.fail("no owner of %s", path)  # PSA206
    fail("%s is not owned by %s", path, "root")  # PSA206
""",
)
GOOD = (
    """
import unittest
import pytest

class TestMigrate(unittest.TestCase):
    def test_formatted(self, name):
        self.fail("no flavor %s" % name)
        self.fail(f"no flavor {name}")
        self.fail("no flavor {}".format(name))
        self.fail("100 % sure")
        self.fail(msg="no flavor")
        self.fail()

def test_pytrace(name):
    pytest.fail("no flavor", False)
    pytest.fail("100 %s", pytrace=False)
    pytest.fail("no %s" % name, True)
    pytest.fail("no flavor", name)
""",
    """
import unittest

class Base(unittest.TestCase):
    def fail(self, message, *args):
        super().fail(message % args)

class TestOwnFail(Base):
    def test_it(self):
        self.fail("no flavor %s", 1)

class TestAssignedFail(unittest.TestCase):
    fail = formatting_fail

    def test_it(self):
        self.fail("no flavor %s", 1)
""",
    """
import click

def test_click_type(parser, job):
    class Even(click.ParamType):
        def convert(self, value, param, ctx):
            self.fail("%s is odd", param, ctx)
    parser.fail("bad %s", 1)
    job.fail("bad %s", 1)

def test_own_function(name):
    def fail(message, *args):
        raise AssertionError(message % args)
    fail("no %s", name)

class FakeJob:
    def run(self):
        self.fail("job %s failed", self.id)
""",
)

_PLACEHOLDER = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[srdifxac]|%\(\w+\)|\{\w*\}")
_TEST_LIKE = re.compile(r"test|mixin", re.IGNORECASE)


def rule(module: TestModule) -> Iterator[Hit]:
    for call, scope in module.calls("fail"):
        if len(call.args) < 2 or not _has_placeholder(call.args[0]):
            continue
        if module.resolve(call.func, scope) in ("pytest.fail", "_pytest.outcomes.fail"):
            if not isinstance(call.args[1], ast.Constant) or not isinstance(call.args[1].value, bool):
                yield _hit(call, f"pytest.fail() takes {source_of(call.args[1], 30)!r} for its pytrace switch", ())
            continue
        owner = scope.owner_class
        if owner is not None and dotted_name(call.func) == "self.fail" and _is_test_class(module, owner):
            if not _has_own_fail(module, owner):
                yield _hit(
                    call,
                    "self.fail() takes one message: the further arguments make it a TypeError",
                    (Question("overridden", (owner.qualname, "fail")),),
                )


def _hit(call: ast.Call, message: str, unless: tuple[Question, ...]) -> Hit:
    return Hit(call, message, fix=_fix(call), unless=unless)


def _fix(call: ast.Call) -> str:
    """The user's call with the arguments formatted into the message."""
    message, *arguments = call.args
    text = str(message.value) if isinstance(message, ast.Constant) else ""
    together = arguments[0] if len(arguments) == 1 else ast.Tuple(arguments, ast.Load())
    if "%" in text:
        formatted: ast.expr = ast.BinOp(message, ast.Mod(), together)
    else:
        formatted = ast.Call(ast.Attribute(message, "format", ast.Load()), arguments, [])
    return source_of(ast.Call(call.func, [formatted], []), 100)


def _has_placeholder(message: ast.expr) -> bool:
    return (
        isinstance(message, ast.Constant)
        and isinstance(message.value, str)
        and bool(_PLACEHOLDER.search(message.value))
    )


def _is_test_class(module: TestModule, owner: Scope) -> bool:
    """Tests or a set-up in it, a name that says so, or assertions of `unittest` on itself."""
    if any(_TEST_LIKE.search(name) for name in (owner.name, *module.base_names(owner))):
        return True
    if any(
        module.role(child) in (Role.TEST, Role.SETUP, Role.TEARDOWN) for child in owner.children if child.is_function
    ):
        return True
    return any(dotted_name(call.func).startswith("self.assert") for child in owner.within() for call in child.calls)


def _has_own_fail(module: TestModule, owner: Scope) -> bool:
    """Whether the class, or a base class in this file, binds ``fail`` itself."""
    method = ast.Attribute(ast.Name("cls", ast.Load()), "fail", ast.Load())
    inside = next((child for child in owner.children), owner)
    return module.definition(method, inside) is not None or "fail" in owner.bound()


CHECK = Check("PSA206", "fail-with-format-arguments", ADVISORY, __doc__, BAD, GOOD, rule, cwe=628)
