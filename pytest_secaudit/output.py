"""Where the audit leaves the process: pytest's terminal, its final line, and files."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_secaudit.model import DEFECT, Audit, Finding
from pytest_secaudit.reports.brief import one_line


class FinalLineEntry:
    """One new defect in the terminal reporter's ``stats``, of which pytest prints the number.

    Other plugins walk over these lists and expect what pytest puts there: an ordinary object with
    a node id, not a finding.
    """

    def __init__(self, finding: Finding) -> None:
        self.nodeid = finding.owner.id
        self.when = None
        self.outcome = "audit"


def say_in_the_final_line(result: Audit, config: pytest.Config) -> None:
    """New defects are counted in pytest's last line: ``2 passed, 1 audit defect in 0.3s``."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    defects = [FinalLineEntry(finding) for finding in result.having("new") if finding.severity is DEFECT]
    if reporter is not None and defects:
        # pytest prints the length of every list in its stats, and is yellow for those it does not know.
        reporter.stats["audit defect" if len(defects) == 1 else "audit defects"] = defects


def print_summary(
    result: Audit, errors: Iterable[str], reporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The section, as much of it as the verbosity asks for; what went wrong and a failed gate come last, always."""
    verbosity = config.get_verbosity()
    last = [*errors, *([result.gate.reason] if result.gate.reason else [])]
    if verbosity > -2 and not config.option.no_summary:
        if verbosity < 0:
            reporter.write_line(one_line(result))
        else:
            from pytest_secaudit.reports import terminal  # with -q it is not loaded

            reporter.ensure_newline()  # the line of progress dots is still open
            reporter.section("test-suite audit")
            for line in terminal.summary(result, verbosity, config.get_terminal_writer().fullwidth):
                reporter.write_line(line.text, **({line.markup: True} if line.markup else {}))
    for text in last:
        reporter.write_line(text, red=True)
