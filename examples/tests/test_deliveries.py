"""Parcels arrive, and offers end."""

from __future__ import annotations

import threading
import time

from shop.deliveries import Courier, Offer

# --- waiting for real time


def test_a_parcel_arrives():
    courier = Courier()
    courier.deliver("tea")
    time.sleep(0.05)  # planted: PSA701
    assert courier.delivered == ["tea"]


def test_a_parcel_arrives_rightly():
    courier = Courier()
    courier.deliver("tea")
    assert courier.arrived.wait(timeout=5)
    assert courier.delivered == ["tea"]


def test_an_offer_ends():
    offer = Offer(3, seconds=0.02)
    time.sleep(0.03)  # planted: PSA701
    assert not offer.holds


def test_an_offer_ends_rightly(clock):
    offer = Offer(3, seconds=60, clock=clock)
    clock.now += 61
    assert not offer.holds


def test_a_parcel_arrives_once():
    courier = Courier()
    courier.deliver("tea").join()
    # A second parcel would show up within a moment; there is no event for what must not happen.
    time.sleep(0.02)  # planted: PSA701
    assert courier.delivered == ["tea"]


def test_a_parcel_arrives_some_time():
    courier = Courier()
    courier.deliver("tea")
    while not courier.delivered:  # planted: PSA702
        time.sleep(0.01)
    assert courier.delivered == ["tea"]


def test_a_parcel_arrives_in_time():
    courier = Courier()
    started = time.monotonic()
    courier.deliver("tea").join()
    assert time.monotonic() - started < 2  # planted: PSA703


def test_a_parcel_arrives_in_time_rightly():
    courier = Courier()
    thread = courier.deliver("tea")
    thread.join(timeout=60)
    assert not thread.is_alive()


# --- what goes on when the test is over


def test_sorting_stops_nobody():
    courier = Courier()
    threading.Thread(target=courier.sort, args=(["tea", "pot"] * 1_000,)).start()  # planted: PSA601
    assert courier.route("cup") == "road to cup"


def test_sorting_stops_nobody_rightly():
    courier = Courier()
    sorting = threading.Thread(target=courier.sort, args=(["tea", "pot"] * 1_000,))
    sorting.start()
    try:
        assert courier.route("cup") == "road to cup"
    finally:
        sorting.join(timeout=60)


# --- hoping for an order of events


def test_two_parcels_at_once(monkeypatch):
    courier = Courier()

    def slow(parcel):
        time.sleep(0.05)  # planted: PSA701
        return "detour"

    monkeypatch.setattr(courier, "route", slow)  # planted: PSA801
    for thread in [courier.deliver("tea"), courier.deliver("pot")]:
        thread.join()
    assert sorted(courier.delivered) == ["pot", "tea"]


def test_two_parcels_at_once_rightly(monkeypatch):
    courier = Courier()
    both_are_out = threading.Barrier(2, timeout=5)

    def route(parcel):
        both_are_out.wait()
        return "detour"

    monkeypatch.setattr(courier, "route", route)
    for thread in [courier.deliver("tea"), courier.deliver("pot")]:
        thread.join()
    assert sorted(courier.delivered) == ["pot", "tea"]
