"""The SARIF report, version 2.1.0, in the form that GitHub's code scanning takes.

Sources: the OASIS standard SARIF 2.1.0 for the format; GitHub's "SARIF support for code scanning" for what it needs,
uses and refuses. Only new findings are in it: GitHub opens an alert for each result, suppressed or not.
"""

from __future__ import annotations

import functools
import json
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pytest_secaudit.conclusion import plural
from pytest_secaudit.lean import lean
from pytest_secaudit.model import ADVISORY, DEFECT, DIMENSIONS, INFO, Audit, Check, Evidence, Finding, Severity
from pytest_secaudit.reports.in_repository import MAX_TEXT, in_repository, shortened, shown_at
from pytest_secaudit.reports.line_hash import line_hashes

#: GitHub refuses a file with more results, or with a result that has more locations.
MAX_RESULTS = 25_000
MAX_LOCATIONS = 1_000
#: So many results it shows.
SHOWN_RESULTS = 5_000
MAX_TAGS = 20
MAX_NAME = 255
MAX_DESCRIPTION = 1024
MAX_NOTIFICATIONS = 1_000
#: A message names so many owners, and so many of the lines that wrote.
_MOST_NAMED = 3

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_BASE = "%SRCROOT%"
#: Exit statuses with which pytest says that it did not get to the end: interrupted, internal error, wrong usage.
_BROKEN_OFF = frozenset((2, 3, 4))

_LEVELS: Mapping[Severity, str] = {DEFECT: "error", ADVISORY: "warning", INFO: "note"}
_PROBLEMS: Mapping[Severity, str] = {DEFECT: "error", ADVISORY: "warning", INFO: "recommendation"}
#: The lowest score of GitHub's bands high, medium and low: a hazard in a test is no hole in the product.
_SCORES: Mapping[Severity, str] = {DEFECT: "7.0", ADVISORY: "4.0", INFO: "0.1"}
_RANKS: Mapping[Evidence, float] = {"confirmed": 90.0, "suspected": 50.0, "not-reached": 30.0, "cleared": 0.0}
_PRECISIONS: Mapping[Evidence, str] = {
    "confirmed": "very-high",
    "suspected": "medium",
    "not-reached": "low",
    "cleared": "low",
}
#: Entries of the Common Weakness Enumeration that an attacker makes use of. The rest of those in our catalogue (clean-up
#: left out, dead code, swallowed errors) are about quality.
_ATTACKED = frozenset(
    (20, 22, 77, 78, 79, 89, 94, 200, 250, 256, 259, 269, 276, 284, 285, 287, 290, 295, 306, 307, 311, 312, 319, 321, 326,
     327, 330, 338, 345, 347, 352, 377, 384, 434, 494, 502, 522, 532, 538, 601, 611, 613, 614, 639, 640, 732, 757, 759,
     798, 829, 862, 863, 915, 916, 918, 942, 943, 1004, 1021, 1327, 1333, 1336)
)  # fmt: skip


def render(audit: Audit, checks: Sequence[Check], source_of: Callable[[str], str], *, root: str = "") -> str:
    """The report as text, with a final newline.

    Args:
        audit: what is told.
        checks: all of the run's catalogue: GitHub expects the same rules from every run, whatever was found.
        source_of: the text of a file by its path in the report, with its own line breaks and byte order mark; OSError
            or ValueError if there is none.
        root: the folder of the repository that paths in the report are relative to.
    """
    return json.dumps(as_data(audit, checks, source_of, root=root), indent=1, sort_keys=True, ensure_ascii=True) + "\n"


def as_data(
    audit: Audit, checks: Sequence[Check], source_of: Callable[[str], str], *, root: str = ""
) -> dict[str, Any]:
    """The report as plain data."""
    rules = sorted({check.code: check for check in checks}.values(), key=lambda check: check.code)
    indices = {check.code: index for index, check in enumerate(rules)}
    findings = sorted(audit.having("new"), key=lambda finding: finding.order)
    mentions = [_mentions(finding, root) for finding in findings[:MAX_RESULTS]]
    limits = _limits(len(findings), sum(one.left for one in mentions))
    run: dict[str, Any] = {
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(audit, limits, root)],
        "language": "en",
        "originalUriBaseIds": {_BASE: {"description": {"text": "The root of the repository."}}},
        "results": _results(findings, mentions, indices, source_of, root),
        "tool": {
            "driver": {
                "name": "pytest-secaudit",
                "version": audit.version,
                "informationUri": "https://pypi.org/project/pytest-secaudit/",
                "rules": [_rule(check) for check in rules],
            }
        },
    }
    part = in_repository("", root)
    if part:
        # Tells two suites of one repository apart. Else there is no id of ours: it would overrule the `category` of
        # the upload, which is what keeps the jobs of a matrix from overwriting each other.
        run["automationDetails"] = {"id": f"pytest-secaudit/{part}/"}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


