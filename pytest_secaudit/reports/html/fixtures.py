"""The table of fixtures."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_secaudit.model import Audit, FixtureRow
from pytest_secaudit.reports import fixture_rows
from pytest_secaudit.reports.html.tree import Element, element
from pytest_secaudit.reports.html.words import code, folded_tables, place, prose, sentence, shortened

_HEADS = ("Fixture", "Verdict", "Set-ups", "Users", "Set-up", "Teardown")


def section(audit: Audit) -> Element | None:
    """A row for each fixture, those that leave something first; None where nobody asked for it."""
    if audit.fixtures is None:
        return None
    rows = fixture_rows.shown(audit.fixtures)
    told = sentence(fixture_rows.headline(rows))
    return element(
        "section",
        element("h2", "Fixtures"),
        element("p", told),
        *folded_tables(rows, _table),
        id="fixtures",
    )


def _table(rows: Sequence[FixtureRow]) -> Element:
    return element(
        "table",
        element("thead", element("tr", *(element("th", head, scope="col") for head in _HEADS))),
        element("tbody", *(_row(row) for row in rows)),
        class_="fixtures",
    )


def _row(row: FixtureRow) -> Element:
    verdict = fixture_rows.verdict_of(row)
    remarks = [element("small", *prose(sentence(remark))) for remark in fixture_rows.remarks(row)]
    return element(
        "tr",
        element(
            "th",
            element("code", shortened(row.name, 200)),
            f" {row.scope} ",
            element("small", code(place(row.path, row.line))),
            *remarks,
            scope="row",
        ),
        element("td", element("span", verdict, class_="level defect") if row.verdict == "leaks" else verdict),
        *(element("td", figure, class_="number") for figure in fixture_rows.figures(row)),
    )
