"""Fixtures of the toy shop's tests."""

from __future__ import annotations

from unittest import mock

import pytest

from shop.accounts import Accounts
from shop.orders import Desk
from shop import payments


class Clock:
    """A clock that the test moves, so that no test has to wait."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def accounts():
    accounts = Accounts()
    accounts.add("ada", "correct horse")
    accounts.add("root", "battery staple", role="admin")
    return accounts


@pytest.fixture
def mailer():
    return mock.Mock(spec_set=["send"])


@pytest.fixture
def desk(mailer, monkeypatch):
    monkeypatch.setattr(payments, "ledger", [])
    return Desk(prices={"tea": 4, "pot": 20}, stock={"tea": 10, "pot": 1}, mailer=mailer)


@pytest.fixture(scope="session")
def price_list():
    """One for the whole run: it takes long to load."""
    return {"tea": 4, "pot": 20}
