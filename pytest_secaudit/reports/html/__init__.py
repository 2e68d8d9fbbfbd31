"""The HTML report: one file that loads nothing and runs nothing.

Text of the user never becomes markup: the page is a tree of values (`tree`), and only that module writes HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytest_secaudit.model import Audit
from pytest_secaudit.reports.html import (
    blind,
    evidence,
    excerpts,
    findings,
    fixtures,
    heat,
    hidden,
    overview,
    sleep,
    timeline,
)
from pytest_secaudit.reports.html.anchors import Anchored, anchored
from pytest_secaudit.reports.html.style import CSS
from pytest_secaudit.reports.html.tree import Element, document, element


def render(audit: Audit, source_of: Callable[[str], str]) -> str:
    """The report as one HTML file.

    Args:
        audit: what is told.
        source_of: gives the text of a file by its path in the report; raises OSError or ValueError where it cannot.
    """
    told = anchored((*audit.findings, *audit.cleared))
    new = [one for one in told[: len(audit.findings)] if one.finding.status == "new"]
    aside = [one for one in told[: len(audit.findings)] if one.finding.status != "new"]
    parts = (
        overview.figures(audit),
        overview.dimensions(audit),
        timeline.section(audit, new),
        sleep.section(audit, new),
        heat.section(audit, new),
        findings.section(audit, new, excerpts.reader(source_of)),
        fixtures.section(audit),
        blind.section(audit),
        hidden.section(audit, aside, told[len(audit.findings) :]),
        evidence.not_judged(audit),
        evidence.contacts(audit, new),
    )
    return document(
        f"Test-suite audit: {audit.conclusion.text}",
        CSS,
        (
            element("a", "Skip to the findings", href="#findings", class_="skip"),
            overview.header(audit),
            _contents(audit, new),
            element("main", *(part for part in parts if part is not None)),
        ),
    )


def _contents(audit: Audit, new: Sequence[Anchored]) -> Element:
    """The way to each part."""
    parts = [
        ("dimensions", "Dimensions"),
        ("timeline", "Left behind"),
        ("sleep", "Sleep"),
        ("modules", "Modules"),
        ("findings", f"Findings ({len(new):,})"),
        ("hidden", "Hidden and cleared"),
        ("not-judged", "Not judged"),
    ]
    if audit.fixtures is not None:
        parts.insert(5, ("fixtures", "Fixtures"))
    if audit.blind_spots is not None:
        parts.insert(-2, ("blind", "Mock blind spots"))
    parts += [("contacts", "Contacts")] if audit.contacts else []
    links = (element("li", element("a", name, href=f"#{anchor}")) for anchor, name in parts)
    return element("nav", element("ul", *links), aria_label="Parts of this report")
