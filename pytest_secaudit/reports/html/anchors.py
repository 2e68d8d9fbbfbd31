"""Where each finding stands on the page: an id that stays the same as long as the hazard is there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_secaudit.lean import lean
from pytest_secaudit.model import Finding

_STRANGE = re.compile(r"[^A-Za-z0-9_.]+")
_LONGEST = 80


@lean
@dataclass(frozen=True, slots=True)
class Anchored:
    """A finding and the id of its element: ``PSA101-96dadd625bd1068e30f8``."""

    finding: Finding
    anchor: str

    @property
    def link(self) -> str:
        return f"#{self.anchor}"


def anchored(findings: Iterable[Finding]) -> tuple[Anchored, ...]:
    """Each with an id of its own; of those that would share one, the later ones are numbered."""
    last: defaultdict[str, int] = defaultdict(int)
    taken: set[str] = set()
    found = []
    for finding in findings:
        wanted = f"{_plain(finding.code)}-{_plain(finding.fingerprint)}"
        last[wanted] += 1
        anchor = wanted
        while anchor in taken:
            last[wanted] += anchor != wanted
            anchor = f"{wanted}-{last[wanted]}"
        taken.add(anchor)
        found.append(Anchored(finding, anchor))
    return tuple(found)


def _plain(text: str) -> str:
    """What may stand in an id, and in a link to it, as it is."""
    return _STRANGE.sub("_", text)[:_LONGEST]
