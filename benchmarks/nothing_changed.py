"""Does an audited run report what a plain run reports? Prints what changed, or "nothing changed".

    python benchmarks/nothing_changed.py [--cwd FOLDER] [--audit-args="..."] -- VENV/bin/python -m pytest ARGUMENT...
    python benchmarks/nothing_changed.py --audit-args="--secaudit-depth=process" -- ./run-tests.sh -q tests/unit
    python benchmarks/nothing_changed.py --cov PACKAGE -- VENV/bin/python -m pytest -n 0

After ``--`` comes the command that runs the suite: whatever takes pytest's arguments at its end, in whose
environment the plugin is installed. It is run once for the bytecode and caches it leaves, which nobody looks at,
twice plainly, and then audited. A recorder (`recorder.py`) is loaded with ``-p`` from a temporary folder on the
``PYTHONPATH`` and writes down, in all of them alike:

* the ids that were collected, and the order in which tests reported;
* of each report of a test: its phase, outcome, reason of an xfail, sections with names and texts, failure text,
  location, keywords and properties; of each report of a collector its outcome, sections and failure text;
* each warning: message, category, file, line, when, and the test it was recorded in;
* the exit status; with ``--cov`` the totals of coverage and the lines that ran, by file.

What the two plain runs do not agree on is excluded and listed. Texts are compared as they are, unless the plain
runs differ in something that a normaliser explains (addresses, durations, temporary paths, ...): that normaliser,
and no other, is then applied to all runs. Node ids are texts too. Under pytest-xdist the order differs by itself.

When the audited run differs, both are run once more. What differs in each audited run is *changed*, exit status
1. What differs in only one of them is *unsteady*: neither shown nor shown not to be the audit's work, exit status
2 if there is nothing else. A run that could not be recorded gives exit status 2 as well.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
RECORDER = "nothing_changed_recorder"
VARIABLE = "NOTHING_CHANGED_RECORD"  # as recorder.py says it

NOTHING_CHANGED, CHANGED, UNDECIDED = 0, 1, 2


class RunError(Exception):
    """A run that left nothing to compare."""


# --- running the suite


@dataclass(frozen=True)
class Recorded:
    """What one run said.

    Attributes:
        events: of the recorder, in order.
        status: with which the command ended.
        coverage: pytest-cov's report, or nothing.
        audit: the audit's report, or nothing.
        seconds: of wall time.
    """

    events: tuple[dict[str, Any], ...]
    status: int
    coverage: Mapping[str, Any] = field(default_factory=dict)
    audit: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


class Runner:
    """Runs the command, plainly or audited, and keeps what it wrote."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self._command: list[str] = arguments.command
        self._cwd: Path = arguments.cwd
        self._timeout: float | None = arguments.timeout
        self._folder = folder
        self._plain: list[str] = shlex.split(arguments.plain_args)
        self._audited: list[str] = ["--secaudit", *shlex.split(arguments.audit_args)]
        self.cov: str = arguments.cov
        self._count = 0
        (folder / "plugins").mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "recorder.py", folder / "plugins" / f"{RECORDER}.py")

    def plain(self) -> Recorded:
        return self._run("plain", self._plain)

    def audited(self) -> Recorded:
        report = self._folder / "audit.json"
        report.unlink(missing_ok=True)
        recorded = self._run("audited", [*self._audited, f"--secaudit-report=json:{report}"])
        audit = json.loads(report.read_bytes()) if report.exists() else {}
        return Recorded(recorded.events, recorded.status, recorded.coverage, audit, recorded.seconds)

    def _run(self, kind: str, options: Sequence[str]) -> Recorded:
        self._count += 1
        # The same names in each run, so that nothing about them differs; kept under others.
        record, coverage = self._folder / "record.jsonl", self._folder / "coverage.json"
        record.unlink(missing_ok=True)
        coverage.unlink(missing_ok=True)
        measured = [f"--cov={self.cov}", f"--cov-report=json:{coverage}"] if self.cov else []
        started = time.monotonic()
        status, output = self._execute([*self._command, "-p", RECORDER, *options, *measured], record)
        seconds = time.monotonic() - started
        name = f"{self._count} {kind}"
        (self._folder / f"{name}.out").write_text(output, encoding="utf-8", errors="replace")
        if not record.exists() or '"kind": "report"' not in (text := record.read_text(encoding="utf-8")):
            raise RunError(f"{kind} run, exit status {status}: no report was recorded\n{output[-3000:]}")
        shutil.copy(record, self._folder / f"{name}.jsonl")
        events = tuple(json.loads(line) for line in text.splitlines() if line.endswith("}"))
        return Recorded(events, status, read_coverage(coverage), seconds=seconds)

    def _execute(self, command: Sequence[str], record: Path) -> tuple[int, str]:
        """The exit status and all output. What outlives the time limit is killed, its children too."""
        path = os.pathsep.join(filter(None, [str(self._folder / "plugins"), os.environ.get("PYTHONPATH")]))
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        ours = {"PYTHONPATH": path, VARIABLE: str(record), "COVERAGE_FILE": str(self._folder / "coverage.data")}
        with (
            tempfile.TemporaryFile() as file,
            subprocess.Popen(
                command,
                cwd=self._cwd,
                env={"PYTHONHASHSEED": "0", **kept, **ours},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            try:
                status = process.wait(self._timeout)
            except BaseException as error:
                kill_group(process)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise RunError(f"not done after {self._timeout:g} s: {shlex.join(command)}") from None
                raise
            file.seek(0)
            return status, file.read().decode(errors="replace")


def kill_group(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def read_coverage(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    data: dict[str, Any] = json.loads(path.read_bytes())
    return data


# --- normalisers

#: What may differ between two runs for no reason. They are tried in this order.
NORMALISERS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern)
    for name, pattern in (
        ("temporary paths", r"(?:/[^\s/'\"]+)*/(?:pytest-of-[^\s/'\"]+/pytest-\d+|tmp[a-z0-9_]{8}\b)"),
        ("workers of pytest-xdist", r"\bgw\d+\b"),
        ("temporary names", r"\btmp[a-z0-9_]{8}\b"),
        ("uuids", r"\b[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\b"),
        ("addresses", r"\b0x[0-9a-fA-F]{4,}\b"),
        ("times", r"\b(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"),
        ("durations", r"\b\d+(?:\.\d+)?(?:e-?\d+)? ?(?:s|ms|us|µs|ns|secs?|seconds?|milliseconds?)\b"),
        ("hexadecimal numbers", r"\b(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}\b"),
        ("fractions", r"\b\d+\.\d+(?:e-?\d+)?\b"),
        ("numbers of four and more digits", r"(?<![\d.])\d{4,}(?![\d.])"),
        ("descriptors", r"\bfd[ =]\d+"),
        ("thread numbers", r"\b(?:Thread|Dummy|ThreadPoolExecutor|asyncio|Task|\w*Process)-\d+(?:_\d+)?"),
    )
}


def normalise(text: str, names: Iterable[str]) -> str:
    """The text with ``<addresses>`` and the like for what such a normaliser finds."""
    for name in names:
        text = NORMALISERS[name].sub(f"<{name}>", text)
    return text


def needed(runs: Sequence[Recorded]) -> tuple[str, ...]:
    """The normalisers without which these runs, which ought to be the same, would differ in more."""
    active = list(NORMALISERS)
    fewest = len(disagreement([facts_of(run, active) for run in runs]))
    for name in NORMALISERS:
        rest = [other for other in active if other != name]
        if len(disagreement([facts_of(run, rest) for run in runs])) <= fewest:
            active = rest
    return tuple(active)


# --- facts: what a run said, as texts that can be held against those of another


class Key(NamedTuple):
    """What a fact is about, as ``report``, a node id, ``call#0``, ``outcome``."""

    kind: str
    subject: str = ""
    part: str = ""
    aspect: str = ""


Facts = Mapping[Key, str]


def facts_of(run: Recorded, names: Sequence[str]) -> Facts:
    """What a run said, normalised."""

    def text(value: object) -> str:
        return normalise(value if isinstance(value, str) else json.dumps(value, sort_keys=True), names)

    facts: dict[Key, str] = {Key("exit status"): str(run.status)}
    ended = any(event["kind"] == "end" for event in run.events)
    facts[Key("run to its end")] = "yes" if ended else "no"
    collected = [event["ids"] for event in run.events if event["kind"] == "collected"]
    facts[Key("collected ids")] = text("\n".join(collected[0] if collected else ()))
    reports = [event for event in run.events if event["kind"] == "report"]
    facts[Key("order of reports")] = text("\n".join(dict.fromkeys(report["nodeid"] for report in reports)))
    facts.update(report_facts(reports, text))
    facts.update(report_facts([event for event in run.events if event["kind"] == "collect report"], text))
    facts.update(warning_facts([event for event in run.events if event["kind"] == "warning"], text))
    facts.update(coverage_facts(run.coverage))
    return facts


def report_facts(reports: Iterable[Mapping[str, Any]], text: Callable[[object], str]) -> Iterator[tuple[Key, str]]:
    seen: Counter[tuple[str, str]] = Counter()
    for report in reports:
        nodeid, when = text(report["nodeid"]), report.get("when", "collect")
        part = f"{when}#{seen[nodeid, when]}"
        seen[nodeid, when] += 1
        for name, value in report.items():
            if name not in ("kind", "nodeid", "when", "sections"):
                yield Key(report["kind"], nodeid, part, name), text(value)
        names: Counter[str] = Counter()
        for title, content in report["sections"]:
            yield Key(report["kind"], nodeid, part, f"section: {title}#{names[title]}"), text(content)
            names[title] += 1


def warning_facts(warnings: Iterable[Mapping[str, Any]], text: Callable[[object], str]) -> Iterator[tuple[Key, str]]:
    places: defaultdict[Key, list[str]] = defaultdict(list)
    for warning in warnings:
        where = text(f"{warning['filename']}:{warning['lineno']}: {warning['category']}")
        key = Key("warning", where, text(warning["message"]), "recorded in")
        places[key].append(text(f"{warning['when']} {warning['nodeid']}"))
    for key, found in places.items():
        yield key, "\n".join(sorted(found))


def coverage_facts(coverage: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    for name, value in coverage.get("totals", {}).items():
        yield Key("coverage", "totals", "", name), str(value)
    for name, file in coverage.get("files", {}).items():
        yield Key("coverage", name, "", "lines that ran"), str(file["executed_lines"])


# --- what differs


def disagreement(many: Sequence[Facts]) -> frozenset[Key]:
    """The keys that not all of these have, or have alike."""
    first = many[0]
    differing: set[Key] = set()
    for other in many[1:]:
        differing.update(key for key in first.keys() | other.keys() if first.get(key) != other.get(key))
    return frozenset(differing)


class Exclusions:
    """What plain runs do not agree on, and with what is there in one of them only, what goes with it."""

    def __init__(self, plains: Sequence[Facts]) -> None:
        self.keys = disagreement(plains)
        self._groups = {
            self._group(key) for key in self.keys if any((key in facts) != (key in plains[0]) for facts in plains)
        }

    @staticmethod
    def _group(key: Key) -> tuple[str, ...]:
        """What else may come and go if this does.

        A report: all of its test. A section: the sections of its report. A warning: others from its line.
        """
        if key.aspect.startswith("section: "):
            return (*key[:3], "section: ")
        return key[:2]

    def __contains__(self, key: Key) -> bool:
        return key in self.keys or self._group(key) in self._groups or key[:2] in self._groups


def differences(plains: Sequence[Facts], audited: Facts) -> frozenset[Key]:
    """In what an audited run differs from plain runs that agree."""
    exclusions = Exclusions(plains)
    return frozenset(key for key in disagreement([plains[0], audited]) if key not in exclusions)


@dataclass(frozen=True)
class Comparison:
    """Plain runs and audited runs, compared.

    Attributes:
        names: of the normalisers in use.
        excluded: on what plain runs do not agree.
        changed: in what every audited run differs from them.
        unsteady: in what only some of the audited runs do.
    """

    names: tuple[str, ...]
    plain: Facts
    audited: tuple[Facts, ...]
    excluded: frozenset[Key]
    changed: frozenset[Key]
    unsteady: frozenset[Key]


def compare(plains: Sequence[Recorded], audited: Sequence[Recorded]) -> Comparison:
    names = needed(plains)
    plain_facts = [facts_of(run, names) for run in plains]
    audited_facts = tuple(facts_of(run, names) for run in audited)
    found = [differences(plain_facts, facts) for facts in audited_facts]
    changed = frozenset.intersection(*found)
    return Comparison(
        names=names,
        plain=plain_facts[0],
        audited=audited_facts,
        excluded=Exclusions(plain_facts).keys,
        changed=changed,
        unsteady=frozenset.union(*found) - changed,
    )


# --- what is printed


def print_comparison(comparison: Comparison, first: Recorded, limit: int) -> None:
    if comparison.names:
        print(f"normalised, as plain runs differ in them: {', '.join(comparison.names)}")
    print_keys("excluded, as plain runs differ", comparison.excluded, limit)
    for title, keys in (("changed", comparison.changed), ("unsteady", comparison.unsteady)):
        print_keys(title, keys, limit, lambda key: what_differs(comparison, key))
    print(verdict(comparison, first))


def print_keys(
    title: str, keys: Iterable[Key], limit: int, details: Callable[[Key], Iterable[str]] | None = None
) -> None:
    ordered = sorted(keys)
    if ordered:
        print(f"{title}: {len(ordered)}")
    for key in ordered[:limit]:
        print(f"  {describe(key)}")
        for line in details(key) if details else ():
            print(f"      {line}")
    if len(ordered) > limit:
        print(f"  and {len(ordered) - limit} more (--limit)")


def describe(key: Key) -> str:
    return " | ".join(cut(" ".join(part.split()), 160) for part in key if part)


def what_differs(comparison: Comparison, key: Key, most: int = 12) -> Iterator[str]:
    """The lines that differ, of the first audited run that does."""
    before = comparison.plain.get(key)
    after = next((facts.get(key) for facts in comparison.audited if facts.get(key) != before), before)
    if before is not None and after is not None and normalise(before, NORMALISERS) == normalise(after, NORMALISERS):
        yield "(only in what a normaliser not in use would remove)"
    lines = difflib.unified_diff(
        ["(not there)"] if before is None else before.splitlines(),
        ["(not there)"] if after is None else after.splitlines(),
        lineterm="",
        n=0,
    )
    shown = [cut(line, 200) for line in list(lines)[2:] if not line.startswith("@@")]
    yield from shown[:most]
    if len(shown) > most:
        yield f"... {len(shown) - most} more lines"


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def verdict(comparison: Comparison, first: Recorded) -> str:
    kinds = Counter(event["kind"] for event in first.events)
    scope = f"{kinds['report']:,} reports, {kinds['warning']:,} warnings"
    if first.coverage:
        scope += f", coverage of {len(first.coverage.get('files', {})):,} files"
    scope += f" ({len(comparison.excluded):,} excluded because two plain runs differ)"
    if comparison.changed:
        return f"changed: {len(comparison.changed):,} differences in {scope}"
    if comparison.unsteady:
        return f"not decided: {len(comparison.unsteady):,} differences in one audited run of two, in {scope}"
    return f"nothing changed: {scope}"


def describe_audit(audit: Mapping[str, Any]) -> str:
    """What the audit did meanwhile: one that does not look changes nothing."""
    if not audit:
        return "audited: it wrote no report"
    watchers: Mapping[str, str] = audit.get("evidence", {}).get("watchers", {})
    off = [f"{name} {state}" for name, state in sorted(watchers.items()) if state != "on"]
    text = f"audited: depth {audit['run']['depth']}, {len(watchers) - len(off)} watchers on, "
    return text + f"{len(audit['findings'])} findings" + (f"; not on: {'; '.join(off)}" if off else "")


# --- the command line


def main() -> int:
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="nothing-changed-") as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return prove(arguments, Runner(arguments, folder))
        except RunError as error:
            print(f"could not compare: {error}")
            return UNDECIDED


def prove(arguments: argparse.Namespace, runner: Runner) -> int:
    warm_up(runner, only_to_see_if_it_runs=arguments.no_warm_up)
    plains = [runner.plain(), runner.plain()]
    audited = [runner.audited()]
    comparison = compare(plains, audited)
    if comparison.changed:
        print(f"{len(comparison.changed)} differences; once more")
        plains.append(runner.plain())
        audited.append(runner.audited())
        comparison = compare(plains, audited)
    print(f"plain {seconds_of(plains)}, audited {seconds_of(audited)}")
    print(describe_audit(audited[-1].audit))
    print_comparison(comparison, plains[0], arguments.limit)
    if comparison.changed:
        return CHANGED
    return UNDECIDED if comparison.unsteady else NOTHING_CHANGED


def warm_up(runner: Runner, *, only_to_see_if_it_runs: bool) -> None:
    """The first run compiles, and warns while it does. It also shows whether pytest-cov is there."""
    if only_to_see_if_it_runs and not runner.cov:
        return
    try:
        runner.plain()
    except RunError as error:
        if not runner.cov or "unrecognized arguments" not in str(error):
            raise
        print("pytest-cov is not installed there: coverage is not compared")
        runner.cov = ""
        runner.plain()


def seconds_of(runs: Iterable[Recorded]) -> str:
    return " and ".join(f"{run.seconds:.1f} s" for run in runs)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cwd", type=Path, default=Path(), help="where the command runs (default: here)")
    parser.add_argument("--audit-args", default="", help="what the audited run gets beside --secaudit, as one string")
    parser.add_argument("--plain-args", default="-p no:secaudit", help="what plain runs get (default %(default)r)")
    parser.add_argument("--cov", default="", metavar="PACKAGE", help="compare its coverage too, with pytest-cov")
    parser.add_argument("--no-warm-up", action="store_true", help="the suite has run before: do not run it once more")
    parser.add_argument("--timeout", type=float, help="seconds after which a run is given up")
    parser.add_argument("--limit", type=int, default=20, help="how many of each list to print (default %(default)s)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to keep records and outputs of all runs")
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="what runs the suite, after --")
    arguments = parser.parse_args()
    arguments.cwd = arguments.cwd.resolve()
    arguments.keep = arguments.keep and arguments.keep.resolve()
    if os.sep in arguments.command[0]:
        arguments.command[0] = os.path.abspath(arguments.command[0])
    return arguments


if __name__ == "__main__":
    sys.exit(main())
