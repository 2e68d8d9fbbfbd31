"""What is hidden, and by what; and what the run has cleared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_secaudit.conclusion import plural
from pytest_secaudit.model import Audit, Finding, Status
from pytest_secaudit.reports.html.anchors import Anchored
from pytest_secaudit.reports.html.tree import Element, Node, element
from pytest_secaudit.reports.html.words import code, fold, level, place, prose, shortened

_MOST = 2_000
_TITLES: dict[Status, str] = {
    "ignored": "ignored by a comment, a marker or a setting",
    "expected": "expected by the settings",
    "baselined": "known in the baseline",
}


def section(audit: Audit, aside: Sequence[Anchored], cleared: Sequence[Anchored]) -> Element:
    """One fold for each reason."""
    folds = []
    for status, title in _TITLES.items():
        mine = [one for one in aside if one.finding.status == status]
        if mine:
            folds.append(_fold(f"{plural(len(mine), 'finding')} {title}", mine))
    if cleared:
        folds.append(_fold(f"{plural(len(cleared), 'suspicion')} cleared by the run", cleared))
    nothing = element("p", "Nothing is hidden, and nothing was cleared.", class_="quiet")
    return element(
        "section", element("h2", "Hidden and cleared"), *(folds or [nothing]), *_baseline(audit), id="hidden"
    )


def _baseline(audit: Audit) -> Iterator[Element]:
    """The file that was used or written, and what of it does not happen any more."""
    used = audit.baseline
    if used is None:
        return
    verb = "was written, with" if used.is_written else "has"
    number = f"{used.entries:,} {'entry' if used.entries == 1 else 'entries'}"
    yield element("p", "The baseline ", code(used.path), f" {verb} {number}.")
    if used.stale:
        yield fold(
            f"{len(used.stale):,} of them no longer {'happens' if len(used.stale) == 1 else 'happen'}",
            element("ul", *(element("li", *prose(one)) for one in used.stale[:_MOST])),
        )


def _fold(title: str, mine: Sequence[Anchored]) -> Element:
    left = len(mine) - _MOST
    return fold(
        title,
        element("ul", *map(_item, mine[:_MOST]), class_="plain hidden"),
        element("p", f"{plural(left, 'finding')} more are in the JSON report.", class_="quiet") if left > 0 else None,
    )


def _item(one: Anchored) -> Element:
    return element("li", *_told(one.finding), id=one.anchor)


def _told(finding: Finding) -> Iterator[Node]:
    yield level(finding.severity)
    yield f" {finding.code} {finding.name} "
    yield element("span", place(finding.path, finding.line), class_="place")
    yield element("span", *prose(finding.message), class_="message")
    if finding.reason:
        yield element("small", "Reason: ", shortened(finding.reason))
