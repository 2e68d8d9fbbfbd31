"""The catalogue of the shop, in the style of `unittest`."""

from __future__ import annotations

import unittest

import pytest

from shop.orders import Desk, Order


class TestPrices(unittest.TestCase):
    def setUp(self):
        self.desk = Desk({"tea": 4, "pot": 20}, {"tea": 10}, mailer=None)

    def test_total(self):
        self.assertTrue(self.desk.total(Order("ada", {"tea": 2})), 9)  # planted: PSA005

    def test_total_rightly(self):
        self.assertEqual(self.desk.total(Order("ada", {"tea": 2})), 8)

    def test_every_price_is_positive(self):
        def check(article):  # planted: PSA008
            self.assertGreater(self.desk.prices[article], 1_000)

        for article in self.desk.prices:
            self.assertIn(article, self.desk.prices)

    def test_every_price_is_positive_rightly(self):
        def check(article):
            self.assertGreater(self.desk.prices[article], 0)

        for article in self.desk.prices:
            check(article)

    def test_an_empty_order_is_free(self):  # planted: PSA009
        self.assertEqual(self.desk.total(Order("ada")), 1)

    def test_an_empty_order_is_free(self):
        self.assertEqual(self.desk.total(Order("ada")), 0)

    def test_an_unknown_article_has_no_price(self):
        try:
            self.desk.total(Order("ada", {"cup": 1}))
        except KeyError:
            return
        self.fail("%s has a price", "cup")  # planted: PSA206

    def test_an_unknown_article_has_no_price_rightly(self):
        with self.assertRaises(KeyError):
            self.desk.total(Order("ada", {"cup": 1}))

    # Python does warn about what follows; suites with years behind them have learned to look away.
    @pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
    def test_each_article_is_in_stock(self):  # planted: PSA010
        for article in self.desk.prices:
            yield self.assertIn(article, self.desk.stock)

    def test_each_article_has_a_price(self):
        for article in self.desk.stock:
            with self.subTest(article):
                self.assertIn(article, self.desk.prices)


class TestPricesLater(unittest.IsolatedAsyncioTestCase):
    async def test_total_rightly(self):
        desk = Desk({"tea": 4}, {}, mailer=None)
        self.assertEqual(desk.total(Order("ada", {"tea": 2})), 8)
