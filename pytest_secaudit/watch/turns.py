"""Looks that are dear take turns: not every stage is followed by one, and then it may have been any of several."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_secaudit.watch.eyes import Looks
from pytest_secaudit.watch.ledger import Actor

MAX_NAMED = 20
#: So many may have been it and are known by name; a report names fewer.
MAX_MEMBERS = 500


#: So many looks every run has for nothing, so that small suites are looked at exactly, and seconds for them.
FREE_LOOKS = 60
RESERVE = 0.25


class Turn:
    """Some looks, who was on stage since they were last taken, and the time that they may take.

    Args:
        looks: how to look at which area.

    Attributes:
        share: of the tests' time, from 0 to 1.
        unwatched: those after whom nobody looked.
    """

    def __init__(self, looks: Looks) -> None:
        self.looks = looks
        self.unwatched: list[Actor] = []
        self.share = 0.0
        self._free = FREE_LOOKS
        self._reserve = RESERVE
        self._left = 0.0
        self._since: float | None = None
        self._cost = 0.0

    @property
    def is_rich(self) -> bool:
        """Whether nobody need think of the time."""
        return self._free > 0 and self._reserve > 0 and self.share > 0

    def is_affordable(self, now: float) -> bool:
        """Whether there is time enough for what one takes of late."""
        since, self._since = self._since, now
        if since is not None:
            self._left += (now - since) * self.share
        return self._left > self._cost or self.is_rich

    def took(self, seconds: float, now: float) -> None:
        """They were taken; while they are, nothing is earned."""
        self._cost = 0.7 * self._cost + 0.3 * seconds if self._cost else seconds
        if self.is_rich:
            self._free -= 1
            self._reserve -= seconds
        else:
            self._left -= seconds
        self._since = now


def window_of(actors: Sequence[Actor], last: Actor) -> Actor:
    """Whoever of these it was."""
    everybody = dict.fromkeys([*actors, *([last] if last.kind != "outside" else [])])
    if len(everybody) == 1:
        return next(iter(everybody))
    tests = [actor for actor in everybody if actor.kind == "test"]
    users = [actor for actor in everybody if actor.plugin is None] or list(everybody)
    named = tests if len({actor.id for actor in tests}) > 1 else users  # the set-up of one test's own fixture
    first, last, place = named[0], named[-1], (tests or named)[0]
    identity = first.id if first.id == last.id else f"{first.id} ... {last.id}"
    ids = tuple(dict.fromkeys(actor.id for actor in everybody))[:MAX_MEMBERS]
    return (tests or named)[-1]._replace(kind="window", id=identity, ids=ids, path=place.path, line=place.line)
