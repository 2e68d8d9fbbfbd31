"""What the conclusion rests on: what was looked at, what was not, and what was reached outside the process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from pytest_secaudit.conclusion import NOT_JUDGED, plural
from pytest_secaudit.model import Audit, Contact
from pytest_secaudit.reports.html.anchors import Anchored
from pytest_secaudit.reports.html.tree import Element, Node, element
from pytest_secaudit.reports.html.words import code, fold, folded_list, names, prose, sentence, shortened

_SHOWN = 10
_MOST = 1_000
_MOST_CONTACTS = 200
_OWNERS = 3
_MOST_OWNERS = 20
#: The dimension of what is reached outside the process.
_SERVICES = 9
_KINDS = {"host": "host", "program": "program", "listen": "listening socket", "file": "credential file"}


# --- what was not judged


def not_judged(audit: Audit) -> Element:
    """Nobody should take for clean what nobody looked at."""
    return element("section", element("h2", "Not judged"), *_unjudged(audit), id="not-judged")


def _unjudged(audit: Audit) -> Iterator[Element]:
    evidence = audit.evidence
    yield element("ul", *(element("li", *prose(sentence(text))) for text in _gaps(audit)), class_="gaps")
    if evidence.not_audited:
        yield element("h3", f"{plural(len(evidence.not_audited), 'item')} not audited")
        items = [
            element("li", code(item.path), " ", element("span", *prose(item.reason), class_="quiet"))
            for item in evidence.not_audited
        ]
        yield from folded_list(items, _SHOWN, _MOST, "item")
    off = [(name, state) for name, state in evidence.watchers.items() if state != "on"]
    on = len(evidence.watchers) - len(off)
    if off:
        yield element("h3", "Watchers that were off")
        yield element("dl", *chain.from_iterable(_pair(name, state) for name, state in off), class_="facts")
    if on:
        names = ", ".join(name for name, state in evidence.watchers.items() if state == "on")
        yield fold(f"{plural(on, 'watcher')} on", element("p", names))
    if evidence.checks:
        yield fold(f"{plural(len(evidence.checks), 'check')} on", element("p", ", ".join(evidence.checks)))


def _gaps(audit: Audit) -> Iterator[str]:
    run, evidence = audit.run, audit.evidence
    if run.collect_only:
        yield "nothing was run: the tests were read, and `pytest --secaudit` confirms or clears what is suspected"
    elif run.depth == "static":
        yield "nothing was watched: at the depth `static` tests are only read"
    if evidence.tests_skipped:
        yield f"{plural(evidence.tests_skipped, 'test')} skipped"
    left = evidence.tests_collected - evidence.tests_run - evidence.tests_skipped
    if left > 0 and not run.collect_only:
        yield f"{plural(left, 'test')} collected and not run"
    for worker in run.workers_lost:
        yield f"worker {shortened(worker, 60)} was lost, and what it saw with it"
    if not run.complete and not run.collect_only:
        yield "the run was not complete: what was deselected, stopped or lost is not judged"
    if audit.tests_judged_for_checks < evidence.tests_run and not run.collect_only:
        unknown = evidence.tests_run - audit.tests_judged_for_checks
        yield f"of {plural(unknown, 'test')} that ran it is not known whether they checked something"
    yield NOT_JUDGED.partition(": ")[2]


def _pair(name: str, state: str) -> tuple[Element, Element]:
    return element("dt", name), element("dd", *prose(state.partition("off: ")[2] or state))


# --- contacts


def contacts(audit: Audit, new: Sequence[Anchored]) -> Element | None:
    """What was reached, or tried, outside the process; nothing where there was none."""
    if not audit.contacts:
        return None
    about = [one for one in reversed(new) if one.finding.dimension == _SERVICES]
    links = {one.finding.subject: one.link for one in about if one.finding.subject}
    shown, more = audit.contacts[:_SHOWN], audit.contacts[_SHOWN:_MOST_CONTACTS]
    left = len(audit.contacts) - _SHOWN - len(more)
    return element(
        "section",
        element("h2", "Contacts"),
        _table(shown, links, "What tests reached, or tried to reach, outside their process."),
        fold(f"{plural(len(more) + left, 'contact')} more", _table(more, links, "The other contacts."), _left(left))
        if more
        else None,
        id="contacts",
    )


def _left(count: int) -> Element | None:
    return (
        element("p", f"{plural(count, 'contact')} more are in the JSON report.", class_="quiet") if count > 0 else None
    )


def _table(found: Sequence[Contact], links: Mapping[str, str], caption: str) -> Element:
    heads = ("Kind", "What", "By whom")
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *(element("th", head, scope="col") for head in heads))),
        element("tbody", *(_contact(one, links) for one in found)),
        class_="contacts",
    )


def _contact(one: Contact, links: Mapping[str, str]) -> Element:
    named: Node = code(one.what)
    left = len(one.owners) - _OWNERS
    owners = [names(one.owners, _OWNERS, "plain")]
    if left > 0:
        owners.append(fold(f"{left:,} more", names(one.owners[_OWNERS:], _MOST_OWNERS, "plain")))
    return element(
        "tr",
        element("td", _KINDS.get(one.kind, one.kind)),
        element("th", element("a", named, href=links[one.what]) if one.what in links else named, scope="row"),
        element("td", *owners),
    )
