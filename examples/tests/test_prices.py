"""What things cost, kept in places that more than one test can reach."""

from __future__ import annotations

from shop.orders import Desk, Order

PRICES = {"tea": 4, "pot": 20}

# --- made once, and changed for all who come after


def test_a_new_article_has_a_price():
    PRICES["cup"] = 3  # planted: PSA104
    assert Desk(PRICES, {}, mailer=None).total(Order("ada", {"cup": 2})) == 6


def test_a_new_article_has_a_price_rightly():
    prices = {**PRICES, "cup": 3}
    assert Desk(prices, {}, mailer=None).total(Order("ada", {"cup": 2})) == 6


def test_tea_has_a_price():
    assert Desk(PRICES, {}, mailer=None).total(Order("ada", {"tea": 2})) == 8


def test_gifts_are_free(price_list):
    price_list["gift"] = 0  # planted: PSA106
    assert Desk(price_list, {}, mailer=None).total(Order("ada", {"gift": 2})) == 0


def test_gifts_are_free_rightly(price_list, monkeypatch):
    monkeypatch.setitem(price_list, "gift", 0)
    assert Desk(price_list, {}, mailer=None).total(Order("ada", {"gift": 2})) == 0


class TestBasket:
    basket = []

    def test_what_is_put_in_is_in(self):
        self.basket.append("tea")  # planted: PSA105
        assert self.basket[-1] == "tea"


class TestBasketRightly:
    def setup_method(self):
        self.items = []

    def test_what_is_put_in_is_in(self):
        self.items.append("tea")
        assert self.items == ["tea"]
