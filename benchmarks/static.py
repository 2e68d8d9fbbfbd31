"""What the static half costs, beside bandit and flake8 on the same files.

    python benchmarks/static.py [PATH...] [--lines 60000] [--repeats 3] [--rules]
    python benchmarks/static.py --collection SUITE_FOLDER [--python VENV/bin/python] [--pytest-args="..."]

The first form takes a fixed-seed sample of the test files under the paths (without a path, of the
standard library's own ``test`` package) and lets each contender read the same files:

* ``parse``: `ast.parse` alone, the floor of anything that reads Python;
* ``cold``: what an audited run does with files it has never seen: read, hash, parse, all rules,
  remember, and write the cache;
* ``warm``: what the next run does: load the cache file once, then read, hash and look up each file;
* ``bandit`` and ``flake8``: their default checks in process, without start-up, discovery and output;
* ``bandit run`` and ``flake8 run``: the command as its users run it, the whole process.

An audit has no process of its own: it reads within the pytest run that would have started anyway. So ``cold``
against the whole runs is what a user pays for the one or the other, and against the bare checks it is engine
against engine. The targets are about the former; both ratios are printed.

Every measurement is a new process on one core, so that nobody profits from or pays for another's heap;
contenders take turns, and the figures are medians of CPU time. Ratios are medians over the rounds. On a
busy machine only the ratios count. ``--rules`` adds where the cold time goes: ``in turn`` as the rules run
in production, where the first to ask pays for shared answers, ``alone`` on a fresh module each time.

The second form collects a copy of the suite with pytest (``--collect-only``) and says what share of
pytest's own collection time the audit adds: cold (no rewritten modules, no cache of ours) and warm (both).
"""

from __future__ import annotations

import argparse
import ast
import gc
import importlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import random
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TEST_FILES = ("test_*.py", "*_test.py", "conftest.py")
SEED = 1
KEY = "benchmark"  # of the cache: what it stands for in production is measured as ``key``

#: Contender, contender it is compared with, and how many times faster it is meant to be.
TARGETS = (("cold", "bandit run", 8.0), ("cold", "flake8 run", 16.0), ("warm", "cold", 20.0))
#: Ratios that are printed without a target.
REMARKS = (("cold", "bandit"), ("cold", "flake8"))

#: Seconds by name; ``total`` is the contender's figure, the rest are parts of it or remarks.
Seconds = dict[str, float]


# --- the sample


@dataclass(frozen=True)
class Job:
    """What every contender is given.

    Attributes:
        files: what to read.
        source: the folder that holds the ``pytest_secaudit`` to measure.
        cache: the folder of the cache that ``fill`` writes and ``warm`` reads.
    """

    files: tuple[str, ...]
    source: str
    cache: str


@dataclass(frozen=True)
class Sample:
    """The files taken, and how many lines they have."""

    files: tuple[str, ...]
    lines: int


def take_sample(paths: Sequence[Path], lines: int) -> Sample:
    """A fixed-seed choice of valid test files with about so many lines."""
    candidates = sorted({path for given in paths for path in test_files(given)})
    random.Random(SEED).shuffle(candidates)
    taken: list[str] = []
    total = 0
    for path in candidates:
        data = path.read_bytes()
        if total < lines and is_valid(data):
            taken.append(str(path))
            total += data.count(b"\n")
    if not taken:
        raise SystemExit(f"static.py: no test files under {', '.join(map(str, paths))}")
    return Sample(tuple(taken), total)


def test_files(path: Path) -> Iterator[Path]:
    """The test files under a folder, or the file itself."""
    if path.is_file():
        yield path.resolve()
    for file in path.rglob("*.py") if path.is_dir() else ():
        if any(fnmatch(file.name, pattern) for pattern in TEST_FILES):
            yield file.resolve()


def is_valid(data: bytes) -> bool:
    """Whether this Python can parse it; what it cannot, no contender is asked to read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def standard_library_tests() -> Path:
    """The folder of CPython's own tests."""
    return Path(os.__file__).parent / "test"


# --- the contenders, each in a process of its own


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of a call. The collector runs as it does in production: on."""
    gc.collect()
    start = time.process_time()
    work()
    return time.process_time() - start


def measure_parse(job: Job) -> Seconds:
    return {"total": timed(lambda: for_each(lambda name: ast.parse(Path(name).read_bytes()), job.files))}


def for_each(work: Callable[[Any], object], items: Iterable[Any]) -> None:
    """One after the other, keeping nothing: kept trees would make the collector's work dearer."""
    for item in items:
        work(item)


