"""``--secaudit-list`` and ``--secaudit-explain``: the checks, told in the terminal."""

from __future__ import annotations

import pytest

from pytest_secaudit.catalogue import UnknownCode, one
from pytest_secaudit.checks import whole
from pytest_secaudit.model import Check
from pytest_secaudit.offered import offered


def main(config: pytest.Config) -> int:
    """Print what was asked for; 0, or a usage error for an unknown code."""
    found = offered(config)
    missing = [f"{item.path}: {item.reason}" for item in found.failures]
    if config.option.secaudit_list:
        print("\n".join([listing(tuple(map(whole, found.catalogue))), *missing]))
        return 0
    try:
        check = whole(one(config.option.secaudit_explain, found.catalogue))
    except UnknownCode as error:
        raise pytest.UsageError("; ".join([f"--secaudit-explain: {error}", *missing])) from None
    print(page(check, examples=2), end="")
    return 0


def listing(checks: tuple[Check, ...]) -> str:
    """One line per check."""
    first, width = max(len(check.code) for check in checks), max(len(check.name) for check in checks)
    return "\n".join(f"{c.code:<{first}}  {c.name:<{width}}  {c.by_reading.word:<8}  {c.summary}" for c in checks)


def _levels(check: Check) -> str:
    if check.suspected is None:
        return f"*{check.severity.word}*"
    return f"*{check.severity.word}* once a run has seen it; *{check.suspected.word}* by reading alone"


def page(check: Check, examples: int | None = None) -> str:
    """The check's page in Markdown: what, why, what to do, and its first examples (all of them by default)."""
    lines = [f"# {check.code} {check.name}", "", f"{_levels(check)}, since {check.since}"]
    if check.cwe:
        lines[-1] += f", [CWE-{check.cwe}](https://cwe.mitre.org/data/definitions/{check.cwe}.html)"
    lines += ["", check.page.strip(), ""]
    for title, sources in (("Reported", check.bad), ("Not reported", check.good)):
        if sources:
            lines += [f"## {title}", ""]
            for example in sources[:examples]:
                lines += ["```python", example.strip("\n"), "```", ""]
    lines += [
        "## Ignoring it",
        "",
        f"`# secaudit: ignore[{check.code}] why` at the end of the line, or on a line of its own above it.",
        "",
    ]
    return "\n".join(lines)
