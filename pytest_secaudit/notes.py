"""What a review says of a file by reading it: plain values that can be sent, with nothing judged yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_secaudit.lean import lean


@lean
@dataclass(frozen=True, slots=True)
class Note:
    """A fact about a file.

    Attributes:
        dimension: the part of a review that it belongs to.
        kind: what it is (`pytest_secaudit.noting` has one file per dimension that makes them): ``base``, ``patch`` ...
        lines: where it stands: the first line and the last.
        text: what stands there, as one short piece of the user's own source or of a sentence.
        subject: what it is about, as the run names it (``shop.orders.charge``), if anything.
        ends: how it ends again, if it does: ``useFixture``, ``with``, ``addCleanup at 189``.
        marks: what else there is to say: ``security``, ``before super().setUp()``.
    """

    dimension: int
    kind: str
    lines: tuple[int, int]
    text: str
    subject: str = ""
    ends: str = ""
    marks: tuple[str, ...] = ()


def from_plain(data: Mapping[str, Any]) -> Note:
    """The note that `dataclasses.asdict` made plain.

    Raises:
        KeyError, TypeError: when the data are not of that form.
    """
    first, last = data["lines"]
    return Note(**{**data, "lines": (first, last), "marks": tuple(data["marks"])})
