"""What the parts of the page have in common: levels, prose with code in it, places, folds and figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from pytest_secaudit.conclusion import plural
from pytest_secaudit.model import Severity
from pytest_secaudit.reports.html.tree import Element, Node, element

#: A test id or a message of any length is told in so many characters.
_LONGEST = 400
#: Of a table so many rows are shown, and so many are on the page.
_ROWS_SHOWN, _MOST_ROWS = 40, 1_000

T = TypeVar("T")


def shortened(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def prose(text: str) -> Iterator[Node]:
    """A sentence; what stands between backticks is source."""
    text = shortened(text)
    parts = text.split("`") if text.count("`") % 2 == 0 else [text]
    for number, part in enumerate(parts):
        if part:
            yield element("code", part) if number % 2 else part


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text[:1].upper() + text[1:]
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def code(text: str) -> Element:
    return element("code", shortened(text))


def place(path: str, line: int) -> str:
    return f"{shortened(path)}:{line}" if line > 0 else shortened(path)


def unseen(text: str) -> Element:
    """For those who hear the page; on paper and screen a shape or a column says it."""
    return element("span", text, class_="unseen")


def level(severity: Severity) -> Element:
    """The word with its colour, and the shape that the style sheet draws before it."""
    return element("span", severity.word, class_=f"level {severity.word}")


def fold(summary: Node | Iterable[Node], *children: Node | Iterable[Node] | None, class_: str = "fold") -> Element:
    """What is there on demand."""
    return element("details", element("summary", summary), *children, class_=class_)


def folded_list(items: Sequence[Element], shown: int, most: int, noun: str) -> Iterator[Element]:
    """A list of which the first are shown, more on demand, and the rest only counted."""
    if items[:shown]:
        yield element("ul", items[:shown], class_="plain")
    if items[shown:]:
        left = len(items) - most
        yield fold(
            f"{plural(len(items) - shown, noun)} more",
            element("ul", items[shown:most], class_="plain"),
            element("p", f"{plural(left, noun)} more are in the JSON report.", class_="quiet") if left > 0 else None,
        )


def seconds(value: float) -> str:
    """``96.3 s``, ``40 ms``, ``12 min``."""
    if value < 0.0995:
        return f"{1000 * value:.0f} ms"
    return f"{value:,.1f} s" if value < 600 else f"{value / 60:,.0f} min"


def per_cent(share: float) -> str:
    """Never rounded up to all, nor down to nothing."""
    whole = min(max(share, 0.0), 1.0)
    is_near_an_end = 0 < whole < 0.005 or 0.995 <= whole < 1
    return f"{min(max(100 * whole, 0.1), 99.9):.1f} %" if is_near_an_end else f"{100 * whole:.0f} %"


def at(share: float) -> str:
    """A place or a length on a picture's scale."""
    return f"{100 * min(max(share, 0.0), 1.0):.2f}".rstrip("0").rstrip(".") + "%"


def names(items: Iterable[str], most: int, class_: str = "") -> Element:
    """A list of the first few tests or owners; the style sheet sets them as source, as an element for each is dear."""
    listed = (element("li", shortened(item)) for item in islice(items, most))
    return element("ul", *listed, class_=f"names {class_}".rstrip())


def folded_tables(rows: Sequence[T], table: Callable[[Sequence[T]], Element]) -> Iterator[Element]:
    """A table of which the first rows are shown, more on demand, and the rest only counted."""
    if rows:
        yield table(rows[:_ROWS_SHOWN])
    if rows[_ROWS_SHOWN:]:
        yield fold(f"{len(rows) - _ROWS_SHOWN:,} more", table(rows[_ROWS_SHOWN:_MOST_ROWS]))
    if rows[_MOST_ROWS:]:
        yield element("p", f"{len(rows) - _MOST_ROWS:,} more: see the JSON report.", class_="quiet")
