"""The terminal summary: what to do first, in the fewest lines that say it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_secaudit.conclusion import plural
from pytest_secaudit.lean import lean
from pytest_secaudit.model import ADVISORY, DEFECT, INFO, OWN_CHECKS, Audit, Finding, NotAudited, Severity
from pytest_secaudit.policy import NEW_CHECK, count_by_level
from pytest_secaudit.reports.brief import aside_of

MAX_DEFECT_BLOCKS = 20
MAX_ADVISORY_GROUPS = 5
MAX_PLACES = 3
MAX_FIXTURES = 20
MAX_BLIND_SPOTS = 10
_INDENT = 10
#: Codes of findings that stand in a part of their own.
_WITH_PARTS_OF_THEIR_OWN = frozenset(("PSA810",))
#: From this share of the tests on, what is known of them is said of all.
_NEARLY_ALL = 0.9


@lean
@dataclass(frozen=True, slots=True)
class Line:
    """One line of output and how it is marked up (``red``, ``yellow``, ``bold`` or nothing)."""

    text: str
    markup: str = ""


def summary(audit: Audit, verbosity: int, width: int) -> list[Line]:
    """The lines of the section under its title, at verbosity 0 (default), 1 (``-v``) or 2 (``-vv``)."""
    return [line for part in _parts(audit, verbosity, width) for line in part]


def _parts(audit: Audit, verbosity: int, width: int) -> Iterator[Iterable[Line]]:
    new = [finding for finding in audit.having("new") if finding.code not in _WITH_PARTS_OF_THEIR_OWN]
    yield _opening(audit, width)
    yield _defects([f for f in new if f.severity is DEFECT], verbosity, width)
    brief = audit.run.collect_only
    yield _groups([f for f in new if f.severity is ADVISORY], verbosity, width, brief=brief)
    if verbosity >= 1:
        yield _groups([f for f in new if f.severity is INFO], verbosity, width, brief=brief)
    if verbosity >= 2:
        yield _suppressed([f for f in audit.findings if f.status != "new"], width)
    yield _fixtures(audit, verbosity, width)
    yield _blind_spots(audit, verbosity, width)
    yield _not_judged(audit, verbosity, width)
    yield _closing(audit, audit.having("new"), verbosity, width)


def _opening(audit: Audit, width: int) -> Iterator[Line]:
    evidence = audit.evidence
    if not evidence.modules:
        return
    if audit.run.collect_only:
        read = f"{plural(evidence.tests_collected, 'test')} in {plural(evidence.modules, 'module')}"
        verb = "was" if evidence.tests_collected == 1 else "were"
        yield from _wrapped(f"nothing was run: {read} {verb} read, none was watched", width)


# --- findings


def _defects(findings: Sequence[Finding], verbosity: int, width: int) -> Iterator[Line]:
    blocks = _by_cause(findings)
    shown = blocks if verbosity >= 1 else blocks[:MAX_DEFECT_BLOCKS]
    for block in shown:
        yield from _block(block, verbosity, width)
    left = sum(len(block) for block in blocks[len(shown) :])
    if left:
        yield Line(f"{plural(left, 'more defect')}: -v")


def _by_cause(findings: Sequence[Finding]) -> list[list[Finding]]:
    blocks: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        blocks.setdefault((finding.code, finding.cause), []).append(finding)
    return list(blocks.values())


def _block(block: Sequence[Finding], verbosity: int, width: int) -> Iterator[Line]:
    first = block[0]
    yield from _head(first, f"{first.path}:{first.line}", width)
    yield from _body(first.message + _measured(first), width)
    yield from _aftermath(first, width)
    others = block[1:] if verbosity >= 1 else block[1:MAX_PLACES]
    for other in others:
        yield from _body(f"also {other.path}:{other.line}", width)
    left = len(block) - 1 - len(others)
    if left:
        yield from _body(f"{plural(left, 'more place')}: -v", width)
    if first.acknowledged:
        yield from _body(f"acknowledged at {first.acknowledged}", width)
    elif first.fix:  # whoever explains a wait has thought of the usual remedy
        yield from _body(f"fix: {first.fix}", width)
    if first.try_command:
        yield from _command(first.try_command, width)


def _measured(finding: Finding) -> str:
    """What the run counted there."""
    if "seconds" not in finding.detail or "calls" not in finding.detail:
        return ""
    return f": {finding.detail['seconds']:.1f} s, {plural(finding.detail['calls'], 'call')}"


def _aftermath(finding: Finding, width: int) -> Iterator[Line]:
    """What became of a change that was left, and who ran meanwhile."""
    later = finding.detail.get("later_tests", 0)
    said = [f"in force in {plural(later, 'later test')}"] if later else []
    if finding.victims:
        more = len(finding.victims) - MAX_PLACES
        named = ", ".join(finding.victims[:MAX_PLACES]) + (f" and {more} more" if more > 0 else "")
        said.append(f"failed: {named}")
    if finding.detail.get("put_back_later"):
        said.append("put back later, by somebody else")
    if said:
        yield from _body("; ".join(said), width)


def _command(command: str, width: int) -> Iterator[Line]:
    """A command that can be pasted, also where it takes two lines."""
    start, indent = f"try: {command}", " " * _INDENT
    if len(start) + _INDENT <= width:
        yield Line(indent + start)
        return
    program, *arguments = re.findall(r"'[^']*'|\S+", command)
    for number, argument in enumerate(arguments):
        lead = f"try: {program} " if number == 0 else " " * len(f"try: {program} ")
        yield Line(indent + lead + argument + (" \\" if number < len(arguments) - 1 else ""))


def _groups(findings: Sequence[Finding], verbosity: int, width: int, *, brief: bool) -> Iterator[Line]:
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.code, []).append(finding)
    # Remarks about ignores never push a hazard out of sight.
    ordered = sorted(groups.values(), key=lambda group: (group[0].code.startswith("PSA09"), -len(group), group[0].code))
    shown = ordered if verbosity >= 1 else ordered[:MAX_ADVISORY_GROUPS]
    for group in shown:
        yield from _group(group, verbosity, width, brief=brief)
    left = sum(len(group) for group in ordered[len(shown) :])
    if left:
        yield Line(f"{plural(left, 'more advisory')}: -v")


def _group(group: Sequence[Finding], verbosity: int, width: int, *, brief: bool) -> Iterator[Line]:
    if len(group) == 1:
        yield from _block(group, verbosity, width)
        return
    files = len({finding.path for finding in group})
    places = f"{plural(len(group), 'place')} in {plural(files, 'file')}"
    if group[0].code == "PSA701" and any(finding.evidence == "confirmed" for finding in group):
        yield from _sleeps(group, places, verbosity, width)
        return
    unknown = " (time not known)" if group[0].code == "PSA701" else ""
    if brief and verbosity < 1 and len(group) > MAX_PLACES:
        yield from _head(group[0], f"{places}{unknown}: -v", width)
        return
    yield from _head(group[0], f"{places}{unknown}", width)
    shown = group if verbosity >= 1 else group[:MAX_PLACES]
    fixes = {finding.fix for finding in group if finding.fix and not finding.acknowledged}
    for finding in shown:
        said = f" (acknowledged at {finding.acknowledged})" if finding.acknowledged else ""
        yield from _body(f"{finding.path}:{finding.line}  {finding.message}{said}", width)
        if len(fixes) > 1 and finding.fix and not finding.acknowledged:
            yield from _body(f"fix: {finding.fix}", width)
    if len(group) > len(shown):
        yield from _body(f"{len(group) - len(shown):,} more: -v", width)
    if len(fixes) == 1:
        yield from _body(f"fix: {fixes.pop()}", width)


def _sleeps(group: Sequence[Finding], places: str, verbosity: int, width: int) -> Iterator[Line]:
    """Real sleeps, the longest first, with what they cost."""
    slept = sum(finding.detail.get("seconds", 0.0) for finding in group)
    head = next(finding for finding in group if finding.evidence == "confirmed")
    yield from _head(head, f"{places}: {slept:.1f} s", width)
    ordered = sorted(group, key=lambda finding: -finding.detail.get("seconds", 0.0))
    shown = ordered if verbosity >= 1 else ordered[:MAX_PLACES]
    for finding in shown:
        seconds = f"{finding.detail['seconds']:5.1f} s" if "seconds" in finding.detail else "not run"
        calls, tests = finding.detail.get("calls", 0), finding.detail.get("tests", 0)
        counted = f"   {plural(calls, 'call')}, {plural(tests, 'test')}" if calls else ""
        yield from _body(f"{seconds}  {finding.path}:{finding.line}{counted}", width)
    if len(ordered) > len(shown):
        yield from _body(f"{len(ordered) - len(shown):,} more: -v", width)
    fixes = {finding.fix for finding in group if finding.fix and not finding.acknowledged}
    if len(fixes) == 1:
        yield from _body(f"fix: {fixes.pop()}", width)


def _suppressed(findings: Sequence[Finding], width: int) -> Iterator[Line]:
    for finding in findings:
        yield Line(f"{finding.status:<9} {finding.code} {finding.name}   {finding.path}:{finding.line}")
        yield from _body(finding.reason or "", width)


_COLOUR = {DEFECT: "red", ADVISORY: "yellow", INFO: "cyan"}


def _head(finding: Finding, where: str, width: int) -> Iterator[Line]:
    level = "suspected" if finding.evidence == "suspected" else finding.severity.word
    start = f"{level:<{_INDENT}}{finding.code} {finding.name}"
    colour = _COLOUR[finding.severity]
    if len(start) + 3 + len(where) <= width:
        yield Line(f"{start}   {where}", colour)
    else:  # a path is never cut: it must stay clickable
        yield Line(start, colour)
        yield Line(" " * _INDENT + where)
    if finding.detail.get("new_check"):
        yield Line(" " * _INDENT + NEW_CHECK)


def _body(text: str, width: int) -> Iterator[Line]:
    indent = " " * _INDENT
    for line in textwrap.wrap(text, max(20, width - _INDENT), break_long_words=False, break_on_hyphens=False):
        yield Line(indent + line)


# --- the table of fixtures


def _fixtures(audit: Audit, verbosity: int, width: int) -> Iterator[Line]:
    if audit.fixtures is None:
        return
    from pytest_secaudit.reports import fixture_rows  # most runs have no table

    rows = fixture_rows.shown(audit.fixtures)
    yield from (Line(line.text, "bold") for line in _wrapped(fixture_rows.headline(rows), width))
    own = [row for row in rows if not fixture_rows.is_foreign(row)]
    seen = rows if verbosity >= 1 else own[:MAX_FIXTURES]
    if seen:
        yield Line(f"{'':<{_INDENT}}{'set-ups':>7} {'users':>6} {'set-up':>7} {'teardown':>8}")
    for row in seen:
        verdict = fixture_rows.verdict_of(row)
        setups, users, setup, teardown = fixture_rows.figures(row)
        counted = f"{verdict:<{_INDENT}}{setups:>7} {users:>6} {setup:>7} {teardown:>8}"
        colour = "red" if row.verdict == "leaks" else ""
        who = f"{row.name} [{row.scope}]  {row.path}:{row.line}"
        if len(counted) + 2 + len(who) <= width:
            yield Line(f"{counted}  {who}", colour)
        else:  # a path is never cut: it must stay clickable
            yield Line(counted, colour)
            yield Line(" " * _INDENT + who)
        for remark in fixture_rows.remarks(row):
            yield from _body(remark, width)
    if len(rows) > len(seen):
        more, foreign = len(rows) - len(seen), len(rows) - len(own)
        whose = " of other plugins" if more == foreign else f", {foreign:,} of other plugins" if foreign else ""
        yield Line(f"{plural(more, 'more fixture')}{whose}: -v")


# --- what is only ever mocked


def _blind_spots(audit: Audit, verbosity: int, width: int) -> Iterator[Line]:
    if audit.blind_spots is None:
        return
    from pytest_secaudit.reports import blind_rows  # most runs do not ask for it

    yield from (Line(line.text, "bold") for line in _wrapped(blind_rows.headline(audit.blind_spots), width))
    rows = blind_rows.shown(audit)
    seen = rows if verbosity >= 1 else rows[:MAX_BLIND_SPOTS]
    for row in seen:
        word = blind_rows.word(row)
        start, where = f"{word:<{_INDENT}} {row.qualname}", f"{row.path}:{row.line}"
        colour = _COLOUR[ADVISORY] if word == "security" else _COLOUR[INFO]
        if len(start) + 3 + len(where) <= width:
            yield Line(f"{start}   {where}", colour)
        else:  # a path is never cut: it must stay clickable
            yield Line(start, colour)
            yield Line(" " * _INDENT + " " + where)
        yield from _body(blind_rows.remark(row), width)
    if len(rows) > len(seen):
        yield Line(f"{plural(len(rows) - len(seen), 'more blind spot')}: -v")


# --- what else is to be said


def _not_judged(audit: Audit, verbosity: int, width: int) -> Iterator[Line]:
    evidence = audit.evidence
    parts = []
    if evidence.tests_skipped:
        parts.append(f"{plural(evidence.tests_skipped, 'test')} skipped")
    unread = [item for item in evidence.not_audited if not item.reason.startswith("not by ")]
    if unread:
        parts.append(f"{plural(len(unread), 'file')} not read")
    parts += _not_by(evidence.not_audited)
    parts += [f"worker {worker} was lost" for worker in audit.run.workers_lost]
    parts += [f"watcher {name} ({state})" for name, state in evidence.watchers.items() if "failed" in state]
    aside = aside_of(audit)
    if parts:
        named = " (-v names them)" if evidence.not_audited and verbosity < 1 else ""
        yield from _wrapped(f"not judged: {', '.join(parts)}{named}" + (f" | {aside}" if aside else ""), width)
    elif aside:
        yield from _wrapped(aside, width)
    if verbosity >= 1:
        for item in evidence.not_audited:
            yield from _body(f"{item.path}: {item.reason}", width)
        for name, state in evidence.watchers.items():
            if state != "on":
                yield from _body(f"{name}: {state}", width)
    yield from _baseline(audit, verbosity, width)


def _not_by(items: Iterable[NotAudited]) -> Iterator[str]:
    """Checks that could not do their work: which, and in how many files; or whose."""
    files: dict[str, list[str]] = {}
    for item in items:
        check, colon, _ = item.reason.removeprefix("not by ").partition(":")
        if colon and item.reason.startswith("not by "):
            files.setdefault(check, []).append(item.path)
    for check, paths in sorted(files.items()):
        if check == OWN_CHECKS:
            yield f"the checks of {', '.join(paths)} are not used"
        else:
            yield f"{check} failed in {plural(len(paths), 'file')}"


def _baseline(audit: Audit, verbosity: int, width: int) -> Iterator[Line]:
    """What became of the baseline, and what in it is of no use any more."""
    use = audit.baseline
    if use is None:
        return
    if use.is_written:
        hint = f"; --secaudit-baseline={use.path} uses it" if use.is_first else ""
        yield from _wrapped(f"baseline: {_entries(use.entries)} written to {use.path}{hint}", width)
    if use.stale:
        verb = "happens" if len(use.stale) == 1 else "happen"
        yield from _wrapped(
            f"baseline: {_entries(len(use.stale))} in {use.path} no longer {verb}; --secaudit-write-baseline drops "
            + ("it" if len(use.stale) == 1 else "them"),
            width,
        )
        shown = use.stale if verbosity >= 1 else use.stale[:MAX_PLACES]
        for entry in shown:
            yield from _body(entry, width)
        if len(use.stale) > len(shown):
            yield from _body(f"{len(use.stale) - len(shown):,} more: -v", width)


def _entries(count: int) -> str:
    return plural(count, "entry")


def _wrapped(text: str, width: int) -> Iterator[Line]:
    yield from (Line(line) for line in textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False))


def _cost(audit: Audit, verbosity: int, width: int) -> Iterator[Line]:
    """Whether tests checked anything, what was slept, what the audit itself took (its share where that says something)."""
    if audit.run.collect_only:
        return
    parts = [_checked(audit)] if audit.tests_judged_for_checks else []
    whole = audit.run.duration_s
    slept = audit.sleep.total_s
    if slept >= 0.1:
        parts.append(f"asleep {slept:.1f} s of {whole:.0f} s ({100 * audit.sleep.share:.0f} %)")
    seconds = audit.run.audit_s
    if seconds < 0.1:
        parts.append(f"audit took {1000 * seconds:.0f} ms")
    else:
        parts.append(f"audit took {seconds:.1f} s ({100 * seconds / max(seconds, whole):.1f} %)")
        if verbosity >= 1 and audit.run.dearest:
            parts[-1] += f", most of it for {audit.run.dearest}"
    yield from _joined(parts, width)


def _checked(audit: Audit) -> str:
    """The share of passed tests that evaluated an assertion or a check of a mock; never rounded up to all."""
    judged, checked = audit.tests_judged_for_checks, audit.evidence.tests_with_a_check or 0
    share = min(1000 * checked // judged / 10, 100.0)
    of = "passed tests" if judged >= _NEARLY_ALL * audit.evidence.tests_run else f"{plural(judged, 'passed test')}"
    return f"checked something: {share:.0f} % of {of}" if share == 100 else f"checked something: {share:.1f} % of {of}"


def _joined(parts: Iterable[str], width: int) -> Iterator[Line]:
    """In one line, or as many as they need."""
    line = ""
    for part in parts:
        if line and len(line) + len(part) + 3 > width:
            yield Line(line)
            line = ""
        line = f"{line} | {part}" if line else part
    yield Line(line)


def _closing(audit: Audit, new: Sequence[Finding], verbosity: int, width: int) -> Iterator[Line]:
    levels = count_by_level(new)
    infos = levels[INFO]
    hidden = f" ({plural(infos, 'info')} more: -v)" if infos and verbosity < 1 else ""
    worst: Severity | None = max((level for level in levels if levels[level]), default=None)
    colour = {DEFECT: "red", ADVISORY: "yellow"}.get(worst or INFO, "green" if audit.evidence.modules else "yellow")
    yield from (Line(line.text, colour) for line in _wrapped(audit.conclusion.text + hidden, width))
    yield from _cost(audit, verbosity, width)
    shown = [finding for finding in new if verbosity >= 1 or finding.severity > INFO]
    if shown and audit.run.collect_only:
        yield Line("pytest --secaudit confirms or clears them")
    elif shown:
        learn = f"learn: pytest --secaudit-explain {shown[0].code}"
        many = audit.baseline is None and levels[DEFECT] + levels[ADVISORY] > MAX_DEFECT_BLOCKS
        yield from _joined(["adopt: --secaudit-write-baseline", learn] if many else [learn], width)
