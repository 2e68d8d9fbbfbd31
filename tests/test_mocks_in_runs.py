"""Mocks at work, in whole runs: what is read and what is seen are one finding."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest_plugins = ["pytester"]

SHOP = """
def check_signature(body, *, key=""):
    return bool(body)

def order(body):
    return check_signature(body, "key")
"""


def findings(pytester: pytest.Pytester, *args: str) -> list[dict[str, Any]]:
    pytester.runpytest_subprocess("--secaudit", "--secaudit-report=json:out.json", *args)
    report = json.loads((pytester.path / "out.json").read_text("utf-8"))
    codes = ("PSA001", "PSA002", "PSA003", "PSA007", "PSA802")
    return [found for found in report["findings"] if found["code"] in codes]


def told(pytester: pytest.Pytester, *args: str) -> list[tuple[str, int, str]]:
    return [(found["code"], found["line"], found["evidence"]) for found in findings(pytester, *args)]


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(shop=SHOP)
    pytester.syspathinsert()
    return pytester


def test_what_is_read_is_confirmed_and_told_once(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        """
        from unittest import mock

        def test_charge():
            charge = mock.Mock()
            charge.asser_called_once()
            charge.assert_has_calls([])
            mock.patch("shop.order")

        def test_refund():
            refund = mock.Mock()
            assert refund.was_called
        """
    )
    assert told(shop) == [
        ("PSA002", 5, "confirmed"),
        ("PSA002", 11, "confirmed"),
        ("PSA003", 6, "confirmed"),
        ("PSA007", 7, "confirmed"),
    ]


def test_what_reading_cannot_see(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        """
        from unittest import mock

        def test_charge():
            charge = mock.Mock()
            expected = [mock.call(name) for name in []]
            charge.assert_has_calls(expected)
            patcher = mock.patch("shop.order")
        """
    )
    assert told(shop) == [("PSA003", 6, "confirmed"), ("PSA007", 7, "confirmed")]


def test_a_call_that_the_real_check_refuses(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        test_shop="""
        from unittest import mock
        import shop

        @mock.patch("shop.check_signature")
        def test_order(check):
            assert shop.order("body")

        class TestOrder:
            def setup_method(self):
                self.patcher = mock.patch("shop.check_signature")
                self.patcher.start()

            def teardown_method(self):
                self.patcher.stop()

            def test_order(self):
                assert shop.order("body")

        def test_right():
            with mock.patch("shop.check_signature"):
                shop.check_signature("body")
        """,
        conftest="from unittest import mock",
    )
    # The second is bound to an attribute, and not suspected by reading; the third is called as it should be.
    assert told(shop) == [("PSA802", 4, "confirmed"), ("PSA802", 10, "confirmed"), ("PSA802", 20, "suspected")]


def test_it_does_not_hang_on_workers(shop: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    shop.makepyfile(
        """
        from unittest import mock

        def test_charge():
            mock.Mock().asser_called_once()

        def test_refund():
            mock.patch("shop.order")
        """
    )
    alone, spread = findings(shop), findings(shop, "-n2")
    assert [one["fingerprint"] for one in alone] == [one["fingerprint"] for one in spread]
    assert [one["evidence"] for one in spread] == ["confirmed"] * 2


def test_an_honest_suite_is_silent(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        """
        import unittest
        from unittest import mock
        import pytest
        import shop

        @mock.patch("shop.check_signature", autospec=True)
        class TestOrder(unittest.TestCase):
            def setUp(self):
                self.patcher = mock.patch.object(shop, "order")
                self.kept = mock.patch.dict("os.environ", A="1")

            def test_started(self, check):
                with self.patcher as order:
                    shop.order(1)
                order.assert_called_once_with(1)

            def test_not_started(self, check):
                assert not check.called

        @pytest.mark.parametrize("expected", [[], [mock.call(1)]])
        def test_expected(expected):
            m = mock.Mock()
            for one in expected:
                m(1)
            m.assert_has_calls(expected)

        @pytest.mark.skip
        @mock.patch("shop.order")
        def test_skipped(order):
            order.nothing()

        def test_skips_itself():
            patcher = mock.patch("shop.order")
            pytest.skip()
        """
    )
    assert told(shop) == []
