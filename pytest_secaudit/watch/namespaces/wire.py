"""Whether anything may have changed, told by the ids of everything that is referred to: some 50 ns each.

No value is compared, no code of anybody runs, nothing is held. What has moved is looked at closely by others; most of
the time nothing has.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from itertools import compress


class Wire:
    """Laid through some namespaces and what they lead to, one step after the other.

    Args:
        spaces: the namespaces.
        wanted: the ids of what the wire is to go through.
    """

    __slots__ = ("_spaces", "_steps")

    def __init__(self, spaces: Sequence[object], wanted: Iterable[int]) -> None:
        self._spaces = spaces
        steps: list[tuple[int, bytes]] = []
        left = set(wanted)
        found = gc.get_referents(*spaces)
        leads_on = True
        while leads_on:
            ids = tuple(map(id, found))
            through = bytearray(len(ids))
            for number, one in enumerate(ids):
                if one in left:
                    left.discard(one)
                    through[number] = 1
            steps.append((hash(ids), bytes(through)))  # instead of the ids: they would take 40 bytes each
            leads_on = 1 in through
            found = gc.get_referents(*compress(found, through))
        self._steps = tuple(steps)

    def is_still(self) -> bool:
        """Whether everything is where it was."""
        found = gc.get_referents(*self._spaces)
        for ids, through in self._steps:
            if hash(tuple(map(id, found))) != ids:
                return False
            found = gc.get_referents(*compress(found, through))
        return True
