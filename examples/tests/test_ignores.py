"""Ignores: two that hold and are counted, and four that the audit has something to say about.

A line marked `hidden` is found, and kept out of the report by an ignore.
"""

from __future__ import annotations

import time

import pytest

from shop.deliveries import Courier, Offer


def test_hidden_by_a_comment():
    offer = Offer(3, seconds=0.01)
    # secaudit: ignore[PSA701] this one is about the real clock
    time.sleep(0.02)  # hidden: PSA701
    assert not offer.holds


@pytest.mark.secaudit(ignore=["real-sleep"], reason="this one is about the real clock", until="2999-12-31")
def test_hidden_by_a_marker():
    offer = Offer(3, seconds=0.01)
    time.sleep(0.02)  # hidden: PSA701
    assert not offer.holds


@pytest.mark.secaudit(ignore=["PSA701"], reason="the courier was slow once")  # planted: PSA090
def test_an_ignore_that_is_not_needed_any_more():
    courier = Courier()
    courier.deliver("tea").join(timeout=5)
    assert courier.delivered == ["tea"]


@pytest.mark.secaudit(ignore=["PSA799"], reason="there is no such check")  # planted: PSA091
def test_an_ignore_of_nothing():
    assert Offer(3, seconds=60).holds


@pytest.mark.secaudit(ignore=["PSA701"], reason="until the clock is injected", until="2026-01-31")  # planted: PSA092
def test_an_ignore_that_was_meant_to_end():
    offer = Offer(3, seconds=0.01)
    time.sleep(0.02)  # hidden: PSA701
    assert not offer.holds


@pytest.mark.secaudit(ignore=["PSA701"])  # planted: PSA093
def test_an_ignore_without_a_reason():
    offer = Offer(3, seconds=0.01)
    time.sleep(0.02)  # planted: PSA701
    assert not offer.holds
