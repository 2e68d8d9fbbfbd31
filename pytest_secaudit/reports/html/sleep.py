"""Where the run slept: the longest first, each bar beginning where the one before it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise

from pytest_secaudit.conclusion import plural
from pytest_secaudit.model import Audit, SleepSite
from pytest_secaudit.reports.html.anchors import Anchored
from pytest_secaudit.reports.html.tree import Element, Node, element
from pytest_secaudit.reports.html.words import at, fold, per_cent, place, seconds

_SHOWN = 15
_MOST = 300
#: The dimension of sleep and synchronisation.
_SLEEP = 7
#: The audit names no more tests of a place.
_MOST_NAMED = 20
#: The sum that is worth a sentence of its own.
_MOST_OF_IT = 0.8


def section(audit: Audit, new: Sequence[Anchored]) -> Element:
    """A bar for each line that slept, with the share that it and all longer ones have together."""
    return element("section", element("h2", "Real sleep"), *_told(audit, new), id="sleep")


def _told(audit: Audit, new: Sequence[Anchored]) -> Iterator[Element]:
    sites = audit.sleep.sites
    if not sites:
        state = audit.evidence.watchers.get("sleep", "off")
        said = "No test slept for real time." if state == "on" else "Nobody watched whether the tests sleep."
        yield element("p", said, class_="quiet")
        return
    links = _links(new)
    aside = [site for site in sites if site.in_threads]
    sites = tuple(site for site in sites if not site.in_threads)
    sums = _sums(sites)
    rows = [_row(site, *share, links) for site, share in zip(sites, pairwise(sums), strict=True)]
    yield _table(rows[:_SHOWN], _caption(audit, sums))
    if rows[_SHOWN:]:
        more = rows[_SHOWN:_MOST]
        yield fold(
            f"{plural(len(rows) - _SHOWN, 'place')} more, {_together(sites[_SHOWN:])}",
            _table(more, f"The next {plural(len(more), 'place')}."),
            _left(len(rows) - _SHOWN - len(more)),
        )
    if aside:
        yield fold(
            f"{plural(len(aside), 'place')} in threads that tests started, {_together(aside)}",
            _table(
                [_row(site, *share, links) for site, share in zip(aside, pairwise(_sums(aside)), strict=True)][:_MOST],
                "Where threads slept, which may hold up nobody.",
            ),
            _left(len(aside) - _MOST),
        )


def _sums(sites: Sequence[SleepSite]) -> list[float]:
    """The share of all sleep before each site, and after the last."""
    sums = [0.0, *accumulate(site.seconds for site in sites)]
    return [one / sums[-1] if sums[-1] else 0.0 for one in sums]


def _together(sites: Sequence[SleepSite]) -> str:
    return f"{seconds(sum(site.seconds for site in sites))} together"


def _left(count: int) -> Element | None:
    return element("p", f"{plural(count, 'place')} more are in the JSON report.", class_="quiet") if count > 0 else None


def _caption(audit: Audit, sums: Sequence[float]) -> str:
    slept = audit.sleep
    text = f"{seconds(slept.total_s)} asleep of {seconds(audit.run.duration_s)} ({per_cent(slept.share)})"
    few = next((number for number, share in enumerate(sums) if share >= _MOST_OF_IT), 0)
    if 0 < few <= (len(sums) - 1) // 2:
        text += f". {plural(few, 'place').capitalize()} of {len(sums) - 1} {'holds' if few == 1 else 'hold'}"
        text += f" {per_cent(sums[few])} of it"
    return f"{text}. Where tests slept, the longest first; each bar begins where the one before it ends."


def _links(new: Sequence[Anchored]) -> Mapping[tuple[str, int], str]:
    """The finding about the sleep at a line, if there is one."""
    found: dict[tuple[str, int], str] = {}
    for one in new:
        if one.finding.dimension == _SLEEP:
            found.setdefault((one.finding.path, one.finding.line), one.link)
    return found


def _table(rows: Sequence[Element], caption: str) -> Element:
    heads = ("Place", "Slept", "Together")
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *(element("th", head, scope="col") for head in heads))),
        element("tbody", *rows),
        class_="sleep",
    )


def _row(site: SleepSite, before: float, after: float, links: Mapping[tuple[str, int], str]) -> Element:
    link = links.get((site.path, site.line))
    named: Node = element("code", place(site.path, site.line))
    more = " or more" if len(site.tests) >= _MOST_NAMED else ""
    counted = f"{plural(site.calls, 'call')}, {plural(len(site.tests), 'test')}{more}"
    return element(
        "tr",
        element(
            "th",
            element("a", named, href=link) if link else named,
            element("small", counted),
            _picture(site, before, after),
            scope="row",
        ),
        element("td", element("strong", seconds(site.seconds))),
        element("td", per_cent(after)),
    )


def _picture(site: SleepSite, before: float, after: float) -> Element:
    said = f"{seconds(site.seconds)}; with all longer ones {per_cent(after)}"
    return element(
        "svg",
        element("title", said),
        element("rect", x=0, y=4, width="100%", height=2, class_="track"),
        element("rect", x=0, y=2, width=at(before), height=6, class_="before") if before else None,
        element("rect", x=at(before), y=0, width=at(after - before), height=10, rx=1, class_="slept"),
        class_="lane",
        width="100%",
        height=10,
        role="img",
    )
