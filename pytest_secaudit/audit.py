"""The whole pipeline as one function: what was read and seen goes in, an `Audit` comes out."""

from __future__ import annotations

import datetime
import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_secaudit.acts import contacts_of, findings_of_acts, sleep_of
from pytest_secaudit.catalogue import may_be_elsewhere
from pytest_secaudit.claims import findings_of_claims
from pytest_secaudit.conclusion import conclude
from pytest_secaudit.evidence import join
from pytest_secaudit.lean import lean
from pytest_secaudit.lifetimes import lifetimes_of
from pytest_secaudit.model import INFO, Audit, Evidence, EvidenceSummary, Finding, Heading, NotAudited, Owner, Run
from pytest_secaudit.policy import Placed, expired, gate, judge
from pytest_secaudit.proofs import Checked, checked
from pytest_secaudit.proofs import evidence as evidence_of_lines
from pytest_secaudit.reading import Armed, Reading, StaticHit, fingerprint
from pytest_secaudit.redact import clean
from pytest_secaudit.settings import Settings
from pytest_secaudit.watch.record import Watched

if TYPE_CHECKING:
    from pytest_secaudit.blind import BlindSpots
    from pytest_secaudit.facts import BlindFacts


@dataclass(frozen=True)
class Seen:
    """What one run saw, from all its processes.

    Attributes:
        readings: every file read, live questions already answered.
        not_audited: files and items that could not be read.
        collected: how many tests were collected.
        outcomes: test id -> ``passed``, ``failed`` or ``skipped``, for those that were started.
        markers: suppressions that only live items know, with their files.
        watched: what was seen while they ran.
        run: how the tests were run.
        today: the date that ``until`` is compared with.
    """

    readings: tuple[Reading, ...]
    not_audited: tuple[NotAudited, ...]
    collected: int
    outcomes: Mapping[str, str]
    markers: tuple[Placed, ...]
    watched: Watched
    run: Run
    today: datetime.date

    @functools.cached_property
    def ran(self) -> frozenset[str]:
        """The ids of tests whose body had the chance to run."""
        return frozenset(test for test, outcome in self.outcomes.items() if outcome != "skipped")


def audit(seen: Seen, settings: Settings, version: str) -> Audit:
    """Judge what was seen by the user's settings."""
    placed = [*_placed(seen.readings), *seen.markers]
    by_lines = list(_suspected(seen, settings))
    suspected = [one.finding for one in by_lines if one.speaks]
    have_checked = checked(seen.readings, seen.watched, seen.outcomes)
    blind = _blind_spots(seen, settings, have_checked)
    happened = [*_seen_in_the_run(seen, settings), *_as_findings(blind, settings)]
    joined = join(suspected, happened, seen.watched, seen.outcomes, _failing_path(seen))
    told = {finding.fingerprint for finding in (*joined.findings, *joined.cleared)}
    judged, used = judge(_acknowledged(joined.findings, seen), placed, settings)
    # What this run has cleared may be confirmed by the next one: its ignore is not in vain.
    used |= judge((one.finding for one in by_lines if one.is_silenced_by_lines), placed, settings)[1]
    about_ignores = [finding for finding in _about_ignores(seen, placed, used, settings) if finding.code in settings.on]
    findings = (*judged, *judge(about_ignores, [], settings)[0])
    findings = tuple(sorted(findings, key=lambda finding: finding.order))
    evidence = _evidence(seen, settings, have_checked)
    return Audit(
        version=version,
        run=seen.run,
        evidence=evidence,
        conclusion=conclude(
            findings,
            joined.cleared,
            evidence,
            _examined(seen.readings, seen.watched, blind),
            collect_only=seen.run.collect_only,
        ),
        gate=gate(findings, settings, seen.run.exit_status, tests_ran=bool(seen.ran)),
        findings=findings,
        cleared=joined.cleared,
        sleep=sleep_of(seen.watched, seen.run.duration_s),
        contacts=contacts_of(seen.watched),
        tests_judged_for_checks=have_checked.judged if have_checked is not None else 0,
        lifetimes=lifetimes_of(findings),
        bodies=dict(sorted(seen.watched.bodies.items())),
        settled=tuple(sorted({one.fingerprint for one in suspected} - told)),
        blind_spots=blind,
    )


def with_findings(result: Audit, findings: Iterable[Finding], settings: Settings) -> Audit:
    """The result with other verdicts on its findings, and what follows from them."""
    findings = tuple(findings)
    examined = {one.digit: one.examined for one in result.conclusion.dimensions}
    run, evidence = result.run, result.evidence
    return replace(
        result,
        findings=findings,
        conclusion=conclude(findings, result.all_cleared, evidence, examined, collect_only=run.collect_only),
        gate=gate(findings, settings, run.exit_status, tests_ran=bool(evidence.tests_run)),
    )


