"""From what was left behind to findings: one per code and subject, with all its owners."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from pytest_secaudit.lean import lean
from pytest_secaudit.lexicon import security_word
from pytest_secaudit.model import ADVISORY, INFO, Finding, Heading, Owner, Place, Severity
from pytest_secaudit.reading import fingerprint
from pytest_secaudit.watch.record import Claimed
from pytest_secaudit.watch.weights import Weight, weigh

MAX_NAMED = 20


@lean
@dataclass(frozen=True, slots=True)
class Left:
    """Where one owner left something that shares its lasting subject with what was left elsewhere."""

    place: Place
    owner: str
    severity: Severity
    after_failure: bool


#: Parts of a subject that differ from run to run: addresses, uuids, names in the temporary folder.
_PASSING = re.compile(
    r"0x[0-9a-fA-F]+|[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}|pytest-of-[^/\\'\"]+(?:[/\\]pytest-\d+)?"
    r"|(?<=[/\\])(?:tmp|pytest)[-_]?[a-z0-9_]{6,}(?=[/\\'\"]|$)|(?<=<tmp>/)[^/'\"]+"
)
#: What `tempfile` puts into the middle of a name.
_MADE_UP = re.compile(r"(?<![a-z0-9_])[a-z0-9_]{8}(?![a-z0-9_])")
_NUMBER = re.compile(r"\d+")
#: Here a number in the subject is a pid, a descriptor, a port, the how-manieth thread.
_NUMBERED = frozenset(("PSA601", "PSA603", "PSA604", "PSA606"))


def findings_of_claims(claims: Sequence[Claimed], checks: Mapping[str, Heading]) -> list[Finding]:
    """The findings that these claims amount to, those of unselected checks left out."""
    grouped: dict[tuple[str, str], list[tuple[Claimed, Weight]]] = defaultdict(list)
    claims = _of_one_process(_without_doubles(claims))
    codes = _codes_of(claims)
    for claim, weight in weigh(claims):
        code = codes[claim.source, claim.serial]
        if weight is not Weight.SILENT and code in checks:
            grouped[code, lasting(code, claim.subject)].append((claim, weight))
    return [_finding(checks[code], subject, group) for (code, subject), group in grouped.items()]


def _without_doubles(claims: Iterable[Claimed]) -> list[Claimed]:
    """What several watchers saw is one hazard: a patch is named best as such, a namespace's content by what it is."""
    claims = list(claims)
    patched = {(claim.source, claim.owner.id, claim.subject) for claim in claims if claim.area == "patches"}
    known = {(claim.source, claim.subject) for claim in claims if claim.area != "namespaces"}
    return [
        claim
        for claim in claims
        if claim.area == "patches"
        or (claim.area != "namespaces" and (claim.source, claim.owner.id, claim.subject) not in patched)
        or (claim.area == "namespaces" and (claim.source, claim.subject) not in known)
    ]


def _of_one_process(claims: Iterable[Claimed]) -> list[Claimed]:
    """A file is seen by all processes of the run, and by the clock each has somebody on stage who may have written it.

    It was whose code names the file; where that is nobody's, it was one of them all.
    """
    found: list[Claimed] = []
    files: defaultdict[str, list[Claimed]] = defaultdict(list)
    for claim in claims:
        (files[claim.subject] if claim.area == "files" else found).append(claim)
    for group in files.values():
        if len({claim.source for claim in group}) == 1:
            found += group
        else:
            found += [claim for claim in group if claim.site is not None] or _by_one_of(group)
    return found


def _by_one_of(group: Sequence[Claimed]) -> list[Claimed]:
    owners = sorted((claim.owner for claim in group), key=lambda owner: owner.id)
    ids = tuple(dict.fromkeys(chain.from_iterable(owner.ids or (owner.id,) for owner in owners)))
    if len(ids) == 1:
        return list(group)
    first, last = owners[0], owners[-1]
    window = replace(first, kind="window", id=f"{ids[0]} ... {ids[-1]}", ids=ids, scope=last.scope)
    return [replace(claim, owner=window) for claim in group]


def _codes_of(claims: Iterable[Claimed]) -> dict[tuple[str, int], str]:
    """The check of each claim, by its process and number: what one owner did to one name is not two hazards.

    A name that it replaced by a stub first, and by something else later, is no patch.
    """
    by_name: dict[tuple[str, str, str], list[tuple[tuple[str, int], str]]] = defaultdict(list)
    for claim in claims:
        name = claim.source, claim.owner.id, claim.subject
        by_name[name].append(((claim.source, claim.serial), code_of(claim)))
    codes: dict[tuple[str, int], str] = {}
    for found in by_name.values():
        other = next((code for _, code in found if code != "PSA501"), "PSA501")
        codes.update((key, other if code == "PSA501" else code) for key, code in found)
    return codes


