"""The class `Mock` or `MagicMock` itself is put in place of something, or is changed.

A mock class is one object for the whole process. What a test sets on it (`MagicMock.__await__ = ...`) is there
for every mock of every later test. And where the class stands in for a function or an object, the code under
test makes a new mock at each call, with the arguments of the call as the mock's `spec`: nothing is recorded,
nothing can be asserted, and an attribute set on it is set on all mocks.

Instead: put an instance in (`mock.patch("shop.charge", mock.Mock())`, or simply `mock.patch("shop.charge")`);
for a special method, set it on an instance of `MagicMock`, or derive a class of your own.

Where a class stands in for a class, the mocks that the code makes are at least of the right kind: an advisory.
In a run, whatever stays changed on a class of `unittest.mock` is found.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, DEFECT, Check, Hit
from pytest_secaudit.source import TestModule, source_of, terminal_name
from pytest_secaudit.source.mocks import Replacement, replacements
from pytest_secaudit.source.patchers import is_mock_class, set_on_mock_class

BAD = (
    """
from unittest import mock
from unittest.mock import MagicMock

def test_await():
    MagicMock.__await__ = lambda self: iter(())  # PSA504

def test_answer():
    mock.Mock.answer = 42  # PSA504
    setattr(MagicMock, "answer", 42)  # PSA504

@mock.patch("shop.orders.charge", mock.Mock)  # PSA504
def test_decorated():
    pass

def test_object(monkeypatch):
    with mock.patch.object(shop, "charge", new=MagicMock):  # PSA504
        pass
    monkeypatch.setattr(shop, "charge", MagicMock)  # PSA504
    monkeypatch.setattr("shop.charge", mock.Mock)  # PSA504
    monkeypatch.setattr("shop.Thread", mock.Mock)  # PSA504 advisory
""",
)
GOOD = (
    """
# an instance, or a class that each patch makes an instance of
from unittest import mock
from unittest.mock import MagicMock

@mock.patch("shop.orders.charge", mock.Mock())
@mock.patch("shop.orders.refund", new_callable=mock.PropertyMock)
@mock.patch("shop.orders.refund", new_callable=MagicMock)
def test_decorated(refund):
    refund.return_value = 1
    instance = MagicMock()
    instance.__await__ = lambda self: iter(())
    type(instance).answer = mock.PropertyMock()
""",
    """
# a class of one's own
from unittest import mock

class AwaitableMock(mock.MagicMock):
    def __await__(self):
        return iter(())

class Mock:
    pass

AwaitableMock.answer = 42
Mock.answer = 42

@mock.patch("shop.orders.Charge", AwaitableMock)
def test_own():
    pass
""",
    """
# put back
from unittest import mock

def test_for_a_time():
    mock.Mock.answer = 42
    try:
        assert mock.Mock().answer == 42
    finally:
        del mock.Mock.answer
""",
)


def rule(module: TestModule) -> Iterator[Hit]:
    if "Mock" not in module.text:
        return
    for replacement in replacements(module):
        if replacement.new is not None and is_mock_class(module, replacement.new, replacement.scope):
            yield _put_in(module, replacement, replacement.new)
    yield from (_changed(*found) for found in set_on_mock_class(module))


def _put_in(module: TestModule, replacement: Replacement, new: ast.expr) -> Hit:
    name = source_of(new)
    target = replacement.target or "what is replaced"
    return Hit(
        replacement.call,
        f"the class {name} stands in for {target}: each call makes another mock, nothing is recorded",
        fix=_fix(module, replacement, name),
        severity=ADVISORY if target.rpartition(".")[2][:1].isupper() else None,
        subject=replacement.target or None,
    )


def _fix(module: TestModule, replacement: Replacement, name: str) -> str:
    """``patch`` makes a mock of its own where nothing is given; ``monkeypatch`` needs an instance."""
    call = replacement.call
    if replacement.form not in ("patch", "object", "patch.object"):
        return f"put an instance in: {name}()"
    args = [argument for argument in call.args if argument is not replacement.new]
    keywords = [keyword for keyword in call.keywords if keyword.value is not replacement.new]
    which = {1: "the second argument", 2: "the third argument"}.get(len(args), "it")
    which = which if len(args) < len(call.args) else "new="
    decorates = any(call in getattr(scope.node, "decorator_list", ()) for scope in module.scopes)
    given = ", which then hands its mock to the test" if decorates else ""
    return f"drop {which}: {source_of(ast.Call(call.func, args, keywords))}{given}"


def _changed(node: ast.AST, cls: ast.expr, attribute: str) -> Hit:
    return Hit(
        node,
        f"{source_of(cls)}.{attribute} is set on the class: every later mock of the process has it",
        fix=f"set it on an instance, or derive a class from {source_of(cls)}",
        subject=f"unittest.mock.{terminal_name(cls)}.{attribute}",
    )


CHECK = Check("PSA504", "shared-mock-class", DEFECT, __doc__, BAD, GOOD, rule)
