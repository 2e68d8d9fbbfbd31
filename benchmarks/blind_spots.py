"""Is it true that no test runs what `--secaudit-blindspots` lists? Breaks each such function and runs the suite.

    pytest --secaudit --secaudit-blindspots --secaudit-report=json:audit.json ARGUMENT...
    python benchmarks/blind_spots.py PROJECT-1.0 --report audit.json --python VENV/bin/python -- ARGUMENT...
    python benchmarks/blind_spots.py PROJECT-1.0 --report audit.json --at-once all --save -- ARGUMENT...

The suite, a folder named like NAME-VERSION in which the report was made, is copied, and all runs are of the copy.

1. It runs twice unbroken. What a test did there is what it has to do again, a failure included; tests on which the
   two runs do not agree are excluded and counted. The files of the spots must have been loaded from the copy: a
   run that imports the original would stay green whatever is broken.
2. A control: all *other* functions of those files are broken at once, but for those that run while the tests are
   collected, and the suite has to notice.
3. Each spot is broken: what follows the docstring of its body becomes a single ``raise``, with empty lines for the
   others, so that no line moves and a generator stays one. It writes a mark before it raises, so that it is known
   to have run even where somebody catches what it raises, in a thread, or in a child process.

A spot *stayed green* if every test did what it had done before and the mark is not there. It is *green, but ran* if
the mark is, and *noticed* if some test did something else. With ``--at-once`` so many are broken in one run: if none
of them is marked and no test differs, all of them stayed green, for what did not run can hide nothing. Otherwise those
that are marked are broken one by one, and the others in another run; if there is no mark, in two halves.

The exit status is 1 if a spot did not stay green, and 2 if nothing could be proved.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nothing_changed import RECORDER, VARIABLE, kill_group

HERE = Path(__file__).resolve().parent
SAVED = HERE.parent / "docs" / "field-notes" / "blind_spots.json"
MARKS = "blind_spot_marks"

STAYED_GREEN, GREEN_BUT_RAN, NOTICED, NOT_TRIED = "stayed green", "green, but ran", "noticed", "not tried"

#: Stands for the run itself among the ids of tests.
THE_RUN = "the run"


class ProofError(Exception):
    """Why nothing can be said."""


class CannotBreakError(Exception):
    """Why a function cannot be broken this way."""


@dataclass(frozen=True)
class Spot:
    """A function, as the report lists it.

    Attributes:
        number: by which its mark is known.
        line: of its ``def`` or of its first decorator.
        replaced_in: the tests that replace it.
    """

    number: int
    path: str
    line: int
    qualname: str
    replaced_in: tuple[str, ...] = ()
    security: bool = False

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"


# --- breaking a function

Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def broken(source: bytes, spots: Iterable[Spot]) -> bytes:
    """The file with these functions broken. One within another one is broken with that.

    Raises:
        CannotBreakError: if one is not there, or has no body.
    """
    encoding = tokenize.detect_encoding(io.BytesIO(source).readline)[0]
    text = source.decode(encoding)
    tree = ast.parse(text)
    found = [(find(tree, spot), spot) for spot in spots]
    lines = text.encode().splitlines(keepends=True)  # in UTF-8, as columns are counted
    for function, spot in found:
        if not any(is_within(function, other) for other, _ in found):
            put_raise(lines, function, spot.number)
    return b"".join(lines).decode().encode(encoding)


def find(tree: ast.Module, spot: Spot) -> Function:
    """The function of this name and line.

    Raises:
        CannotBreakError: if there is none.
    """
    if spot.qualname.endswith("<lambda>"):
        raise CannotBreakError("a lambda has no body to put a raise in")
    for qualname, function in functions_of(tree):
        if qualname == spot.qualname and spot.line in (function.lineno, first_line(function)):
            return function
    raise CannotBreakError(f"no function {spot.qualname} is defined at line {spot.line}")


def functions_of(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """All functions with their qualified names."""
    pending: list[tuple[str, ast.AST]] = [("", tree)]
    while pending:
        prefix, node = pending.pop()
        inside = prefix
        if isinstance(node, _FUNCTIONS):
            yield prefix + node.name, node
            inside = f"{prefix}{node.name}.<locals>."
        elif isinstance(node, ast.ClassDef):
            inside = f"{prefix}{node.name}."
        pending += [(inside, child) for child in ast.iter_child_nodes(node)]


def first_line(node: ast.stmt) -> int:
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def is_within(function: Function, other: Function) -> bool:
    return function is not other and any(node is function for node in ast.walk(other))


def put_raise(lines: list[bytes], function: Function, number: int) -> None:
    """Put a raise in the place of the body, behind its docstring, and leave all lines where they are."""
    wanted = f'raise __import__("{MARKS}").Ran({number})'
    if is_generator(function):
        wanted += "; yield"
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        line, column, wanted = first.end_lineno or 0, first.end_col_offset or 0, f"; {wanted}"
    elif first_line(first) < first.lineno:  # a decorator's column is that of what follows the @
        line = first_line(first)
        column = len(lines[line - 1]) - len(lines[line - 1].lstrip())
    else:
        line, column = first.lineno, first.col_offset
    end_line, end_column = function.end_lineno or 0, function.end_col_offset or 0
    rest = lines[end_line - 1][end_column:] if line == end_line else line_end(lines[line - 1])
    lines[line - 1] = lines[line - 1][:column] + wanted.encode() + rest
    lines[line:end_line] = [line_end(old) for old in lines[line:end_line]]


def line_end(line: bytes) -> bytes:
    return line[len(line.rstrip(b"\r\n")) :]


def is_generator(function: Function) -> bool:
    """Whether it yields itself, and not a function within it."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, (*_FUNCTIONS, ast.Lambda, ast.ClassDef)):
            pending += ast.iter_child_nodes(node)
    return False


