"""Print the field notes: what the audit said of real suites, and whether it was true.

    python benchmarks/field_notes.py            # writes docs/field-notes.md from docs/field-notes/*.json
    python benchmarks/field_notes.py --check    # exits 1 when the page is not what the data say

Each data file holds the labels of one suite at one depth; `label_sheet.py --template` makes one. A share is
true labels by all labels of that code; codes with fewer than ten labels are listed, not rated. What a data
file gets wrong is an error that names the file and the entry, and nothing is written. Six are not of
labels: `planted.json`, which `planted.py` writes, `order-dependent.json`, of tests that make others fail,
`verdicts.json`, which `verdicts.py` writes, `reread.json`, of a sceptical reader,
`fixtures.json`, of who read the table of fixtures row by row, and `blind_spots.json`, which `blind_spots.py` writes.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "docs" / "field-notes"
PAGE = ROOT / "docs" / "field-notes.md"
PLANTED = "planted.json"
ORDER_DEPENDENT = "order-dependent.json"
VERDICTS = "verdicts.json"
REREAD = "reread.json"
FIXTURES = "fixtures.json"
BLIND_SPOTS = "blind_spots.json"

#: Fewer labels than this say nothing about a share.
RATED_FROM = 10

SEVERITIES = ("defect", "advisory", "info")
DEPTHS = ("static", "process", "deep", "exact")


class DataError(Exception):
    """What is wrong with a data file, with the file and the entry."""


# --- the data


@dataclass(frozen=True)
class Label:
    """One finding, and what its readers say of it.

    Attributes:
        true: the hazard that the check names is really there at that place.
        second: what the second reader says, or None when there was none.
    """

    fingerprint: str
    code: str
    severity: str
    place: str
    true: bool
    reason: str
    second: bool | None


@dataclass(frozen=True)
class Notes:
    """The labels of one suite."""

    suite: str
    version: str
    tests: int
    command: str
    depth: str
    secaudit: str
    labels: tuple[Label, ...]


@dataclass(frozen=True)
class Recall:
    """What was found of the leaks that `planted.py` planted in one suite.

    Attributes:
        found: how many of them, with whatever owner.
        owner, line: how many with the right owner, and how many of these with the right line.
        missed: those without, and what they lack.
    """

    suite: str
    version: str
    tests: int
    depth: str
    secaudit: str
    seed: int
    planted: int
    found: int
    owner: int
    line: int
    missed: list[str]


@dataclass(frozen=True)
class Polluter:
    """A test after which another one fails, or it itself the second time, and what the audit said of it.

    Attributes:
        source: where that is known from.
        state: what it leaves changed, as its readers or the project's own fix name it.
        code: the check that reported it at depth exact; empty if none did.
        subject: as the finding names it.
        owner: whether the finding names that test, its set-up or its fixture.
        deep: whether it was reported at depth deep, too.
        remark: why it was not seen; empty if it was.
    """

    project: str
    version: str
    source: str
    test: str
    state: str
    code: str
    subject: str
    owner: bool
    deep: bool
    remark: str


@dataclass(frozen=True)
class Verdicts:
    """What a run of a suite made of the suspicions of one check."""

    suite: str
    version: str
    tests: int
    depth: str
    secaudit: str
    code: str
    suspected: int
    confirmed: int
    not_reached: int
    cleared: int


def load_all(folder: Path) -> list[Notes]:
    """All data files of labels in a folder, in the order of their names.

    Raises:
        DataError: for the first thing that is wrong.
    """
    seen: dict[tuple[str, str], str] = {}
    every = []
    for path in sorted(folder.glob("*.json")):
        if path.name in (PLANTED, ORDER_DEPENDENT, VERDICTS, REREAD, FIXTURES, BLIND_SPOTS):
            continue
        notes = load(path)
        for number, label in enumerate(notes.labels):
            where = f"{path.name}: labels[{number}] ({label.place})"
            first = seen.setdefault((notes.suite, label.fingerprint), where)
            if first is not where:
                raise DataError(f"{where}: fingerprint {label.fingerprint} was labelled before, in {first}")
        every.append(notes)
    return every


def load(path: Path) -> Notes:
    """One data file.

    Raises:
        DataError: when it is not of the form described in `Notes` and `Label`.
    """
    try:
        data = json.loads(path.read_bytes(), object_pairs_hook=without_repeats)
    except ValueError as error:
        raise DataError(f"{path.name}: not right JSON: {error}") from None
    checked = fields_of(data, NOTES_FORM, path.name)
    labels = [label_of(entry, f"{path.name}: labels[{number}]") for number, entry in enumerate(checked.pop("labels"))]
    return Notes(**checked, labels=tuple(labels))


@dataclass(frozen=True)
class FixturesRead:
    """What the table of fixtures said of one package, read against the source of each fixture.

    Attributes:
        rows: of the package's own fixtures.
        read: as many of them as were read.
        wrong: rows that had a wrong cell before it was mended.
        found: what the table and the check of the fixtures say now.
    """

    package: str
    version: str
    tests: int
    rows: int
    read: int
    wrong: int
    found: str


def load_fixtures(path: Path) -> list[FixturesRead]:
    """What was read of fixtures; nothing where there is no such file.

    Raises:
        DataError: when it is not a list of what is described in `FixturesRead`.
    """
    return [FixturesRead(**entry) for entry in entries_of(path, FIXTURES_FORM)]


@dataclass(frozen=True)
class BlindSpot:
    """A function that tests replace and no test was said to run, and what the suite did once it was broken.

    Attributes:
        tests: how many tests replace it; `replaced_in` names the first of them.
        outcome: one of `BROKEN_OUTCOMES`.
        detail: the tests that noticed, or why it was not tried.
    """

    place: str
    qualname: str
    security: bool
    tests: int
    replaced_in: list[str]
    outcome: str
    detail: str


@dataclass(frozen=True)
class Broken:
    """The blind spots of one project, broken one by one.

    Attributes:
        replaced: how many of its functions tests replace.
    """

    project: str
    version: str
    tests: int
    command: str
    secaudit: str
    replaced: int
    spots: tuple[BlindSpot, ...]

    def counted(self, outcome: str) -> int:
        return sum(spot.outcome == outcome for spot in self.spots)

    @property
    def tried(self) -> int:
        return len(self.spots) - self.counted("not tried")


def load_blind_spots(path: Path) -> list[Broken]:
    """What became of suites whose blind spots were broken; nothing where there is no such file.

    Raises:
        DataError: when it is not a list of what is described in `Broken` and `BlindSpot`.
    """
    every = []
    for entry in entries_of(path, BROKEN_FORM):
        where = f"{path.name}: {entry['project']}: spots"
        spots = [
            BlindSpot(**fields_of(spot, BLIND_SPOT_FORM, f"{where}[{number}]"))
            for number, spot in enumerate(entry.pop("spots"))
        ]
        every.append(Broken(**entry, spots=tuple(spots)))
    return every


@dataclass(frozen=True)
class Reread:
    """What a sceptical reader said of a finding that a run had confirmed or cleared.

    Attributes:
        verdict: one of `REREAD_VERDICTS`.
        now: what has become of it since, where something was wrong.
        sample: 1 for what was chosen for its oddness, 2 for a random sample of what a later version had confirmed.
    """

    suite: str
    code: str
    evidence: str
    severity: str
    place: str
    verdict: str
    reason: str
    now: str
    sample: int


def load_reread(path: Path) -> list[Reread]:
    """What a sceptical reader said; nothing where there is no such file.

    Raises:
        DataError: when it is not a list of what is described in `Reread`.
    """
    return [Reread(**entry) for entry in entries_of(path, REREAD_FORM)]


def load_planted(path: Path) -> list[Recall]:
    """The counts of planted leaks; none where there is no such file.

    Raises:
        DataError: when it is not a list of what is described in `Recall`.
    """
    return [Recall(**entry) for entry in entries_of(path, RECALL_FORM)]


def load_verdicts(path: Path) -> list[Verdicts]:
    """What runs made of suspicions; nothing where there is no such file.

    Raises:
        DataError: when it is not a list of what is described in `Verdicts`.
    """
    return [Verdicts(**entry) for entry in entries_of(path, VERDICTS_FORM)]


def load_polluters(path: Path) -> list[Polluter]:
    """The tests that make others fail; none where there is no such file.

    Raises:
        DataError: when it is not a list of what is described in `Polluter`.
    """
    return [Polluter(**entry) for entry in entries_of(path, POLLUTER_FORM)]


def entries_of(path: Path, form: Mapping[str, Rule]) -> list[dict[str, Any]]:
    try:
        data = json.loads(path.read_bytes(), object_pairs_hook=without_repeats) if path.is_file() else []
    except ValueError as error:
        raise DataError(f"{path.name}: not right JSON: {error}") from None
    if not isinstance(data, list):
        raise DataError(f"{path.name}: not a list")
    return [fields_of(entry, form, f"{path.name}: [{number}]") for number, entry in enumerate(data)]


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a key is given twice in {json.dumps(found)[:120]}")
    return found


def label_of(entry: object, where: str) -> Label:
    if isinstance(entry, dict) and isinstance(entry.get("place"), str):
        where += f" ({entry['place']})"
    return Label(**fields_of(entry, LABEL_FORM, where))


#: Whether a value is right, and what a right value is.
Rule = tuple[Callable[[Any], bool], str]


def text(pattern: str, meaning: str) -> Rule:
    return (lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None), meaning


def one_of(words: Sequence[str]) -> Rule:
    return (lambda value: value in words), f"one of {', '.join(words)}"


ONE_LINE = text(r"\S(.*\S)?", "one line of text")
A_NUMBER: Rule = (lambda value: type(value) is int and value >= 0, "a number")
RECALL_FORM: Mapping[str, Rule] = {
    "suite": ONE_LINE,
    "version": ONE_LINE,
    "tests": A_NUMBER,
    "depth": one_of(DEPTHS),
    "secaudit": ONE_LINE,
    "seed": A_NUMBER,
    "planted": A_NUMBER,
    "found": A_NUMBER,
    "owner": A_NUMBER,
    "line": A_NUMBER,
    "missed": (lambda value: isinstance(value, list) and all(map(ONE_LINE[0], value)), "a list of lines of text"),
}
A_TRUTH: Rule = (lambda value: isinstance(value, bool), "true or false")
MAYBE_ONE_LINE = text(r"(\S(.*\S)?)?", "one line of text, or an empty one")
POLLUTER_FORM: Mapping[str, Rule] = {
    "project": ONE_LINE,
    "version": ONE_LINE,
    "source": ONE_LINE,
    "test": ONE_LINE,
    "state": ONE_LINE,
    "code": text(r"(PSA\d{3})?", "a code like PSA201, or an empty text"),
    "subject": MAYBE_ONE_LINE,
    "owner": A_TRUTH,
    "deep": A_TRUTH,
    "remark": MAYBE_ONE_LINE,
}
VERDICTS_FORM: Mapping[str, Rule] = {
    "suite": ONE_LINE,
    "version": ONE_LINE,
    "tests": A_NUMBER,
    "depth": one_of(DEPTHS),
    "secaudit": ONE_LINE,
    "code": text(r"PSA\d{3}", "a code like PSA201"),
    "suspected": A_NUMBER,
    "confirmed": A_NUMBER,
    "not_reached": A_NUMBER,
    "cleared": A_NUMBER,
}
FIXTURES_FORM: Mapping[str, Rule] = {
    "package": ONE_LINE,
    "version": ONE_LINE,
    "tests": A_NUMBER,
    "rows": A_NUMBER,
    "read": A_NUMBER,
    "wrong": A_NUMBER,
    "found": ONE_LINE,
}
BROKEN_OUTCOMES = ("stayed green", "green, but ran", "noticed", "not tried")
BROKEN_FORM: Mapping[str, Rule] = {
    "project": ONE_LINE,
    "version": ONE_LINE,
    "tests": A_NUMBER,
    "command": ONE_LINE,
    "secaudit": ONE_LINE,
    "replaced": A_NUMBER,
    "spots": (lambda value: isinstance(value, list), "a list"),
}
BLIND_SPOT_FORM: Mapping[str, Rule] = {
    "place": text(r"\S(.*\S)?:[1-9]\d*", "a place like shop/auth.py:12"),
    "qualname": ONE_LINE,
    "security": A_TRUTH,
    "tests": A_NUMBER,
    "replaced_in": (lambda value: isinstance(value, list) and all(map(ONE_LINE[0], value)), "a list of lines of text"),
    "outcome": one_of(BROKEN_OUTCOMES),
    "detail": MAYBE_ONE_LINE,
}
REREAD_VERDICTS = ("true", "true-but-wrong-detail", "false", "rightly-cleared", "would-have-wanted")
REREAD_FORM: Mapping[str, Rule] = {
    "suite": ONE_LINE,
    "code": text(r"PSA\d{3}", "a code like PSA201"),
    "evidence": one_of(("confirmed", "cleared")),
    "severity": one_of(SEVERITIES),
    "place": ONE_LINE,
    "verdict": one_of(REREAD_VERDICTS),
    "reason": ONE_LINE,
    "now": (lambda value: isinstance(value, str), "a sentence, or nothing"),
    "sample": (lambda value: value in (1, 2), "1 or 2"),
}
NOTES_FORM: Mapping[str, Rule] = {
    "suite": ONE_LINE,
    "version": ONE_LINE,
    "tests": (lambda value: type(value) is int and value >= 0, "a number of tests"),
    "command": ONE_LINE,
    "depth": one_of(DEPTHS),
    "secaudit": ONE_LINE,
    "labels": (lambda value: isinstance(value, list), "a list"),
}
LABEL_FORM: Mapping[str, Rule] = {
    "fingerprint": text(r"[0-9a-f]{8,64}", "a fingerprint in hexadecimal digits"),
    "code": text(r"PSA\d{3}", "a code like PSA201"),
    "severity": one_of(SEVERITIES),
    "place": text(r"\S(.*\S)?:[1-9]\d*", "a place like tests/test_x.py:12"),
    "true": (lambda value: isinstance(value, bool), "true or false (null: not labelled yet)"),
    "reason": ONE_LINE,
    "second": (lambda value: value is None or isinstance(value, bool), "true, false or null"),
}


def fields_of(data: object, form: Mapping[str, Rule], where: str) -> dict[str, Any]:
    """The entry, if it has exactly these keys with values of the right form."""
    if not isinstance(data, dict):
        raise DataError(f"{where}: not an object")
    for key in data:
        if key not in form:
            raise DataError(f"{where}: unknown key {key!r}")
    for key, (is_right, meaning) in form.items():
        if key not in data:
            raise DataError(f"{where}: {key!r} is missing")
        if not is_right(data[key]):
            raise DataError(f"{where}: {key!r} is {json.dumps(data[key])}, and should be {meaning}")
    return dict(data)


# --- the figures


@dataclass(frozen=True)
class Tally:
    """How many labels, how many of them true, how many read twice and how many of those agreed upon."""

    labels: int
    true: int
    twice: int
    second_true: int
    agreed: int


def tally(labels: Iterable[Label]) -> Tally:
    kept = list(labels)
    twice = [label for label in kept if label.second is not None]
    return Tally(
        labels=len(kept),
        true=sum(label.true for label in kept),
        twice=len(twice),
        second_true=sum(bool(label.second) for label in twice),
        agreed=sum(label.second == label.true for label in twice),
    )


def grouped(labels: Iterable[Label], key: Callable[[Label], str]) -> dict[str, Tally]:
    groups: dict[str, list[Label]] = {}
    for label in labels:
        groups.setdefault(key(label), []).append(label)
    return {name: tally(group) for name, group in groups.items()}


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def of(part: int, whole: int) -> str:
    return f"{part} of {whole}" if whole else "-"


# --- the page

METHOD = """\
We run the audit on suites that we did not write, read every finding (or a fixed-seed sample) at its place, and
label it *true* when the hazard that the check names is really there, *false* when it is not, with the reason.
A second reader labels some of the findings without having seen the first labels, and both figures are printed.
What was false gets a regression test, or a lower level with the reason on the check's page; labels are of the
version they name and are made anew when a check changes."""


def page(
    every: Sequence[Notes],
    planted: Sequence[Recall] = (),
    polluters: Sequence[Polluter] = (),
    verdicts: Sequence[Verdicts] = (),
    reread: Sequence[Reread] = (),
    fixtures: Sequence[FixturesRead] = (),
    broken: Sequence[Broken] = (),
) -> str:
    """The whole page as Markdown."""
    blocks = ["<!-- generated by benchmarks/field_notes.py from docs/field-notes/*.json -->", "# Field notes", METHOD]
    labels = [label for notes in every for label in notes.labels]
    if labels:
        blocks += [summary(every, labels), *code_blocks(labels), *suite_blocks(every), *reader_blocks(labels)]
        blocks += false_blocks(every)
    else:
        blocks.append("No suite has been labelled yet.")
    blocks += verdict_blocks(verdicts)
    blocks += reread_blocks(reread)
    blocks += fixture_blocks(fixtures)
    blocks += blind_spot_blocks(broken)
    blocks += planted_blocks(planted)
    blocks += polluter_blocks(polluters)
    return "\n\n".join(blocks) + "\n"


def summary(every: Sequence[Notes], labels: Sequence[Label]) -> str:
    total = tally(labels)
    suites = {notes.suite for notes in every}
    return (
        f"In all: {total.labels:,} findings labelled in {len(suites)} {'suite' if len(suites) == 1 else 'suites'}, "
        f"{total.true:,} of them true ({share(total.true, total.labels)})."
    )


def code_blocks(labels: Sequence[Label]) -> Iterator[str]:
    names = names_of_codes()
    by_code = sorted(grouped(labels, lambda label: label.code).items())
    rated = [(code, found) for code, found in by_code if found.labels >= RATED_FROM]
    listed = [(code, found) for code, found in by_code if found.labels < RATED_FROM]
    yield "## By code"
    if rated:
        rows = [(code, names.get(code, ""), f.labels, f.true, share(f.true, f.labels)) for code, f in rated]
        yield table(("code", "name", "labelled", "true", "share"), rows)
    if listed:
        yield f"Fewer than {RATED_FROM} labels, so not rated:"
        yield table(
            ("code", "name", "labelled", "true"), [(code, names.get(code, ""), f.labels, f.true) for code, f in listed]
        )
    by_level = grouped(labels, lambda label: label.severity)
    yield "## By level"
    levels = [(word, by_level[word]) for word in SEVERITIES if word in by_level]
    rows_of_levels = [(word, f.labels, f.true, rate(f)) for word, f in levels]
    yield table(("level", "labelled", "true", "share"), rows_of_levels)


def rate(found: Tally) -> str:
    """The share, where there is enough to speak of one."""
    return share(found.true, found.labels) if found.labels >= RATED_FROM else "not rated"


def suite_blocks(every: Sequence[Notes]) -> Iterator[str]:
    yield "## By suite"
    rows = [
        (n.suite, n.version, f"{n.tests:,}", n.depth, n.secaudit, found.labels, found.true, rate(found))
        for n in sorted(every, key=lambda notes: (notes.suite, notes.version, notes.depth))
        for found in [tally(n.labels)]
    ]
    yield table(("suite", "version", "tests", "depth", "secaudit", "labelled", "true", "share"), rows)
    commands = dict.fromkeys(f"- {notes.suite}: `{notes.command}`" for notes in every)
    yield "\n".join(sorted(commands))


def reader_blocks(labels: Sequence[Label]) -> Iterator[str]:
    yield "## Second reader"
    total = tally(labels)
    if not total.twice:
        yield "No finding has been read by a second reader yet."
        return
    first_true = sum(label.true for label in labels if label.second is not None)
    yield (
        f"Of {total.twice} findings read twice, the first reader calls {first_true} true "
        f"({share(first_true, total.twice)}), the second {total.second_true} "
        f"({share(total.second_true, total.twice)}); they agree on {total.agreed} ({share(total.agreed, total.twice)})."
    )
    by_code = sorted(grouped((label for label in labels if label.second is not None), lambda la: la.code).items())
    rows = [(code, f.twice, of(f.true, f.twice), of(f.second_true, f.twice), f.agreed) for code, f in by_code]
    yield table(("code", "read twice", "first: true", "second: true", "agreed"), rows)


def false_blocks(every: Sequence[Notes]) -> Iterator[str]:
    """Every false one with its reason: what the audit still gets wrong, or did when it was labelled."""
    wrong = sorted((la.code, n.suite, la.place, la.reason) for n in every for la in n.labels if not la.true)
    if wrong:
        yield "## What was false"
        yield "\n".join(f"- {code}, {suite}, `{place}`: {reason}" for code, suite, place, reason in wrong)


def verdict_blocks(verdicts: Sequence[Verdicts]) -> Iterator[str]:
    """What becomes of suspicions once the tests run."""
    if not verdicts:
        return
    yield "## What runs made of suspicions"
    suites = sorted({(one.suite, one.version, one.tests) for one in verdicts})
    named = ", ".join(f"{suite} {version} ({tests:,} tests)" for suite, version, tests in suites)
    yield (
        f"Findings of the checks that read, by what was known of them after a run: {named}. *Suspected* are those that "
        "nothing watches, whose test did not run or did not pass, or which are about what happens when something fails."
    )
    by_code: dict[str, list[Verdicts]] = {}
    for one in verdicts:
        by_code.setdefault(one.code, []).append(one)
    rows = [
        (
            f"{code} {names_of_codes().get(code, '')}",
            sum(one.confirmed for one in mine),
            sum(one.cleared for one in mine),
            sum(one.not_reached for one in mine),
            sum(one.suspected for one in mine),
        )
        for code, mine in sorted(by_code.items())
    ]
    yield table(("check", "confirmed", "cleared", "not reached", "suspected"), rows)


def reread_blocks(reread: Sequence[Reread]) -> Iterator[str]:
    """What somebody says who wants to find them wrong."""
    if not reread:
        return
    yield "## Read once more, by a sceptic"
    odd, drawn = ([one for one in reread if one.sample == number] for number in (1, 2))
    yield (
        f"Findings that a run had confirmed or cleared, of {_suites(odd)}, chosen for variety and for what looked odd, so that "
        "the shares are no precision. *Wrong detail*: the hazard is there, and the line, the owner, the level or the fix could "
        "be better. What is cleared by the letter of the verdicts and would have been welcome all the same is counted apart."
    )
    cleared = [sum(one.verdict == verdict for one in odd) for verdict in ("rightly-cleared", "would-have-wanted")]
    yield table(
        ("evidence", "true", "wrong detail", "false", "rightly cleared", "would have been welcome"),
        [("confirmed", *_counts(odd), "", ""), ("cleared", "", "", "", *cleared)],
    )
    yield (
        f"Then, after all of that had been mended, {len(drawn)} confirmed defects and advisories drawn at random (at most six of "
        f"a suite and ten of a check) of {_suites(drawn)}:"
    )
    yield table(("evidence", "true", "wrong detail", "false"), [("confirmed", *_counts(drawn))])
    yield "What was false in either, and what became of it:"
    wrong = [one for one in reread if one.verdict == "false"]
    yield table(
        ("suite", "check", "place", "why it was false", "now"),
        [(one.suite, one.code, one.place, one.reason, one.now or "open") for one in wrong],
    )


def _suites(reread: Sequence[Reread]) -> str:
    names = sorted({one.suite for one in reread})
    return f"{len(names)} suites ({', '.join(names)})"


def _counts(reread: Sequence[Reread]) -> list[int]:
    return [sum(one.verdict == verdict for one in reread) for verdict in ("true", "true-but-wrong-detail", "false")]


def planted_blocks(planted: Sequence[Recall]) -> Iterator[str]:
    """What share of leaks is found, where somebody knows what there is to find."""
    if not planted:
        return
    yield "## Planted leaks"
    yield (
        "`benchmarks/planted.py` plants leaks of many kinds into a copy of a suite: in tests, helpers, fixtures, "
        "set-ups, at import and in code beside the tests. Counted are those found, those of them with the right owner, "
        "and those of these with the right writing line and place to edit."
    )
    ordered = sorted(planted, key=lambda recall: (recall.suite, recall.depth, recall.seed))
    rows = [
        (r.suite, r.version, f"{r.tests:,}", r.depth, r.secaudit, r.planted, r.found, r.owner, r.line) for r in ordered
    ]
    yield table(("suite", "version", "tests", "depth", "secaudit", "planted", "found", "owner", "line"), rows)
    missed = [f"- {recall.suite}, {recall.depth}: {text}" for recall in ordered for text in recall.missed]
    if missed:
        yield "\n".join(missed)


def fixture_blocks(fixtures: Sequence[FixturesRead]) -> Iterator[str]:
    """What the table of fixtures is worth on packages whose business is fixtures."""
    if not fixtures:
        return
    yield "## Fixtures of real packages"
    yield (
        "`--secaudit-fixtures` on the tests of packages from PyPI: the source of each fixture was read, and set-ups and "
        "users were counted by a second plugin. A row is wrong if any of its cells is, a missing row is none; what was "
        "wrong has a test. `--secaudit-check-fixture=ALL` ran for each, too."
    )
    rows = [(one.package, one.version, f"{one.tests:,}", one.rows, one.read, one.wrong, one.found) for one in fixtures]
    yield table(("package", "version", "tests", "rows", "read", "wrong, mended", "what was found"), rows)


def blind_spot_blocks(broken: Sequence[Broken]) -> Iterator[str]:
    """Whether a suite notices that a function is broken of which it was said that no test runs it."""
    if not broken:
        return
    yield "## Blind spots, broken"
    yield (
        "`--secaudit-blindspots` lists functions of the project that tests replace and that no test runs. "
        "`benchmarks/blind_spots.py` puts a `raise` in the place of the body of each, in a copy, and runs the whole suite. "
        "*Stayed green*: every test did what it had done before, and the function never ran. *Green, but ran*: no test "
        "noticed, and yet it ran, so that it should not have been listed. The share is that of those that stayed green "
        "among those tried; first, as a control, all other functions of the same files were broken, and each suite noticed."
    )
    ordered = sorted(broken, key=lambda one: (one.project.lower(), one.version))
    heads = ("project", "version", "tests", "replaced", "listed", "tried", *BROKEN_OUTCOMES[:3], "share")
    rows = [
        (
            one.project,
            one.version,
            f"{one.tests:,}",
            f"{one.replaced:,}",
            len(one.spots),
            one.tried,
            *(one.counted(outcome) for outcome in BROKEN_OUTCOMES[:3]),
            share(one.counted("stayed green"), one.tried),
        )
        for one in ordered
    ]
    yield table(heads, rows)
    yield "\n".join(f"- {one.project}: `{one.command}`" for one in ordered)
    yield table(
        ("project", "function", "security", "replaced in", "outcome"),
        [
            (one.project, f"`{spot.place}` `{spot.qualname}`", _yes(spot.security), _tests(spot), _what_became(spot))
            for one in ordered
            for spot in one.spots
        ],
    )


def _yes(value: bool) -> str:  # noqa: FBT001 a cell of a table
    return "yes" if value else ""


def _tests(spot: BlindSpot) -> str:
    named = "".join(f"`{name}`" for name in spot.replaced_in[:1])
    return f"{named} and {spot.tests - 1} more" if spot.tests > 1 else named


def _what_became(spot: BlindSpot) -> str:
    return f"{spot.outcome}: {spot.detail}" if spot.detail else spot.outcome


def polluter_blocks(polluters: Sequence[Polluter]) -> Iterator[str]:
    """What share is found of that which is known to have made tests fail."""
    if not polluters:
        return
    yield "## Tests that make others fail"
    found = [one for one in polluters if one.code]
    projects = len({one.project for one in polluters})
    yield (
        f"{len(polluters)} tests of {projects} public projects after which another test fails, or they themselves the "
        "second time: known from issues and fixes, or found by running suites twice and in other orders. Each was run "
        f"with the test that fails after it. The state that makes it fail is reported for {len(found)} of them "
        f"({sum(one.deep for one in found)} at depth deep), with the right owner for {sum(one.owner for one in found)}."
    )
    ordered = sorted(polluters, key=lambda one: (one.project.lower(), one.test))
    rows = [(one.project, one.version, one.state, one.code or "-", one.remark or one.subject) for one in ordered]
    yield table(("project", "version", "what it leaves", "check", "as reported, or why not"), rows)
    yield "\n".join(f"- {one.project}: `{one.test}` ({one.source})" for one in ordered)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; columns of numbers and shares stand to the right."""
    body = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    rules = ["---:" if all(is_figure(row[column]) for row in body) else "---" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rules, *body))