def _seen_in_the_run(seen: Seen, settings: Settings) -> list[Finding]:
    checks = {check.code: check for check in settings.checks}
    return [
        *findings_of_claims(seen.watched.claims, checks),
        *findings_of_acts(seen.watched, checks, settings.max_sleep),
    ]


def _blind_spots(seen: Seen, settings: Settings, have_checked: Checked | None) -> BlindSpots | None:
    """What is only ever mocked, where that was asked for."""
    if not settings.blind_spots:
        return None
    from pytest_secaudit.blind_spots import blind_spots

    return blind_spots(_blind_facts(seen, have_checked), is_complete=seen.run.complete)


def blind_facts(seen: Seen) -> BlindFacts:
    """What blind spots are told from."""
    return _blind_facts(seen, checked(seen.readings, seen.watched, seen.outcomes))


def _blind_facts(seen: Seen, have_checked: Checked | None) -> BlindFacts:
    from pytest_secaudit.blind_spots import WATCHER
    from pytest_secaudit.facts import BlindFacts

    watched, state = seen.watched, seen.watched.watchers.get(WATCHER, "off: nothing was watched")
    return BlindFacts(
        replaced=watched.replaced,
        executed=watched.executed,
        idle=have_checked.idle if have_checked is not None else (),
        unmeasured=state.removeprefix("off: ") if state != "on" else "",
    )


def _as_findings(blind: BlindSpots | None, settings: Settings) -> Iterable[Finding]:
    if blind is None or not blind.blind:
        return ()
    from pytest_secaudit.blind_spots import CODE, findings_of

    return [one for check in settings.checks if check.code == CODE for one in findings_of(blind, check)]


def _acknowledged(findings: Iterable[Finding], seen: Seen) -> Iterator[Finding]:
    """With the comments that explain a sleep which reading alone would not have reported."""
    said = {
        (reading.path, armed.line): armed.message
        for reading in seen.readings
        for armed in reading.armed
        if armed.code == "PSA701"
    }
    for finding in findings:
        comment = said.get((finding.path, finding.line)) if finding.code == "PSA701" else None
        yield finding if comment is None else replace(finding, severity=INFO, acknowledged=comment)


def _failing_path(seen: Seen) -> frozenset[str]:
    return frozenset(hit.fingerprint for reading in seen.readings for hit in reading.hits if hit.if_it_fails)


@lean
@dataclass(frozen=True, slots=True)
class _Suspected:
    """A suspicion with what the lines that ran say of it."""

    finding: Finding
    is_armed: bool = False

    @property
    def speaks(self) -> bool:
        """What is only armed speaks when it is confirmed."""
        return not self.is_armed or self.finding.evidence == "confirmed"

    @property
    def is_silenced_by_lines(self) -> bool:
        return not self.speaks or self.finding.evidence == "cleared"


def _suspected(seen: Seen, settings: Settings) -> Iterator[_Suspected]:
    proven = evidence_of_lines(seen.readings, seen.watched, seen.outcomes)
    for reading in seen.readings:
        for hit in reading.hits:
            if hit.code in settings.on:
                yield _Suspected(_proven(_finding(hit, settings), hit, proven.get(hit.fingerprint, "suspected")))
        for armed in reading.armed:
            if armed.code in settings.on and armed.decided_by is not None:
                finding = _finding(_as_hit(armed, settings), settings)
                evidence = proven.get(armed.fingerprint, "suspected")
                yield _Suspected(_proven(finding, armed, evidence), is_armed=True)


def _as_hit(armed: Armed, settings: Settings) -> StaticHit:
    check = next(check for check in settings.checks if check.code == armed.code)
    return StaticHit(
        code=armed.code,
        severity=check.severity,
        message=armed.message,
        fix="",
        line=armed.line,
        column=armed.column,
        end_line=armed.end_line or armed.line,
        security=None,
        subject=None,
        acknowledged=None,
        owner=armed.owner,
        fingerprint=armed.fingerprint,
    )


def _proven(finding: Finding, read: StaticHit | Armed, proven: Evidence) -> Finding:
    proof = read.decided_by
    if proof is None or proven == "suspected":
        return finding
    if proven != "confirmed":
        return replace(finding, evidence=proven)
    said = proof.said or finding.message
    return replace(
        finding,
        evidence="confirmed",
        message=said,
        severity=proof.level or finding.severity,
        cause=fingerprint(finding.code, said),
    )


def _finding(hit: StaticHit, settings: Settings) -> Finding:
    check = next(check for check in settings.checks if check.code == hit.code)
    return Finding(
        code=hit.code,
        name=check.name,
        severity=hit.severity,
        message=hit.message,
        fix=hit.fix,
        path=hit.owner.path,
        line=hit.line,
        column=hit.column,
        end_line=hit.end_line,
        owner=hit.owner,
        owners=(hit.owner,),
        security=hit.security,
        subject=hit.subject,
        cwe=check.cwe,
        acknowledged=hit.acknowledged,
        cause=fingerprint(hit.code, hit.message),
        fingerprint=hit.fingerprint,
    )


