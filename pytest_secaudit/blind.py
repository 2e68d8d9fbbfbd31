"""The words of blind spots: what tests replace, and nobody runs."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_secaudit.lean import lean
from pytest_secaudit.model import Place

#: Among the words of what child processes ran: every function there is.
ANYTHING = "*"


@lean
@dataclass(frozen=True, slots=True)
class BlindSpot:
    """A function of the project that tests replace.

    Attributes:
        path, line: of its ``def``.
        replaced_in: the tests during which it was replaced.
        security: it is relevant to it, for the ``word`` in its name, its module's, or among what it calls.
        places: where it is replaced.
        with_class: no test replaces the function alone, but its whole class.
        ran: how little it ran, of one that is half-blind.
        first, body, package, checksum: what tells it in a measurement; see `pytest_secaudit.watch.blind.record.Replaced`.
    """

    path: str
    line: int
    qualname: str
    replaced_in: tuple[str, ...]
    security: bool
    word: str = ""
    places: tuple[Place, ...] = ()
    with_class: bool = False
    ran: str = ""
    first: int = 0
    body: tuple[int, ...] = ()
    package: str = ""
    checksum: int = 0


@lean
@dataclass(frozen=True, slots=True)
class BlindSpots:
    """What is only ever mocked.

    Attributes:
        replaced: how many functions tests replace.
        blind: those that no test runs; security first, then those meant themselves, then by how many tests replace them.
        half: those that run only at import, or only in tests that check nothing.
        unknown: those of which nobody can tell.
        named: the packages that commands of child processes name, if some are unknown for that; ``*`` is any.
        off: why nothing is said to be blind, if so.
        not_run: how many were not run in what there was of a partial run.
    """

    replaced: int = 0
    blind: tuple[BlindSpot, ...] = ()
    half: tuple[BlindSpot, ...] = ()
    unknown: tuple[BlindSpot, ...] = ()
    named: tuple[str, ...] = ()
    off: str = ""
    not_run: int = 0
