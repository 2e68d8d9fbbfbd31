"""What a watcher noticed, until it is handed out: each thing once for each owner, and not without end."""

from __future__ import annotations

from collections import deque

from pytest_secaudit.watch.record import Noticed

MAX_SUBJECTS = 100
MAX_OWNERS = 20


class Noticings:
    """Takes in what is noticed, from any thread, and hands it out once."""

    def __init__(self) -> None:
        self._owners: dict[str, set[str]] = {}
        self._new: deque[Noticed] = deque()

    def add(self, noticed: Noticed) -> None:
        """Keep it, unless it is known of this owner, or there are enough already."""
        owners = self._owners.get(noticed.subject)
        if owners is None:
            if len(self._owners) >= MAX_SUBJECTS:
                return
            owners = self._owners.setdefault(noticed.subject, set())
        if noticed.owner.id not in owners and len(owners) < MAX_OWNERS:
            owners.add(noticed.owner.id)
            self._new.append(noticed)

    def drain(self) -> tuple[Noticed, ...]:
        """What is new since the last time."""
        return tuple(self._new.popleft() for _ in range(len(self._new)))
