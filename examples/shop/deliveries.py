"""Parcels leave in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: The hours of the day at which parcels leave.
hours = range(8, 18)


def is_open(hour: int) -> bool:
    return hour in hours


class Courier:
    """Delivers one parcel at a time in a thread of its own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.delivered: list[str] = []
        self.arrived = threading.Event()
        self._lock = threading.Lock()

    def deliver(self, parcel: str) -> threading.Thread:
        thread = threading.Thread(target=self._drive, args=(parcel,))
        thread.start()
        return thread

    def route(self, parcel: str) -> str:
        return f"road to {parcel}"

    def sort(self, parcels: list[str]) -> list[str]:
        self.arrived.wait(1)  # for the last parcel of the day
        return sorted(parcels, key=self.route)

    def _drive(self, parcel: str) -> None:
        self.route(parcel)
        with self._lock:
            self.delivered.append(parcel)
        self.arrived.set()


class Offer:
    """A price that holds for a while."""

    def __init__(self, price: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.price = price
        self._clock = clock
        self._ends = clock() + seconds

    @property
    def holds(self) -> bool:
        return self._clock() < self._ends
