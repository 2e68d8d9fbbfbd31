"""The assertion of a mock is named but not called, so that nothing is checked.

`mock.assert_called_once` without parentheses is a method object. As a statement it does nothing, and
as something to be true it always is. The test passes whether or not the mock was called.

Instead: call it, as a statement of its own: `mock.assert_called_once()`.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_secaudit.mock_names import ASSERTIONS
from pytest_secaudit.model import DEFECT, Check, Hit
from pytest_secaudit.source import TestModule, source_of
from pytest_secaudit.source.mock_assertions import Uncalled, expects_an_error, is_own_attribute, is_own_object, uncalled

BAD = (
    """
from unittest import mock

def test_charges_once(shop):
    with mock.patch("shop.orders.charge") as charge:
        shop.place_order()
    charge.assert_called_once  # PSA001

def test_charges_again(shop, charge):
    try:
        shop.place_order()
        charge.assert_called_once  # PSA001
    finally:
        shop.close()
""",
    """
import unittest
from unittest import mock

class TestStop(unittest.TestCase):
    @mock.patch("shop.orders.refund")
    def test_no_refund(self, refund):
        self.shop.cancel()
        self.assertTrue(refund.assert_not_called)  # PSA001
        self.assertIsNotNone(self.client.send.assert_called_once_with, "not sent")  # PSA001
        assert refund.assert_not_called, "refunded"  # PSA001
        assert self.done and refund.assert_any_call  # PSA001
""",
    """
async def test_sends(mocker, client):
    send = mocker.patch.object(client, "send")
    await client.ping()
    send.assert_awaited_once  # PSA001
    send.return_value.close.assert_not_awaited  # PSA001
""",
)
GOOD = (
    """
def test_charges_once(shop, mocker):
    charge = mocker.patch("shop.orders.charge")
    shop.place_order()
    charge.assert_called_once()
    check = charge.assert_called_once_with
    check(5)
    assert charge.called
    return charge.assert_called
""",
    # the test class has something of that name
    """
class TestShop:
    def test_it(self):
        self.assert_called
        assert self.assert_called
        assert cls.assert_not_called
""",
    # a flag or a property that merely bears the name
    """
class Handler:
    def __init__(self):
        self.assert_called = False

    def on_event(self):
        self.assert_called = True

def test_handler():
    handler = Handler()
    handler.on_event()
    assert handler.assert_called
""",
    """
class Recorder:
    @property
    def assert_not_called(self):
        assert not self.calls

def test_recorder(recorder):
    recorder.assert_not_called
""",
    # the error of the bare access is the subject
    """
import pytest
from unittest import mock

def test_spec_has_no_assertions():
    spec = mock.create_autospec(len)
    with pytest.raises(AttributeError):
        spec.assert_awaited_once
    try:
        spec.assert_awaited
    except AttributeError:
        pass
""",
    # what can only fail, or is handed on to be called
    """
import pytest

def test_helpers(send, wait_for):
    wait_for(send.assert_called_once)
    assert callable(send.assert_called_once)
    assert wait_for(send.assert_called)
    assert hasattr(send, "assert_called")
    lambda: send.assert_called
    assert not send.assert_called
""",
)


def rule(module: TestModule) -> Iterator[Hit]:
    for found in uncalled(module):
        if found.node.attr in ASSERTIONS and _is_idle(module, found):
            yield _hit(found)


def _is_idle(module: TestModule, found: Uncalled) -> bool:
    return not (
        is_own_object(found.node.value)
        or is_own_attribute(module, found.node.attr)
        or expects_an_error(found.scope, found.node)
    )


def _hit(found: Uncalled) -> Hit:
    written = source_of(found.node)
    arguments = "..." if found.node.attr.endswith("_with") or "_a" in found.node.attr[6:] else ""
    idle = "is always true" if found.judged else "does nothing"
    return Hit(
        found.node,
        f"{written} is not called: as it stands it {idle}",
        fix=f"call it as a statement of its own: {written}({arguments})",
    )


CHECK = Check("PSA001", "mock-assertion-not-called", DEFECT, __doc__, BAD, GOOD, rule)