# --- rules


def _rule(check: Check) -> dict[str, Any]:
    page = check.page.strip() or check.name
    ignoring = (
        f"`# secaudit: ignore[{check.code}] why` at the end of the line ignores it, or on a line of its own above."
    )
    weakness = f"[CWE-{check.cwe}](https://cwe.mitre.org/data/definitions/{check.cwe}.html)\n\n" if check.cwe else ""
    return {
        "id": check.code,
        "name": check.name[:MAX_NAME],
        "shortDescription": {"text": _description(page.partition("\n")[0])},
        "fullDescription": {"text": _description(page)},
        "help": {
            "text": f"{page}\n\n{ignoring}",
            "markdown": f"**{check.code} {check.name}**\n\n{page}\n\n{weakness}{ignoring}",
        },
        "defaultConfiguration": {"level": _LEVELS[check.severity]},
        "properties": {
            "precision": _precision(check),
            "problem.severity": _PROBLEMS[check.severity],
            "tags": _tags(check),
            **({"security-severity": _SCORES[check.by_reading]} if is_about_security(check) else {}),
        },
    }


def _description(text: str) -> str:
    """As many whole paragraphs as fit; of one that is too long alone, its beginning."""
    kept = text
    while len(kept) > MAX_DESCRIPTION and "\n\n" in kept:
        kept = kept.rpartition("\n\n")[0]
    return shortened(" ".join(kept.split()), MAX_DESCRIPTION)


def _precision(check: Check) -> str:
    """How often the check is right, whatever this run found: GitHub keeps it with the rule.

    What only a run reports, it has seen. Of a check that is one level lower by reading alone, we say ourselves that
    reading is not enough.
    """
    if check.rule is None:
        return "very-high"
    return "medium" if check.suspected is not None else "high"


def _tags(check: Check) -> list[str]:
    tags = ["test-suite", DIMENSIONS[check.dimension].replace(",", "").replace(" ", "-")]
    if check.cwe:
        tags.append(f"external/cwe/cwe-{check.cwe:03}")
    if is_about_security(check):
        tags.append("security")
    return tags[:MAX_TAGS]


def is_about_security(check: Check) -> bool:
    """Whether every finding of the check is about security: its weakness is one for attackers, or its name says so.

    The words of one finding's place do not count: a rule must be the same in every run.
    """
    return check.cwe in _ATTACKED or "security" in check.name.split("-")


# --- results


def _results(
    findings: Sequence[Finding],
    mentions: Sequence[_Mentions],
    indices: Mapping[str, int],
    source_of: Callable[[str], str],
    root: str,
) -> list[dict[str, Any]]:
    """The results in the order of the findings; the files are read one after the other, and none is kept."""
    read = functools.lru_cache(maxsize=1)(functools.partial(_source, source_of))
    made: dict[int, dict[str, Any]] = {}
    for number in sorted(range(len(mentions)), key=lambda number: findings[number].path):
        finding = findings[number]
        made[number] = _result(finding, mentions[number], indices.get(finding.code), read, root)
    return [made[number] for number in range(len(mentions))]


def _result(
    finding: Finding,
    mentions: _Mentions,
    rule: int | None,
    read: Callable[[str], _Source | None],
    root: str,
) -> dict[str, Any]:
    location, line_hash = _primary(finding, read, root)
    properties = {"evidence": finding.evidence, "precision": _PRECISIONS[finding.evidence]}
    if finding.security:
        properties["security"] = shortened(finding.security)
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "level": _LEVELS[finding.severity],
        "rank": _RANKS[finding.evidence],
        "message": {"text": " ".join(_sentences(finding, mentions))},
        "locations": [location],
        "partialFingerprints": {"secaudit/v1": finding.fingerprint},
        "properties": properties,
    }
    if line_hash:
        result["partialFingerprints"]["primaryLocationLineHash"] = line_hash
    if rule is not None:
        result["ruleIndex"] = rule
    if mentions.located:
        result["relatedLocations"] = [_related(one, number) for one, number in mentions.located.items()]
    return result


