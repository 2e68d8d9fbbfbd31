"""What was suspected by reading, joined with what was seen in the run: one hazard is one finding.

A suspicion that the run confirms keeps its line and its words and takes the run's owners and figures. One whose owner
ran, passed and left the place alone under a working watcher is cleared: counted, and not shown. What happens only when
something fails is not cleared by a test that passes.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_secaudit.claims import Left, lasting
from pytest_secaudit.lean import lean
from pytest_secaudit.model import INFO, Finding, Owner, Place, Severity
from pytest_secaudit.reading import fingerprint
from pytest_secaudit.watch.record import Watched

#: What a rule calls a place, and what the run calls it, where they differ.
_SAME = {
    "faulthandler.is_enabled()": "faulthandler",
    "gc.isenabled()": "the garbage collector",
    "locale.getlocale()": "the locale",
    "logging.root.manager.disable": "logging.disable",
    "os.getcwd()": "the working directory",
    "multiprocessing.get_start_method()": "the multiprocessing start method",
    "os.umask()": "the umask",
    "signal.alarm()": "the interval timer",
    "signal.getitimer()": "the interval timer",
    "socket.getdefaulttimeout()": "the default socket timeout",
    "sys.getrecursionlimit()": "the recursion limit",
    "sys.getswitchinterval()": "the switch interval",
    "time.tzname": "the time zone",
}

#: The same, where the run knows which of several it was: what its names begin with.
_ONE_OF = {"resource.getrlimit()": "the resource limit "}

#: The watchers that see what a check suspects, by subject where there are several.
_WATCHERS: Mapping[str, tuple[str, ...]] = {
    "PSA101": ("environ",),
    "PSA102": ("cwd",),
    "PSA601": ("threads",),
    "PSA701": ("sleep",),
    "PSA801": ("sleep",),
}
_BY_SUBJECT = {
    "faulthandler.is_enabled()": "interpreter",
    "gc.isenabled()": "interpreter",
    "locale.getlocale()": "locale",
    "logging.root.manager.disable": "logging.disable",
    "os.umask()": "umask",
    "resource.getrlimit()": "limits",
    "socket.getdefaulttimeout()": "interpreter",
    "sys.argv": "interpreter",
    "sys.excepthook": "interpreter",
    "multiprocessing.get_start_method()": "interpreter",
    "sys.getrecursionlimit()": "interpreter",
    "sys.getswitchinterval()": "interpreter",
    "time.tzname": "time zone",
}


@lean
@dataclass(frozen=True, slots=True)
class Joined:
    """What is reported, and what the run cleared."""

    findings: tuple[Finding, ...]
    cleared: tuple[Finding, ...]


def join(
    suspected: Sequence[Finding],
    seen: Iterable[Finding],
    watched: Watched,
    outcomes: Mapping[str, str],
    failing_path: Collection[str],
) -> Joined:
    """One finding per hazard.

    Args:
        suspected: by reading.
        seen: in the run.
        watched: what the watch itself knows.
        outcomes: test id -> how it ended.
        failing_path: fingerprints of suspicions about what happens only when something fails.
    """
    by_code: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in seen:
        if not _took_no_time(finding):
            by_code[finding.code].append(finding)
    reported, cleared, taken = [], [], set()
    told: defaultdict[str, set[Place]] = defaultdict(set)  # what was confirmed elsewhere than where the finding points
    ran = _Ran(outcomes, watched.fixtures)
    for suspicion in suspected:
        if suspicion.evidence == "cleared":  # by the lines that ran
            cleared.append(suspicion)
            continue
        codes = _RUN_CODES.get(suspicion.code, (suspicion.code,))
        found = next((f for code in codes for f in by_code[code] if _is_same(suspicion, f)), None)
        if found is not None and _is_another_place(suspicion, found):
            reported.append(_confirmed_there(suspicion, found))
            told[found.fingerprint].add(Place(suspicion.path, suspicion.line))
        elif found is not None:
            if found.fingerprint not in taken or suspicion.code in ("PSA701", "PSA801"):
                reported.append(_confirmed(suspicion, found))
            taken.add(found.fingerprint)
        elif _is_cleared(suspicion, watched, ran) and suspicion.fingerprint not in failing_path:
            cleared.append(replace(suspicion, evidence="cleared"))
        else:
            reported.append(suspicion)
    reported += [
        finding
        for findings in by_code.values()
        for finding in findings
        if finding.fingerprint not in taken and _stands_alone(finding)
    ]
    return Joined(tuple(_without_places(finding, told[finding.fingerprint]) for finding in reported), tuple(cleared))


def _took_no_time(finding: Finding) -> bool:
    """Whether it is a sleep that nobody waited for: the task that slept was cancelled."""
    return finding.code == "PSA701" and not finding.detail["seconds"]


def _stands_alone(finding: Finding) -> bool:
    """Whether the run alone makes it a finding: not a sleep in a thread, nor a slow callback that is no mock's."""
    return not finding.detail.get("in_thread", False) and bool(finding.detail.get("under_mock", True))


