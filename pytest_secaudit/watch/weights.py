"""How much of its level a claim keeps; decided once, for all processes together, when the run is over."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Sequence

from pytest_secaudit.watch.record import Claimed


class Weight(enum.Enum):
    """How much of its level a claim keeps."""

    FULL = "full"
    LOWER = "one level lower"
    SILENT = "silent"


def weigh(claims: Sequence[Claimed]) -> list[tuple[Claimed, Weight]]:
    """Each claim with its weight.

    Never put back: full; put back by some other test, which may run before it another time: full. Put back by a wider
    scope's clean-up, or left by a test that failed: one lower. Re-made by every following set-up of its group before a
    test body ran: silent, the last one too, which no set-up follows.
    """
    groups: dict[tuple[str, str, str], list[Claimed]] = defaultdict(list)
    for claim in claims:
        groups[_group(claim)].append(claim)
    remade = {key for key, group in groups.items() if _is_remade(group)}
    return [(claim, _weight(claim, remade=_group(claim) in remade)) for claim in claims]


def _group(claim: Claimed) -> tuple[str, str, str]:
    return claim.area, claim.subject, claim.group


def _is_remade(group: Sequence[Claimed]) -> bool:
    # Parts of what the same process made anew later went with it.
    wholes = {claim.source: number for number, claim in enumerate(group) if not claim.is_part}
    counted = [
        claim for number, claim in enumerate(group) if not claim.is_part or number > wholes.get(claim.source, -1)
    ]
    return any(claim.remade for claim in counted) and not any(claim.seen_in_group for claim in counted)


def _weight(claim: Claimed, *, remade: bool) -> Weight:
    if remade:
        return Weight.SILENT
    if claim.after_failure or claim.paid_by not in ("", "test"):
        return Weight.LOWER
    return Weight.FULL
