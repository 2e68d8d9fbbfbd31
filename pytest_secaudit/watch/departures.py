"""Who left the stage, and when: what says itself when it was changed was changed by one of them."""

from __future__ import annotations

import bisect
from array import array

from pytest_secaudit.watch.ledger import Actor

#: By so much (nanoseconds) the time that a file system notes may lag behind: it counts in ticks of the kernel.
TICK = 12_000_000


class Departures:
    """In the order of time, and small: there is one for each test of a run."""

    __slots__ = ("_actors", "_times")

    def __init__(self) -> None:
        self._times = array("q")
        self._actors: list[Actor] = []

    def note(self, when: int, actor: Actor) -> None:
        """The actor left then, in nanoseconds."""
        self._times.append(when)
        self._actors.append(actor)

    def on_stage(self, when: int) -> list[Actor]:
        """Who was there at that time; several where the clock of the files is too coarse."""
        first = bisect.bisect_left(self._times, when)
        last = bisect.bisect_left(self._times, when + TICK)
        return self._actors[first : last + 1]
