"""The leak timeline: who left what behind, when, for how long, and which later tests ran with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_secaudit.conclusion import plural
from pytest_secaudit.lean import lean
from pytest_secaudit.model import Audit, Finding, Lifetime
from pytest_secaudit.reports.html.anchors import Anchored
from pytest_secaudit.reports.html.tree import Element, Node, element
from pytest_secaudit.reports.html.words import at, fold, names, prose, shortened, unseen

_SHOWN = 30
_MOST = 400
#: Bars nearer than this share of the scale are drawn as one.
_NEAR = 0.004
_MOST_BARS = 80
_NAMED = 20


@lean
@dataclass(frozen=True, slots=True)
class _Lane:
    """One change in one process: the stretches of test bodies in which it was in force."""

    told: Anchored
    process: str
    bodies: int
    stretches: tuple[tuple[int, int], ...]
    stayed: bool

    @property
    def finding(self) -> Finding:
        return self.told.finding

    @property
    def order(self) -> tuple[int, ...]:
        return (-len(self.finding.victims), -self.finding.severity, -self.lived)

    @property
    def lived(self) -> int:
        return sum(until - began for began, until in self.stretches)


def section(audit: Audit, new: Sequence[Anchored]) -> Element:
    """A lane for each change that was left: those that hurt somebody first, then the worst, then the longest."""
    lanes = sorted(_lanes(audit, new), key=lambda lane: lane.order)
    return element("section", element("h2", "What was left behind"), *_told(audit, new, lanes), id="timeline")


def _told(audit: Audit, new: Sequence[Anchored], lanes: Sequence[_Lane]) -> Iterator[Element]:
    left = sum("later_tests" in one.finding.detail for one in new)
    if not lanes:
        if audit.run.collect_only or audit.run.depth == "static":
            said = "Nothing was run, so nobody saw what the tests leave behind."
        elif left:
            said = f"{plural(left, 'change')} outlived their owners; how long they did is not known."
        else:
            said = "No change was seen to outlive its owner."
        yield element("p", said, class_="quiet")
        return
    yield _table(lanes[:_SHOWN], _caption(audit, lanes), is_named=True)
    if lanes[_SHOWN:]:
        more = lanes[_SHOWN:_MOST]
        caption = f"{plural(len(more), 'change')} less bad, or shorter."
        rest = len(lanes) - _SHOWN - len(more)
        yield fold(
            f"{plural(len(lanes) - _SHOWN, 'change')} more",
            _table(more, caption, is_named=False),
            element("p", f"{plural(rest, 'change')} more: see the findings.", class_="quiet") if rest else None,
        )


def _caption(audit: Audit, lanes: Sequence[_Lane]) -> str:
    victims = {test for lane in lanes for test in lane.finding.victims}
    hurt = f" {plural(len(victims), 'test')} failed while one of them was in force." if victims else ""
    if len(audit.bodies) > 1:
        scale = "A bar runs over the tests of one worker, from its first to its last."
    else:
        scale = "A bar runs over the tests in their order, from the first to the last."
    return f"Changes that were still in force when their owner's scope was over. {scale}{hurt}"


# --- lanes


def _lanes(audit: Audit, new: Sequence[Anchored]) -> Iterator[_Lane]:
    by_fingerprint: dict[str, Anchored] = {}
    for one in new:
        by_fingerprint.setdefault(one.finding.fingerprint, one)
    grouped: defaultdict[tuple[str, str], list[Lifetime]] = defaultdict(list)
    for lifetime in audit.lifetimes:
        grouped[lifetime.fingerprint, lifetime.process].append(lifetime)
    for (fingerprint, process), lifetimes in grouped.items():
        told = by_fingerprint.get(fingerprint)
        if told is not None:
            bodies = _bodies(audit.bodies, process, lifetimes)
            stayed = any(one.until is None for one in lifetimes)
            yield _Lane(told, process, bodies, tuple(_united(lifetimes, bodies)), stayed)


def _bodies(bodies: Mapping[str, int], process: str, lifetimes: Iterable[Lifetime]) -> int:
    """How long the scale is; where nobody has counted, as long as it must be."""
    return max(bodies.get(process, 0), *(max(one.began, one.until or 0) for one in lifetimes), 1)


def _united(lifetimes: Iterable[Lifetime], bodies: int) -> Iterator[tuple[int, int]]:
    """The stretches in their order, none touching another."""
    ends = sorted((one.began, bodies if one.until is None else max(one.until, one.began)) for one in lifetimes)
    began, until = ends[0]
    for start, end in ends[1:]:
        if start > until:
            yield began, until
            began, until = start, end
        else:
            until = max(until, end)
    yield began, until


# --- the table


def _table(lanes: Sequence[_Lane], caption: str, *, is_named: bool) -> Element:
    head = element(
        "tr", element("th", "What, and by whom", _axis(lanes), scope="col"), element("th", "Tests with it", scope="col")
    )
    return element(
        "table",
        element("caption", caption, class_=None if is_named else "quiet"),
        element("thead", head),
        element("tbody", *map(_row, lanes)),
        class_="lanes",
    )


def _axis(lanes: Sequence[_Lane]) -> Element:
    """The scale; the numbers are those of the only process, if there is only one."""
    lengths = {lane.bodies for lane in lanes}
    first, last = ("1", f"{lengths.pop():,}") if len(lengths) == 1 else ("first", "last")
    ticks = [element("line", x1=at(part / 4), x2=at(part / 4), y1=15, y2=20) for part in range(5)]
    return element(
        "svg",
        element("title", f"The scale: from test {first} to test {last}" if first == "1" else "The scale"),
        element("text", f"test {first}" if first == "1" else "first test", x=0, y=11),
        element("text", last if first == "1" else "last test", x="100%", y=11, text_anchor="end"),
        *ticks,
        class_="axis",
        width="100%",
        height=20,
        role="img",
    )


def _row(lane: _Lane) -> Element:
    finding = lane.finding
    return element(
        "tr",
        element(
            "th",
            element("a", *_what(finding), href=lane.told.link, class_=f"level {finding.severity.word}"),
            _picture(lane),
            _known(finding),
            scope="row",
        ),
        element("td", *_numbers(lane)),
    )


def _what(finding: Finding) -> Iterator[Node]:
    yield unseen(f"{finding.severity.word}: ")
    yield from prose(finding.message)


def _numbers(lane: _Lane) -> Iterator[Element]:
    of = f" of {lane.bodies:,}" + (f" in {shortened(lane.process, 40)}" if lane.process else "")
    yield element("strong", f"{lane.lived:,}")
    yield element("small", of)
    yield element("small", "to the end" if lane.stayed else "then put back")
    if lane.finding.victims:
        yield element("span", f"{plural(len(lane.finding.victims), 'victim')}", class_="victims")


def _picture(lane: _Lane) -> Element:
    level = lane.finding.severity.word
    kind = f"{level} hurt" if lane.finding.victims else level
    drawn = list(_drawn(lane))[:_MOST_BARS]
    bars = [
        element("rect", x=at(start), y=3, width=at(end - start), height=8, rx=2, class_=kind) for start, end in drawn
    ]
    dots = [element("circle", cx=at(start), cy=7, r=4, class_=level) for start, _ in drawn]
    track = element("rect", x=0, y=6, width="100%", height=2, class_="track")
    return element(
        "svg", element("title", _said(lane)), track, *bars, *dots, class_="lane", width="100%", height=14, role="img"
    )


def _drawn(lane: _Lane) -> Iterator[tuple[float, float]]:
    """The stretches as shares of the scale, those that could not be told apart as one."""
    began, until = (number / lane.bodies for number in lane.stretches[0])
    for stretch in lane.stretches[1:]:
        start, end = (number / lane.bodies for number in stretch)
        if start - until > _NEAR:
            yield began, until
            began = start
        until = end
    yield began, until


def _said(lane: _Lane) -> str:
    first, last = lane.stretches[0][0], lane.stretches[-1][1]
    parts = f", in {len(lane.stretches):,} stretches" if len(lane.stretches) > 1 else ""
    until = "to the end" if lane.stayed else f"to test {last:,}"
    return f"in force from test {min(first + 1, lane.bodies):,} {until} of {lane.bodies:,}{parts}"


def _known(finding: Finding) -> Element | None:
    """The victims by name, and some of the tests that ran with it."""
    failed = frozenset(finding.victims)
    others = [test for test in finding.seen_by if test not in failed]
    if not failed and not others:
        return None
    said = [plural(len(failed), "victim")] if failed else []
    later = finding.detail.get("later_tests", 0) - len(failed)
    some_of = f"{len(others):,} of the " if later > len(others) else ""
    said += [f"{some_of}{plural(max(later, len(others)), 'test')} that ran with it"] if others else []
    return fold(
        ", ".join(said),
        names(finding.victims, _NAMED, "victims") if failed else None,
        names(others, _NAMED) if others else None,
        class_="fold aside",
    )
