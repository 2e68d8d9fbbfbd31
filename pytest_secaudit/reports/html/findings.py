"""The new findings: by level and check, each with its lines, its evidence and what to do."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from pytest_secaudit.checks import whole
from pytest_secaudit.checks.headings import HEADINGS
from pytest_secaudit.conclusion import plural
from pytest_secaudit.model import ADVISORY, DEFECT, INFO, Audit, Evidence, Finding, Owner, Severity
from pytest_secaudit.reports.html.anchors import Anchored
from pytest_secaudit.reports.html.excerpts import Excerpts
from pytest_secaudit.reports.html.tree import Element, Node, element
from pytest_secaudit.reports.html.words import code, fold, names, place, prose, seconds, sentence, shortened, unseen

#: So many are told in full, the worst first; a page with more would open slowly.
MOST_IN_FULL = 2_000
#: So many of one check are in view; the others are one fold away.
_IN_VIEW = 25
_NAMED = 10
#: With so many checks a list of them is worth its room.
_FEW_CHECKS = 3
_NOT_SEEN: dict[Evidence, str] = {"suspected": "suspected", "not-reached": "not reached", "cleared": "cleared"}
_EVIDENCE: dict[Evidence, str] = {
    "confirmed": "confirmed: the run has seen it",
    "suspected": "suspected: it was read, and no run has told",
    "not-reached": "not reached: its test ran and did not come to this place",
    "cleared": "cleared: the run has seen the opposite",
}


def section(audit: Audit, new: Sequence[Anchored], lines: Excerpts) -> Element:
    """All new findings. Of each check the first is open, so that a reader meets every hazard once in full."""
    full = frozenset(one.anchor for one in new[:MOST_IN_FULL])
    levels = [
        (severity, [one for one in new if one.finding.severity is severity]) for severity in (DEFECT, ADVISORY, INFO)
    ]
    groups = [(severity, mine, _by_check(mine)) for severity, mine in levels if mine]
    seen: set[str] = set()
    index: list[Element] = []
    parts: list[Element] = []
    for severity, mine, checks in groups:
        parts.append(element("h3", plural(len(mine), severity.word).capitalize(), id=_plural(severity)))
        for group in checks:
            anchor = _group_anchor(group[0].finding, seen)
            index.append(_entry(group, anchor or group[0].anchor))
            parts.append(_check(group, anchor, full, lines))
    return element(
        "section",
        element("h2", "Findings"),
        fold("By check", element("ul", *index, class_="index")) if len(index) > _FEW_CHECKS else None,
        *(parts or [element("p", _none(audit), class_="quiet")]),
        _cut(len(new)),
        id="findings",
        tabindex="-1",
    )


def _none(audit: Audit) -> str:
    return "There is no new finding." if audit.evidence.modules else "Nothing was audited, so nothing was found."


def _cut(count: int) -> Element | None:
    if count <= MOST_IN_FULL:
        return None
    said = f"The first {MOST_IN_FULL:,} are told in full, the worst first; the other {count - MOST_IN_FULL:,} in brief."
    return element("p", said, class_="quiet")


def _plural(severity: Severity) -> str:
    return plural(2, severity.word).partition(" ")[2]


def _by_check(mine: Iterable[Anchored]) -> list[list[Anchored]]:
    groups: dict[str, list[Anchored]] = {}
    for one in mine:
        groups.setdefault(one.finding.code, []).append(one)
    return list(groups.values())


def _group_anchor(finding: Finding, seen: set[str]) -> str | None:
    """The code itself leads to the first group that has it."""
    anchor = finding.code if re.fullmatch(r"[A-Z]+[0-9]+", finding.code) else None
    if anchor is None or anchor in seen:
        return None
    seen.add(anchor)
    return anchor


def _entry(group: Sequence[Anchored], anchor: str) -> Element:
    first = group[0].finding
    word = first.severity.word
    name = element("a", unseen(f"{word}: "), f"{first.code} {first.name}", href=f"#{anchor}", class_=f"level {word}")
    return element("li", name, " ", element("span", f"{len(group):,}", class_="count"))


# --- a check


def _check(group: Sequence[Anchored], anchor: str | None, full: frozenset[str], lines: Excerpts) -> Element:
    first = group[0].finding
    count = unseen(f", {plural(len(group), first.severity.word)}")
    head = element(
        "h4",
        element("span", first.code, class_="code"),
        f" {first.name} ",
        element("span", f"{len(group):,}", class_="count", aria_hidden="true"),
        count,
    )
    told = [
        _finding(one, lines, is_open=number == 0) if one.anchor in full else _brief(one)
        for number, one in enumerate(group)
    ]
    view, rest = told[:_IN_VIEW], told[_IN_VIEW:]
    return element(
        "section",
        head,
        _about(first),
        *view,
        fold(f"{plural(len(rest), first.severity.word)} more of {first.code}", *rest, class_="fold more")
        if rest
        else None,
        class_=f"check {first.severity.word}",
        id=anchor,
    )


def _about(finding: Finding) -> Element:
    """What the hazard is, with its page and the weakness it is nearest to."""
    parts: list[Node] = [*prose(_summary(finding.code))]
    parts += [" "] if parts else []
    if finding.cwe:
        link = f"https://cwe.mitre.org/data/definitions/{finding.cwe}.html"
        parts += [element("a", f"CWE-{finding.cwe}", href=link, rel="noreferrer"), ". "]
    parts += ["Why, and examples: ", code(f"pytest --secaudit-explain {finding.code}")]
    return element("p", *parts, class_="about")


@functools.cache
def _summary(identity: str) -> str:
    """The first line of the check's page; nothing for one of another plugin."""
    heading = next((heading for heading in HEADINGS if heading.code == identity), None)
    return whole(heading).summary if heading is not None else ""


