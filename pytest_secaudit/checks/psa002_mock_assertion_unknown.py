"""What looks like the assertion of a mock is none: the mock makes the name up and checks nothing.

A mock answers to any name. `mock.called_once_with(1)` and `mock.asset_called_once()` are recorded as
calls of made-up attributes, and `assert mock.is_called` finds a made-up attribute, which is true. The
test passes whatever the mock was called with. Records of calls, such as `mock.mock_calls[0]` and
`mock.call_args`, take even the correct names, and check nothing either.

From Python 3.12 on, a mock refuses `called_once`, `called_with`, `called_once_with`, `not_called`,
`has_calls` and `any_call` with an `AttributeError`; other slips stay silent. A mock made by
`create_autospec`, or by `patch(..., autospec=True)`, refuses them all.

Instead: use the assertion that was meant, such as `mock.assert_called_once_with(1)`; compare a record
of a call with `mock.call(1)`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.mock_names import asked_state
from pytest_secaudit.model import DEFECT, Check, Hit, Question
from pytest_secaudit.source import Scope, TestModule, source_of, terminal_name
from pytest_secaudit.source.mock_assertions import (
    expects_an_error,
    is_bare_mock,
    is_call_record,
    is_judged,
    is_own_attribute,
    is_own_object,
    is_plain,
    is_statement,
    meant,
    uncalled,
)

BAD = (
    """
from unittest import mock

@mock.patch("shop.orders.charge")
def test_charge(charge):
    place_order()
    charge.called_once_with(5)  # PSA002
    charge.not_called()  # PSA002
    charge.assset_called_with(5)  # PSA002
    charge.ssert_not_called()  # PSA002
    charge.called_once_wth(5)  # PSA002
""",
    """
from unittest.mock import AsyncMock, Mock

async def test_send(client):
    client.send = AsyncMock()
    await client.ping()
    client.send.awaited_once_with("ping")  # PSA002
    client.mocks[0].asser_called_once()  # PSA002
""",
    # records of calls have no assertions at all
    """
def test_order_of_calls(mocker):
    handler = mocker.patch("shop.orders.handle")
    place_order()
    handler.mock_calls[0].called_with(1)  # PSA002
    handler.call_args.assert_called_once_with(1)  # PSA002
    handler.call_args_list[-1].assert_called_onec_with(2)  # PSA002
""",
    # the truth of a made-up attribute of a mock that is known to be one
    """
import unittest
from unittest import mock
from unittest.mock import MagicMock, patch

class TestShop(unittest.TestCase):
    @patch("shop.orders.finish")
    @mock.patch.object(shop, "begin")
    def test_finish(self, mock_begin, mock_finish):
        shop.place()
        assert mock_finish.is_called  # PSA002
        self.assertTrue(mock_begin.called_once)  # PSA002

    def test_close(self):
        connection = MagicMock(name="connection")
        with patch("shop.db.connect", return_value=connection) as connect:
            shop.close()
        assert connection.close.was_called and connect.not_called  # PSA002
        assert connection.close.called_with(1)  # PSA002
""",
)
GOOD = (
    """
from unittest import mock

@mock.patch("shop.orders.charge")
def test_charge(charge):
    charge.assert_called_once_with(5)
    charge.assert_not_called()
    assert charge.called
    assert charge.call_count == 1
    assert charge.call_args == mock.call(5)
    charge.call_args.args[0].assert_called_once_with(1)
    charge.call_args[0][1].assert_called_once()
    charge.mock_calls[0][1][0].assert_not_called()
    charge.call_args.kwargs["on_done"].assert_called_once()
""",
    # methods of other libraries; a mock refuses these names aloud
    """
import responses
from unittest import mock

def test_counts(tox, server):
    responses.assert_call_count("http://example.org", 1)
    tox.assert_failed()
    server.assert_called_times(3)
    server.assert_called_one()
""",
    # the value of requests_mock's property, although it is called mock
    """
from unittest import mock as um

def test_discovery(self):
    mock = self.requests_mock.get("http://example.org", status_code=200)
    m = requests_mock.Mocker()
    self.assertTrue(mock.called_once)
    assert m.called_once
    assert self.service_mock.called_once
""",
    # flags and methods of stand-ins written by hand
    """
from unittest import mock

class Callback:
    def __init__(self):
        self.been_called = False

    def called_with(self, *args):
        assert self.args == args

def test_callback():
    callback = Callback()
    run(callback)
    assert callback.been_called
    callback.called_with(1)
""",
    """
from unittest.mock import Mock
from shop.testing import Recorder

def test_recorder():
    recorder = Recorder()
    recorder.called_once_with(1)
    result = recorder.any_call(2)
    if recorder.has_calls(3):
        return

class TestShop(Base):
    def test_inherited_helper(self):
        self.called_once_with(1)
        self._assert_called(1)
        self.shop._assert_called_once(1)