def _examined(readings: Iterable[Reading], watched: Watched, blind: BlindSpots | None) -> Mapping[int, int]:
    """By dimension: the places that were read, and what was seen to happen: fixtures set up, sleeps, contacts."""
    totals = Counter(
        {6: len(watched.fixtures), 7: sum(one.calls for one in watched.slept), 9: len(contacts_of(watched))}
    )
    for reading in readings:
        totals.update(dict(reading.examined))
    totals[8] += blind.replaced if blind is not None else 0
    return totals


def _evidence(seen: Seen, settings: Settings, have_checked: Checked | None) -> EvidenceSummary:
    unread = [NotAudited(reading.path, reading.error) for reading in seen.readings if reading.error]
    broken = [
        NotAudited(reading.path, f"not by {code}: the check raised {error}")
        for reading in seen.readings
        for code, error in reading.failures
    ]
    return EvidenceSummary(
        modules=sum(1 for reading in seen.readings if reading.error is None),
        tests_collected=seen.collected,
        tests_run=len(seen.ran),
        tests_skipped=len(seen.outcomes) - len(seen.ran),
        tests_with_a_check=have_checked.tests if have_checked is not None else None,
        fixtures=sum(len(reading.fixtures) for reading in seen.readings),
        checks=tuple(sorted(settings.on)),
        watchers=dict(sorted(seen.watched.watchers.items())),
        not_audited=tuple(sorted({*seen.not_audited, *unread, *broken}, key=lambda item: (item.path, item.reason))),
    )


# --- the ignores themselves


def _placed(readings: Iterable[Reading]) -> Iterator[Placed]:
    for reading in readings:
        for suppression in reading.suppressions:
            yield Placed(reading.path, suppression)


def _about_ignores(
    seen: Seen, placed: Sequence[Placed], used: frozenset[tuple[Placed, str]], settings: Settings
) -> Iterator[Finding]:
    """PSA090 to PSA093 for every ignore written in the code."""
    checks = {check.code: check for check in settings.catalogue}
    known = {name.lower() for check in settings.catalogue for name in (check.code, check.name)}
    on = {name.lower() for check in settings.checks for name in (check.code, check.name)}
    for item in placed:
        suppression = item.suppression
        if suppression.problem:
            yield _about(checks["PSA093"], item, f"the ignore {suppression.problem}; it suppresses nothing")
            continue
        if expired(suppression, seen.today):
            yield _about(checks["PSA092"], item, f"the ignore was meant to end on {suppression.until}")
        for code in suppression.codes:
            if code.lower() not in known:
                if settings.others and may_be_elsewhere(code, settings.catalogue):
                    continue
                yield _about(checks["PSA091"], item, f"there is no check {code}; it suppresses nothing")
            elif code.lower() in on and (item, code) not in used and _was_tried(seen, item):
                yield _about(checks["PSA090"], item, f"the ignore of {code} matches nothing")


def _was_tried(seen: Seen, item: Placed) -> bool:
    """Whether the test that the ignore stands in ran; outside a test: whether the whole file's tests ran."""
    if not seen.run.complete and item.suppression.test is None:
        return False
    prefix = f"{item.path}::"
    if item.suppression.test:
        prefix += item.suppression.test
    mine = [test for test in seen.outcomes if _is_of(test, prefix)]
    return bool(mine) and seen.ran.issuperset(mine)


def _is_of(test: str, prefix: str) -> bool:
    return test == prefix or test.startswith((f"{prefix}[", prefix if prefix.endswith("::") else f"{prefix}["))


def _about(check: Heading, item: Placed, message: str) -> Finding:
    suppression = item.suppression
    identity = item.path if suppression.test is None else f"{item.path}::{suppression.test}"
    owner = Owner("import" if suppression.test is None else "test", clean(identity), item.path, suppression.line)
    codes = ",".join(suppression.codes)
    return Finding(
        code=check.code,
        name=check.name,
        severity=check.severity,
        message=clean(message),
        fix="delete it" if check.code == "PSA090" else "",
        path=item.path,
        line=suppression.line,
        column=1,
        end_line=suppression.line,
        owner=owner,
        owners=(owner,),
        evidence="confirmed",
        cause=fingerprint(check.code, message),
        fingerprint=fingerprint(check.code, item.path, suppression.kind, suppression.test or "", codes),
    )


def with_exit_status(result: Audit, status: int) -> Audit:
    """The audit of a run that ended with this exit status."""
    return replace(result, run=replace(result.run, exit_status=status))
