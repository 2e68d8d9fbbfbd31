"""From what was done in the run (slept, reached, shown) to findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_secaudit.claims import MAX_NAMED, lasting, who
from pytest_secaudit.model import INFO, Contact, Finding, Heading, Owner, Place, Severity, Sleep, SleepSite
from pytest_secaudit.reading import fingerprint
from pytest_secaudit.watch.record import Contacted, Noticed, Slept, Watched

#: Sleeps of product code that a test calls, and very short ones of its own, are worth a remark from here on (seconds).
WORTH_A_WORD = 0.1
TOO_SHORT = 0.01


def findings_of_acts(watched: Watched, checks: Mapping[str, Heading], max_sleep: float | None) -> list[Finding]:
    """The findings about sleeps, contacts and outputs, those of unselected checks left out."""
    found = [
        *_sleeps(watched.slept, checks),
        *_delays(watched.slept, checks),
        *_budget(watched, checks, max_sleep),
        *_contacts(watched.contacts, checks),
        *_noticed(watched.noticed, checks),
    ]
    return [finding for finding in found if finding.code in checks]


# --- sleeps


def _sleeps(slept: Iterable[Slept], checks: Mapping[str, Heading]) -> Iterator[Finding]:
    by_place: dict[Place, list[Slept]] = defaultdict(list)
    for one in slept:
        if one.place.path and (one.seconds or one.place == one.written_at):  # a beat that was cancelled is no news
            by_place[one.place].append(one)
    check = checks.get("PSA701")
    for (place, group), identity in zip(by_place.items(), _identities(by_place), strict=True):
        if check is not None:
            yield _sleep(check, place, group, identity)


def _identities(by_place: Mapping[Place, Sequence[Slept]]) -> Iterator[str]:
    """What tells each place from the others: the same words in the same function are counted, in their order."""
    places: dict[str, list[Place]] = defaultdict(list)
    for place in sorted(by_place, key=lambda place: (place.path, place.line)):
        places[by_place[place][0].identity].append(place)
    for place, group in by_place.items():
        number = places[group[0].identity].index(place)
        yield f"{group[0].identity} {number + 1}" if number else group[0].identity


def _sleep(check: Heading, place: Place, group: Sequence[Slept], identity: str) -> Finding:
    seconds = sum(one.seconds for one in group)
    direct = any(one.place == one.written_at for one in group)
    matters = seconds >= (TOO_SHORT if direct else WORTH_A_WORD)
    message = "really sleeps" if direct else f"what is called here really sleeps, at {_at(group[0].written_at)}"
    return _act(
        check,
        severity=check.severity if matters else INFO,
        message=message,
        fix="wait for the event, or inject the clock",
        place=place,
        written_at=group[0].written_at,
        owners=[one.owner for one in group],
        identity=identity,
        detail={
            "calls": sum(one.calls for one in group),
            "in_thread": all(one.in_thread for one in group),
            "seconds": round(seconds, 3),
            "tests": len({one.owner.id for one in group}),
        },
    )


def _delays(slept: Iterable[Slept], checks: Mapping[str, Heading]) -> Iterator[Finding]:
    """Delays that a replacement put into what it stands for; `evidence` joins them with where it was put there."""
    check = checks.get("PSA801")
    by_place: dict[Place, list[Slept]] = defaultdict(list)
    for one in slept:
        if (one.under_mock or one.called_back) and one.place.path and one.seconds:
            by_place[one.place].append(one)
    for (place, group), identity in zip(by_place.items(), _identities(by_place), strict=True):
        if check is not None:
            yield _act(
                check,
                message="the replacement really delays what it stands for",
                place=place,
                written_at=group[0].written_at,
                owners=[one.owner for one in group],
                identity=identity,
                detail={
                    "calls": sum(one.calls for one in group),
                    "function": group[0].function.rpartition(".")[2],
                    "overlapped": any(one.overlapped for one in group),
                    "seconds": round(sum(one.seconds for one in group), 3),
                    "under_mock": any(one.under_mock for one in group),
                },
            )


def _budget(watched: Watched, checks: Mapping[str, Heading], max_sleep: float | None) -> Iterator[Finding]:
    check = checks.get("PSA704")
    if check is None or max_sleep is None or watched.slept_s <= max_sleep:
        return
    worst = max((one for one in watched.slept if not one.in_thread), key=lambda one: one.seconds, default=None)
    if worst is not None:
        yield _act(
            check,
            message=f"the run slept longer than its budget of {max_sleep:g} s",
            fix="the longest sleep is here",
            place=worst.place,
            written_at=worst.written_at,
            owners=[worst.owner],
            identity="budget",
            detail={"budget_s": max_sleep, "seconds": round(watched.slept_s, 3)},
        )


# --- contacts

_CONTACT_CODES = {"host": "PSA901", "program": "PSA902", "listen": "PSA903"}
_CONTACT_SAID = {
    "host": ("reached for {}", "give the test a local server or a stand-in for the client"),
    "program": ("started {}", ""),
    "listen": ("listened on all interfaces ({})", "bind to 127.0.0.1"),
}


def _contacts(contacts: Iterable[Contacted], checks: Mapping[str, Heading]) -> Iterator[Finding]:
    by_what: dict[tuple[str, str], list[Contacted]] = defaultdict(list)
    for contact in contacts:
        if contact.place is not None or contact.owner.kind != "outside":  # not pytest's own, or another plugin's
            what = lasting("PSA604", contact.what) if contact.kind == "listen" else contact.what  # any port
            by_what[contact.kind, what].append(contact)
    for (kind, identity), group in by_what.items():
        check = checks.get(_CONTACT_CODES.get(kind, ""))
        known = [contact for contact in group if contact.owner.kind != "outside"] or group
        first = min(known, key=lambda contact: (contact.owner.id, contact.place is None))  # the finding's owner
        if check is not None:
            said, fix = _CONTACT_SAID[kind]
            yield _act(
                check,
                message=f"{who(first.owner)} {said.format(first.what)}",
                fix=fix,
                place=first.place or Place(first.owner.path, first.owner.line),
                written_at=first.written_at,
                owners=[contact.owner for contact in known],
                identity=identity,
                detail={},
                subject=first.what,
            )


def _noticed(noticed: Iterable[Noticed], checks: Mapping[str, Heading]) -> Iterator[Finding]:
    by_subject: dict[tuple[str, str], list[Noticed]] = defaultdict(list)
    for item in noticed:
        by_subject[item.code, lasting(item.code, item.subject)].append(item)
    for (code, subject), group in by_subject.items():
        check = checks.get(code)
        first = min(group, key=lambda item: item.owner.id)
        if check is not None:
            yield _act(
                check,
                message=first.message,
                fix=first.fix,
                place=first.place or Place(first.owner.path, first.owner.line),
                written_at=first.written_at,
                owners=[item.owner for item in group],
                identity=subject,
                detail={},
                subject=first.subject,
                security=first.security,
            )


# --- the totals of the report


def sleep_of(watched: Watched, duration_s: float) -> Sleep:
    """What the run slept in all, with its lines, the longest first."""
    by_line: dict[tuple[Place, bool], list[Slept]] = defaultdict(list)
    for one in watched.slept:
        by_line[one.place if one.place.path else one.written_at, one.in_thread].append(one)
    sites = [
        SleepSite(
            path=place.path,
            line=place.line,
            calls=sum(one.calls for one in group),
            seconds=round(sum(one.seconds for one in group), 3),
            tests=tuple(sorted({one.owner.id for one in group}))[:MAX_NAMED],
            in_threads=in_thread,
        )
        for (place, in_thread), group in by_line.items()
        if any(one.seconds for one in group)  # else all were cancelled
    ]
    return Sleep(
        total_s=round(watched.slept_s, 3),
        share=round(watched.slept_s / duration_s, 4) if duration_s > 0 else 0.0,
        in_threads_s=round(watched.slept_in_threads_s, 3),
        sites=tuple(sorted(sites, key=lambda site: (-site.seconds, site.path, site.line))),
    )


def contacts_of(watched: Watched) -> tuple[Contact, ...]:
    """What was reached outside the process, with those who did."""
    owners: dict[tuple[str, str], set[str]] = defaultdict(set)
    for contact in watched.contacts:
        if contact.owner.kind != "outside":  # pytest and its plugins: a worker of xdist asks for the platform
            owners[contact.kind, contact.what].add(contact.owner.id)
    return tuple(Contact(kind, what, tuple(sorted(ids))[:MAX_NAMED]) for (kind, what), ids in sorted(owners.items()))


# --- what they have in common


def _act(
    check: Heading,
    *,
    message: str,
    place: Place,
    owners: Iterable[Owner],
    identity: str,
    detail: Mapping[str, object],
    severity: Severity | None = None,
    fix: str = "",
    written_at: Place | None = None,
    subject: str | None = None,
    security: str | None = None,
) -> Finding:
    by_id = {owner.id: owner for owner in owners}
    everyone = tuple(by_id[identity] for identity in sorted(by_id))
    return Finding(
        code=check.code,
        name=check.name,
        severity=severity or check.severity,
        evidence="confirmed",
        message=message,
        fix=fix,
        path=place.path,
        line=place.line,
        column=1,
        end_line=place.line,
        owner=everyone[0],
        owners=everyone,
        cwe=check.cwe,
        security=security,
        subject=subject,
        written_at=written_at,
        cause=fingerprint(check.code, message),
        fingerprint=fingerprint(check.code, identity),
        detail=detail,
    )


def _at(place: Place) -> str:
    return f"{place.path}:{place.line}"
