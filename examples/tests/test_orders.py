"""Orders are charged once, refunded once, and confirmed by mail.

Lines marked `planted` hold a hazard that the audit reports; the tests beside them say the same
thing rightly, and are silent.
"""

from __future__ import annotations

from unittest import mock
from unittest.mock import call

import pytest

from shop.orders import Order, OutOfStock
from shop.payments import Declined

# --- the assertion of a mock that checks nothing


def test_an_order_is_charged_once(desk):
    with mock.patch("shop.payments.charge") as charge:
        desk.place(Order("ada", {"tea": 2}))
    charge.assert_called_once  # planted: PSA001


def test_an_order_is_charged_once_rightly(desk):
    with mock.patch("shop.payments.charge") as charge:
        desk.place(Order("ada", {"tea": 2}))
    charge.assert_called_once_with("ada", 8)


def test_a_new_order_is_not_refunded(desk):
    with mock.patch("shop.payments.refund") as refund:
        desk.cancel(Order("ada", {"tea": 2}))
    assert refund.assert_not_called  # planted: PSA001


@mock.patch("shop.payments.refund")
def test_a_paid_order_is_refunded(refund, desk):
    desk.cancel(desk.place(Order("ada", {"pot": 1})))
    refund.asset_called_once_with("ada", 999)  # planted: PSA002


@mock.patch("shop.payments.refund")
def test_a_paid_order_is_refunded_rightly(refund, desk):
    desk.cancel(desk.place(Order("ada", {"pot": 1})))
    refund.assert_called_once_with("ada", 20)


@mock.patch("shop.payments.charge")
def test_what_is_missing_was_not_charged(charge, desk):
    with pytest.raises(OutOfStock):
        desk.place(Order("ada", {"pot": 2}))
    assert charge.never_called  # planted: PSA002


@mock.patch("shop.payments.charge")
def test_orders_are_charged_in_order(charge, desk):
    for article in ("pot", "tea"):
        desk.place(Order("ada", {article: 1}))
    charge.assert_has_calls = [call("ada", 4), call("ada", 20)]  # planted: PSA003


@mock.patch("shop.payments.charge")
def test_orders_are_charged_in_order_rightly(charge, desk):
    for article in ("pot", "tea"):
        desk.place(Order("ada", {article: 1}))
    charge.assert_has_calls([call("ada", 20), call("ada", 4)])


@mock.patch("shop.payments.charge")
def test_what_is_missing_is_not_charged(charge, desk):
    with pytest.raises(OutOfStock):
        desk.place(Order("ada", {"pot": 2}))
    charge.assert_has_calls([])  # planted: PSA003


@mock.patch("shop.payments.charge")
def test_what_is_missing_is_not_charged_rightly(charge, desk):
    with pytest.raises(OutOfStock):
        desk.place(Order("ada", {"pot": 2}))
    charge.assert_not_called()


# --- a patch that is no patch


def test_a_receipt_is_sent(desk, mailer):
    mock.patch("shop.payments.charge")  # planted: PSA007
    desk.place(Order("ada", {"tea": 1}))
    mailer.send.assert_called_once_with("ada", "receipt")


def test_a_receipt_is_sent_rightly(desk, mailer):
    with mock.patch("shop.payments.charge"):
        desk.place(Order("ada", {"tea": 1}))
    mailer.send.assert_called_once_with("ada", "receipt")


# --- assertions that are never reached


def test_an_empty_order_is_declined(desk):
    with pytest.raises(Declined) as caught:
        desk.place(Order("ada"))
        assert caught.value.code == 99  # planted: PSA201


def test_an_empty_order_is_declined_rightly(desk):
    with pytest.raises(Declined) as caught:
        desk.place(Order("ada"))
    assert caught.value.code == 13


# --- assertions that wait for something to go over


def test_paid_orders_have_lines(desk):
    for order in desk.paid_orders("ada"):  # armed: PSA011
        assert order.lines


def test_paid_orders_have_lines_rightly(desk):
    desk.place(Order("ada", {"tea": 1}))
    found = desk.paid_orders("ada")
    assert len(found) == 1
    for order in found:
        assert order.lines
