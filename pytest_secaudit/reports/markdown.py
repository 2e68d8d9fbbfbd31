"""The review: the run in a few lines, then file by file the dimensions of a reviewer, each with what it rests on."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from pytest_secaudit.blind_spots import CODE as BLIND_SPOT
from pytest_secaudit.conclusion import NOT_JUDGED, plural
from pytest_secaudit.model import ADVISORY, DEFECT, DIMENSIONS, INFO, Audit, Basis, FileRun, Finding, Observation
from pytest_secaudit.policy import count_by_level
from pytest_secaudit.reports import blind_rows, fixture_rows

_MARKS: dict[Basis, str] = {"measured": "m", "read": "r", "not judged": "n"}
#: Within a word an underscore is only that.
_MARKUP = re.compile(r"([\\*\[\]|]|(?<!\w)_|_(?!\w)|~(?=~)|^#)")
#: In one sentence no more findings are named.
_MOST = 6
_KEY = "*m* measured in this run, *r* read in the source, *n* not judged"
#: Of the dimensions of a review the conclusion comes last.
_ORDER = tuple(digit for digit in DIMENSIONS if digit)


def render(audit: Audit, whole: Collection[str] = (), *, everything: bool = False) -> str:
    """The review as Markdown.

    Args:
        audit: what is told.
        whole: paths of files that are reviewed whatever was found in them.
        everything: so are all others.
    """
    findings: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in audit.findings:
        if finding.code != BLIND_SPOT:  # it stands in the product: the files that mock it say so
            findings[finding.path].append(finding)
    said: defaultdict[str, list[Observation]] = defaultdict(list)
    for observation in audit.observations:
        said[observation.path].append(observation)
    files = {one.path: one for one in audit.files}
    paths = sorted(
        path
        for path in {*findings, *said, *files}
        if path in whole or everything or any(_matters(finding) for finding in findings[path])
    )
    parts = [_run(audit)]
    parts += ["\n".join(_file(audit, path, findings[path], said[path], files.get(path))) for path in paths]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _matters(finding: Finding) -> bool:
    return finding.status == "new" and finding.severity > INFO


# --- the run


def _run(audit: Audit) -> str:
    lines = [
        "# Review of the test suite",
        "",
        f"**{_sentence(audit.conclusion.text)}** {_sentence(audit.conclusion.security)}",
    ]
    lines += [
        "",
        "| dimension | examined | defects | advisories | info | cleared |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in audit.conclusion.dimensions:
        examined = f"{one.examined:,}" if one.examined else "-"
        lines.append(
            f"| {one.digit} {one.name} | {examined} | {one.defect} | {one.advisory} | {one.info} | {one.cleared} |"
        )
    lines += [
        "",
        *_fixtures(audit),
        *_blind_spots(audit),
        *_asides(audit),
        f"Each sentence of a file's review is marked: {_KEY}.",
    ]
    return "\n".join(lines)


def _fixtures(audit: Audit) -> Iterator[str]:
    if audit.fixtures is None:
        return
    rows = fixture_rows.shown(audit.fixtures)
    yield f"**{_sentence(fixture_rows.headline(rows))}**"
    yield ""
    if rows:
        yield "| verdict | fixture | scope | set-ups | users | set-up | teardown | where | |"
        yield "| --- | --- | --- | ---: | ---: | ---: | ---: | --- | --- |"
    for row in rows:
        cells = [
            fixture_rows.verdict_of(row),
            f"`{_code(row.name)}`",
            row.scope,
            *fixture_rows.figures(row),
            f"`{_code(f'{row.path}:{row.line}')}`",
            _text("; ".join(fixture_rows.remarks(row))),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _blind_spots(audit: Audit) -> Iterator[str]:
    if audit.blind_spots is None:
        return
    yield f"**{_sentence(blind_rows.headline(audit.blind_spots))}**"
    yield ""
    rows = blind_rows.shown(audit)
    if rows:
        yield "| | function | where | |"
        yield "| --- | --- | --- | --- |"
    for row in rows:
        place = _code(f"{row.path}:{row.line}")
        remark = _text(blind_rows.remark(row))
        yield f"| {blind_rows.word(row)} | `{_code(row.qualname)}` | `{place}` | {remark} |"
    yield ""


def _asides(audit: Audit) -> Iterator[str]:
    evidence = audit.evidence
    if audit.sleep.total_s >= 0.1:
        yield f"Asleep: {audit.sleep.total_s:.1f} s of {audit.run.duration_s:.0f} s ({100 * audit.sleep.share:.0f} %).\n"
    if audit.contacts:
        named = ", ".join(f"{contact.kind} `{_code(contact.what)}`" for contact in audit.contacts[:20])
        more = f" and {len(audit.contacts) - 20} more" if len(audit.contacts) > 20 else ""
        yield f"Outside the process: {named}{more}.\n"
    if evidence.tests_skipped or evidence.not_audited:
        skipped = [f"{plural(evidence.tests_skipped, 'test')} skipped"] if evidence.tests_skipped else []
        unread = [f"`{_code(item.path)}` ({_text(item.reason)})" for item in evidence.not_audited[:20]]
        yield f"Not judged: {', '.join([*skipped, *unread])}.\n"
    off = [f"{name} ({_text(state)})" for name, state in evidence.watchers.items() if not state.startswith("on")]
    if off:
        yield f"Not watched: {', '.join(off)}.\n"
    if audit.gate.reason:
        yield f"{_sentence(audit.gate.reason)}\n"


# --- a file


def _file(
    audit: Audit, path: str, findings: Sequence[Finding], said: Sequence[Observation], run: FileRun | None
) -> Iterator[str]:
    yield f"# {_text(path)}"
    yield ""
    yield f"**{_headline(findings)}** {_ran(audit, run)}"
    yield ""
    for number, digit in enumerate(_ORDER, 1):
        mine = [one for one in said if one.dimension == digit]
        sentences = [*_told(one for one in findings if one.dimension == digit and not _is_said(one, mine))]
        sentences += map(_marked, mine)
        if sentences or said:  # of a file that holds no tests only what was found
            yield f"{number}. **{_capital(DIMENSIONS[digit])}.** {' '.join(sentences) or 'Nothing to say.'}"
    others = [*_told(finding for finding in findings if finding.dimension == 0)]
    if others:
        yield f"{len(_ORDER) + 1}. **Whether the tests can fail.** {' '.join(others)}"
    yield ""
    if said:
        yield f"**Integration points:** {_integration(said)}"
        yield ""
        yield f"**Not judged:** {_not_judged(said)}"
        yield ""
    concluded = " ".join(_conclusion(findings, said, run))
    if concluded:
        yield f"**Conclusion.** {concluded}"
        yield ""


def _is_said(finding: Finding, said: Iterable[Observation]) -> bool:
    """Whether a sentence about the line says it all: that somebody slept there, and owns to it."""
    is_owned = finding.severity is INFO and finding.acknowledged is not None and finding.status == "new"
    return is_owned and any(finding.line in one.lines for one in said)


def _headline(findings: Sequence[Finding]) -> str:
    new = [finding for finding in findings if finding.status == "new"]
    levels = count_by_level(new)
    relevant = sum(finding.security is not None and finding.severity >= ADVISORY for finding in new)
    security = f"{plural(relevant, 'finding')} about security." if relevant else "No security-relevant defect."
    counts = [plural(levels[level], level.word) for level in (DEFECT, ADVISORY) if levels[level]]
    acknowledged = sum(finding.acknowledged is not None and finding.code == "PSA701" for finding in new)
    if acknowledged:
        counts.append(f"{acknowledged} acknowledged {'sleep' if acknowledged == 1 else 'sleeps'}")
    return f"{security} {', '.join(counts)}." if counts else f"{security} Nothing found."


def _ran(audit: Audit, run: FileRun | None) -> str:
    if audit.run.collect_only or not audit.files:
        return "Nothing was run."
    if run is None:
        return "No test of this file ran; it was judged with those that use it."
    ran = run.passed + run.failed
    outcome = f"{run.passed} passed" if run.failed or run.skipped else "passed"
    more = [f"{run.failed} failed"] if run.failed else []
    more += [f"{run.skipped} skipped"] if run.skipped else []
    noun = "test" if run.collected == 1 else "tests"
    return f"{ran} of {run.collected} {noun} ran, {', '.join([outcome, *more])}."


def _told(findings: Iterable[Finding]) -> Iterator[str]:
    """A sentence for each finding; one for all of a kind that one owner left."""
    groups: defaultdict[tuple[object, ...], list[Finding]] = defaultdict(list)
    for finding in findings:
        start, left, _ = finding.message.partition(" left ")
        kind = (finding.severity, finding.code, finding.evidence, finding.status, finding.line, start)
        groups[kind if left and finding.subject else (id(finding),)].append(finding)
    for group in groups.values():
        first, *others = group
        if not others:
            yield _sentence_of(first, first.message)
            continue
        start, left, _ = first.message.partition(" left ")
        things = [finding.message.partition(" left ")[2] for finding in group]
        more = [f"{len(things) - _MOST} more"] if len(things) > _MOST else []
        yield _sentence_of(first, f"{start}{left}{'; '.join([*things[:_MOST], *more])}", of=len(group))


def _sentence_of(finding: Finding, message: str, of: int = 1) -> str:
    level = finding.severity.word if finding.evidence != "suspected" else f"suspected {finding.severity.word}"
    hidden = "" if finding.status == "new" else f", {finding.status}: {_text(finding.reason or '')}"
    quoted = f" Acknowledged at {finding.acknowledged.partition(': ')[0]}" if finding.acknowledged else ""
    fix = f" Fix: `{_code(finding.fix)}`." if finding.fix and not finding.acknowledged and of == 1 else ""
    basis = "r" if finding.evidence == "suspected" else "m"
    number = f" ({of} times)" if of > 1 else ""
    head = f"**{level}** {finding.code}{number} at {finding.line}{hidden}"
    return f"{head}: {_stop(_text(message))} *({basis})*{fix}{_stop(quoted)}"


def _marked(one: Observation) -> str:
    return f"{_sentence(one.text)} *({_MARKS[one.basis]})*"


def _integration(said: Iterable[Observation]) -> str:
    reached = [one.text for one in said if one.dimension in (1, 3) and one.text.startswith(("reached", "credential"))]
    if reached:
        return _sentence("; ".join(reached))
    looked = any(one.dimension == 1 and one.basis == "measured" for one in said)
    return "none outside the process." if looked else "not judged: nobody looked."


def _not_judged(said: Iterable[Observation]) -> str:
    missing = list(dict.fromkeys(one.text for one in said if one.basis == "not judged"))
    here = [_text(text) for text in missing]
    return _sentence("; ".join([*here, NOT_JUDGED.partition(": ")[2]]))


def _conclusion(findings: Sequence[Finding], said: Sequence[Observation], run: FileRun | None) -> Iterator[str]:
    new = [finding for finding in findings if finding.status == "new"]
    worst = [finding for finding in new if finding.severity is DEFECT]
    if not said:
        return
    has_run = any(one.basis == "measured" for one in said)
    if not has_run:
        yield "By reading alone; none of its tests ran."
    if worst:
        lines = _lines(worst)
        yield f"{plural(len(worst), 'defect').capitalize()} to mend first, at {lines}."
    elif any(finding.severity is ADVISORY for finding in new):
        lines = _lines(finding for finding in new if finding.severity is ADVISORY)
        yield f"No defect; worth a look: {lines}."
    elif has_run:
        yield f"No defect was found while {'the tests of the file' if run is not None else 'the tests'} ran."
    else:
        yield "Nothing is suspected."
    left = [one.dimension for one in said if one.basis == "measured" and one.text.startswith("no ")]
    if {4, 5, 6} <= {*left}:
        yield "The tests leave no patch, override, environment variable, thread, process, descriptor or file behind."
    never = [one for one in said if one.text.endswith("was never reached")]
    if never:
        lines = ", ".join(str(one.lines[0]) for one in never)
        yield f"The {'guard' if len(never) == 1 else 'guards'} at {lines} did not run."
    overlap = [one.text for one in said if one.text.startswith("the delays")]
    yield from (_sentence(text) for text in overlap)


def _lines(findings: Iterable[Finding]) -> str:
    return ", ".join(dict.fromkeys(str(finding.line) for finding in findings))


# --- Markdown


def _sentence(text: str) -> str:
    return _stop(_capital(_text(text)))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _stop(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?", '."', '!"', '?"')) else f"{text}."


def _code(text: str) -> str:
    return text.replace("`", "'").replace("|", "\\|")


def _text(text: str) -> str:
    """As it reads, whatever is in it; what stands between backticks is source."""
    parts = text.split("`") if text.count("`") % 2 == 0 else [text.replace("`", "'")]
    return "".join(f"`{part}`" if number % 2 else _plain(part) for number, part in enumerate(parts))


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")