def code_of(claim: Claimed) -> str:
    """The check that a claim belongs to: what an import changed is a hazard of its own."""
    if claim.owner.kind != "import":
        about_security = "dependency_overrides" in claim.subject or security_word(claim.subject)
        return "PSA401" if claim.code == "PSA402" and about_security else claim.code
    return "PSA107" if claim.subject.startswith("sys.modules[") else "PSA113"


def lasting(code: str, subject: str) -> str:
    """The subject without what differs from run to run."""
    if "<tmp>/" in subject:
        subject = _MADE_UP.sub("*", subject)
    subject = _PASSING.sub("*", subject)
    return _NUMBER.sub("#", subject) if code in _NUMBERED else subject


def _finding(check: Heading, subject: str, group: Sequence[tuple[Claimed, Weight]]) -> Finding:
    group = sorted(group, key=lambda pair: (pair[0].owner.order, pair[0].source, pair[0].serial))
    first = _most_telling([claim for claim, _ in group])
    owners = {claim.owner.id: _owner(claim) for claim, _ in group}
    owner = owners[first.owner.id]
    place = _place(first)
    victims = tuple(dict.fromkeys(test for claim, _ in group for test in claim.victims))[:MAX_NAMED]
    seen_by = tuple(dict.fromkeys((*victims, *(test for claim, _ in group for test in claim.seen_by))))[:MAX_NAMED]
    after_failure = all(claim.after_failure for claim, _ in group)
    return Finding(
        code=check.code,
        name=check.name,
        severity=max(_severity(check, claim, weight) for claim, weight in group),
        evidence="confirmed",
        message=f"{who(owner)} left {first.subject} {first.said}" + (", after its failure" if after_failure else ""),
        fix=first.fix,
        path=place.path,
        line=place.line,
        column=1,
        end_line=place.line,
        owner=owner,
        owners=tuple(owners.values()),
        cwe=check.cwe,
        subject=first.subject,
        written_at=first.written_at,
        seen_by=seen_by,
        victims=victims,
        try_command=_try(owner, victims),
        cause=fingerprint(check.code, owner.id),
        fingerprint=fingerprint(check.code, subject),
        detail=_places(check, group)
        | {
            "after_failure": after_failure,
            "area": first.area,
            "later_tests": max(claim.seen for claim, _ in group),
            "lived": [[claim.source, claim.began, claim.until] for claim, _ in group][:MAX_NAMED],
            "put_back_later": all(claim.paid_by not in ("", "test") for claim, _ in group),
        },
    )


def _places(check: Heading, group: Sequence[tuple[Claimed, Weight]]) -> dict[str, object]:
    """All places, where one lasting subject stands for what was made at several: for `join`, which takes them out."""
    if len({claim.subject for claim, _ in group}) == 1 or len({_place(claim) for claim, _ in group}) == 1:
        return {}
    return {
        "places": [
            Left(_place(claim), claim.owner.id, _severity(check, claim, weight), claim.after_failure)
            for claim, weight in group
        ]
    }


def _place(claim: Claimed) -> Place:
    return claim.site or Place(claim.owner.path, claim.owner.line)


def _most_telling(claims: Sequence[Claimed]) -> Claimed:
    """The claim whose words the finding uses: of the first owner, one with a known line if there is one."""
    mine = [claim for claim in claims if claim.owner.id == claims[0].owner.id]
    return next((claim for claim in mine if claim.site is not None), mine[0])


def _owner(claim: Claimed) -> Owner:
    owner = claim.owner
    return Owner(
        owner.kind, owner.id, owner.path, owner.line, owner.scope, owner.plugin, owner.ids, written_at=claim.written_at
    )


def _severity(check: Heading, claim: Claimed, weight: Weight) -> Severity:
    severity = Severity[claim.level.upper()] if claim.level else check.severity
    if check.code == "PSA113":
        severity = INFO if claim.owner.path.rpartition("/")[2] in ("conftest.py", "__init__.py") else ADVISORY
    return Severity(max(INFO, severity - 1)) if weight is Weight.LOWER else severity


def who(owner: Owner) -> str:
    """The owner in a sentence: ``test_place``, ``fixture clock [module]``, ``importing tests/test_a.py``."""
    name = owner.id.partition("::")[2] or owner.id
    if owner.kind == "fixture":
        return f"fixture {name.rpartition('::')[2]} [{owner.scope}]"
    if owner.kind == "import":
        return f"importing {owner.id}"
    return "something outside tests and fixtures" if owner.kind == "outside" else name


def _try(owner: Owner, victims: Sequence[str]) -> str | None:
    """The two tests that show it."""
    if owner.kind != "test" or not victims:
        return None
    return f"pytest {_quoted(owner.id)} {_quoted(victims[0])}"


def _quoted(test: str) -> str:
    return f"'{test}'" if re.search(r"[^\w./:-]", test) else test
