"""A context manager or patcher is made and thrown away, so it never takes effect.

`mock.patch("shop.charge")` as a statement of its own replaces nothing: the test talks to the real
thing. `self.assertRaises(Denied)` without a `with` and without a callable checks nothing: whether the
product rejects the call is never looked at.

Instead: put it in a `with` statement around the lines it is meant for, use it as a decorator, or
start a patcher with `start()` and register its `stop` as a clean-up.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.model import DEFECT, Check, Hit, Question
from pytest_secaudit.source import Scope, TestModule, dotted_name, parameter_names, source_of, terminal_name
from pytest_secaudit.source.oracles import is_raises
from pytest_secaudit.source.syntax import TRIES, WITHS

BAD = (
    """
import mock
from unittest.mock import patch

def test_client(client):
    patch("glance.client.delete")  # PSA007
    mock.patch.object(client, "get", return_value=1)  # PSA007
    patch.dict("os.environ", {"A": "1"})  # PSA007
    assert client.get() == 1

def setup_function():
    patch.multiple("shop", pay=1)  # PSA007
""",
    """
import unittest

class TestTransport(unittest.TestCase):
    def test_errors(self):
        self.assertRaises(ValueError)  # PSA007
        self.transport.connect()
        self.assertRaisesRegex(ValueError, "key")  # PSA007
        self.assertLogs("ssh", level="INFO")  # PSA007
        for key in self.transport.keys:
            self.subTest(key=key)  # PSA007
            self.assertTrue(key)
        self.assertWarns(UserWarning, msg="no warning")  # PSA007
""",
    """
import contextlib
import pytest
import warnings
from django.test import override_settings
from freezegun import freeze_time

def test_more(caplog, monkeypatch, capsys):
    pytest.raises(ValueError)  # PSA007
    pytest.raises(ValueError, match="denied")  # PSA007
    pytest.warns(UserWarning)  # PSA007
    caplog.at_level("INFO")  # PSA007
    monkeypatch.context()  # PSA007
    override_settings(DEBUG=True)  # PSA007
    freeze_time("2020-01-01")  # PSA007
    contextlib.suppress(OSError)  # PSA007
    warnings.catch_warnings(record=True)  # PSA007
    capsys.disabled()  # PSA007
""",
)
GOOD = (
    """
import pytest
from unittest import mock

def test_used(mocker, monkeypatch, caplog):
    with mock.patch("a.b"), pytest.raises(ValueError):
        work()
    patcher = mock.patch("a.b")
    mock.patch("a.b").start()
    mock.patch("a.b").__enter__()
    mock.patch.stopall()
    mocker.patch("a.b")
    mocker.patch.object(work, "b")
    mocker.patch.dict("os.environ", {})
    monkeypatch.setattr("a.b", 1)
    caplog.set_level("INFO")
    mock.patch("a.b")(work)()

@mock.patch("a.b")
@mock.patch.object(str, "b")
def test_decorated(b, c):
    pass
""",
    """
import unittest
import pytest

class TestCallable(unittest.TestCase):
    def test_callable(self, *args, **kwargs):
        self.assertRaises(ValueError, int, "a")
        self.assertRaises(ValueError, callable=int)
        self.assertRaises(*args)
        self.assertRaises(ValueError, **kwargs)
        self.assertRaisesRegex(ValueError, "a", int, "a")
        self.assertRaisesRegex(ValueError, *args)
        self.assertWarns(UserWarning, int)
        pytest.raises(ValueError, int, "a")
        pytest.raises(*args)
        pytest.raises(ValueError, **kwargs)
        pytest.warns(UserWarning, int, "a")
        pytest.deprecated_call(int)
        with self.assertLogs() as logs, self.subTest(a=1):
            pass
        self.enterContext(self.assertLogs())
        stack.enter_context(mock.patch("a.b"))
        return self.assertRaises(ValueError)
""",
    """
class Base:
    def assertRaises(self, error):
        return self.response.error == error

    def subTest(self, name):
        self.names.append(name)

class TestOwn(Base):
    def assertLogs(self, *expected):
        assert self.logs == expected

    def test_own(self):
        self.assertLogs("a", "b")
        self.assertRaises(ValueError)
        self.subTest("a")
""",
    """
class TestOtherShapes(Elsewhere):
    def test_shapes(self):
        self.assertLogs("a", "b", "c", "d")
        self.assertRaises()
        self.helper.assertRaises(ValueError)
        self.patch("a.b")
        self.assertRaises(ValueError).close()
""",
    """
import pytest
from requests import patch
from shop.raising import raises, override_settings
from shop import mock_tools

def test_homonyms(mock):
    patch("http://example.com")
    raises(ValueError)
    override_settings(DEBUG=True)
    mock_tools.patch("a.b")
    mock.patch("a.b")

def test_shadowed(caplog_of):
    caplog = caplog_of()
    caplog.at_level("INFO")

def test_subject():
    from unittest import mock
    with pytest.raises(TypeError):
        mock.patch(3)
    try:
        mock.patch(3)
    except TypeError:
        pass

async def test_awaited(self):
    from unittest import mock
    await mock.patch("a.b")

def test_lambda():
    from unittest import mock
    return lambda: mock.patch("a.b")
""",
    """
import unittest

class TestUnittestItself(unittest.TestCase):
    def test_arguments(self):
        with self.assertRaises(TypeError):
            self.assertRaises(3)
        with self.assertRaises(TypeError):
            self.assertLogs("a", "NOLEVEL")