# --- a finding


def _finding(one: Anchored, lines: Excerpts, *, is_open: bool) -> Element:
    finding = one.finding
    return element(
        "details",
        element("summary", *_head(finding)),
        element(
            "div",
            _source(finding, lines),
            element("dl", *chain.from_iterable(_facts(finding)), class_="facts"),
            element("a", "Link to this finding", href=one.link, class_="self"),
            id=one.anchor,
            class_="body",
        ),
        class_=f"finding {finding.severity.word}",
        open=is_open,
    )


def _brief(one: Anchored) -> Element:
    """A finding in a line or two, where there are very many."""
    finding = one.finding
    fix = element("small", "Fix: ", *prose(finding.fix)) if finding.fix and not finding.acknowledged else None
    return element("p", *_head(finding), fix, id=one.anchor, class_=f"finding brief {finding.severity.word}")


def _head(finding: Finding) -> Iterator[Node]:
    yield unseen(f"{finding.severity.word}: ")
    yield element("span", *prose(finding.message), class_="message")
    yield " "
    yield element("span", place(finding.path, finding.line), class_="place")
    yield from (element("span", tag, class_="tag") for tag in _tags(finding))


def _tags(finding: Finding) -> Iterator[str]:
    if finding.evidence in _NOT_SEEN:
        yield _NOT_SEEN[finding.evidence]
    if finding.victims:
        yield plural(len(finding.victims), "victim")
    if "seconds" in finding.detail:
        yield seconds(finding.detail["seconds"])
    if finding.security:
        yield "security"
    if finding.acknowledged:
        yield "acknowledged"


def _source(finding: Finding, lines: Excerpts) -> Element:
    found = lines(finding)
    if not found:
        return element("p", "Its source could not be read here.", class_="quiet")
    width = len(str(found[-1].number))
    shown: list[Node] = []
    for line in found:
        text = f"{'▸' if line.is_meant else ' '} {line.number:>{width}}  {line.text}"
        shown += [element("mark", text) if line.is_meant else text, "\n"]
    label = f"{shortened(finding.path)}, lines {found[0].number} to {found[-1].number}"
    return element("pre", *shown, tabindex=0, role="group", aria_label=label)


def _facts(finding: Finding) -> Iterator[tuple[Element, Element]]:
    if finding.fix and not finding.acknowledged:  # whoever explains a wait has thought of the usual remedy
        yield _fact("Fix", *prose(finding.fix), class_="fix")
    if finding.acknowledged:
        yield _fact("Acknowledged", *prose(finding.acknowledged))
    if finding.try_command:
        yield _fact("Try", code(finding.try_command))
    yield _fact("Evidence", _EVIDENCE[finding.evidence])
    yield _fact("Owner", *_owner(finding.owner))
    others = [owner for owner in finding.owners if owner != finding.owner]
    if others:
        listed = element("ul", *(element("li", *_owner(owner)) for owner in others[:_NAMED]))
        yield _fact("Also", fold(plural(len(others), "other owner"), listed, _left(len(others))))
    if finding.written_at is not None and (finding.written_at.path, finding.written_at.line) != (
        finding.path,
        finding.line,
    ):
        yield _fact("Written at", code(place(finding.written_at.path, finding.written_at.line)))
    yield from _aftermath(finding)
    if finding.security:
        yield _fact("Security", "the place is about ", code(finding.security))


def _aftermath(finding: Finding) -> Iterator[tuple[Element, Element]]:
    """What the run counted, and what became of a change that was left."""
    detail = finding.detail
    if "seconds" in detail and "calls" in detail:
        yield _fact("Measured", f"{seconds(detail['seconds'])} in {plural(detail['calls'], 'call')}")
    if finding.victims:
        yield _fact("Failed with it", names(finding.victims, _NAMED, "victims"), _left(len(finding.victims)))
    later = detail.get("later_tests", 0)
    said = [f"in force in {plural(later, 'later test')}"] if later else []
    said += ["put back later, by somebody else"] if detail.get("put_back_later") else []
    said += ["left by a test that failed"] if detail.get("after_failure") else []
    if said:
        others = [test for test in finding.seen_by if test not in finding.victims]
        title = "Some of them" if min(len(others), _NAMED) < later else "Which"
        tests = fold(title, names(others, _NAMED)) if others else None
        yield _fact("Afterwards", sentence("; ".join(said)), tests)


def _left(count: int) -> Element | None:
    return element("p", f"and {count - _NAMED:,} more", class_="quiet") if count > _NAMED else None


def _owner(owner: Owner) -> Iterator[Node]:
    scope = f" [{owner.scope}]" if owner.kind == "fixture" and owner.scope else ""
    plugin = f" of {shortened(owner.plugin)}" if owner.plugin else ""
    kinds = {"window": "one of several ", "outside": "outside tests and fixtures ", "setup": "set-up "}
    yield kinds.get(owner.kind, f"{owner.kind} ")
    yield code(owner.id)
    yield f"{scope}{plugin}"
    if owner.kind == "window" and owner.ids:
        those = names(owner.ids, _NAMED)
        yield fold(f"the {len(owner.ids):,} that ran then", those, _left(len(owner.ids)))


def _fact(name: str, *said: Node | None, class_: str | None = None) -> tuple[Element, Element]:
    return element("dt", name), element("dd", *said, class_=class_)
