"""The JSON report, ``schema_version`` 1: keys sorted, order stable, nothing in it that only this machine knows.

Its schema is ``report.schema.json`` beside this file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from pytest_secaudit.blind import BlindSpot, BlindSpots
from pytest_secaudit.facts import Facts, from_plain, to_plain
from pytest_secaudit.lifetimes import lifetimes_of
from pytest_secaudit.model import (
    Audit,
    Cleared,
    Conclusion,
    Contact,
    DimensionCount,
    EvidenceSummary,
    FileRun,
    Finding,
    FixtureRow,
    Gate,
    NotAudited,
    Observation,
    Owner,
    Place,
    Run,
    Severity,
    Sleep,
    SleepSite,
)
from pytest_secaudit.redact import clean

SCHEMA_VERSION = 1
#: Of those among whom an owner was, so many are named.
_MOST_NAMED = 20
#: Details of a finding that hang on which tests shared a process, and in which order.
_OF_THE_PROCESS = frozenset({"later_tests", "lived"})


def render(audit: Audit, *, with_cleared: bool = False) -> str:
    """The report as text, with a final newline."""
    return json.dumps(as_data(audit, with_cleared=with_cleared), indent=1, sort_keys=True, ensure_ascii=True) + "\n"


def as_data(audit: Audit, *, with_cleared: bool = False) -> dict[str, Any]:
    """The report as plain data."""
    evidence = asdict(audit.evidence)
    del evidence["tests_skipped"]
    data: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "pytest-secaudit", "version": audit.version},
        "run": _run(audit),
        "evidence": evidence,
        "conclusion": asdict(audit.conclusion),
        "gate": asdict(audit.gate),
        "findings": [_finding(finding) for finding in audit.findings],
        "observations": [asdict(observation) for observation in audit.observations],
        "sleep": _sleep(audit.sleep),
        "contacts": [asdict(contact) for contact in audit.contacts],
        "fixtures": [asdict(row) for row in audit.fixtures or ()],
        **_blind_spots(audit.blind_spots or BlindSpots()),
        "files": [asdict(file) for file in audit.files],
        "cleared_suspicions": [asdict(one) for one in audit.all_cleared],
        "settled_fingerprints": list(audit.settled),
        "tests_judged_for_checks": audit.tests_judged_for_checks,
    }
    if with_cleared:
        data["cleared"] = [_finding(finding) for finding in audit.cleared]
    return data


def _blind_spots(spots: BlindSpots) -> dict[str, Any]:
    return {
        "blind_spots": [_blind_spot(one) for one in spots.blind],
        "half_blind": [{**_blind_spot(one), "ran": one.ran} for one in spots.half],
        "replaced_and_not_measured": [_blind_spot(one) for one in spots.unknown],
        "functions_replaced": spots.replaced,
    }


def _blind_spot(one: BlindSpot) -> dict[str, Any]:
    return {
        "path": one.path,
        "line": one.line,
        "qualname": one.qualname,
        "replaced_in": list(one.replaced_in),
        "places": [f"{place.path}:{place.line}" for place in one.places],
        "with_class": one.with_class,
        "security": one.security,
        "word": one.word or None,
    }


def _run(audit: Audit) -> dict[str, Any]:
    """How it ran, and what it alone knows: two runs that find the same differ in nothing else."""
    run = asdict(audit.run)
    del run["collect_only"], run["dearest"]
    run["bodies"] = dict(audit.bodies)
    run["in_force"] = {
        finding.fingerprint: {name: finding.detail[name] for name in _OF_THE_PROCESS}
        for finding in audit.findings
        if finding.detail.keys() >= _OF_THE_PROCESS
    }
    run["facts"] = to_plain(audit.facts or Facts())
    return run


def _sleep(sleep: Sleep) -> dict[str, Any]:
    data = asdict(sleep)
    del data["in_threads_s"]
    for site in data["sites"]:
        del site["in_threads"]
    return data


def _finding(finding: Finding) -> dict[str, Any]:
    data = asdict(finding)
    data["severity"] = finding.severity.word
    data["detail"] = {name: value for name, value in finding.detail.items() if name not in _OF_THE_PROCESS}
    data["dimension"] = finding.dimension
    data["try"] = data.pop("try_command")
    for owner in (data["owner"], *data["owners"]):
        owner["ids"] = owner["ids"][:_MOST_NAMED]
    return data


# --- and back


class NoReport(ValueError):
    """A text that is no report of this version; the message says why."""


def parse(text: str) -> Audit:
    """The result that a report was made of.

    Raises:
        NoReport: when it is no report, or one of another version.
    """
    try:
        data = json.loads(text)
        version = data["schema_version"]
    except (KeyError, TypeError, ValueError) as error:
        raise NoReport(f"it is no JSON report of pytest-secaudit: {type(error).__name__}") from None
    if version != SCHEMA_VERSION:
        raise NoReport(f"its schema_version is {version!r}, and this pytest-secaudit reads {SCHEMA_VERSION}")
    try:
        return _audit(data)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NoReport(f"it is damaged: {clean(f'{type(error).__name__}: {error}')}") from None


def _audit(data: Mapping[str, Any]) -> Audit:
    run, evidence, conclusion, sleep = (dict(data[name]) for name in ("run", "evidence", "conclusion", "sleep"))
    files = tuple(FileRun(**file) for file in data.get("files", ()))
    in_force = run.pop("in_force")
    findings = tuple(_read_finding(one, in_force.get(one["fingerprint"], {})) for one in data["findings"])
    cleared = tuple(map(_read_finding, data.get("cleared", ())))
    conclusion["dimensions"] = tuple(DimensionCount(**one) for one in conclusion["dimensions"])
    evidence["checks"] = tuple(evidence["checks"])
    evidence["not_audited"] = tuple(NotAudited(**one) for one in evidence["not_audited"])
    run["workers_lost"] = tuple(run["workers_lost"])
    sleep["sites"] = tuple(SleepSite(**{**site, "tests": tuple(site["tests"])}) for site in sleep["sites"])
    return Audit(
        version=data["tool"]["version"],
        bodies=run.pop("bodies"),
        facts=from_plain(run.pop("facts")),
        run=Run(**run, collect_only=not evidence["watchers"]),
        evidence=EvidenceSummary(**evidence, tests_skipped=sum(file.skipped for file in files)),
        conclusion=Conclusion(**conclusion),
        gate=Gate(**data["gate"]),
        findings=findings,
        cleared=cleared,
        also_cleared=tuple(Cleared(**one) for one in data["cleared_suspicions"]),
        sleep=Sleep(**sleep),
        contacts=tuple(Contact(**{**one, "owners": tuple(one["owners"])}) for one in data["contacts"]),
        observations=tuple(Observation(**{**one, "lines": tuple(one["lines"])}) for one in data["observations"]),
        files=files,
        tests_judged_for_checks=data.get("tests_judged_for_checks", 0),
        lifetimes=lifetimes_of(findings),
        settled=tuple(data.get("settled_fingerprints", ())),
        fixtures=tuple(map(_read_fixture, data["fixtures"])) or None,
    )


def _read_finding(data: Mapping[str, Any], in_force: Mapping[str, Any] = MappingProxyType({})) -> Finding:
    plain = {name: value for name, value in data.items() if name not in ("dimension", "try")}
    return Finding(
        **{
            **plain,
            "severity": Severity[data["severity"].upper()],
            "detail": {**data["detail"], **in_force},
            "owner": _read_owner(data["owner"]),
            "owners": tuple(map(_read_owner, data["owners"])),
            "written_at": _read_place(data["written_at"]),
            "seen_by": tuple(data["seen_by"]),
            "victims": tuple(data["victims"]),
            "try_command": data["try"],
        }
    )


def _read_fixture(data: Mapping[str, Any]) -> FixtureRow:
    return FixtureRow(**{**data, **{name: tuple(data[name]) for name in ("left", "touches", "value_changed_by")}})


def _read_owner(data: Mapping[str, Any]) -> Owner:
    return Owner(**{**data, "ids": tuple(data["ids"]), "written_at": _read_place(data["written_at"])})


def _read_place(data: Mapping[str, Any] | None) -> Place | None:
    return Place(**data) if data is not None else None