# --- what runs say

#: What each test did, by its id, and how the run ended.
Outcomes = Mapping[str, str]


def outcomes_of(events: Iterable[Mapping[str, Any]], status: int | None) -> dict[str, str]:
    """From the events of `recorder.py`. A run without a status took too long."""
    found: dict[str, set[str]] = {THE_RUN: {"took too long" if status is None else f"exit status {status}"}}
    for event in events:
        # An id may hold an address.
        name = re.sub(r"\b0x[0-9a-fA-F]+\b", "0x", event.get("nodeid", ""))
        if event["kind"] == "report":
            expected = " as expected" if event["wasxfail"] is not None else ""
            found.setdefault(name, set()).add(f"{event['when']} {event['outcome']}{expected}")
        elif event["kind"] == "collect report" and event["outcome"] != "passed":
            found.setdefault(name, set()).add(f"collected: {event['outcome']}")
    return {name: ", ".join(sorted(said)) for name, said in found.items()}


def differing(left: Outcomes, right: Outcomes) -> tuple[str, ...]:
    """The tests that did not do the same in both."""
    return tuple(sorted(name for name in {*left, *right} if left.get(name) != right.get(name)))


@dataclass(frozen=True)
class Seen:
    """What a run with broken functions showed.

    Attributes:
        changed: the tests that did not do what they had done.
        ran: the numbers of those functions that ran.
    """

    changed: tuple[str, ...] = ()
    ran: frozenset[int] = frozenset()

    @property
    def outcome(self) -> str:
        if self.changed:
            return NOTICED
        return GREEN_BUT_RAN if self.ran else STAYED_GREEN


Run = Callable[[Sequence[Spot]], Seen]


def tried(spots: Sequence[Spot], run: Run) -> dict[Spot, Seen]:
    """What is seen of each, where one run for all of them may be enough."""
    if not spots:
        return {}
    seen = run(spots)
    if not seen.changed and not seen.ran:
        return dict.fromkeys(spots, Seen())
    if len(spots) == 1:
        return {spots[0]: seen if seen.ran else twice(seen, run(spots))}
    ran = [spot for spot in spots if spot.number in seen.ran]
    rest = [spot for spot in spots if spot.number not in seen.ran]
    half = len(rest) // 2
    parts = [*([spot] for spot in ran), rest] if ran else [rest[:half], rest[half:]]
    return {spot: found for part in parts for spot, found in tried(part, run).items()}


def twice(seen: Seen, again: Seen) -> Seen:
    """What is seen without a mark may be chance: it counts if it is seen in both."""
    return Seen(tuple(name for name in seen.changed if name in again.changed), again.ran)


def in_parts(spots: Sequence[Spot], size: int) -> list[Sequence[Spot]]:
    return [spots[start : start + size] for start in range(0, len(spots), size)]


# --- the copy, and its runs


@dataclass(frozen=True)
class Recorded:
    """What one run said.

    Attributes:
        ran: the numbers of broken functions that ran.
        loaded: the files of the modules it had.
        output: all that it printed.
    """

    outcomes: Outcomes
    ran: frozenset[int]
    loaded: frozenset[str]
    seconds: float
    output: str