""",
    # phrases of matcher libraries, and no mock in the file
    """
from unittest import mock
from doublex import Spy, called

def test_phrases(sender):
    expect(sender.send).called_once_with(1)
    verify(sender).send.called_once_with(2)
    called_once_with(3)
""",
    """
def test_tracer(tracer):
    tracer.called_with(1)
    tracer.any_call(2)
""",
    # mocks that were given the attribute, or that have a specification
    """
from unittest.mock import MagicMock, Mock, create_autospec, patch

def test_given(build):
    job = Mock(is_called=True)
    spec = Mock(spec=Job)
    real = Mock(wraps=Job())
    auto = create_autospec(Job)
    assert job.is_called
    assert spec.was_called
    assert real.was_called
    assert auto.was_called
    some = MagicMock()
    some.never_called = True
    assert some.never_called
    other = Mock()
    other = build()
    assert other.was_called
    holder = Mock()
    holder.job = build()
    assert holder.job.was_called

@patch("shop.Job", autospec=True)
@patch("shop.Other")
def test_specified(other, job):
    assert job.was_called

@patch("shop.Job", new=Recorder())
@patch("shop.Other")
def test_order_unknown(job):
    assert job.was_called

def test_can_only_fail():
    job = Mock()
    assert not job.was_called
    assert job.called_twice == 1
""",
    # the error of the unknown name is the subject
    """
import pytest
from unittest import mock

def test_misspelling_is_an_error():
    m = mock.Mock()
    with pytest.raises(AttributeError):
        m.called_once_with(1)
""",
    # ordinary names that are only similar
    """
from unittest import mock

def test_similar(queue, config):
    queue.call_once(print)
    queue.call_with(1)
    queue.recall_with(1)
    queue.insert_cells()
    queue.callable_with(1)
    queue.has_cells()
    config.any_cell()
    queue.called()
""",
)


def rule(module: TestModule) -> Iterator[Hit]:
    yield from _calls(module)
    for found in uncalled(module):
        right = asked_state(found.node.attr) if found.judged else ""
        if right and _is_certain(module, found.scope, found.node) and _is_idle(module, found.scope, found.node):
            yield _hit(found.node, right, "is a made-up attribute of a mock, and always true")


def _calls(module: TestModule) -> Iterator[Hit]:
    for name in list(module.call_names()):
        right = meant(name)
        if right or name.startswith("assert_"):
            for call, scope in module.calls(name):
                if isinstance(call.func, ast.Attribute):
                    yield from _call(module, scope, call, call.func, right)


def _call(module: TestModule, scope: Scope, call: ast.Call, function: ast.Attribute, right: str) -> Iterator[Hit]:
    if is_call_record(function.value):
        if not expects_an_error(scope, call) and ("call" in function.attr or "await" in function.attr):
            yield _record_hit(function)
    elif right and is_plain(function.value) and not is_own_object(function.value):
        certain = _is_certain(module, scope, function)
        checks = is_statement(scope, call) or (certain and is_judged(scope, call))
        if checks and (certain or _may_be_mock(module, scope, function.value)) and _is_idle(module, scope, function):
            unless = () if certain else (Question("defined-elsewhere", (function.attr,)),)
            yield _hit(function, right, "is no assertion of a mock, which takes any name and checks nothing", unless)


def _is_certain(module: TestModule, scope: Scope, node: ast.Attribute) -> bool:
    return is_bare_mock(module, scope, node.value, node.attr)


def _is_idle(module: TestModule, scope: Scope, node: ast.Attribute) -> bool:
    return not is_own_attribute(module, node.attr) and not expects_an_error(scope, node)


def _may_be_mock(module: TestModule, scope: Scope, receiver: ast.expr) -> bool:
    """Not where the file has nothing to do with mocks, or where a class is seen to make the receiver."""
    if "mock" not in module.text.lower():
        return False
    value = module.value(receiver.id, scope) if isinstance(receiver, ast.Name) else None
    made_by = terminal_name(value.func) if isinstance(value, ast.Call) else ""
    return not made_by[:1].isupper() or "mock" in made_by.lower()


def _hit(node: ast.Attribute, right: str, what: str, unless: tuple[Question, ...] = ()) -> Hit:
    arguments = "..." if right.endswith(("_with", "_call", "_calls", "_await", "_awaits")) else ""
    return Hit(
        node,
        f"{source_of(node)} {what}",
        fix=f"use {source_of(node.value)}.{right}({arguments})",
        unless=unless,
    )


def _record_hit(node: ast.Attribute) -> Hit:
    record = source_of(node.value)
    return Hit(
        node,
        f"{record} is the record of a call: it takes any name, and {node.attr} checks nothing",
        fix=f"compare it: assert {record} == mock.call(...)",
    )


CHECK = Check("PSA002", "mock-assertion-unknown", DEFECT, __doc__, BAD, GOOD, rule)
