"""The doors of the shop: forms, messages of the bank, and the warehouse."""

from __future__ import annotations

from unittest import mock

import pytest

from shop import payments
from shop.web import App, app

# --- protection that stays off


def test_a_form_is_taken():
    app.config["CSRF_PROTECT"] = False  # planted: PSA401
    assert app.post({"article": "tea"}) == 200


def test_a_form_is_taken_rightly(monkeypatch):
    monkeypatch.setitem(app.config, "CSRF_PROTECT", False)
    assert app.post({"article": "tea"}) == 200


def test_a_form_of_somebody_else_is_refused():
    assert App().post({"article": "tea"}) == 403


# --- a check that agrees to everything


@mock.patch("shop.payments.verify_signature")  # planted: PSA802
def test_the_bank_is_heard(verify):
    assert payments.hear(b"paid 8", "no signature at all") == "paid 8"


def test_the_bank_is_heard_rightly():
    assert payments.hear(b"paid 8", payments.sign(b"paid 8")) == "paid 8"


@mock.patch("shop.payments.verify_signature", return_value=False)
def test_nobody_else_is_heard(verify):
    with pytest.raises(PermissionError, match="somebody else"):
        payments.hear(b"paid 8", "a")
    verify.assert_called_once_with(b"paid 8", "a")


# --- a password that anybody can read
#
# It opens nothing: there is no such host, and no top-level domain of that name. It is a password in a URL, and no
# provider's token, so that scanners which do more than look leave our repository in peace.


def books(url):
    """The host that the books are fetched from."""
    return url.rpartition("@")[2].partition("/")[0]


def test_the_books_are_at_the_warehouse():
    url = "sftp://desk:vK3mT9qLw2ZxR7@books.toyshop/2026"  # planted: PSA301
    assert books(url) == "books.toyshop"


def test_the_books_are_at_the_warehouse_rightly():
    assert books("sftp://desk:any-password@books.toyshop/2026") == "books.toyshop"