def measure_cold(job: Job) -> Seconds:
    with tempfile.TemporaryDirectory() as folder:
        return read_with_cache(job, folder)


def measure_fill(job: Job) -> Seconds:
    return read_with_cache(job, job.cache)


def measure_warm(job: Job) -> Seconds:
    seconds = read_with_cache(job, job.cache)
    if seconds["misses"]:
        raise SystemExit(f"static.py: {seconds['misses']:.0f} files were not in the cache")
    return seconds


def read_with_cache(job: Job, folder: str) -> Seconds:
    """Read all files as a run does: through the cache, which is loaded before and saved after."""
    cache_module = importlib.import_module("pytest_secaudit.cache")
    reader_module = importlib.import_module("pytest_secaudit.reader")
    checks, conventions = checks_and_conventions()
    misses = 0

    class Counting(cache_module.ReadingCache):  # type: ignore[misc, name-defined]
        def put(self, *arguments: Any) -> None:
            nonlocal misses
            misses += 1
            super().put(*arguments)

    made: list[Any] = []
    names = list(zip(job.files, relative_names(job.files), strict=True))

    def work() -> None:
        made.append(Counting(Path(folder), KEY))
        reader = reader_module.Reader(checks, conventions, made[0])
        for_each(lambda pair: reader.read(Path(pair[0]), pair[1]), names)

    reading = timed(work)  # the cache loads its file when it is made or first asked: either is in here
    save = timed(made[0].save)
    return {"total": reading + save, "reading": reading, "save": save, "misses": misses}


def measure_key(_job: Job) -> Seconds:
    """What a run pays once, whatever the number of files: the key of the cache."""
    cache_module = importlib.import_module("pytest_secaudit.cache")
    checks, conventions = checks_and_conventions()
    return {"total": timed(lambda: cache_module.catalogue_key(checks, conventions))}


def checks_and_conventions() -> tuple[Sequence[Any], Any]:
    checks: Sequence[Any] = importlib.import_module("pytest_secaudit.checks").built_in()
    return checks, importlib.import_module("pytest_secaudit.conventions").Conventions()


def relative_names(files: Sequence[str]) -> list[str]:
    base = os.path.commonpath([os.path.dirname(name) for name in files])
    return [os.path.relpath(name, base).replace(os.sep, "/") for name in files]


def measure_bandit(job: Job) -> Seconds:
    config = importlib.import_module("bandit.core.config").BanditConfig()
    manager = importlib.import_module("bandit.core.manager").BanditManager(config, "file", quiet=True)
    manager.files_list = list(job.files)
    seconds = timed(manager.run_tests)
    return {"total": seconds, "skipped": len(manager.skipped)}


def measure_flake8(job: Job) -> Seconds:
    application = importlib.import_module("flake8.main.application").Application()
    application.initialize(["--isolated", "--jobs=1", *job.files])
    seconds = timed(application.run_checks)
    return {"total": seconds, "skipped": len(job.files) - len(application.file_checker_manager.results)}


def measure_bandit_run(job: Job) -> Seconds:
    return whole_run(["bandit", "-q", "-f", "json", "-o", os.devnull, *job.files])


def measure_flake8_run(job: Job) -> Seconds:
    return whole_run(["flake8", "--isolated", "--jobs=1", f"--output-file={os.devnull}", *job.files])


