"""The Code Quality report of GitLab: a JSON array of the new findings.

Source: "Code Quality" in GitLab's documentation, the section on the report format. Of entries with the same fingerprint
GitLab shows one.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

from pytest_secaudit.model import ADVISORY, DEFECT, Audit, Finding
from pytest_secaudit.reports.in_repository import shortened, shown_at


def render(audit: Audit, *, root: str = "") -> str:
    """The report as text, with a final newline; ``root`` is the folder of the repository that paths are relative to."""
    return json.dumps(as_data(audit, root=root), indent=1, sort_keys=True, ensure_ascii=True) + "\n"


def as_data(audit: Audit, *, root: str = "") -> list[dict[str, Any]]:
    """The report as plain data, the worst first."""
    seen: Counter[tuple[str, str]] = Counter()
    entries = []
    for finding in sorted(audit.having("new"), key=lambda finding: finding.order):
        shown = shown_at(finding, root)
        seen[shown.path, finding.fingerprint] += 1
        ordinal = seen[shown.path, finding.fingerprint]
        entries.append(
            {
                "check_name": finding.code,
                "description": _description(finding),
                "fingerprint": _fingerprint(shown.path, finding.fingerprint, str(ordinal)),
                "location": {"path": shown.path, "lines": {"begin": shown.line}},
                "severity": _severity(finding),
            }
        )
    return entries


def _description(finding: Finding) -> str:
    """One line: the widget of a merge request shows nothing else of an entry."""
    suspected = "" if finding.evidence == "confirmed" else "suspected: "
    advice = f"; fix: {shortened(finding.fix)}" if finding.fix and not finding.acknowledged else ""
    return f"{shortened(f'{finding.code} {finding.name}')}: {suspected}{shortened(finding.message)}{advice}"


def _severity(finding: Finding) -> str:
    if finding.severity is DEFECT:
        return "major" if finding.security is None else "critical"
    return "minor" if finding.severity is ADVISORY else "info"


def _fingerprint(*parts: str) -> str:
    """The same for a finding as long as it is in its file: without line numbers, but never shared by two."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