#: The checks under which the run knows what a rule suspects, where they differ.
_RUN_CODES = {
    "PSA401": ("PSA401", "PSA104", "PSA105", "PSA110"),
    "PSA501": ("PSA501", "PSA110", "PSA104", "PSA105"),
    "PSA502": ("PSA510",),
}
#: What is suspected is a patch or a setting, by whatever the run has noticed it.
_KEPT_CODES = frozenset(("PSA401", "PSA501"))


def _is_same(suspicion: Finding, found: Finding) -> bool:
    if suspicion.code == "PSA801":  # it points to where the replacement is put in place, the run to its body
        return suspicion.path == found.path and f"by {found.detail['function']}," in suspicion.message
    # Of a decorator reading knows the module, the run the test.
    if suspicion.code == "PSA802" or suspicion.subject is None or found.subject is None:
        return Place(suspicion.path, suspicion.line) in (
            Place(found.path, found.line),
            *(left.place for left in _places_of(found)),
        )
    return _is_called(suspicion.subject, found.subject) and any(
        _may_be(owner, suspicion.owner) for owner in found.owners
    )


def _places_of(found: Finding) -> Sequence[Left]:
    """Where the finding's owners left what it stands for: folders that differ in nothing but a made-up name."""
    places: Sequence[Left] = found.detail.get("places", ())
    return places


def _is_another_place(suspicion: Finding, found: Finding) -> bool:
    place = Place(suspicion.path, suspicion.line)
    return place != Place(found.path, found.line) and any(place == left.place for left in _places_of(found))


def _confirmed_there(suspicion: Finding, found: Finding) -> Finding:
    """The suspicion, confirmed at a place that the finding of the run only names among others."""
    mine = [left for left in _places_of(found) if left.place == Place(suspicion.path, suspicion.line)]
    ids = {left.owner for left in mine}
    owners = tuple(owner for owner in found.owners if owner.id in ids)
    return replace(
        suspicion,
        evidence="confirmed",
        severity=INFO if suspicion.acknowledged else max(left.severity for left in mine),
        owner=owners[0],
        owners=owners,
        written_at=owners[0].written_at,
        detail={"after_failure": all(left.after_failure for left in mine), "area": found.detail["area"]},
    )


def _without_places(finding: Finding, told: Collection[Place]) -> Finding:
    """Without the owners of places that are findings of their own."""
    places = _places_of(finding)
    if not places:
        return finding
    kept = {left.owner for left in places if left.place not in told}
    detail = {name: value for name, value in finding.detail.items() if name != "places"}
    return replace(finding, owners=tuple(owner for owner in finding.owners if owner.id in kept), detail=detail)


def _may_be(seen: Owner, suspected: Owner) -> bool:
    """Whether it is the same owner, or one of those that the run could not tell apart."""
    if seen.kind == "window":
        return any(_is_of(test, suspected.id) for test in seen.ids)
    return seen.path == suspected.path and _is_of(seen.id, suspected.id)


