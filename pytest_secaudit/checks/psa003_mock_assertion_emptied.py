"""The assertion of a mock is overwritten, or is told to expect nothing, so that it holds for every history.

`mock.assert_has_calls = [call(1)]` replaces the assertion by a list instead of calling it.
`mock.assert_has_calls([])` asks whether the calls contain no call in particular, which they always do;
mostly `assert_not_called` was meant. The test passes whatever the mock was called with.

Instead: call the assertion with the calls that are expected, or `mock.assert_not_called()`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.mock_names import ASSERTIONS
from pytest_secaudit.model import DEFECT, Check, Hit
from pytest_secaudit.source import Scope, TestModule, source_of, terminal_name
from pytest_secaudit.source.mock_assertions import expects_an_error, is_own_object

BAD = (
    """
from unittest import mock
from unittest.mock import call

@mock.patch("shop.orders.charge")
def test_charges(charge):
    place_orders(1, 2)
    charge.assert_has_calls = [call(1), call(2)]  # PSA003
    charge.assert_called_once_with = mock.call(1)  # PSA003

@mock.patch("shop.orders.charge")
def test_charges_again(charge):
    place_orders(1, 2)
    expected = [mock.call(n) for n in (1, 2)]
    charge.assert_has_calls = expected  # PSA003
""",
    """
def test_refused_order_is_not_charged(mocker):
    charge = mocker.patch("shop.orders.charge")
    place_order(None)
    charge.assert_has_calls([])  # PSA003
    charge.assert_has_calls(calls=(), any_order=True)  # PSA003
    charge.assert_has_awaits(list())  # PSA003
""",
)
GOOD = (
    """
from unittest.mock import call

def test_charges(charge):
    charge.assert_has_calls([call(1)])
    charge.assert_has_calls([call(1), call(2)], any_order=True)
    charge.assert_any_call()
    charge.assert_called_once_with()
    assert charge.mock_calls == []
    charge.assert_has_calls.calls = []
""",
    # what the list holds is only known later
    """
from unittest.mock import call

def test_collected(charge, orders):
    calls = []
    for order in orders:
        calls.append(call(order))
    charge.assert_has_calls(calls)
    charge.assert_has_calls([*calls])
    charge.assert_has_calls(list(calls))
    charge.assert_has_calls([] + calls)
    charge.assert_has_calls([call(order) for order in orders])
""",
    # a stand-in is given an assertion, or a flag that merely bears the name
    """
import functools
from unittest import mock

def check_called(fake):
    assert fake.calls

class Fake:
    def __init__(self):
        self.assert_called = False
        self.assert_has_calls = []

def test_fake(fake, recorder, checks):
    fake.assert_called = functools.partial(check_called, fake)
    fake.assert_not_called = lambda: None
    fake.assert_called_once = check_called
    fake.assert_any_call = mock.Mock()
    fake.assert_has_calls = recorder.assert_has_calls
    fake.assert_called_with = checks
    fake.assert_awaited = True
""",
    """
class Recorder:
    def assert_has_calls(self, calls):
        assert self.calls == calls

def test_recorder():
    recorder = Recorder()
    recorder.assert_has_calls([])

class TestBase(Base):
    def test_inherited_helper(self):
        self.assert_has_calls([])
""",
    # the behaviour of the mock is the subject
    """
import unittest

class TestMock(unittest.TestCase):
    def test_errors(self):
        with self.assertRaises(AttributeError):
            self.mock.assert_has_awaits([])
""",
)

_EMPTIES = ("list", "tuple")
_DATA = (ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.GeneratorExp)


def rule(module: TestModule) -> Iterator[Hit]:
    for node, scope in module.each(ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Attribute) and target.attr in ASSERTIONS:
                yield from _overwritten(module, scope, target, node.value)
    for call, scope in module.calls("assert_has_calls", "assert_has_awaits"):
        if _expects_nothing(call) and isinstance(call.func, ast.Attribute):
            yield from _emptied(module, scope, call, call.func)


def _overwritten(module: TestModule, scope: Scope, target: ast.Attribute, value: ast.expr) -> Iterator[Hit]:
    if is_own_object(target.value) or not _is_data(module, scope, value):
        return
    written = source_of(target)
    yield Hit(
        target,
        f"{written} is overwritten, not called: nothing is checked",
        fix=f"call it: {written}({source_of(value, 40)})",
    )


def _is_data(module: TestModule, scope: Scope, value: ast.expr) -> bool:
    """Whether a value is what one hands to an assertion, and cannot be called itself."""
    if isinstance(value, ast.Name):
        assigned = module.value(value.id, scope)
        return assigned is not None and not isinstance(assigned, ast.Name) and _is_data(module, scope, assigned)
    if isinstance(value, ast.Call):
        return module.resolve(value.func, scope) == "unittest.mock.call"
    return isinstance(value, _DATA)


def _expects_nothing(call: ast.Call) -> bool:
    expected = call.args[0] if call.args else None
    for keyword in call.keywords:
        if keyword.arg == "calls":
            expected = keyword.value
    if isinstance(expected, (ast.List, ast.Tuple)):
        return not expected.elts
    return (
        isinstance(expected, ast.Call)
        and terminal_name(expected.func) in _EMPTIES
        and not (expected.args or expected.keywords)
    )


def _emptied(module: TestModule, scope: Scope, call: ast.Call, function: ast.Attribute) -> Iterator[Hit]:
    defined_here = any(other.name == function.attr for other in module.scopes)
    if is_own_object(function.value) or defined_here or expects_an_error(scope, call):
        return
    never = "assert_not_awaited" if function.attr == "assert_has_awaits" else "assert_not_called"
    yield Hit(
        call,
        f"{source_of(call)} expects no call in particular, which holds for every history",
        fix=f"say what is expected, or that nothing is: {source_of(function.value)}.{never}()",
    )


CHECK = Check("PSA003", "mock-assertion-emptied", DEFECT, __doc__, BAD, GOOD, rule, cwe=628)
