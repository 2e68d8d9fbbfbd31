"""The table of fixtures in words: the same for the terminal, Markdown and the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_secaudit.model import FixtureRow

#: pytest's own fixtures (`tmp_path`, `capsys` ...) are nobody's to mend.
_OF_PYTEST = "_pytest"
_MOST_NAMED = 3


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
    unused = sum(1 for row in rows if _is_unused(row))
    unseen = sum(1 for row in rows if row.verdict == "not run") - unused
    parts = [f"{ran:,} ran"]
    if leaks:
        parts.append(f"{leaks:,} {'leaks' if leaks == 1 else 'leak'}")
    if unused:
        parts.append(f"{unused:,} unused")
    if unseen:
        parts.append(f"{unseen:,} not seen in this run")
    return f"fixtures: {', '.join(parts)}"


def verdict_of(row: FixtureRow) -> str:
    """One or two words: where all tests that could ask for it ran, a fixture is unused."""
    if row.verdict == "not run":
        return "unused" if _is_unused(row) else "not seen"
    return row.verdict.partition(":")[0]


def _is_unused(row: FixtureRow) -> bool:
    return row.verdict == "not run" and bool(row.hint)


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
    if row.hint and row.setups:
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