class Copy:
    """A copy of the suite that can be broken."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.original: Path = arguments.suite
        self.root: Path = folder.resolve() / "copy" / arguments.suite.name
        self._plugins = folder.resolve() / "plugins"
        self._command: list[str] = [arguments.python, "-m", "pytest", *arguments.options]
        self._paths: list[str] = arguments.path
        self._timeout: float | None = arguments.timeout
        self.runs = 0
        ignored = shutil.ignore_patterns("__pycache__", ".git", ".tox", ".nox", "venv", ".venv", ".pytest_cache")
        shutil.copytree(arguments.suite, self.root, symlinks=True, ignore=ignored)
        self._plugins.mkdir()
        shutil.copy(HERE / "recorder.py", self._plugins / f"{RECORDER}.py")
        shutil.copy(HERE / "marks.py", self._plugins / f"{MARKS}.py")

    def source(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    @contextmanager
    def holding(self, texts: Mapping[str, bytes]) -> Iterator[None]:
        """The copy with these files, and as it was again afterwards."""
        before = {path: self.source(path) for path in texts}
        try:
            for path, text in texts.items():
                (self.root / path).write_bytes(text)
            yield
        finally:
            for path, text in before.items():
                (self.root / path).write_bytes(text)

    def run(self, spots: Iterable[Spot] = ()) -> Recorded:
        """Run the suite with these functions broken."""
        by_path: dict[str, list[Spot]] = {}
        for spot in spots:
            by_path.setdefault(spot.path, []).append(spot)
        with self.holding({path: broken(self.source(path), mine) for path, mine in by_path.items()}):
            return self._run()

    def _run(self) -> Recorded:
        self.runs += 1
        record, marks = self._plugins / "record.jsonl", self._plugins / "marks.txt"
        record.unlink(missing_ok=True)
        marks.unlink(missing_ok=True)
        started = time.monotonic()
        status, output = self._execute(record)
        seconds = time.monotonic() - started
        events = [json.loads(line) for line in lines_of(record) if line.endswith("}")]
        marked = [line.partition(" ") for line in lines_of(marks)]
        return Recorded(
            outcomes=outcomes_of(events, status),
            ran=frozenset(int(text) for kind, _, text in marked if kind == "ran"),
            loaded=frozenset(text for kind, _, text in marked if kind == "loaded"),
            seconds=seconds,
            output=output,
        )

    def _execute(self, record: Path) -> tuple[int | None, str]:
        """The exit status, or None if it took too long, and all output."""
        paths = [str(self._plugins), *(str(self.root / path) for path in self._paths)]
        environment = {
            **os.environ,
            "PYTHONHASHSEED": "0",
            # A file that is broken and mended within a second must not be taken for what it was.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, [*paths, os.environ.get("PYTHONPATH")])),
            VARIABLE: str(record),
        }
        with (
            tempfile.TemporaryFile() as file,
            subprocess.Popen(
                [*self._command, "-p", RECORDER, "-p", MARKS],
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            status: int | None
            try:
                status = process.wait(self._timeout)
            except BaseException as error:
                kill_group(process)
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                status = None
            file.seek(0)
            return status, file.read().decode(errors="replace")


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


# --- the proof


@dataclass(frozen=True)
class Baseline:
    """What the suite does while nothing is broken.

    Attributes:
        unsteady: the tests on which two runs do not agree.
    """

    outcomes: Outcomes
    unsteady: frozenset[str]
    loaded: frozenset[str]
    seconds: float

    @property
    def tests(self) -> int:
        return len(self.outcomes) - 1  # one is that of the run

    @property
    def failing(self) -> int:
        return sum("failed" in said for name, said in self.outcomes.items())


def unbroken(copy: Copy) -> Baseline:
    first, second = copy.run(), copy.run()
    if not any("call passed" in said for said in second.outcomes.values()):
        raise ProofError(f"no test passes while nothing is broken\n{second.output[-3000:]}")
    unsteady = frozenset(differing(first.outcomes, second.outcomes))
    return Baseline(second.outcomes, unsteady, first.loaded | second.loaded, second.seconds)


def seen_in(recorded: Recorded, baseline: Baseline) -> Seen:
    changed = differing(baseline.outcomes, recorded.outcomes)
    return Seen(tuple(name for name in changed if name not in baseline.unsteady), recorded.ran)


def not_breakable(copy: Copy, baseline: Baseline, spots: Sequence[Spot]) -> dict[Spot, str]:
    """Those about which a run can say nothing, with the reason.

    Raises:
        ProofError: if the suite imports from the original.
    """
    reasons = {}
    for spot in spots:
        if os.path.realpath(copy.original / spot.path) in baseline.loaded:
            raise ProofError(
                f"{spot.path} is imported from the original; --path names the copy's folder to import from"
            )
        if os.path.realpath(copy.root / spot.path) not in baseline.loaded:
            reasons[spot] = "its file is not loaded"
            continue
        try:
            broken(copy.source(spot.path), [spot])
        except CannotBreakError as error:
            reasons[spot] = str(error)
    return reasons


def others(source: bytes, path: str, spots: Iterable[Spot], number: int) -> list[Spot]:
    """All functions of a file but these and what is in them, numbered from here."""
    tree = ast.parse(source)
    listed = [find(tree, spot) for spot in spots]
    free = [
        (qualname, function.lineno)
        for qualname, function in functions_of(tree)
        if not any(function is one or is_within(function, one) or is_within(one, function) for one in listed)
    ]
    return [Spot(number + index, path, line, qualname) for index, (qualname, line) in enumerate(free)]


def control(copy: Copy, baseline: Baseline, spots: Sequence[Spot]) -> str:
    """Break all other functions of the files but those that run while the tests are collected.

    Raises:
        ProofError: if that makes no difference.
    """
    rest: list[Spot] = []
    paths = sorted({spot.path for spot in spots})
    for path in paths:
        mine = [spot for spot in spots if spot.path == path]
        rest += others(copy.source(path), path, mine, len(rest) + 1)
    recorded = copy.run(rest)
    while recorded.ran and is_uncollected(recorded.outcomes, baseline.outcomes):
        rest = [spot for spot in rest if spot.number not in recorded.ran]
        recorded = copy.run(rest)
    seen = seen_in(recorded, baseline)
    said = f"{counted(len(rest), 'other function')} of {counted(len(paths), 'file')} broken at once"
    if not seen.changed:
        raise ProofError(f"{said}, and no test differs: a break could not be noticed here")
    reached = len({spot.path for spot in rest if spot.number in seen.ran})
    ran = f"at least {len(seen.ran)} of them ran, in {counted(reached, 'file')}"
    return f"{said}: {counted(len(seen.changed), 'outcome')} changed, {ran}"


def is_uncollected(outcomes: Outcomes, before: Outcomes) -> bool:
    """Whether tests are missing because a file that could be imported no longer can."""
    failed = {name for name, said in outcomes.items() if said == "collected: failed" and said != before.get(name)}
    return bool(failed) or set(outcomes) == {THE_RUN}


def spots_of(report: Mapping[str, Any]) -> list[Spot]:
    """What a report lists.

    Raises:
        ProofError: if it lists nothing, or is not of a whole run.
    """
    if not report["run"]["complete"]:
        raise ProofError("the report is not of a complete run")
    listed = report.get("blind_spots")
    if not listed:
        raise ProofError("the report lists no blind spot")
    return [
        Spot(number, one["path"], one["line"], one["qualname"], tuple(one["replaced_in"]), one["security"])
        for number, one in enumerate(listed, 1)
    ]


# --- what is said


def entry_of(
    arguments: argparse.Namespace,
    report: Mapping[str, Any],
    baseline: Baseline,
    found: Mapping[Spot, tuple[str, Sequence[str]]],
) -> dict[str, Any]:
    """What is said of one project, as `field_notes.py` wants it."""
    project, _, version = arguments.suite.name.rpartition("-")
    return {
        "project": project,
        "version": version,
        "tests": baseline.tests,
        "command": shlex.join(["pytest", *arguments.options]),
        "secaudit": report["tool"]["version"],
        "replaced": report["functions_replaced"],
        "spots": [
            {
                "place": spot.place,
                "qualname": spot.qualname,
                "security": spot.security,
                "tests": len(spot.replaced_in),
                "replaced_in": list(spot.replaced_in[:3]),
                "outcome": outcome,
                "detail": "; ".join(detail[:3]) + (f"; {len(detail) - 3} more" if len(detail) > 3 else ""),
            }
            for spot, (outcome, detail) in found.items()
        ],
    }


def table(entry: Mapping[str, Any]) -> Iterator[str]:
    for one in entry["spots"]:
        words = "  security" if one["security"] else ""
        yield f"{one['outcome']:14}  {one['place']} {one['qualname']}  replaced in {counted(one['tests'], 'test')}{words}"
        if one["detail"]:
            yield f"{'':14}    {one['detail']}"


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def totals(entry: Mapping[str, Any]) -> str:
    outcomes = [one["outcome"] for one in entry["spots"]]
    counts = [f"{outcomes.count(word)} {word}" for word in (STAYED_GREEN, GREEN_BUT_RAN, NOTICED, NOT_TRIED)]
    return f"{entry['project']} {entry['version']}: {len(outcomes)} listed; {'; '.join(counts)}"


def save(path: Path, new: Mapping[str, Any]) -> None:
    """Put what is said of a project in the place of what was said of it before."""
    every = json.loads(path.read_bytes()) if path.is_file() else []
    kept = [old for old in every if old["project"] != new["project"]]
    kept = sorted([*kept, new], key=lambda entry: entry["project"])
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8", newline="\n")


# --- the command line


def main() -> int:
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="blind-spots-") as folder:
        try:
            report = json.loads(arguments.report.read_bytes())
            entry = prove(report, arguments, Path(folder))
        except ProofError as error:
            print(f"blind_spots.py: {error}", file=sys.stderr)
            return 2
    print(*table(entry), totals(entry), sep="\n")
    if arguments.save:
        save(SAVED, entry)
    return int(any(one["outcome"] in (GREEN_BUT_RAN, NOTICED) for one in entry["spots"]))


def prove(report: Mapping[str, Any], arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    spots = spots_of(report)
    copy = Copy(arguments, folder)
    baseline = unbroken(copy)
    print(
        f"unbroken: {baseline.tests} tests in {baseline.seconds:.0f} s, {baseline.failing} fail, "
        f"{len(baseline.unsteady - {THE_RUN})} are unsteady",
        flush=True,
    )
    reasons = not_breakable(copy, baseline, spots)
    left = [spot for spot in spots if spot not in reasons]
    seen: dict[Spot, Seen] = {}
    if left:
        print(f"control: {control(copy, baseline, left)}", flush=True)
    for part in in_parts(left, arguments.at_once or len(left) or 1):
        seen |= tried(part, lambda some: seen_in(copy.run(some), baseline))
        print(f"{len(seen)} of {len(left)} tried, {copy.runs} runs", flush=True)
    found = {
        spot: (NOT_TRIED, [reasons[spot]]) if spot in reasons else (seen[spot].outcome, seen[spot].changed)
        for spot in spots
    }
    return entry_of(arguments, report, baseline, found)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("suite", type=Path, help="the folder in which the report was made, named like NAME-VERSION")
    parser.add_argument("--report", type=Path, required=True, help="the JSON report of a complete run of it")
    parser.add_argument("--python", default=sys.executable, help="the interpreter to run it with (default: this one)")
    parser.add_argument(
        "--path", action="append", metavar="FOLDER", help="import from this folder of it (default: src, or else itself)"
    )
    parser.add_argument(
        "--at-once", type=how_many, default=1, metavar="N", help="so many in one run, or all (default %(default)s)"
    )
    parser.add_argument("--timeout", type=float, default=900, help="seconds for one run (default %(default)s)")
    parser.add_argument("--save", action="store_true", help=f"keep what is found in docs/field-notes/{SAVED.name}")
    parser.usage = f"{parser.format_usage().removeprefix('usage: ').rstrip()} [-- PYTEST_ARGUMENT ...]"
    # An own list of positional arguments would end at the first option.
    own, options = split_at(sys.argv[1:], "--")
    arguments = parser.parse_args(own)
    arguments.options = options
    arguments.suite = arguments.suite.resolve()
    arguments.path = arguments.path or ["src" if (arguments.suite / "src").is_dir() else "."]
    if os.sep in arguments.python:
        arguments.python = os.path.abspath(arguments.python)
    return arguments


def split_at(words: Sequence[str], mark: str) -> tuple[Sequence[str], Sequence[str]]:
    at = words.index(mark) if mark in words else len(words)
    return words[:at], words[at + 1 :]


def how_many(text: str) -> int:
    """A number; 0 stands for all."""
    if text == "all":
        return 0
    if not text.isdigit() or text == "0":
        raise argparse.ArgumentTypeError(f"a number from 1, or all, and not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
