"""What is only ever mocked."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_secaudit.blind import BlindSpot
from pytest_secaudit.model import Audit
from pytest_secaudit.reports import blind_rows
from pytest_secaudit.reports.html.tree import Element, element
from pytest_secaudit.reports.html.words import code, folded_tables, place, prose, sentence, shortened

_MOST_PLACES = 40


def section(audit: Audit) -> Element | None:
    """A row for each function that no test runs; None where nobody asked."""
    if audit.blind_spots is None:
        return None
    rows = blind_rows.shown(audit)
    return element(
        "section",
        element("h2", "Mock blind spots"),
        element("p", *prose(sentence(blind_rows.headline(audit.blind_spots)))),
        *folded_tables(rows, _table),
        id="blind",
    )


def _table(rows: Sequence[BlindSpot]) -> Element:
    heads = ("Function", "", "Tests that replace it")
    return element(
        "table",
        element("thead", element("tr", *(element("th", head, scope="col") for head in heads))),
        element("tbody", *(_row(row) for row in rows)),
        class_="fixtures",
    )


def _row(row: BlindSpot) -> Element:
    word = blind_rows.word(row)
    places = ", ".join(place(one.path, one.line) for one in row.places[:_MOST_PLACES])
    level = "advisory" if row.security and not row.ran else "info"
    return element(
        "tr",
        element(
            "th",
            element("code", shortened(row.qualname, 200)),
            " ",
            element("small", code(place(row.path, row.line))),
            *([element("small", f"Run {row.ran}.")] if row.ran else []),
            *([element("small", "Replaced at ", code(places), ".")] if places else []),
            scope="row",
        ),
        element("td", element("span", word, class_=f"level {level}")),
        element("td", f"{len(row.replaced_in):,}", class_="number"),
    )