def is_figure(cell: str) -> bool:
    return cell in ("-", "not rated") or re.fullmatch(r"[\d,]+( %| of \d+)?", cell) is not None


def names_of_codes() -> dict[str, str]:
    """The names of the checks in this tree, for the reader's eye."""
    sys.path.insert(0, str(ROOT))
    from pytest_secaudit.checks import built_in

    return {check.code: check.name for check in built_in()}


# --- the command line


def main() -> int:
    parser = argparse.ArgumentParser(description="Print docs/field-notes.md from docs/field-notes/*.json.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is stale")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the data files")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write")
    arguments = parser.parse_args()
    try:
        planted = load_planted(arguments.data / PLANTED)
        polluters = load_polluters(arguments.data / ORDER_DEPENDENT)
        verdicts = load_verdicts(arguments.data / VERDICTS)
        reread = load_reread(arguments.data / REREAD)
        fixtures = load_fixtures(arguments.data / FIXTURES)
        broken = load_blind_spots(arguments.data / BLIND_SPOTS)
        wanted = page(load_all(arguments.data), planted, polluters, verdicts, reread, fixtures, broken)
    except DataError as error:
        print(f"field_notes.py: {error}", file=sys.stderr)
        return 1
    return check(arguments.page, wanted) if arguments.check else write(arguments.page, wanted)


def check(path: Path, wanted: str) -> int:
    if path.is_file() and path.read_text(encoding="utf-8") == wanted:
        return 0
    print(f"field_notes.py: {path} is not what the data say; run python benchmarks/field_notes.py", file=sys.stderr)
    return 1


def write(path: Path, wanted: str) -> int:
    path.write_text(wanted, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
