"""Only those who know the password come in, and nobody may do more than their role says."""

from __future__ import annotations

import os

import pytest

from shop.accounts import Accounts, Rejected

# --- assertions that hold whatever the shop does


def test_a_login_gives_a_token(accounts):
    token = accounts.login("ada", "correct horse")
    assert 16, len(token)  # planted: PSA004


def test_a_login_gives_a_token_rightly(accounts):
    token = accounts.login("ada", "correct horse")
    assert len(token) == 16


def test_a_customer_may_only_buy(accounts):
    assert accounts.may("ada", "buy")
    accounts.may("ada", "see all orders") is False  # planted: PSA006


def test_a_customer_may_only_buy_rightly(accounts):
    assert accounts.may("ada", "buy")
    assert accounts.may("ada", "see all orders") is False


# --- a rejection that is allowed, but not required


def test_a_locked_account_is_rejected(accounts):
    try:  # planted: PSA202
        accounts.login("ada", "correct horse")
    except Rejected as error:
        assert error.attempts_left == 0


def test_a_wrong_password_is_rejected_rightly(accounts):
    with pytest.raises(Rejected) as caught:
        accounts.login("ada", "wrong")
    assert caught.value.attempts_left == 2


def test_the_third_failure_locks_the_account(accounts):
    for _ in range(3):
        with pytest.raises(Rejected):
            accounts.login("ada", "wrong")
    with pytest.raises(Rejected):
        accounts.login("ada", "correct horse")
        assert accounts.audit_trail == ["refused ada"]  # planted: PSA201


def test_the_third_failure_locks_the_account_rightly(accounts):
    for _ in range(3):
        with pytest.raises(Rejected, match="wrong name"):
            accounts.login("ada", "wrong")
    with pytest.raises(Rejected, match="locked"):
        accounts.login("ada", "correct horse")
    assert accounts.audit_trail == ["refused ada"] * 3


# --- a test that is green because it went home early


def test_a_token_ends_with_the_logout(accounts):
    if "SHOP_TOKENS" not in os.environ:  # planted: PSA012
        return
    token = accounts.login("ada", "correct horse")
    accounts.logout(token)
    assert not accounts.is_valid(token)


@pytest.mark.skipif("SHOP_TOKENS" not in os.environ, reason="needs the token service")
def test_a_token_ends_with_the_logout_rightly(accounts):
    token = accounts.login("ada", "correct horse")
    accounts.logout(token)
    assert not accounts.is_valid(token)


# --- a failure that nobody hears of


def test_a_stranger_is_rejected(accounts):
    try:  # planted: PSA203
        accounts.login("eve", "")
        assert False, "eve is in"
    except Exception:
        pass


def test_a_stranger_is_rejected_rightly(accounts):
    with pytest.raises(Rejected):
        accounts.login("eve", "")


def test_roles_are_kept():
    accounts = Accounts()
    try:  # planted: PSA204
        accounts.add("bob", "pw", role="admin")
        assert accounts.may("bob", "see all orders")
    except Exception as error:
        pytest.skip(f"no roles here: {error}")


def test_roles_are_kept_rightly():
    accounts = Accounts()
    accounts.add("bob", "pw", role="admin")
    assert accounts.may("bob", "see all orders")


def test_a_login_without_password_is_denied(accounts):
    with pytest.raises(Exception):
        accounts.login("ada")
    # planted 2 above: PSA205


def test_a_login_without_password_is_denied_rightly(accounts):
    with pytest.raises(Rejected):
        accounts.login("ada", "")