def whole_run(command: Sequence[str]) -> Seconds:
    """CPU time of ``python -m command`` as a process of its own."""
    before = os.times()
    subprocess.run([sys.executable, "-m", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = os.times()
    return {"total": after.children_user - before.children_user + after.children_system - before.children_system}


def measure_rules(job: Job) -> Seconds:
    """Where the cold time goes; names of rules are their codes."""
    checks, conventions = checks_and_conventions()
    make = importlib.import_module("pytest_secaudit.source").TestModule
    texts = [(name, Path(name).read_bytes()) for name in job.files]
    decode = importlib.import_module("pytest_secaudit.reading").decode
    total, in_turn = rules_in_turn(texts, checks, conventions)
    seconds: Seconds = {"total": total, **{f"in turn {code}": spent for code, spent in in_turn.items()}}
    seconds["parse"] = timed(lambda: for_each(lambda text: ast.parse(decode(text[1])), texts))
    whole = timed(lambda: for_each(lambda text: make(text[0], decode(text[1]), conventions), texts))
    seconds["walk"] = max(0.0, whole - seconds["parse"])
    for check in checks:
        if check.rule is not None:
            modules = (make(name, decode(data), conventions) for name, data in texts)
            seconds[f"alone {check.code}"] = sum(time_of_rule(check.rule, module) for module in modules)
    return seconds


def rules_in_turn(texts: Iterable[tuple[str, bytes]], checks: Sequence[Any], conventions: Any) -> tuple[float, Seconds]:
    read = importlib.import_module("pytest_secaudit.rules").read
    spent: Seconds = {check.code: 0.0 for check in checks if check.rule is not None}

    def watched(check: Any) -> Any:
        def rule(module: Any) -> list[Any]:
            start = time.process_time()
            hits = list(check.rule(module))
            spent[check.code] += time.process_time() - start
            return hits

        return replace(check, rule=rule) if check.rule is not None else check

    replaced = [watched(check) for check in checks]
    total = timed(lambda: for_each(lambda text: read(text[1], text[0], replaced, conventions), texts))
    return total, spent


def time_of_rule(rule: Callable[[Any], Iterable[Any]], module: Any) -> float:
    start = time.process_time()
    list(rule(module))
    return time.process_time() - start


MEASURES: Mapping[str, Callable[[Job], Seconds]] = {
    "parse": measure_parse,
    "fill": measure_fill,
    "cold": measure_cold,
    "warm": measure_warm,
    "bandit": measure_bandit,
    "flake8": measure_flake8,
    "bandit run": measure_bandit_run,
    "flake8 run": measure_flake8_run,
    "key": measure_key,
    "rules": measure_rules,
}


def be_measured(name: str, job_file: str) -> None:
    """The whole life of a measuring process: one job, one line of JSON."""
    warnings.simplefilter("ignore")
    logging.disable()
    data = json.loads(Path(job_file).read_text(encoding="utf-8"))
    job = Job(**{**data, "files": tuple(data["files"])})
    sys.path.insert(0, job.source)
    print(json.dumps(MEASURES[name](job)))


# --- the rounds


class Bench:
    """Starts the measuring processes and keeps their figures."""

    def __init__(self, job: Job, folder: Path) -> None:
        self._job_file = folder / "job.json"
        self._job_file.write_text(json.dumps(vars(job)), encoding="utf-8")
        self.rounds: list[dict[str, Seconds]] = []

    def measure(self, name: str) -> Seconds:
        command = [sys.executable, __file__, "--measure", name, str(self._job_file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
        if done.returncode:
            raise SystemExit(f"static.py: {name} failed:\n{done.stderr}")
        result: Seconds = json.loads(done.stdout)
        return result

    def round(self, names: Sequence[str]) -> None:
        self.rounds.append({name: self.measure(name) for name in names})

    def median(self, name: str, part: str = "total") -> float:
        return statistics.median(figures[name][part] for figures in self.rounds)

    def spread(self, name: str) -> float:
        """How far the slowest round is above the fastest."""
        totals = [figures[name]["total"] for figures in self.rounds]
        return max(totals) / min(totals) - 1

    def ratio(self, faster: str, slower: str) -> float:
        """How many times faster, as the median over the rounds."""
        return statistics.median(figures[slower]["total"] / figures[faster]["total"] for figures in self.rounds)


def environment() -> dict[str, str]:
    """Ours, with bytecode written and hashing the same each time."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONHASHSEED": "0"}


def pin_to_one_core() -> str:
    """Bind this process and its children to one core, where the platform can."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned: not on this platform"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"pinned to core {core}"


# --- the table


def compare(arguments: argparse.Namespace) -> bool:
    """Measure and print; whether every target that could be measured was met."""
    print(f"{sys.implementation.name} {sys.version.split()[0]}, {pin_to_one_core()}")
    sample = take_sample(arguments.paths or [standard_library_tests()], arguments.lines)
    contenders = ["parse", "cold", "warm", *installed_peers()]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Job(sample.files, str(arguments.source.resolve()), os.path.join(folder, "cache")), Path(folder))
        bench.measure("fill")
        for _ in range(arguments.repeats):
            bench.round([*contenders, "key"])
        print(f"{len(sample.files):,} files, {sample.lines:,} lines, median of {arguments.repeats} rounds, CPU time\n")
        print_speeds(bench, contenders, sample.lines)
        print_parts(bench)
        met = print_targets(bench, contenders)
        if arguments.rules:
            print_rules(bench.measure("rules"), sample.lines)
    return met


def installed_peers() -> list[str]:
    """The other tools that are here; what is not is said. Plugins of flake8 that are installed take part."""
    found = []
    for name in ("bandit", "flake8"):
        if importlib.util.find_spec(name) is None:
            print(f"{name}: not installed, skipped")
        else:
            print(f"{name} {importlib.metadata.version(name)}")
            found += [name, f"{name} run"]
    plugins = {dist.name for dist in importlib.metadata.distributions() if dist.name.startswith("flake8-")}
    if "flake8" in found:
        print(f"flake8 plugins: {', '.join(sorted(plugins)) or 'none'}")
    return found


def print_speeds(bench: Bench, contenders: Sequence[str], lines: int) -> None:
    print(f"{'':12}{'lines/s':>14}{'us/line':>12}{'seconds':>12}{'spread':>10}")
    for name in contenders:
        seconds = bench.median(name)
        print(
            f"{name:12}{lines / seconds:>14,.0f}{1e6 * seconds / lines:>12.3f}{seconds:>12.3f}{bench.spread(name):>9.0%}"
        )


def print_parts(bench: Bench) -> None:
    print()
    for name in ("cold", "warm"):
        parts = ", ".join(f"{part} {1e3 * bench.median(name, part):,.1f} ms" for part in ("reading", "save"))
        print(f"{name} is {parts}; loading the cache is in the reading")
    print(f"not in it, once per run whatever its size: the key of the cache, {1e3 * bench.median('key'):,.1f} ms")


def print_targets(bench: Bench, contenders: Sequence[str]) -> bool:
    print()
    met = True
    for faster, slower, target in TARGETS:
        if slower in contenders:
            ratio = bench.ratio(faster, slower)
            met &= ratio >= target
            print(f"{faster}/{slower}: {ratio:.1f}x (target {target:g}x: {'met' if ratio >= target else 'NOT MET'})")
    for faster, slower in REMARKS:
        if slower in contenders:
            print(f"{faster}/{slower}: {bench.ratio(faster, slower):.1f}x (engine against engine)")
    return met


def print_rules(seconds: Seconds, lines: int) -> None:
    """Where a cold reading goes, dearest first, in microseconds per line."""
    in_turn = {name.split()[-1]: spent for name, spent in seconds.items() if name.startswith("in turn ")}
    rest = seconds["total"] - seconds["parse"] - seconds["walk"] - sum(in_turn.values())
    print(f"\n{'us/line':10}{'in turn':>10}{'alone':>10}")
    for name, spent in (("parse", seconds["parse"]), ("walk", seconds["walk"]), ("the rest", rest)):
        print(f"{name:10}{1e6 * spent / lines:>10.3f}")
    for code, spent in sorted(in_turn.items(), key=lambda pair: -pair[1]):
        print(f"{code:10}{1e6 * spent / lines:>10.3f}{1e6 * seconds[f'alone {code}'] / lines:>10.3f}")
    print(f"{'all':10}{1e6 * seconds['total'] / lines:>10.3f}")


# --- the share of pytest's collection

#: Loaded by the collecting pytest: how long collection took, the audit's part of it included.
STOPWATCH = """
import os, time
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection():
    start = time.perf_counter()
    try:
        return (yield)
    finally:
        with open(os.environ["STOPWATCH"], "w") as file:
            file.write(repr(time.perf_counter() - start))
"""


@dataclass(frozen=True)
class Collected:
    """Seconds of one collection, and how much of them was the audit."""

    seconds: float
    audit: float = 0.0
    tests: int = 0
    modules: int = 0

    @property
    def share(self) -> float:
        """The audit's seconds as a share of the collection without them."""
        return self.audit / (self.seconds - self.audit)


class Suite:
    """A copy of a suite, collected by the interpreter it needs."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self._python = arguments.python
        self._pytest_args: list[str] = shlex.split(arguments.pytest_args)
        self._folder = folder
        self._copy = folder / "suite" / arguments.collection.name
        shutil.copytree(arguments.collection, self._copy)
        (folder / "plugins").mkdir()
        (folder / "plugins" / "secaudit_stopwatch.py").write_text(STOPWATCH, encoding="utf-8")
        # pytest looks upwards for a configuration; past the copy there is none to be found.
        (folder / "suite" / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        self._path = os.pathsep.join([str(folder / "plugins"), str(arguments.source.resolve())])

    def make_cold(self) -> None:
        """Forget the rewritten modules and our own cache; other bytecode stays."""
        for file in self._copy.rglob("*-pytest-*.pyc"):
            file.unlink()
        shutil.rmtree(self._folder / "cache", ignore_errors=True)

    def collect(self, *, audited: bool) -> Collected:
        report = self._folder / "report.json"
        audit = ["-p", "pytest_secaudit.plugin", "--secaudit", f"--secaudit-report=json:{report}"] if audited else []
        command = [self._python, "-m", "pytest", "--collect-only", "-q", "-p", "secaudit_stopwatch", *audit]
        command += ["-o", f"cache_dir={self._folder / 'cache'}", *self._pytest_args, str(self._copy)]
        stopwatch = self._folder / "seconds"
        stopwatch.unlink(missing_ok=True)
        variables = {**environment(), "PYTHONPATH": self._path, "STOPWATCH": str(stopwatch)}
        done = subprocess.run(
            command, cwd=self._copy.parent, env=variables, capture_output=True, text=True, errors="replace", check=False
        )
        if not stopwatch.exists() or done.returncode not in (0, 1, 2):
            raise SystemExit(f"static.py: pytest could not collect:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        seconds = float(stopwatch.read_text())
        if not audited:
            return Collected(seconds)
        data = json.loads(report.read_bytes())
        return Collected(
            seconds, data["run"]["audit_s"], data["evidence"]["tests_collected"], data["evidence"]["modules"]
        )


def compare_with_collection(arguments: argparse.Namespace) -> None:
    """Collect a suite plainly and audited, cold and warm, and print the shares."""
    print(f"{arguments.python}, {pin_to_one_core()}")
    rounds: dict[str, list[Collected]] = {"plain, cold": [], "audited, cold": [], "audited, warm": []}
    with tempfile.TemporaryDirectory() as folder:
        suite = Suite(arguments, Path(folder))
        suite.collect(audited=False)  # compiles what is not rewritten, and warms the file system
        for _ in range(arguments.repeats):
            suite.make_cold()
            rounds["plain, cold"].append(suite.collect(audited=False))
            suite.make_cold()
            rounds["audited, cold"].append(suite.collect(audited=True))
            rounds["audited, warm"].append(suite.collect(audited=True))
    print_collection(arguments, rounds)


def print_collection(arguments: argparse.Namespace, rounds: Mapping[str, Sequence[Collected]]) -> None:
    first = rounds["audited, cold"][0]
    print(f"{arguments.collection.name}: {first.tests:,} tests, {first.modules:,} modules read,", end=" ")
    print(f"median of {arguments.repeats} rounds, wall time\n")
    print(f"{'':16}{'collection':>12}{'audit':>10}{'share':>10}")
    for name, collected in rounds.items():
        seconds = statistics.median(one.seconds for one in collected)
        audit = statistics.median(one.audit for one in collected)
        share = statistics.median(one.share for one in collected)
        print(f"{name:16}{seconds:>10.2f} s{audit:>8.3f} s{share:>10.1%}")
    print("\ncollection includes the audit; share is of the collection without it, from the same run")


# --- the command line


def main() -> int:
    if sys.argv[1:2] == ["--measure"]:
        be_measured(*sys.argv[2:])
        return 0
    arguments = parse_arguments()
    if arguments.collection is not None:
        compare_with_collection(arguments)
        return 0
    met = compare(arguments)
    return 1 if arguments.check and not met else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="test files or folders that hold some")
    parser.add_argument("--lines", type=int, default=60_000, help="how many lines to sample (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default %(default)s)")
    parser.add_argument("--rules", action="store_true", help="add what each rule costs")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is not met")
    parser.add_argument("--source", type=Path, default=ROOT, help="the folder with the pytest_secaudit to measure")
    parser.add_argument("--collection", type=Path, metavar="FOLDER", help="compare with pytest's collection of it")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the suite's packages")
    parser.add_argument("--pytest-args", default="", help="more arguments for that pytest, as one string")
    arguments = parser.parse_args()
    if arguments.collection is not None:
        arguments.collection = arguments.collection.resolve()
    return arguments


if __name__ == "__main__":
    sys.exit(main())
