"""The notes of a file and what the run saw of it, said dimension by dimension.

Every sentence rests on one of three grounds: it was measured, it was read, or it was not judged. That nothing was left
is only said where the watcher was on and the file's tests ran; where a finding says otherwise, the finding speaks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_secaudit.conclusion import plural
from pytest_secaudit.facts import SleptAt
from pytest_secaudit.model import Basis, Cleared, Finding, Observation
from pytest_secaudit.notes import Note

#: What a run clears for itself alone: the checks ran in it, and would be passed over in silence where they do not.
_ONLY_THIS_TIME = {
    "PSA202": "the handler and its assertions ran; had nothing been raised, nothing would have failed",
    "PSA012": "the checks behind the early return ran; a test that returns there passes without them",
}
#: In one sentence no more are named.
_MOST = 12
#: A method of a base starts it, and nobody has looked at the live class (`pytest_secaudit.endings`).
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Ran:
    """What the run knows of one file.

    Attributes:
        passed, failed, skipped: how many of its tests ended so.
        watchers: name -> ``on``, or why not.
        findings: that are in this file or have an owner there, whatever became of them.
        cleared: suspicions about this file of which the run saw the opposite.
        slept: real sleeps at its lines.
        reached: the kind and the name of what its tests and fixtures reached.
        lines: those of its guards that ran; None where nobody looked.
        raised: line of a simulated failure -> whether it was raised, where that is known.
    """

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    watchers: Mapping[str, str] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    cleared: Sequence[Cleared] = ()
    slept: Sequence[SleptAt] = ()
    reached: Sequence[tuple[str, str]] = ()
    lines: frozenset[int] | None = None
    raised: Mapping[int, bool] = field(default_factory=dict)

    @property
    def tests(self) -> int:
        """How many ran."""
        return self.passed + self.failed

    def saw(self, *watchers: str) -> bool:
        """Whether these looked while tests of the file ran."""
        return self.tests > 0 and all(self.watchers.get(name, "").startswith("on") for name in watchers)

    def found(self, *codes: str) -> bool:
        """Whether one of these was found here."""
        return any(finding.code in codes and finding.evidence == "confirmed" for finding in self.findings)


def observations(path: str, notes: Iterable[Note], ran: Ran) -> tuple[Observation, ...]:
    """What there is to say of a file."""
    of_kind: defaultdict[str, list[Note]] = defaultdict(list)
    for note in notes:
        of_kind[note.kind].append(note)
    file = _File(path, of_kind, ran)
    return tuple(one for part in _PARTS for one in part(file))


@dataclass(frozen=True)
class _File:
    path: str
    notes: Mapping[str, list[Note]]
    ran: Ran

    def of(self, kind: str) -> list[Note]:
        return self.notes.get(kind, [])

    def say(self, dimension: int, text: str, basis: Basis, notes: Iterable[Note] = ()) -> Observation:
        lines = dict.fromkeys(line for note in notes for line in range(note.lines[0], note.lines[1] + 1))
        return Observation(self.path, dimension, tuple(sorted(lines)), text, basis)

    def measured(
        self, dimension: int, text: str, about: str, watchers: Collection[str], codes: Collection[str]
    ) -> Iterator[Observation]:
        """That nothing was left, if somebody looked and found nothing; else what nobody looked at."""
        if self.ran.found(*codes):
            return
        if self.ran.saw(*watchers):
            yield self.say(dimension, text, "measured")
        else:
            why = "no test of the file ran" if not self.ran.tests else "not watched"
            yield self.say(dimension, f"{about} ({why})", "not judged")


# --- 1 mock and test environment


def _environment(file: _File) -> Iterator[Observation]:
    yield from _bases(file)
    fixtures = file.of("fixture")
    if fixtures:
        yield file.say(1, f"fixtures used: {_listed(fixtures)}", "read", fixtures)
    asked = file.of("asked for")
    if asked:
        named = [f"{note.text} ({plural(int(note.marks[0]), 'function')})" for note in asked]
        yield file.say(1, f"fixtures asked for: {_some(named)}", "read", asked)
    replaced = file.of("patch")
    if replaced:
        # What fixtures and base classes replace is theirs to say.
        names = dict.fromkeys(_short(note.text) for note in replaced)
        yield file.say(1, f"replaced by the file itself: {_some(names)}", "read", replaced)
    elif fixtures or asked or file.of("base"):
        yield file.say(1, "nothing is replaced by the file itself", "read")
    yield from _reached(file)


def _bases(file: _File) -> Iterator[Observation]:
    bases: defaultdict[str, list[Note]] = defaultdict(list)
    for note in file.of("base") + file.of("plain base"):
        bases[note.text].append(note)
    classes: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, found in bases.items():
        classes[tuple(note.subject for note in found)].append(name)
    for subjects, names in classes.items():
        notes = [note for name in names for note in bases[name]]
        who = f"{_some([f'{name} ({_at(bases[name][0])})' for name in names])}"
        verb = "stands on" if len(names) == 1 else "stand on"
        yield file.say(1, f"{who} {verb} {' and '.join(subjects)}", "read", notes)


def _reached(file: _File) -> Iterator[Observation]:
    named = [f"{kind} {what}" for kind, what in file.ran.reached if kind != "file"]
    if named:
        yield file.say(1, f"reached: {_some(named)}", "measured")
    else:
        text = "no host beyond loopback was reached and no program was started"
        yield from file.measured(1, text, "hosts and programs", ("contact",), ())


# --- 2 exception and error handling


def _failures(file: _File) -> Iterator[Observation]:
    for note in file.of("guard"):
        where = f"`{note.text}` at {_at(note)}"
        if file.ran.lines is None or not file.ran.tests:
            yield file.say(2, f"{where}, reached or not", "not judged", [note])
        elif any(line in file.ran.lines for line in range(note.lines[0], note.lines[1] + 1)):
            yield file.say(2, f"{where} was reached", "measured", [note])
        else:
            yield file.say(2, f"{where} was never reached", "measured", [note])
    yield from _only_this_time(file)
    required = file.of("required")
    if required:
        yield file.say(2, f"exceptions required: {_listed(required)}", "read", required)
    for note in file.of("simulated"):
        said = f"{note.text} is simulated at {_at(note)}{f', from {_short(note.subject)}' if note.subject else ''}"
        raised = [known for line, known in file.ran.raised.items() if note.lines[0] <= line <= note.lines[1]]
        if raised:
            yield file.say(
                2, f"{said}: {'it was raised' if any(raised) else 'it was never raised'}", "measured", [note]
            )
        else:
            yield file.say(2, said, "read", [note])
    if not (required or file.of("simulated") or file.of("guard")):
        yield file.say(2, "no failure is required or simulated", "read")


def _only_this_time(file: _File) -> Iterator[Observation]:
    for code, text in _ONLY_THIS_TIME.items():
        lines = sorted({one.line for one in file.ran.cleared if one.code == code})
        if lines:
            where = ", ".join(map(str, lines[:_MOST])) + (
                f" and {len(lines) - _MOST} more" if len(lines) > _MOST else ""
            )
            yield Observation(file.path, 2, tuple(lines), f"{where}: {text} ({code})", "measured")


# --- 3 data handling, logging and input


def _inputs(file: _File) -> Iterator[Observation]:
    sources: defaultdict[str, list[Note]] = defaultdict(list)
    for note in file.of("input"):
        sources[note.subject].append(note)
    for source, found in sources.items():
        yield file.say(3, f"input from {source}: {_listed(found, quote=True)}", "read", found)
    if not sources:
        yield file.say(3, "the input is written in the file: it reads no file, variable or host itself", "read")
    logs = file.of("logs")
    if logs:
        yield file.say(3, f"log records are asserted on at {_lines(logs)}", "read", logs)
    uncopied, copied = file.of("uncopied"), file.of("copied")
    if uncopied:
        then = f"; copied is {_listed(copied)}" if copied else ""
        yield file.say(3, f"put into a fixture as they are: {_listed(uncopied)}{then}", "read", [*uncopied, *copied])
    opened = [what for kind, what in file.ran.reached if kind == "file"]
    if opened:
        yield file.say(3, f"credential files opened: {_some(opened)}", "measured")
    looked = "the output, ids and log records of its tests hold no secret of a live format"
    if file.ran.tests:
        yield from file.measured(3, looked, "secrets in output", (), ("PSA301", "PSA302"))


# --- 4 configuration and settings


def _settings(file: _File) -> Iterator[Observation]:
    setters: defaultdict[str, list[Note]] = defaultdict(list)
    for note in file.of("setting"):
        setters[note.subject].append(note)
    for setter, found in setters.items():
        named = [f"{note.text} {_at(note)}{' (security)' if 'security' in note.marks else ''}" for note in found]
        yield file.say(4, f"set by {setter}: {_some(named)}", "read", found)
    early = [note for note in file.of("setting") if "before super().setUp()" in note.marks]
    if early:
        yield file.say(
            4, f"set before super().setUp() has begun: {_listed(early)}; the base may set it anew", "read", early
        )
    if not setters:
        yield file.say(4, "the file sets no option", "read")
    yield from file.measured(
        4,
        "no override and no environment variable is left",
        "overrides and environment variables that are left",
        ("oslo.config", "django settings", "environ"),
        ("PSA101", "PSA401", "PSA402"),
    )


# --- 5 patch and mock use


def _patches(file: _File) -> Iterator[Observation]:
    ends: defaultdict[str, list[Note]] = defaultdict(list)
    for note in file.of("patch"):
        ends[_kind_of_end(note.ends)].append(note)
    for end, found in ends.items():
        how = f"ended by {end}" if end else "without an end that the file shows"
        named = _listed(found, ends=end in ("addCleanup", "addfinalizer", "stop"))
        yield file.say(
            5,
            f"{plural(len(found), 'patch') if len(found) == 1 else f'{len(found)} patches'} {how}: {named}",
            "read",
            found,
        )
    if not ends:
        yield file.say(5, "nothing is patched", "read")
    text = "no patch was in force at the end of its owner"
    yield from file.measured(5, text, "patches in force at the end", ("patches",), ("PSA501", "PSA510"))


def _kind_of_end(ends: str) -> str:
    return ends.partition(" at ")[0]


# --- 6 resource allocation and clean-up


def _resources(file: _File) -> Iterator[Observation]:
    for note in file.of("resource"):
        end = f"ended by {note.ends}" if note.ends else "without an end that the file shows"
        yield file.say(6, f"{note.subject} `{note.text}` at {_at(note)}, {end}", "read", [note])
    yield from file.measured(
        6,
        "no thread, process, descriptor, temporary path or file was left",
        "threads, processes, descriptors and files that are left",
        ("threads", "children", "descriptors", "temporary paths"),
        ("PSA601", "PSA602", "PSA603", "PSA604", "PSA605", "PSA606"),
    )


# --- 7 sleep and synchronisation


def _waits(file: _File) -> Iterator[Observation]:
    measured: defaultdict[int, list[SleptAt]] = defaultdict(list)
    for slept in file.ran.slept:
        measured[slept.line].append(slept)
    for note in file.of("sleep"):
        found = [one for line in range(note.lines[0], note.lines[1] + 1) for one in measured.pop(line, [])]
        if found:
            yield file.say(7, f"{_at(note)}: {_spent(found)}", "measured", [note])
        elif file.ran.saw("sleep"):
            yield file.say(
                7, f"{_at(note)}: a sleep of {note.text}, which nobody slept in this run", "measured", [note]
            )
        else:
            yield file.say(7, f"{_at(note)}: a sleep of {note.text}", "read", [note])
    for line, found in sorted(measured.items()):
        yield Observation(file.path, 7, (line,), f"{line}: {_spent(found)}", "measured")
    for quote in dict.fromkeys(mark for note in file.of("sleep") for mark in note.marks):
        lines, _, text = quote.partition(": ")
        yield file.say(7, f'acknowledged at {lines}: "{text}"', "read", file.of("sleep"))
    if not file.of("sleep") and not file.ran.slept:
        yield from file.measured(7, "nobody slept at a line of this file", "real sleeps", ("sleep",), ())


def _spent(found: Sequence[SleptAt]) -> str:
    calls, seconds = sum(one.calls for one in found), sum(one.seconds for one in found)
    each = f"{calls} x {seconds / calls:.1f} s" if calls else "no call"
    return each if calls <= 1 else f"{each} ({seconds:.1f} s)"


# --- 8 mocking of critical functions


def _critical(file: _File) -> Iterator[Observation]:
    slept: dict[int, bool] = {}
    for one in file.ran.slept:
        slept[one.line] = slept.get(one.line, False) or one.overlapped
    for note in file.of("delay"):
        call = f" and {note.marks[0]}" if note.marks else ", and the original is not called"
        yield file.say(8, f"{_at(note)}: {_short(note.text)}{call}", "read", [note])
    delays = [slept[int(note.subject)] for note in file.of("delay") if int(note.subject) in slept]
    if len(delays) > 1:
        said = "the delays overlapped: the race took place" if any(delays) else "the delays did not overlap"
        yield file.say(8, said, "measured", file.of("delay"))
    for note in file.of("spy"):
        yield file.say(8, f"{_at(note)}: {_short(note.text)}, which {note.marks[0]}", "read", [note])
    guarded = [note for note in file.of("patch") if "security" in note.marks]
    if guarded:
        yield file.say(8, f"security functions replaced: {_listed(guarded)}", "read", guarded)
    if not (file.of("delay") or file.of("spy") or guarded):
        yield file.say(8, "no function is delayed, and none with a security name is replaced", "read")


# --- 9 API and service handling


def _services(file: _File) -> Iterator[Observation]:
    started, stopped = file.of("start"), file.of("stop")
    if started:
        yield file.say(9, f"started: {_listed(started, quote=True)}", "read", started)
    if stopped:
        yield file.say(9, f"stopped: {_listed(stopped, quote=True)}", "read", stopped)
    ended: defaultdict[str, list[Note]] = defaultdict(list)
    receivers = {note.subject for note in stopped}
    for note in started:
        if not note.subject or note.subject not in receivers:
            ended[_UNKNOWN if note.ends.startswith("self.") else note.ends].append(note)
    for how, found in ended.items():
        if how == _UNKNOWN:
            yield file.say(9, f"who ends what is started at {_lines(found)}", "not judged", found)
        else:
            by = f"ended by {how}" if how else "not ended by anything that the file or its bases show"
            yield file.say(9, f"{_lines(found)}: {by}", "read", found)
    changed = file.of("changed")
    if changed:
        yield file.say(9, f"the state of services is changed: {_listed(changed, quote=True)}", "read", changed)
    for note in file.of("as admin"):
        text = f"`{note.text}` at {_at(note)}: requests go as administrator, so authorisation is not tested by them"
        yield file.say(9, text, "read", [note])
    if not (started or stopped):
        yield file.say(9, "the file starts and stops no service", "read")


_PARTS: tuple[Callable[[_File], Iterator[Observation]], ...] = (
    _environment,
    _failures,
    _inputs,
    _settings,
    _patches,
    _resources,
    _waits,
    _critical,
    _services,
)


# --- words


def _at(note: Note) -> str:
    first, last = note.lines
    return str(first) if first == last else f"{first}-{last}"


def _lines(notes: Iterable[Note]) -> str:
    return ", ".join(dict.fromkeys(_at(note) for note in notes))


def _listed(notes: Sequence[Note], *, quote: bool = False, ends: bool = False) -> str:
    """``NeutronFixture 47, GlanceFixture 48``: things of one text with all their lines."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for note in notes:
        text = f"`{note.text}`" if quote else _short(note.text)
        more = f" ({note.ends})" if ends and " at " in note.ends else ""
        places[text].append(f"{_at(note)}{more}")
    return _some([f"{text} {', '.join(where)}" for text, where in places.items()])


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def _short(dotted: str) -> str:
    """The last two parts of a dotted name, which the reader of the file knows."""
    name, space, rest = dotted.partition(" ")
    parts = name.split(".")
    return (
        (".".join(parts[-2:]) if len(parts) > 2 and name.isascii() and "(" not in name and "[" not in name else name)
        + space
        + rest
    )