def _primary(finding: Finding, read: Callable[[str], _Source | None], root: str) -> tuple[dict[str, Any], str | None]:
    """The place of a result and the hash of its line. GitHub shows none without a place in the repository."""
    shown = shown_at(finding, root)
    if not finding.path or shown.path != in_repository(finding.path, root):
        return _location(shown.path, {"startLine": shown.line}), None
    source = read(finding.path)
    region = _region(finding, source)
    return _location(shown.path, region), source.hashes[region["startLine"] - 1] if source is not None else None


def _related(mention: _Mention, number: int) -> dict[str, Any]:
    location = _location(mention.inside, {"startLine": mention.line})
    return {**location, "id": number, "message": {"text": mention.said}}


def _location(path: str, region: Mapping[str, int]) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": _artifact(path), "region": region}}


def _artifact(path: str) -> dict[str, str]:
    return {"uri": quote(path), "uriBaseId": _BASE}


@lean
@dataclass(frozen=True, slots=True)
class _Source:
    """The lines of a file: how long they are, and their hashes."""

    widths: tuple[int, ...]
    hashes: tuple[str, ...]


def _source(source_of: Callable[[str], str], path: str) -> _Source | None:
    try:
        text = source_of(path)
    except (OSError, ValueError, SyntaxError):  # gone, no text, a coding line that means nothing
        return None
    return _Source(tuple(map(len, re.split("\r\n?|\n", text))), line_hashes(text))


def _region(finding: Finding, source: _Source | None) -> dict[str, int]:
    """From the finding's line to its last one; line 1 where the file has no such line."""
    if source is None:
        start = max(1, finding.line)
        return {"startLine": start, "startColumn": max(1, finding.column), "endLine": max(start, finding.end_line)}
    last = len(source.widths)
    start, end = (finding.line, finding.end_line) if 1 <= finding.line <= last else (1, 1)
    end = min(max(start, end), last)
    column = finding.column if start == finding.line and 1 <= finding.column <= source.widths[start - 1] else 1
    return {"startLine": start, "startColumn": column, "endLine": end, "endColumn": source.widths[end - 1] + 1}


# --- what else a result names


@lean
@dataclass(frozen=True, slots=True)
class _Mention:
    """An owner, or a line that wrote: what it is called, what it is to the finding, and where in the repository."""

    name: str
    said: str
    inside: str
    line: int


@lean
@dataclass(frozen=True, slots=True)
class _Mentions:
    """The owners and the writing lines of a finding, the ids of those to link to, and how many are left without one."""

    owners: tuple[_Mention, ...]
    lines: tuple[_Mention, ...]
    located: Mapping[_Mention, int]
    left: int


def _mentions(finding: Finding, root: str) -> _Mentions:
    owners = [owner for owner in finding.owners or (finding.owner,) if owner.kind != "outside"]
    places = (finding.written_at, *(owner.written_at for owner in owners))
    who = [_mention(shortened(owner.id, 200), f"the {owner.kind}", owner.path, owner.line, root) for owner in owners]
    where = [
        _mention(f"{shortened(place.path, 200)}:{place.line}", "written here", place.path, place.line, root)
        for place in places
        if place is not None
    ]
    edited = (in_repository(finding.path, root), finding.line)
    lines = [one for one in dict.fromkeys(where) if (one.inside, one.line) != edited]
    located = [one for one in dict.fromkeys((*who, *lines)) if one.inside]
    numbers = {one: number for number, one in enumerate(located[: MAX_LOCATIONS - 1], 1)}
    return _Mentions(tuple(who), tuple(lines), numbers, len(located) - len(numbers))


def _mention(name: str, said: str, path: str, line: int, root: str) -> _Mention:
    return _Mention(name, said, (in_repository(path, root) or "") if path else "", max(1, line))


def _sentences(finding: Finding, mentions: _Mentions) -> Iterator[str]:
    """What is wrong, what it rests on, what to do, and who did it; GitHub shows the first one as the title."""
    yield _stop(_literal(shortened(finding.message) or finding.name))
    if finding.evidence == "suspected":
        yield "Suspected by reading; no run has confirmed it."
    elif finding.evidence == "not-reached":
        yield "Suspected by reading; its test ran and did not get there."
    if finding.acknowledged:
        yield _stop(f"Acknowledged at {_literal(shortened(finding.acknowledged))}")
    elif finding.fix:
        yield _stop(f"Fix: {_literal(shortened(finding.fix))}")
    yield from _named("Owner", "Owners", mentions.owners, mentions.located)
    yield from _named("Written at", "Written at", mentions.lines, mentions.located)
    if finding.victims:
        named = [_literal(shortened(test, 200)) for test in finding.victims]
        yield _stop(f"Failed while it was in force: {_listed(named)}")


