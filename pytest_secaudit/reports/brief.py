"""The terminal summary in one line: what ``-q`` prints, without what the whole section needs."""

from __future__ import annotations

from pytest_secaudit.model import Audit


def one_line(audit: Audit) -> str:
    """What ``-q`` prints."""
    shown = f"audit: {audit.conclusion.text}"
    aside = aside_of(audit)
    return f"{shown} ({aside})" if aside else shown


def aside_of(audit: Audit) -> str:
    """What was hidden, counted in the open."""
    counts = [
        ("suppressed", len(audit.having("ignored"))),
        ("expected", len(audit.having("expected"))),
        ("baseline", len(audit.having("baselined"))),
        ("cleared", len(audit.all_cleared)),
    ]
    return ", ".join(f"{word} {count:,}" for word, count in counts if count)
