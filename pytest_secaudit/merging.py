"""The reports of several runs as one: shards of a suite, whose tests no two of them share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import TypeVar

from pytest_secaudit.blind import BlindSpots
from pytest_secaudit.blind_spots import CODE as BLIND_SPOT
from pytest_secaudit.blind_spots import blind_spots, findings_of, with_blind_spots
from pytest_secaudit.checks.headings import HEADINGS
from pytest_secaudit.conclusion import conclude
from pytest_secaudit.facts import Facts, together
from pytest_secaudit.files import observed
from pytest_secaudit.fixture_table import table
from pytest_secaudit.lifetimes import lifetimes_of
from pytest_secaudit.model import (
    NOT_COLLECTED,
    Audit,
    Cleared,
    Contact,
    Evidence,
    EvidenceSummary,
    FileRun,
    Finding,
    FixtureRow,
    Gate,
    Run,
    Sleep,
    SleepSite,
    Status,
)
from pytest_secaudit.settings import DEPTHS

_T = TypeVar("_T")

_BEST: tuple[Evidence, ...] = ("confirmed", "not-reached", "suspected", "cleared")
_WORST: tuple[Status, ...] = ("new", "baselined", "expected", "ignored")
#: As many tests are named as in a report of one run.
_MOST_NAMED = 20
_MOST_SLEPT_IN = 5


def merged(audits: Sequence[Audit]) -> Audit:
    """One result of several, at least one."""
    audits = [_told_apart(audit, number) for number, audit in enumerate(audits, 1)]
    facts = together([audit.facts or Facts() for audit in audits])
    evidence = _evidence(audits, facts)
    files = _files(audits)
    run = _run(audits)
    blind = blind_spots(facts.blind, is_complete=run.complete) if facts.blind is not None else None
    findings, cleared = _findings(audits)
    findings = _with_blind_spots(findings, blind, evidence)
    contacts = _contacts(audits)
    examined = Counter(facts.examined(len(contacts)))
    examined[8] += blind.replaced if blind is not None else 0
    return Audit(
        version=audits[0].version,
        run=run,
        evidence=evidence,
        conclusion=conclude(findings, cleared, evidence, examined, collect_only=run.collect_only),
        gate=Gate(),
        findings=findings,
        cleared=_in_full(audits, cleared),
        also_cleared=cleared,
        sleep=_sleep(audits, run.duration_s),
        contacts=contacts,
        observations=with_blind_spots(observed(facts, files, findings, evidence.watchers, cleared), blind),
        blind_spots=blind,
        files=files,
        tests_judged_for_checks=sum(audit.tests_judged_for_checks for audit in audits),
        lifetimes=lifetimes_of(findings),
        bodies=dict(chain.from_iterable(audit.bodies.items() for audit in audits)),
        facts=facts,
        fixtures=_fixtures(audits, facts, findings, run),
        settled=tuple(sorted(set(chain.from_iterable(audit.settled for audit in audits)))),
    )


def _told_apart(audit: Audit, number: int) -> Audit:
    """With processes that have names of their own: each shard may have a ``gw0``."""

    def named(process: str) -> str:
        return f"{number} {process}".strip()

    def of_shard(finding: Finding) -> Finding:
        if "lived" not in finding.detail:
            return finding
        lived = [[named(process), *times] for process, *times in finding.detail["lived"]]
        return replace(finding, detail={**finding.detail, "lived": lived})

    return replace(
        audit,
        findings=tuple(map(of_shard, audit.findings)),
        bodies={named(process): count for process, count in audit.bodies.items()},
    )


# --- findings


def _findings(audits: Sequence[Audit]) -> tuple[tuple[Finding, ...], tuple[Cleared, ...]]:
    """The findings of all, and the suspicions that any shard has cleared and none has confirmed."""
    known = {one.fingerprint: one for audit in audits for one in audit.all_cleared}
    settled = frozenset(chain.from_iterable(audit.settled for audit in audits))
    groups: defaultdict[tuple[str, str], list[Finding]] = defaultdict(list)
    for audit in audits:
        for finding in audit.findings:
            groups[finding.code, finding.fingerprint].append(finding)
    found = []
    for group in groups.values():
        finding = _one(group)
        if finding.evidence == "confirmed" or finding.fingerprint not in settled | known.keys():
            found.append(finding)
            known.pop(finding.fingerprint, None)
    cleared = (one for one in known.values() if one.fingerprint not in settled)
    return tuple(sorted(found, key=lambda finding: finding.order)), tuple(sorted(cleared))


def _with_blind_spots(
    findings: Iterable[Finding], blind: BlindSpots | None, evidence: EvidenceSummary
) -> tuple[Finding, ...]:
    """What one shard only mocks another may run: they are told anew."""
    known = {one.fingerprint: one for one in findings if one.code == BLIND_SPOT}
    others = [one for one in findings if one.code != BLIND_SPOT]
    if blind is None or BLIND_SPOT not in evidence.checks:
        return tuple(others)
    check = next(heading for heading in HEADINGS if heading.code == BLIND_SPOT)
    found = findings_of(blind, check)
    told = (replace(one, status=known.get(one.fingerprint, one).status) for one in found)
    told = (replace(one, reason=known.get(one.fingerprint, one).reason) for one in told)
    return tuple(sorted((*others, *told), key=lambda finding: finding.order))


def _in_full(audits: Sequence[Audit], cleared: Iterable[Cleared]) -> tuple[Finding, ...]:
    """The cleared suspicions, as far as a report tells them or another shard still suspected them."""
    wanted = {one.fingerprint for one in cleared}
    told = {
        finding.fingerprint: replace(finding, evidence="cleared")
        for audit in audits
        for finding in (*audit.findings, *audit.cleared)
        if finding.fingerprint in wanted
    }
    return tuple(sorted(told.values(), key=lambda finding: finding.order))


def _one(group: Sequence[Finding]) -> Finding:
    group = sorted(group, key=lambda one: (_BEST.index(one.evidence), one.owner.order, -one.severity))
    first = group[0]
    if len(group) == 1:
        return first
    owners = {owner.id: owner for one in reversed(group) for owner in one.owners}
    victims = _unique(one.victims for one in group)[:_MOST_NAMED]
    seen_by = _unique([victims, *(one.seen_by for one in group)])[:_MOST_NAMED]
    detail = dict(first.detail)
    for name in ("calls", "seconds"):  # of a sleep
        if name in detail:
            detail[name] = sum(one.detail.get(name, 0) for one in group)
    if "tests" in detail:
        detail["tests"] = len(owners)
    if "lived" in detail:
        detail["lived"] = list(chain.from_iterable(one.detail.get("lived", ()) for one in group))
        detail["later_tests"] = max(one.detail.get("later_tests", 0) for one in group)
    return replace(
        first,
        severity=max(one.severity for one in group),
        status=min((one.status for one in group), key=_WORST.index),
        owners=tuple(sorted(owners.values(), key=lambda owner: owner.order)),
        victims=victims,
        seen_by=seen_by,
        detail=detail,
    )


def _unique(parts: Iterable[Iterable[_T]]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(parts)))


# --- the rest


def _files(audits: Iterable[Audit]) -> tuple[FileRun, ...]:
    by_path: defaultdict[str, list[FileRun]] = defaultdict(list)
    for file in chain.from_iterable(audit.files for audit in audits):
        by_path[file.path].append(file)
    return tuple(
        FileRun(
            path,
            *(sum(getattr(one, name) for one in found) for name in ("collected", "passed", "failed", "skipped")),
        )
        for path, found in sorted(by_path.items())
    )


def _evidence(audits: Sequence[Audit], facts: Facts) -> EvidenceSummary:
    parts = [audit.evidence for audit in audits]
    checked = [one.tests_with_a_check for one in parts if one.tests_with_a_check is not None]
    watchers: dict[str, str] = {}
    for name, state in chain.from_iterable(one.watchers.items() for one in parts):
        if watchers.get(name, "on") == "on":
            watchers[name] = state
    return EvidenceSummary(
        modules=sum(file.is_read for file in facts.files.values()),
        tests_collected=sum(one.tests_collected for one in parts),
        tests_run=sum(one.tests_run for one in parts),
        tests_skipped=sum(one.tests_skipped for one in parts),
        tests_with_a_check=sum(checked) if checked else None,
        fixtures=sum(len(file.fixtures) for file in facts.files.values()),
        checks=tuple(sorted(_unique(one.checks for one in parts))),
        watchers=dict(sorted(watchers.items())),
        not_audited=tuple(sorted(_unique(one.not_audited for one in parts), key=lambda one: (one.path, one.reason))),
    )


def _came_to_its_end(audit: Audit) -> bool:
    run = audit.run
    is_collected = not any(one.reason == NOT_COLLECTED for one in audit.evidence.not_audited)
    return run.exit_status in (0, 1) and not run.workers_lost and not run.collect_only and is_collected


def _run(audits: Sequence[Audit]) -> Run:
    """All shards together are a complete run, if each came to its end."""
    runs = [audit.run for audit in audits]
    return Run(
        python=", ".join(_unique([[run.python] for run in runs])),
        pytest=", ".join(_unique([[run.pytest] for run in runs])),
        depth=min((run.depth for run in runs), key=DEPTHS.index),
        workers=sum(run.workers for run in runs),
        workers_lost=_unique(run.workers_lost for run in runs),
        duration_s=round(sum(run.duration_s for run in runs), 3),
        audit_s=round(sum(run.audit_s for run in runs), 3),
        complete=all(map(_came_to_its_end, audits)),
        exit_status=max(run.exit_status for run in runs),
        collect_only=all(run.collect_only for run in runs),
    )


def _sleep(audits: Iterable[Audit], duration: float) -> Sleep:
    sites: dict[tuple[str, int], SleepSite] = {}
    total = 0.0
    for sleep in (audit.sleep for audit in audits):
        total += sleep.total_s
        for site in sleep.sites:
            known = sites.get((site.path, site.line))
            sites[site.path, site.line] = site if known is None else _slept_twice(known, site)
    ordered = sorted(sites.values(), key=lambda site: (-site.seconds, site.path, site.line))
    return Sleep(round(total, 3), round(total / duration, 4) if duration else 0.0, 0.0, tuple(ordered))


def _slept_twice(one: SleepSite, other: SleepSite) -> SleepSite:
    tests = _unique((one.tests, other.tests))[:_MOST_SLEPT_IN]
    return replace(one, calls=one.calls + other.calls, seconds=round(one.seconds + other.seconds, 3), tests=tests)


def _fixtures(
    audits: Sequence[Audit], facts: Facts, findings: Iterable[Finding], run: Run
) -> tuple[FixtureRow, ...] | None:
    """The table, where all shards were asked for theirs."""
    if any(audit.fixtures is None for audit in audits):
        return None
    unwatched = "" if any(audit.evidence.watchers for audit in audits) else "not watched"
    return table(facts, findings, is_complete=run.complete, unwatched=unwatched)


def _contacts(audits: Iterable[Audit]) -> tuple[Contact, ...]:
    owners: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for contact in chain.from_iterable(audit.contacts for audit in audits):
        owners[contact.kind, contact.what].update(dict.fromkeys(contact.owners))
    return tuple(Contact(kind, what, tuple(sorted(found))) for (kind, what), found in sorted(owners.items()))
