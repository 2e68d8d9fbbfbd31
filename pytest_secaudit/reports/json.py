"""The JSON report, ``schema_version`` 1: keys sorted, order stable, nothing in it that only this machine knows.

Its schema is ``report.schema.json`` beside this file.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from pytest_secaudit.model import Audit, Finding, Sleep

SCHEMA_VERSION = 1
#: Of those among whom an owner was, so many are named.
_MOST_NAMED = 20


def render(audit: Audit, *, with_cleared: bool = False) -> str:
    """The report as text, with a final newline."""
    return json.dumps(as_data(audit, with_cleared=with_cleared), indent=1, sort_keys=True, ensure_ascii=True) + "\n"


def as_data(audit: Audit, *, with_cleared: bool = False) -> dict[str, Any]:
    """The report as plain data."""
    run = asdict(audit.run)
    del run["collect_only"]
    evidence = asdict(audit.evidence)
    del evidence["tests_skipped"]
    data: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "pytest-secaudit", "version": audit.version},
        "run": run,
        "evidence": evidence,
        "conclusion": asdict(audit.conclusion),
        "gate": asdict(audit.gate),
        "findings": [_finding(finding) for finding in audit.findings],
        "observations": [asdict(observation) for observation in audit.observations],
        "sleep": _sleep(audit.sleep),
        "contacts": [asdict(contact) for contact in audit.contacts],
        "fixtures": [],
        "blind_spots": [],
    }
    if with_cleared:
        data["cleared"] = [_finding(finding) for finding in audit.cleared]
    return data


def _sleep(sleep: Sleep) -> dict[str, Any]:
    data = asdict(sleep)
    del data["in_threads_s"]
    for site in data["sites"]:
        del site["in_threads"]
    return data


def _finding(finding: Finding) -> dict[str, Any]:
    data = asdict(finding)
    data["severity"] = finding.severity.word
    data["dimension"] = finding.dimension
    data["try"] = data.pop("try_command")
    for owner in (data["owner"], *data["owners"]):
        owner["ids"] = owner["ids"][:_MOST_NAMED]
    return data
