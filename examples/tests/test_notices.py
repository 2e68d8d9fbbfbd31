"""Customers are told; no test may really tell them."""

from __future__ import annotations

import unittest
from contextlib import contextmanager
from unittest import mock

from shop import deliveries, notices

# --- replaced by hand, for everybody and for good


def test_the_customer_gets_a_text():
    notices.text = mock.Mock()  # planted: PSA501
    notices.parcel_left("ada")
    notices.text.assert_called_once_with("ada", "your parcel is on the road")


def test_the_customer_gets_a_text_rightly(monkeypatch):
    text = mock.Mock()
    monkeypatch.setattr(notices, "text", text)
    notices.parcel_left("ada")
    text.assert_called_once_with("ada", "your parcel is on the road")


def test_the_gateway_is_asked():
    real = notices._send
    notices._send = mock.Mock()  # planted: PSA501
    notices.ring("ada")
    notices._send.assert_called_once_with("ring", "ada", "")
    notices._send = real


def test_the_gateway_is_asked_rightly():
    with mock.patch.object(notices, "_send") as send:
        notices.ring("ada")
    send.assert_called_once_with("ring", "ada", "")


# --- a patch that outlives its test


class TestLetters(unittest.TestCase):
    def setUp(self):
        self.letter = mock.patch("shop.notices.letter").start()  # armed: PSA502, planted: PSA510

    def test_a_letter_is_sent(self):
        notices.bill_is_overdue("ada")
        self.letter.assert_called_once_with("ada", "your bill is overdue")


class TestLettersRightly(unittest.TestCase):
    @mock.patch("shop.notices.letter")
    def test_a_letter_is_sent(self, letter):
        notices.bill_is_overdue("ada")
        letter.assert_called_once_with("ada", "your bill is overdue")


class TestMails(unittest.TestCase):
    def setUp(self):
        self.mail = mock.patch("shop.notices.mail").start()  # planted: PSA510
        self.addCleanup(self.mail.stop)  # planted: PSA503

    def test_a_mail_is_sent(self):
        notices.bill_is_due("ada")
        self.mail.assert_called_once_with("ada", "your bill is due")


class TestMailsRightly(unittest.TestCase):
    def setUp(self):
        patcher = mock.patch("shop.notices.mail")
        self.mail = patcher.start()
        self.addCleanup(patcher.stop)

    def test_a_mail_is_sent(self):
        notices.bill_is_due("ada")
        self.mail.assert_called_once_with("ada", "your bill is due")


@contextmanager
def holiday():
    usual = deliveries.hours
    deliveries.hours = range(0)
    yield  # planted: PSA505
    deliveries.hours = usual


def test_nothing_leaves_on_a_holiday():
    with holiday():
        assert not deliveries.is_open(12)


@contextmanager
def long_day():
    usual = deliveries.hours
    deliveries.hours = range(24)
    try:
        yield
    finally:
        deliveries.hours = usual


def test_parcels_leave_at_night_rightly():
    with long_day():
        assert deliveries.is_open(23)


# --- a mock that nobody can ask


@mock.patch("shop.notices.text", mock.Mock)  # planted: PSA504
def test_a_parcel_leaves():
    assert notices.parcel_left("ada") is None


@mock.patch("shop.notices.text")
def test_a_parcel_leaves_rightly(text):
    notices.parcel_left("ada")
    text.assert_called_once_with("ada", "your parcel is on the road")
