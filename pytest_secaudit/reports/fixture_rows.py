"""The table of fixtures in words: the same for the terminal, Markdown and the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from pytest_secaudit.fixture_table import UNUSED
from pytest_secaudit.model import FixtureRow

#: pytest's own fixtures (`tmp_path`, `capsys` ...) are nobody's to mend.
_OF_PYTEST = "_pytest"
_MOST_NAMED = 3
_UNSEEN = {"unused": "", "not seen": " in this run"}


def shown(rows: Iterable[FixtureRow]) -> list[FixtureRow]:
    """In the order in which they matter: those that leave something, with a hint, not judged, clean, not run; the dear first.

    What other plugins define comes last, where it leaves nothing.
    """
    return sorted((row for row in rows if row.plugin != _OF_PYTEST or row.left), key=_order)


def _order(row: FixtureRow) -> tuple[object, ...]:
    ranks = (
        row.verdict == "leaks",
        not is_foreign(row),
        bool(row.hint) and row.setups,
        row.verdict.startswith("not judged"),
        row.setups,
    )
    return (*(not rank for rank in ranks), -(row.setup_s + row.teardown_s), row.path, row.line)


def is_foreign(row: FixtureRow) -> bool:
    """A plugin's that is not the project's, with nothing to tell of it."""
    return row.plugin is not None and not row.left


def headline(rows: Sequence[FixtureRow]) -> str:
    """``fixtures: 12 ran, 1 leaks, 2 not seen in this run``."""
    ran = sum(1 for row in rows if row.setups)
    leaks = sum(1 for row in rows if row.verdict == "leaks")
    words = Counter(verdict_of(row) for row in rows)
    parts = [f"{ran:,} ran"]
    if leaks:
        parts.append(f"{leaks:,} {'leaks' if leaks == 1 else 'leak'}")
    parts += [f"{words[word]:,} {word}{more}" for word, more in _UNSEEN.items() if words[word]]
    return f"fixtures: {', '.join(parts)}"


def verdict_of(row: FixtureRow) -> str:
    """One or two words: a complete run may call a fixture unused."""
    if row.verdict == "not run":
        return "unused" if row.hint == UNUSED else "not seen"
    return row.verdict.partition(":")[0]


def remarks(row: FixtureRow) -> Iterator[str]:
    """What there is to say beside the figures."""
    if row.left:
        yield f"left {_named(row.left)}"
    if row.verdict.startswith("not judged"):
        yield row.verdict
    if row.value_changed_by:
        yield f"its value is changed by {_named(row.value_changed_by)}"
    if row.touches:
        yield f"not safe to run in parallel threads: while it stands it changes {_named(row.touches)}"
    if row.hint and row.hint != UNUSED:
        yield row.hint if row.hint.startswith("checked: ") else f"hint: {row.hint}"


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def figures(row: FixtureRow) -> tuple[str, ...]:
    """Set-ups, users, set-up and teardown time."""
    return f"{row.setups:,}", f"{row.users:,}", seconds(row.setup_s), seconds(row.teardown_s)


def seconds(value: float) -> str:
    """``0.40 s``, ``12 ms``, ``-`` for nothing."""
    if value < 0.0005:
        return "-"
    return f"{1000 * value:.0f} ms" if value < 0.1 else f"{value:.2f} s"
