"""The head of the page: the conclusion, the gate, the figures of the run, and the dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from pytest_secaudit.conclusion import plural
from pytest_secaudit.model import ADVISORY, DEFECT, INFO, Audit, DimensionCount, Severity
from pytest_secaudit.policy import count_by_level
from pytest_secaudit.reports.html.tree import Element, Node, element
from pytest_secaudit.reports.html.words import at, per_cent, prose, seconds, sentence

#: What a verdict looks like; "nothing audited" is never the colour of a clean one.
_LOOKS = {"defects": "defect", "advisories": "advisory", "no defects found": "clear"}
_SHARES_ASIDE = 0.1


def header(audit: Audit) -> Element:
    """The conclusion, before everything else."""
    run = audit.run
    workers = f"{plural(run.workers, 'worker')}, " if run.workers else ""
    ran = f"depth {run.depth}, {workers}pytest {run.pytest}, Python {run.python}"
    return element(
        "header",
        element("p", f"Test-suite audit by pytest-secaudit {audit.version}", class_="eyebrow"),
        element("h1", *prose(sentence(audit.conclusion.text)), class_=_LOOKS.get(audit.conclusion.verdict, "unsure")),
        _gate(audit),
        element("p", *prose(sentence(audit.conclusion.security)), class_="security"),
        element("p", ran, class_="quiet"),
        class_="top",
    )


def _gate(audit: Audit) -> Element | None:
    gate = audit.gate
    if gate.failed:
        return element("p", *prose(sentence(gate.reason or "the audit failed the run")), class_="gate failed")
    if gate.fail_on == "none":
        return None
    said = f"The gate is passed: nothing new is at or above {gate.fail_on}."
    return element("p", said, class_="gate passed")


# --- figures


def figures(audit: Audit) -> Element:
    """What there is of each kind, and what was measured of the run as a whole."""
    tiles = element("dl", *chain(_counted(audit), _measured(audit)), class_="tiles")
    return element("section", element("h2", "In figures", class_="unseen"), tiles, id="figures")


def _counted(audit: Audit) -> Iterator[Element]:
    new = audit.having("new")
    levels = count_by_level(new)
    for severity in (DEFECT, ADVISORY, INFO):
        doubted = sum(one.severity is severity and one.evidence != "confirmed" for one in new)
        said = f"{doubted:,} of them not seen in the run" if doubted else ""
        yield _tile(
            _title(severity), f"{levels[severity]:,}", said, f"level {severity.word}" if levels[severity] else ""
        )
    hidden = [(word, len(audit.having(word))) for word in ("ignored", "expected", "baselined")]
    total = sum(count for _, count in hidden)
    said = ", ".join(f"{count:,} {word}" for word, count in hidden if count)
    yield _tile("Hidden", f"{total:,}", said)
    yield _tile("Cleared", f"{len(audit.all_cleared):,}", "suspected, and seen to be right")


def _title(severity: Severity) -> str:
    return plural(2, severity.word).partition(" ")[2].capitalize()


def _measured(audit: Audit) -> Iterator[Element]:
    run = audit.run
    if run.collect_only:
        return
    judged = audit.tests_judged_for_checks
    if judged:
        checked = audit.evidence.tests_with_a_check or 0
        said = f"{checked:,} of {plural(judged, 'passed test')} evaluated an assertion or a check of a mock"
        known = min(1000 * checked // judged / 10, 100.0)  # as the terminal has it
        yield _tile("Checked something", f"{known:g} %", said)
    if audit.sleep.total_s > 0 or audit.evidence.watchers.get("sleep") == "on":
        said = f"{per_cent(audit.sleep.share)} of {seconds(run.duration_s)}" if audit.sleep.total_s else ""
        yield _tile("Asleep", seconds(audit.sleep.total_s), said)
    share = f"{per_cent(run.audit_s / run.duration_s)} of {seconds(run.duration_s)}" if run.duration_s > 0 else ""
    dearest = f", most of it for {run.dearest}" if run.dearest and run.audit_s >= _SHARES_ASIDE else ""
    yield _tile("The audit took", seconds(run.audit_s), f"{share}{dearest}")


def _tile(name: str, figure: str, said: str, kind: str = "") -> Element:
    return element(
        "div",
        element("dt", name),
        element(
            "dd", element("span", figure, class_=f"figure {kind}".rstrip()), element("small", said) if said else None
        ),
    )


# --- dimensions


def dimensions(audit: Audit) -> Element:
    """What was examined of each dimension, and what was found there."""
    counts = audit.conclusion.dimensions
    most = max((one.defect + one.advisory + one.info for one in counts), default=0)
    heads = ("Dimension", "Examined", "Defects", "Advisories", "Infos", "Cleared")
    return element(
        "section",
        element("h2", "Dimensions"),
        element(
            "table",
            element("caption", "New findings in each dimension of a review, and how much of it was examined."),
            element("thead", element("tr", *(element("th", head, scope="col") for head in heads))),
            element("tbody", *(_dimension(one, most) for one in counts)),
            class_="dimensions",
        ),
        id="dimensions",
    )


def _dimension(one: DimensionCount, most: int) -> Element:
    found = ((DEFECT, one.defect), (ADVISORY, one.advisory), (INFO, one.info))
    return element(
        "tr",
        element("th", element("span", str(one.digit), class_="digit"), f" {one.name}", _bar(one, most), scope="row"),
        element("td", _or_dash(one.examined)),
        *(element("td", _found(severity, count)) for severity, count in found),
        element("td", _or_dash(one.cleared)),
    )


def _or_dash(count: int) -> Node:
    return f"{count:,}" if count else element("span", "–", class_="none")


def _found(severity: Severity, count: int) -> Node:
    return element("span", f"{count:,}", class_=f"level {severity.word}") if count else _or_dash(0)


def _bar(one: DimensionCount, most: int) -> Element | None:
    """One strip for all levels; the numbers beside it say the same."""
    found = [
        (severity, count) for severity, count in ((DEFECT, one.defect), (ADVISORY, one.advisory), (INFO, one.info))
    ]
    if not any(count for _, count in found):
        return None
    strips, x = [], 0.0
    for severity, count in found:
        if count:
            strips.append(element("rect", x=at(x), y=0, width=at(count / most), height=5, class_=severity.word))
            x += count / most
    said = ", ".join(plural(count, severity.word) for severity, count in found if count)
    return element("svg", element("title", said), *strips, class_="strip", width="100%", height=5, role="img")