def _named(one: str, several: str, mentions: Sequence[_Mention], numbers: Mapping[_Mention, int]) -> Iterator[str]:
    links = [_link(mention, numbers.get(mention)) for mention in mentions]
    if links:
        yield _stop(f"{one if len(links) == 1 else several}: {_listed(links)}")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _stop(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


# --- the plain text of SARIF, in which [text](1) is a link


#: Text in which nobody can see a link: brackets in pairs, none before something in parentheses, no backslash before one.
_HARMLESS = re.compile(r"(?:[^\[\]\\]|\\(?![\[\]\\])|\[[^\[\]\\]*\](?!\((?!\))))*")


def _literal(text: str) -> str:
    """The text as such. Viewers that know no escapes show them, so ``os.environ['TZ']`` has none.

    Braces stay single: a message without arguments has no placeholders.
    """
    return text if _HARMLESS.fullmatch(text) else _escaped(text)


def _escaped(text: str) -> str:
    return re.sub(r"([\[\]\\])", r"\\\1", text)


def _link(mention: _Mention, number: int | None) -> str:
    return _literal(mention.name) if number is None else f"[{_escaped(mention.name)}]({number})"


# --- the run


def _invocation(audit: Audit, limits: Iterable[str], root: str) -> dict[str, Any]:
    status = audit.run.exit_status
    invocation: dict[str, Any] = {
        "executionSuccessful": status not in _BROKEN_OFF,
        "exitCode": status,
        "toolExecutionNotifications": [*_notifications(audit, limits, root)],
    }
    if audit.gate.reason:
        invocation["exitCodeDescription"] = shortened(audit.gate.reason)
    return invocation


def _notifications(audit: Audit, limits: Iterable[str], root: str) -> Iterator[dict[str, Any]]:
    """What the results do not tell: the verdict, what was not audited, what is left out."""
    yield _notification("note" if audit.evidence.modules else "warning", audit.conclusion.text)
    counts = Counter(finding.status for finding in audit.findings if finding.status != "new")
    hidden = [f"{counts[status]:,} {status}" for status in sorted(counts)]
    if hidden:
        yield _notification("note", f"findings that are left out: {', '.join(hidden)}")
    for text in limits:
        yield _notification("warning", text)
    for worker in audit.run.workers_lost:
        yield _notification("warning", f"worker {worker} was lost; what its tests did is not known")
    for name, state in audit.evidence.watchers.items():
        if "failed" in state:
            yield _notification("warning", f"watcher {name}: {state}")
    unread = audit.evidence.not_audited
    for item in unread[:MAX_NOTIFICATIONS]:
        is_file = "." in posixpath.basename(item.path)  # and not a hook of ours that failed
        text = f"not audited: {shortened(item.path)}: {item.reason}"
        yield _notification("warning", text, in_repository(item.path, root) if is_file else None)
    if len(unread) > MAX_NOTIFICATIONS:
        yield _notification("warning", f"not audited: {plural(len(unread) - MAX_NOTIFICATIONS, 'more file')}")


def _notification(level: str, text: str, path: str | None = None) -> dict[str, Any]:
    data: dict[str, Any] = {"level": level, "message": {"text": _stop(_literal(shortened(text, 2 * MAX_TEXT)))}}
    if path:
        data["locations"] = [{"physicalLocation": {"artifactLocation": _artifact(path)}}]
    return data


def _limits(findings: int, locations_left: int) -> Iterator[str]:
    if findings > MAX_RESULTS:
        yield f"{findings - MAX_RESULTS:,} of {findings:,} findings are left out, the least severe: GitHub takes {MAX_RESULTS:,}"
    if findings > SHOWN_RESULTS:
        yield f"GitHub shows {SHOWN_RESULTS:,} of {findings:,} findings, the most severe"
    if locations_left:
        yield f"{plural(locations_left, 'location')} of owners left out: GitHub takes {MAX_LOCATIONS:,} for a result"
