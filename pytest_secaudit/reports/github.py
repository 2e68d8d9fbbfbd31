"""Annotations on GitHub: a workflow command for each of the worst new findings, to be printed in a step of a job.

Sources: "Workflow commands for GitHub Actions" for the form; github.com/actions/runner for what it does with them
(``ActionCommand.cs``: how they are read and what is escaped; ``ExecutionContext.cs``: ten of a kind for each step, and
4,096 characters of a message).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pytest_secaudit.conclusion import plural
from pytest_secaudit.model import ADVISORY, DEFECT, INFO, Audit, Finding, Place, Severity
from pytest_secaudit.policy import count_by_level
from pytest_secaudit.reports.in_repository import in_repository, shortened, shown_at

#: Of each kind the runner makes so many annotations for a step; it only logs the rest.
MOST_OF_A_KIND = 10
_MAX_TITLE = 255
_COMMANDS: Mapping[Severity, str] = {DEFECT: "error", ADVISORY: "warning", INFO: "notice"}


def render(audit: Audit, *, root: str = "") -> str:
    """The commands, one a line, the worst first; ``root`` is the folder of the repository that paths are relative to."""
    findings: defaultdict[Severity, list[Finding]] = defaultdict(list)
    for finding in sorted(audit.having("new"), key=lambda finding: finding.order):
        findings[finding.severity].append(finding)
    shown = {level: some[:MOST_OF_A_KIND] for level, some in findings.items()}
    if any(len(some) > MOST_OF_A_KIND for some in findings.values()):
        shown[INFO] = findings[INFO][: MOST_OF_A_KIND - 1]  # the count of the rest is a notice, too
    lines = [_annotation(finding, root) for level in _COMMANDS for finding in shown.get(level, ())]
    rest = [finding for level, some in findings.items() for finding in some[len(shown[level]) :]]
    lines += _count(rest)
    return "".join(f"{line}\n" for line in lines)


def _annotation(finding: Finding, root: str) -> str:
    shown = shown_at(finding, root)
    place = {"file": shown.path, "line": str(shown.line)}
    if shown == Place(in_repository(finding.path, root) or "", finding.line):
        place["endLine"] = str(max(finding.line, finding.end_line))
        if finding.end_line <= finding.line and finding.column >= 1:  # the runner takes columns of a single line only
            place["col"] = str(finding.column)
    title = f"{finding.code} {finding.name}"
    return _command(_COMMANDS[finding.severity], place, title, _message(finding))


def _message(finding: Finding) -> list[str]:
    suspected = "" if finding.evidence == "confirmed" else "suspected: "
    lines = [f"{suspected}{shortened(finding.message)}"]
    if finding.acknowledged:
        lines.append(f"acknowledged at {shortened(finding.acknowledged)}")
    elif finding.fix:
        lines.append(f"fix: {shortened(finding.fix)}")
    return lines


def _count(rest: Sequence[Finding]) -> Iterator[str]:
    """One last notice about those for which there is no room."""
    if rest:
        levels = count_by_level(rest)
        counts = [plural(levels[level], level.word) for level in _COMMANDS if levels[level]]
        text = f"{', '.join(counts)} more: GitHub shows {MOST_OF_A_KIND} of a kind for each step"
        yield _command("notice", {}, "pytest-secaudit", [text])


# --- the form of a command


def _command(name: str, place: Mapping[str, str], title: str, message: Sequence[str]) -> str:
    properties = {**place, "title": shortened(title, _MAX_TITLE)}
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {listed}::{_data(chr(10).join(message))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