""",
)

_PATCHERS = frozenset(f"unittest.mock.patch{form}" for form in ("", ".object", ".dict", ".multiple"))
#: Full names of what has to be entered or used as a decorator to have an effect.
_MANAGERS = frozenset(
    """
    contextlib.redirect_stderr contextlib.redirect_stdout contextlib.suppress decimal.localcontext
    django.test.modify_settings django.test.override_settings django.test.utils.modify_settings
    django.test.utils.override_settings freezegun.freeze_time moto.mock_aws pytest.MonkeyPatch.context
    requests_mock.Mocker responses.RequestsMock time_machine.travel warnings.catch_warnings
    """.split()
)
#: Full names that take a callable as a further argument -> how many positional arguments come before it.
_EXPECTATIONS = {"pytest.raises": 1, "pytest.warns": 1, "pytest.deprecated_call": 0}
#: Methods of `unittest.TestCase` -> how many positional arguments there are without a callable (at least, at most).
_METHODS = {
    "assertRaises": (1, 1),
    "assertRaisesRegex": (2, 2),
    "assertRaisesRegexp": (2, 2),
    "assertWarns": (1, 1),
    "assertWarnsRegex": (2, 2),
    "assertLogs": (0, 2),
    "assertNoLogs": (0, 2),
    "subTest": (0, 1),
}
_KEYWORDS = frozenset(
    "check expected_exception expected_regex expected_warning formatter level logger match msg".split()
)
#: Methods of fixtures, as they are written with the fixture's own name.
_FIXTURE_METHODS = frozenset(
    "caplog.at_level caplog.filtering capfd.disabled capsys.disabled monkeypatch.context subtests.test".split()
)
_LAST_NAMES = frozenset(
    name.rpartition(".")[2] for name in (*_PATCHERS, *_MANAGERS, *_EXPECTATIONS, *_METHODS, *_FIXTURE_METHODS)
)


def rule(module: TestModule) -> Iterator[Hit]:
    for statement, scope in module.each(ast.Expr):
        call = statement.value
        if isinstance(call, ast.Call) and terminal_name(call.func) in _LAST_NAMES:
            kind = _kind(module, scope, call)
            if kind and not _is_expected_to_fail(module, scope, statement):
                yield _hit(scope, call, kind)


def _hit(scope: Scope, call: ast.Call, kind: str) -> Hit:
    text = source_of(call)
    owner = scope.owner_class
    question = kind == "check" and terminal_name(call.func) in _METHODS and owner is not None
    return Hit(
        call,
        f"makes a {'patcher' if kind == 'patcher' else 'context manager'} and throws it away: {text}",
        fix=f"with {text}: around the lines it is meant for",
        unless=(Question("overridden", (owner.qualname, terminal_name(call.func))),) if question and owner else (),
    )


def _kind(module: TestModule, scope: Scope, call: ast.Call) -> str:
    """``patcher``, ``check`` or ``manager`` for what does nothing by being made; empty for anything else."""
    if isinstance(call.func, ast.Attribute) and terminal_name(call.func.value) == "self":
        return "check" if _is_unittest_method(module, scope, call) else ""
    full = module.resolve(call.func, scope)
    if full in _PATCHERS:
        return "patcher"
    if full in _MANAGERS:
        return "manager"
    if full in _EXPECTATIONS:
        return "check" if _has_no_callable(call, 0, _EXPECTATIONS[full]) else ""
    return "manager" if not full and _is_fixture_method(scope, call) else ""


def _has_no_callable(call: ast.Call, least: int, most: int) -> bool:
    if any(isinstance(argument, ast.Starred) for argument in call.args):
        return False
    return least <= len(call.args) <= most and all(keyword.arg in _KEYWORDS for keyword in call.keywords)


def _is_unittest_method(module: TestModule, scope: Scope, call: ast.Call) -> bool:
    receiver, _, method = dotted_name(call.func).rpartition(".")
    if receiver != "self" or method not in _METHODS or scope.owner_class is None:
        return False
    # Any keyword of subTest is a parameter to show.
    drops = len(call.args) <= 1 if method == "subTest" else _has_no_callable(call, *_METHODS[method])
    return drops and module.definition(call.func, scope) is None  # the file may have a method of that name


def _is_fixture_method(scope: Scope, call: ast.Call) -> bool:
    written = dotted_name(call.func)
    if written not in _FIXTURE_METHODS:
        return False
    name = written.partition(".")[0]
    around: Scope | None = scope
    while around is not None and name not in around.bound():
        around = around.enclosing
    return around is not None and around.is_function and name in parameter_names(around.node)


def _is_expected_to_fail(module: TestModule, scope: Scope, statement: ast.Expr) -> bool:
    """Whether making it is the subject: an error is expected or caught around it."""
    for node in scope.ancestors(statement):
        if isinstance(node, TRIES) and node.handlers:  # type: ignore[attr-defined]
            return True
        if isinstance(node, WITHS) and any(_expects(module, scope, item.context_expr) for item in node.items):
            return True
    return False


def _expects(module: TestModule, scope: Scope, context: ast.expr) -> bool:
    return isinstance(context, ast.Call) and (
        is_raises(module, scope, context) or "raise" in terminal_name(context.func).lower()
    )


CHECK = Check("PSA007", "discarded-context-manager", DEFECT, __doc__, BAD, GOOD, rule)
