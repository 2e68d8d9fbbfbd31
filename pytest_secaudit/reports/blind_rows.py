"""What is only ever mocked, in words: the same for the terminal, Markdown and the page."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_secaudit.blind import ANYTHING, BlindSpot, BlindSpots
from pytest_secaudit.blind_spots import CODE
from pytest_secaudit.conclusion import plural
from pytest_secaudit.model import Audit

_MOST_NAMED = 3


def shown(audit: Audit) -> tuple[BlindSpot, ...]:
    """The blind spots, without those that are suppressed or known, and after them what is hardly run."""
    if audit.blind_spots is None:
        return ()
    hidden = {finding.subject for finding in audit.findings if finding.code == CODE and finding.status != "new"}
    blind = (one for one in audit.blind_spots.blind if f"{one.path}:{one.qualname}" not in hidden)
    return (*blind, *audit.blind_spots.half)


def headline(spots: BlindSpots) -> str:
    """``mock blind spots: 2 of 12 replaced functions are run by no test, 1 hardly``."""
    return f"mock blind spots: {'; '.join(_headline(spots))}"


def _headline(spots: BlindSpots) -> Iterator[str]:
    of_all = f"of {plural(spots.replaced, 'replaced function')}"
    if spots.off:
        yield f"not judged: {spots.off}"
        if spots.not_run:
            yield f"{spots.not_run:,} {of_all} did not run"
    elif not spots.replaced:
        yield "tests replace no function of the project"
    elif spots.blind:
        is_or_are = "is" if len(spots.blind) == 1 else "are"
        security = sum(one.security for one in spots.blind)
        about = f", {security:,} of them about security" if security else ""
        yield f"{len(spots.blind):,} {of_all} {is_or_are} run by no test{about}"
    elif not spots.unknown:
        yield f"none {of_all}"
    if spots.half:
        yield f"{len(spots.half):,} hardly run"
    if spots.unknown and not spots.off:
        yield f"{len(spots.unknown):,} {of_all} not known: nobody measured {_where(spots)}"


def _where(spots: BlindSpots) -> str:
    if not spots.named:
        return "where they may have run"
    packages = ", ".join(name for name in spots.named if name != ANYTHING)
    programs = [f"name {packages}"] if packages else []
    programs += ["may run anything"] if ANYTHING in spots.named else []
    return f"the programs started that {' or '.join(programs)}"


def word(spot: BlindSpot) -> str:
    """How blind it is, in one word."""
    return "half-blind" if spot.ran else "security" if spot.security else "blind"


def remark(spot: BlindSpot) -> str:
    """How little it ran, and who replaces it, where."""
    ran = f"run {spot.ran}; " if spot.ran else ""
    places = [f"{place.path}:{place.line}" for place in spot.places]
    more = len(places) - _MOST_NAMED
    named = ", ".join(places[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
    whole = " with its class" if spot.with_class else ""
    return f"{ran}replaced{whole} in {plural(len(spot.replaced_in), 'test')}" + (f": {named}" if named else "")