def _is_called(read: str, seen: str) -> bool:
    if read == "os.environ":  # by a key that only the run knows
        return seen.startswith("os.environ")
    if read.startswith("fixture:"):  # `db.update(eve=3)` says less than the run knows
        return seen.startswith(read) and seen[len(read) :][:1] in ("", "[", ".")
    several = _ONE_OF.get(read)
    return seen.startswith(several) if several else run_subject(read) == seen


def run_subject(subject: str) -> str:
    """The name under which the run knows what a rule calls so."""
    if subject.startswith("signal.getsignal("):
        return f"signal {subject.removeprefix('signal.getsignal(').rstrip(')').rpartition('.')[2]}"
    return _SAME.get(subject, subject)


def _confirmed(suspicion: Finding, found: Finding) -> Finding:
    """The finding of the run at the place that was read, which knows better what to say of it."""
    state = found.detail.get("area") is not None
    if suspicion.code in _KEPT_CODES and found.code != suspicion.code:
        identity = fingerprint(suspicion.code, lasting(suspicion.code, found.subject or ""))
        found = replace(found, code=suspicion.code, name=suspicion.name, fingerprint=identity)
    if found.owner.kind == "window":  # so it was the one that is suspected
        told = found.message.partition(" left ")[2]
        found = replace(
            found,
            owner=suspicion.owner,
            owners=(suspicion.owner, *(owner for owner in found.owners if owner.kind != "window")),
            message=f"{suspicion.owner.id.rpartition('::')[2]} left {told}",
        )
    return replace(
        found,
        severity=INFO if suspicion.acknowledged else _level(suspicion, found),
        message=found.message if state else suspicion.message,
        fix=suspicion.fix or found.fix,
        path=suspicion.path if found.written_at is None or not state else found.path,
        line=suspicion.line if found.written_at is None or not state else found.line,
        column=suspicion.column,
        end_line=suspicion.end_line,
        security=suspicion.security or found.security,
        acknowledged=suspicion.acknowledged,
        fingerprint=found.fingerprint if state else suspicion.fingerprint,
    )


def _level(suspicion: Finding, found: Finding) -> Severity:
    if found.detail.get("area") == "namespaces":  # that the owner wrote it was read
        is_lower = found.detail["after_failure"] or found.detail["put_back_later"]
        return max(found.severity, Severity.ADVISORY if is_lower else Severity.DEFECT)
    return found.severity if found.code != "PSA701" else max(found.severity, suspicion.severity)


# --- cleared


class _Ran:
    """Which tests and fixtures ran, and how they ended."""

    def __init__(self, outcomes: Mapping[str, str], fixtures: Iterable[str]) -> None:
        self._outcomes = outcomes
        self._fixtures = frozenset(fixtures)

    @functools.cached_property
    def _by_function(self) -> Mapping[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for test, outcome in self._outcomes.items():
            found[test.partition("[")[0]].append(outcome)
        return found

    def passed(self, finding: Finding) -> bool:
        """Whether the owner ran, and nothing of it failed or was skipped."""
        owner = finding.owner
        if owner.kind == "fixture":
            return owner.id in self._fixtures
        if owner.kind == "test":
            mine = self._by_function.get(owner.id, [])
        elif owner.kind == "setup":
            start = owner.id.rpartition("::")[0]
            mine = [one for test, found in self._by_function.items() if test.startswith(f"{start}::") for one in found]
        else:
            return False
        return bool(mine) and all(outcome == "passed" for outcome in mine)


def _is_cleared(suspicion: Finding, watched: Watched, ran: _Ran) -> bool:
    names = _WATCHERS.get(suspicion.code, ())
    if suspicion.code == "PSA103" and suspicion.subject is not None:
        by_subject = "signals" if suspicion.subject.startswith("signal.") else _BY_SUBJECT.get(suspicion.subject)
        names = (by_subject,) if by_subject else ()
    return bool(names) and all(watched.watchers.get(name) == "on" for name in names) and ran.passed(suspicion)


def _is_of(identity: str, owner: str) -> bool:
    return identity == owner or identity.partition("[")[0] == owner
