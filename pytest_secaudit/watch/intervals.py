"""How long anything of several was going on: stretches of time that overlap count once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable

_MOST = 1000


class Union:
    """The length of a union of intervals, in bounded memory.

    Exact as long as no interval outlasts hundreds of others that do not touch each other: of such a one only what
    lies after those is counted. So it may say too little, never too much.
    """

    def __init__(self) -> None:
        self._begins: list[float] = []
        self._ends: list[float] = []
        self._settled = 0.0
        self._horizon = float("-inf")

    def add(self, begin: float, end: float) -> None:
        """Count what lies between; intervals may come in any order."""
        begin = max(begin, self._horizon)
        if end <= begin:
            return
        # Both lists are sorted, for what is in them does not touch: these are the neighbours that the new one touches.
        first = bisect_left(self._ends, begin)
        last = bisect_left(self._begins, end)
        if first < last:
            begin = min(begin, self._begins[first])
            end = max(end, self._ends[last - 1])
        self._begins[first:last] = [begin]
        self._ends[first:last] = [end]
        if len(self._begins) > _MOST:
            self._settle(_MOST // 2)

    def _settle(self, count: int) -> None:
        self._settled += self._sum(count)
        self._horizon = self._ends[count - 1]
        del self._begins[:count], self._ends[:count]

    def _sum(self, count: int | None = None) -> float:
        return sum(end - begin for begin, end in zip(self._begins[:count], self._ends[:count], strict=True))

    @property
    def seconds(self) -> float:
        """The length of all that was added."""
        return self._settled + self._sum()


def overlapping(stretches: Iterable[tuple[Hashable, float, float]]) -> set[Hashable]:
    """The names of those that were going on while one of another name was: ``(name, begin, end)`` each."""
    latest: dict[Hashable, float] = {}
    found: set[Hashable] = set()
    for name, begin, end in sorted(stretches, key=lambda stretch: stretch[1]):
        met = {other for other, until in latest.items() if other != name and until > begin}
        if met:
            found |= met | {name}
        latest[name] = max(end, latest.get(name, end))
    return found
