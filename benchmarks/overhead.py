"""What an audited run costs per test, beside a plain one and beside other plugins.

    python benchmarks/overhead.py [--quick] [--many] [--suites 0ms,1ms,10ms,10ms-cold,fixtures,unittest]
    python benchmarks/overhead.py --python VENV/bin/python     # an interpreter that has pytest and peers
    python benchmarks/overhead.py --venv                       # make one in a temporary folder, with pip

Generates suites and runs each in variants, side by side: ``plain`` (without the plugin), ``plain again`` (the
A/A control), ``off`` (the plugin is loaded, nobody asked it), ``static``, ``process`` and ``deep`` (the depths
of an audit), ``blind spots`` (``deep`` with ``--secaudit-blindspots``, compared with ``deep``), and, for scale, those of pytest-socket, pytest-randomly and coverage that the interpreter has.
Nothing is autoloaded; each variant loads what it is about. The suites:

* ``0ms``, ``1ms``, ``10ms``: functions that assert and compute for so long in a hot loop, calibrated once;
* ``10ms-cold``: the same time, spent reading memory, so that everybody else's caches are cold;
* ``fixtures``: 0 ms, with two function fixtures per test and a module fixture;
* ``unittest``: 0 ms, methods of a `unittest.TestCase` with a `setUp`;
* ``mocks``: 0 ms, each test under a `mock.patch.object` of a function of the project.

All import a project of 50 modules with functions, classes and containers; with ``--many`` it has 500, and
1,200 modules of an installed library are loaded besides.

Three measures, each of the second run, when all caches are warm:

* ``instructions``: user-space instructions per test, as the slope between one file and five files of tests (100
  and 500 tests, 20 and 100 where a test takes 10 ms). Needs valgrind on the path. Repeats within 0.5 %, blind to
  cache misses and to what the kernel does. ``once`` is the rest, what a run costs whatever its number of tests.
* ``CPU``: user and system time of a whole run with ``--tests`` tests, start-up included. Variants take turns in a
  new order each round; the ratio is the median over the rounds of the ratio to the plain run of the same round,
  and the spread is the widest distance of one round from it. On a busy machine this is noise: such a ratio
  counts only where the A/A control is within half of the limit, and is in brackets where it does not.
* ``memory``: the most memory that such a run held at a time (its resident set), the median of three.

``OVER`` marks a ratio above its limit. The exit status is 0 all the same: this measures, it does not judge.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = ("-p", "pytest_secaudit.plugin")
PEERS = ("pytest-socket", "pytest-randomly", "coverage")

#: Valgrind counts to 4 digits; what it cannot tell from nothing.
INSTRUCTION_NOISE = 0.005

#: The most that a variant's peak of memory may be, as a ratio to plain's.
MEMORY_LIMIT = 1.15

#: Runs a command, and says on standard error how much memory it held at most.
PEAK = (
    "import resource, subprocess, sys; status = subprocess.call(sys.argv[1:]);"
    "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(status)"
)

FEW, MANY, LIBRARY = 50, 500, 1200


class RunError(Exception):
    """A run that did not do what it was to do, with the line that says why."""


# --- what is measured


@dataclass(frozen=True)
class Variant:
    """One way to run a suite.

    Attributes:
        options: what pytest is given.
        runner: what the interpreter is given to start pytest.
        needs: the module without which it is skipped.
        audited: whether it can write a report about what it watched.
        peer: whether it is somebody else's, here for scale.
        beside: the variant that it is compared with.
    """

    name: str
    options: tuple[str, ...] = ()
    runner: tuple[str, ...] = ("-m", "pytest")
    needs: str = "pytest"
    audited: bool = False
    peer: bool = False
    beside: str = "plain"


def audited(depth: str) -> Variant:
    return Variant(depth, (*PLUGIN, "--secaudit", f"--secaudit-depth={depth}"), audited=True)


DEEP = audited("deep")


VARIANTS = (
    Variant("plain", ("-p", "no:secaudit")),
    Variant("plain again", ("-p", "no:secaudit")),
    Variant("off", PLUGIN),
    audited("static"),
    audited("process"),
    DEEP,
    replace(DEEP, name="blind spots", options=(*DEEP.options, "--secaudit-blindspots"), beside=DEEP.name),
    Variant("pytest-socket", ("-p", "pytest_socket", "--disable-socket"), needs="pytest_socket", peer=True),
    Variant("pytest-randomly", ("-p", "pytest_randomly", "--randomly-seed=1"), needs="pytest_randomly", peer=True),
    Variant(
        "coverage", runner=("-m", "coverage", "run", "--source=project", "-m", "pytest"), needs="coverage", peer=True
    ),
)


@dataclass(frozen=True)
class Suite:
    """A kind of generated suite.

    Attributes:
        style: how its tests are written: functions, fixtures or unittest.
        milliseconds: how long a test computes.
        cold: it does so by reading memory.
        per_file: tests in a file.
        limits: the highest ratio a variant may have, by its name.
    """

    name: str
    style: str = "functions"
    milliseconds: int = 0
    cold: bool = False
    per_file: int = 100
    limits: Mapping[str, float] = field(default_factory=dict)


SUITES = (
    Suite("0ms", limits={"process": 1.06, "deep": 1.12, "blind spots": 1.05}),
    Suite("1ms", milliseconds=1),
    Suite("10ms", milliseconds=10, per_file=20, limits={"process": 1.02, "deep": 1.04, "blind spots": 1.05}),
    Suite("10ms-cold", milliseconds=10, per_file=20, cold=True, limits={"process": 1.02, "deep": 1.04}),
    Suite("fixtures", style="fixtures"),
    Suite("unittest", style="unittest"),
    Suite("mocks", style="mocks", limits={"blind spots": 1.05}),
)


# --- the generated files


def write_suite(folder: Path, suite: Suite, tests: int, modules: int, library: int, units: int) -> None:
    """The suite below ``suite``, and below ``site-packages`` what it has installed."""
    installed = folder / "site-packages"
    write(installed / "load.py", load_module(cold=suite.cold, units=units))
    for index in range(library):
        write(installed / "library" / f"lib_{index:04}.py", project_module(index))
    for index in range(modules):
        write(folder / "suite" / "project" / f"mod_{index:03}.py", project_module(index))
    write(folder / "suite" / "project" / "__init__.py", import_all(modules, library))
    write(folder / "suite" / "pytest.ini", "[pytest]\n")
    for index in range(-(-max(tests, 5 * suite.per_file) // suite.per_file)):
        write(test_file(folder, index), test_module(suite, index, modules))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_file(folder: Path, index: int) -> Path:
    return folder / "suite" / "tests" / f"test_{index:03}.py"


def import_all(modules: int, library: int) -> str:
    lines = [f"import library.lib_{index:04}" for index in range(library)]
    lines += [f"import project.mod_{index:03}" for index in range(modules)]
    return "\n".join(lines) + "\n"


def load_module(*, cold: bool, units: int) -> str:
    """What a test spends its time with. A unit takes a small part of a millisecond."""
    unit = (
        "BLOCK = bytes(range(256)) * 65536\nSTEP = 65536\nSTARTS = itertools.cycle(range(0, len(BLOCK), STEP))\n\n\n"
        "def unit():\n    start = next(STARTS)\n    return sum(BLOCK[start : start + STEP : 64])\n"
        if cold
        else "def unit():\n    total = 0\n    for number in range(500):\n        total += number & 7\n    return total\n"
    )
    work = "def work(milliseconds):\n    for _ in range(milliseconds * UNITS):\n        unit()\n"
    return f"import itertools\n\nUNITS = {units}\n\n{unit}\n\n{work}"


def project_module(index: int) -> str:
    """A module with about 25 names: functions, classes, constants, containers, an object."""
    functions = (f"def function_{n}(value=0, *, step={n}):\n    return value + step\n" for n in range(8))
    classes = (project_class(n) for n in range(3))
    constants = "\n".join(f"CONSTANT_{n} = {index * 10 + n}" for n in range(6))
    return "\n\n".join(
        (
            f"import logging\nimport re\n\n{constants}\nNAMES = ['a', 'b', 'c']\nTABLE = {{'a': 1, 'b': [2], 'c': (3,)}}",
            "PATTERN = re.compile(r'x+')\nlogger = logging.getLogger(__name__)\n_cache = {}\n",
            *functions,
            *classes,
            "DEFAULT = Class0()\n",
        )
    )


def project_class(index: int) -> str:
    methods = "\n".join(f"    def method_{n}(self):\n        return self.value + {n}\n" for n in range(5))
    return (
        f"class Class{index}:\n    kind = {index}\n    known = {{}}\n\n"
        f"    def __init__(self):\n        self.value = {index}\n        self.items = []\n\n{methods}"
    )


def test_module(suite: Suite, index: int, modules: int) -> str:
    used = [f"mod_{(10 * index + n) % modules:03}" for n in range(10)]
    head = "".join(f"from project import {name}\n" for name in used)
    if suite.milliseconds:
        head = f"from load import work\n{head}"
    makers = {"functions": as_function, "fixtures": as_function_with_fixtures, "unittest": as_method, "mocks": as_mock}
    bodies = (makers[suite.style](n, used[n % 10], suite.milliseconds) for n in range(suite.per_file))
    between = "\n" if suite.style == "unittest" else "\n\n"
    return (
        f"{STYLE_HEADS[suite.style].format(module=used[0])}{head}\n\n{STYLE_SETUPS[suite.style]}{between.join(bodies)}"
    )


STYLE_HEADS = {
    "functions": "",
    "fixtures": "import pytest\n",
    "unittest": "import unittest\n",
    "mocks": "from unittest import mock\n",
}
STYLE_SETUPS = {
    "functions": "",
    "fixtures": (
        "@pytest.fixture(scope='module')\ndef table():\n    yield {'a': 1}\n\n\n"
        "@pytest.fixture\ndef number(table):\n    return table['a']\n\n\n"
        "@pytest.fixture\ndef numbers():\n    made = [1]\n    yield made\n    made.clear()\n\n\n"
    ),
    "mocks": "",
    "unittest": "class ThingTest(unittest.TestCase):\n    def setUp(self):\n        self.number = 1\n\n",
}


def as_function(index: int, module: str, milliseconds: int) -> str:
    work = f"    work({milliseconds})\n" if milliseconds else ""
    return f"def test_{index:03}():\n{work}    assert {module}.function_1({index}) == {index + 1}\n"


def as_function_with_fixtures(index: int, module: str, milliseconds: int) -> str:
    work = f"    work({milliseconds})\n" if milliseconds else ""
    call = f"{module}.function_1({index})"
    return f"def test_{index:03}(number, numbers):\n{work}    assert {call} == {index} + number\n"


def as_method(index: int, module: str, milliseconds: int) -> str:
    work = f"        work({milliseconds})\n" if milliseconds else ""
    call = f"{module}.function_1({index})"
    return f"    def test_{index:03}(self):\n{work}        self.assertEqual({call}, {index} + self.number)\n"


def as_mock(index: int, module: str, milliseconds: int) -> str:
    work = f"    work({milliseconds})\n" if milliseconds else ""
    return (
        f"@mock.patch.object({module}, 'function_{index % 8}')\n"
        f"def test_{index:03}(function):\n{work}    assert {module}.function_{index % 8} is function\n"
    )


# --- the interpreter and its runs


class Interpreter:
    """The Python that runs the suites, and what it has."""

    def __init__(self, python: str, source: Path) -> None:
        names = sorted({variant.needs for variant in VARIANTS})
        code = (
            "import importlib.util, json, sys;"
            f"print(json.dumps([sys.executable, sys.version.split()[0], "
            f"[name for name in {names!r} if importlib.util.find_spec(name)]]))"
        )
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
        #: Valgrind does not look into a script that starts Python: this is the program itself.
        self.executable: str
        self.executable, self.version, found = json.loads(done.stdout)
        self.modules = frozenset(found)
        self._source = source

    def environment(self, folder: Path) -> dict[str, str]:
        """Ours without what concerns pytest or bytecode; the same for all variants."""
        ours = ("PYTHON", "PYTEST_", "COVERAGE_", "COV_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        path = os.pathsep.join([str(folder / "site-packages"), str(self._source)])
        return {
            **kept,
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": path,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "COVERAGE_FILE": str(folder / "coverage"),
        }

    def calibrate(self, folder: Path) -> int:
        """How many units of the load take a millisecond."""
        code = (
            "import load, time\ndef measure():\n    start = time.process_time()\n    load.work(200)\n"
            "    return time.process_time() - start\nprint(min(measure() for _ in range(7)) / 200)"
        )
        command = [self.executable, "-c", code]
        done = subprocess.run(command, env=self.environment(folder), capture_output=True, text=True, check=True)
        return max(1, round(0.001 / float(done.stdout)))


@dataclass(frozen=True)
class Job:
    """A variant and the first so many files of a suite."""

    interpreter: Interpreter
    folder: Path
    suite: Suite
    variant: Variant
    files: int

    @property
    def tests(self) -> int:
        return self.files * self.suite.per_file

    def run(self, prefix: Sequence[str] = (), more: Sequence[str] = ()) -> str:
        """Run it; what it wrote to standard error.

        Raises:
            RunError: if it did not pass every test.
        """
        cache = self.folder / f"cache {self.variant.name} {self.files}"
        names = [f"tests/{test_file(self.folder, index).name}" for index in range(self.files)]
        command = [*prefix, self.interpreter.executable, *self.variant.runner, "-q", "-o", f"cache_dir={cache}"]
        done = subprocess.run(
            [*command, *self.variant.options, *more, *names],
            cwd=self.folder / "suite",
            env=self.interpreter.environment(self.folder),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        passed = re.search(r"^(?:=+ )?(\d+) passed", done.stdout, re.MULTILINE)
        if done.returncode or passed is None or int(passed[1]) != self.tests:
            raise RunError(f"exit status {done.returncode}: {reason(done.stdout, done.stderr)}")
        return done.stderr

    def warm_up(self) -> str:
        """Fill the caches; what an audit says of its watchers, or nothing."""
        if not self.variant.audited:
            self.run()
            return ""
        report = self.folder / f"report {self.variant.name}.json"
        self.run(more=[f"--secaudit-report=json:{report}"])
        self.run()  # what one run finds out about a suite may change what the next one does
        data = json.loads(report.read_bytes())
        return describe(data)


def reason(stdout: str, stderr: str) -> str:
    """The line of the output that most likely says what went wrong."""
    lines = [line.strip() for line in [*stdout.splitlines(), *stderr.splitlines()] if line.strip()]
    usage = [line for line in lines if re.search(r"(?<!INTERNAL)\berror: |^ERROR: (?!usage)", line)]
    raised = [line for line in lines if re.match(r"(INTERNALERROR> )?[\w.]*(Error|Exception|Interrupt)\b", line)]
    chosen = next(iter(usage[-1:] or raised[-1:] or lines[-1:]), "no output")
    return chosen if len(chosen) <= 160 else f"{chosen[:157]}..."


def describe(report: Mapping[str, object]) -> str:
    """The watchers of an audit in a line: an audit that does not look costs little."""
    evidence = report.get("evidence")
    watchers = evidence.get("watchers") if isinstance(evidence, dict) else None
    findings = report.get("findings")
    found = len(findings) if isinstance(findings, list) else 0
    if not isinstance(watchers, dict):
        return f"{found} findings, no watchers"
    off = [f"{name}: {state}" for name, state in sorted(watchers.items()) if state != "on"]
    on = len(watchers) - len(off)
    return f"{found} findings, {on} watchers on" + (f", not on: {'; '.join(off)}" if off else "")


def count_instructions(job: Job) -> int:
    """Of the process itself, not of its children."""
    counter = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
    match = re.search(r"I +refs: +([\d,]+)", job.run(prefix=counter))
    if match is None:
        raise RunError("valgrind printed no count")
    return int(match[1].replace(",", ""))


def peak_bytes(job: Job) -> int:
    """The largest resident set of a run."""
    match = re.search(r"^peak (\d+)$", job.run(prefix=(job.interpreter.executable, "-c", PEAK)), re.MULTILINE)
    if match is None:
        raise RunError("no peak was printed")
    return int(match[1]) * (1 if sys.platform == "darwin" else 1024)


def cpu_seconds(job: Job) -> float:
    """User and system time of a run, and of what it waited for."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    job.run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


# --- the measures


@dataclass(frozen=True)
class Figures:
    """What was measured of one variant of one suite.

    Attributes:
        per_test: instructions per test.
        once: instructions of the rest.
        seconds: of CPU, by round.
        peak: bytes of memory.
        error: why there is no more.
        watchers: what an audit says of them.
    """

    per_test: float | None = None
    once: float | None = None
    seconds: tuple[float, ...] = ()
    peak: float | None = None
    error: str = ""
    watchers: str = ""


@dataclass(frozen=True)
class Plan:
    """What the command line asks for."""

    interpreter: Interpreter
    suites: tuple[Suite, ...]
    variants: tuple[Variant, ...]
    modules: int
    library: int
    tests: int
    rounds: int
    instructions: bool
    cpu: bool
    memory: bool


def measure(plan: Plan, suite: Suite, folder: Path) -> dict[str, Figures]:
    """All variants of one suite, in an empty folder."""
    units = 1
    if suite.milliseconds:
        write(folder / "site-packages" / "load.py", load_module(cold=suite.cold, units=1))
        units = plan.interpreter.calibrate(folder)
    write_suite(folder, suite, plan.tests, plan.modules, plan.library, units)
    # Other people's plugins are here for scale; one suite shows that.
    variants = [variant for variant in plan.variants if not variant.peer or suite.name == "0ms"]
    figures = {variant.name: Figures() for variant in variants}
    if plan.instructions and not suite.cold:
        for variant in variants:
            figures[variant.name] = instructions_of(plan, suite, folder, variant)
    if plan.cpu:
        add_seconds(plan, suite, folder, variants, figures)
    if plan.memory:
        add_peaks(plan, suite, folder, variants, figures)
    return figures


def instructions_of(plan: Plan, suite: Suite, folder: Path, variant: Variant) -> Figures:
    """The slope between one file and five, and where it starts."""
    few, many = (Job(plan.interpreter, folder, suite, variant, files) for files in (1, 5))
    try:
        few.warm_up()
        watchers = many.warm_up()
        at_few, at_many = count_instructions(few), count_instructions(many)
    except RunError as error:
        return Figures(error=str(error))
    slope = (at_many - at_few) / (many.tests - few.tests)
    return Figures(per_test=slope, once=at_few - few.tests * slope, watchers=watchers)


def add_seconds(
    plan: Plan, suite: Suite, folder: Path, variants: Iterable[Variant], figures: dict[str, Figures]
) -> None:
    """CPU seconds of all that can run, taking turns."""
    jobs = whole_runs(plan, suite, folder, variants, figures)
    seconds: dict[str, list[float]] = {job.variant.name: [] for job in jobs}
    for number in range(plan.rounds):
        for job in random.Random(number).sample(jobs, len(jobs)):
            seconds[job.variant.name].append(cpu_seconds(job))
    for name, spent in seconds.items():
        figures[name] = replace(figures[name], seconds=tuple(spent))


def add_peaks(plan: Plan, suite: Suite, folder: Path, variants: Iterable[Variant], figures: dict[str, Figures]) -> None:
    """The memory of all that can run."""
    for job in whole_runs(plan, suite, folder, variants, figures):
        peak = statistics.median(peak_bytes(job) for _ in range(3))
        figures[job.variant.name] = replace(figures[job.variant.name], peak=peak)


def whole_runs(
    plan: Plan, suite: Suite, folder: Path, variants: Iterable[Variant], figures: dict[str, Figures]
) -> list[Job]:
    """With all tests, and warm."""
    files = -(-plan.tests // suite.per_file)
    jobs = [Job(plan.interpreter, folder, suite, variant, files) for variant in variants]
    return [job for job in jobs if not figures[job.variant.name].error and try_warm_up(job, figures)]


def try_warm_up(job: Job, figures: dict[str, Figures]) -> bool:
    done = figures[job.variant.name]
    try:
        figures[job.variant.name] = replace(done, watchers=job.warm_up())
    except RunError as error:
        figures[job.variant.name] = replace(done, error=str(error))
        return False
    return True


# --- the table


@dataclass(frozen=True)
class Ratio:
    """To what a variant is compared with, with how far a single round was from it."""

    value: float
    spread: float = 0.0


def beside(figures: Mapping[str, Figures], name: str) -> Figures:
    """Those of what the variant is compared with; empty where that was not measured."""
    return figures.get(next(variant.beside for variant in VARIANTS if variant.name == name), Figures())


def instruction_ratio(figures: Mapping[str, Figures], name: str) -> Ratio | None:
    other, own = beside(figures, name).per_test, figures[name].per_test
    return Ratio(own / other) if other and own else None


def cpu_ratio(figures: Mapping[str, Figures], name: str) -> Ratio | None:
    other, own = beside(figures, name).seconds, figures[name].seconds
    if not other or not own:
        return None
    ratios = [ours / theirs for ours, theirs in zip(own, other, strict=True)]
    median = statistics.median(ratios)
    return Ratio(median, max(abs(ratio - median) for ratio in ratios))


def memory_ratio(figures: Mapping[str, Figures], name: str) -> Ratio | None:
    other, own = beside(figures, name).peak, figures[name].peak
    return Ratio(own / other) if other and own else None


def limit_of(suite: Suite, name: str, modules: int) -> float | None:
    """The promise is about 50 modules where tests are trivial."""
    if name == "off":
        return 1.0
    return suite.limits.get(name) if modules == FEW or suite.milliseconds else None


def is_over(ratio: Ratio, control: Ratio, limit: float, noise: float) -> bool:
    """Whether a limit is broken; one of 1.00 means: not farther from plain than plain is from itself."""
    if limit == 1.0:
        return ratio.value - 1 > max(abs(control.value - 1) + control.spread, noise)
    return ratio.value > limit


def counts(control: Ratio, limit: float) -> bool:
    """Whether a ratio of CPU times may be held against a limit at all."""
    return limit == 1.0 or abs(control.value - 1) <= (limit - 1) / 2


HEADER = f"{'suite':11}{'variant':16}{'instr/test':>12}{'ratio':>9}{'once, M':>9}{'CPU s':>8}{'ratio':>9}{'spread':>8}{'limit':>7}{'peak MB':>9}{'ratio':>7}"


def rows(plan: Plan, suite: Suite, figures: Mapping[str, Figures]) -> Iterator[str]:
    for name, own in figures.items():
        limit = limit_of(suite, name, plan.modules)
        by_count, by_time = instruction_ratio(figures, name), cpu_ratio(figures, name)
        by_peak = memory_ratio(figures, name)
        control = cpu_ratio(figures, "plain again")
        fair = by_time is None or limit is None or (control is not None and counts(control, limit))
        cells = [
            f"{own.per_test:>12,.0f}" if own.per_test else f"{'-':>12}",
            f"{by_count.value:>9.4f}" if by_count else f"{'-':>9}",
            f"{own.once / 1e6:>9,.0f}" if own.once else f"{'-':>9}",
            f"{statistics.median(own.seconds):>8.2f}" if own.seconds else f"{'-':>8}",
            f"{f'{by_time.value:.3f}' if fair else f'({by_time.value:.3f})':>9}" if by_time else f"{'-':>9}",
            f"{by_time.spread:>8.3f}" if by_time else f"{'-':>8}",
            f"{limit:>7.2f}" if limit else f"{'':>7}",
            f"{own.peak / 1e6:>9.1f}" if own.peak else f"{'-':>9}",
            f"{by_peak.value:>7.3f}" if by_peak else f"{'-':>7}",
        ]
        remark = f"  error: {own.error}" if own.error else mark(figures, name, limit)
        yield f"{suite.name:11}{name:16}{''.join(cells)}{remark}"


def mark(figures: Mapping[str, Figures], name: str, limit: float | None) -> str:
    """``OVER``, and by which measure."""
    peak = memory_ratio(figures, name)
    over = ["memory"] if peak is not None and not name.startswith(tuple(PEERS)) and peak.value > MEMORY_LIMIT else []
    for measure_name, ratio_of, noise in (
        ("instructions", instruction_ratio, INSTRUCTION_NOISE),
        ("CPU", cpu_ratio, 0.0),
    ):
        ratio, control = ratio_of(figures, name), ratio_of(figures, "plain again")
        if limit is not None and ratio and control and (measure_name != "CPU" or counts(control, limit)):
            over += [measure_name] * is_over(ratio, control, limit, noise)
    return f"  OVER ({', '.join(over)})" if over else ""


def print_notes(plan: Plan, watched: Mapping[str, Sequence[str]]) -> None:
    print(
        f"\nratios are to plain, of blind spots to deep; {plan.tests:,} tests and {plan.rounds} rounds for CPU; plain again is the A/A control"
    )
    print("a CPU ratio in brackets does not count: its A/A control is not within half of the limit")
    print("off is held against its A/A control: at most as far from 1 as that, its spread included")
    for text, names in watched.items():
        if text:
            print(f"{', '.join(names)}: {text}")


# --- the command line


def main() -> int:
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        python = make_venv(Path(folder)) if arguments.venv else arguments.python
        plan = make_plan(arguments, Interpreter(python, arguments.source.resolve()))
        print_head(plan)
        watched: dict[str, list[str]] = {}
        for suite in plan.suites:
            started = time.monotonic()
            place = Path(folder, suite.name)
            place.mkdir()
            figures = measure(plan, suite, place)
            print(*rows(plan, suite, figures), f"{'':11}{time.monotonic() - started:.0f} s", sep="\n", flush=True)
            for name, own in figures.items():
                watched.setdefault(own.watchers, []).append(f"{suite.name} {name}")
            shutil.rmtree(place)
        print_notes(plan, watched)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = ",".join(suite.name for suite in SUITES)
    parser.add_argument("--suites", default=names, help="which, by comma (default %(default)s)")
    parser.add_argument("--variants", default="", help="which beside plain and plain again, by comma (default all)")
    parser.add_argument("--measures", default="instructions,cpu,memory", help="which, by comma (default %(default)s)")
    parser.add_argument("--many", action="store_true", help=f"{MANY} project modules and {LIBRARY:,} of a library")
    parser.add_argument(
        "--tests", type=int, default=2000, help="tests of a run for CPU time and memory (default %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds for CPU time (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 500 tests")
    parser.add_argument("--source", type=Path, default=ROOT, help="the folder with the pytest_secaudit to measure")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has pytest (default: this one)")
    parser.add_argument("--venv", action="store_true", help="make a new environment with pytest and the peers")
    arguments = parser.parse_args()
    for given, known in (
        (arguments.suites, names.split(",")),
        (arguments.variants, [variant.name for variant in VARIANTS]),
        (arguments.measures, ["instructions", "cpu", "memory"]),
    ):
        for name in filter(None, given.split(",")):
            if name not in known:
                parser.error(f"unknown: {name!r}; there are {', '.join(known)}")
    return arguments


def make_venv(folder: Path) -> str:
    """A new environment with pytest and the peers; its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = str(folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "pytest", *PEERS], check=True)
    return python


def make_plan(arguments: argparse.Namespace, interpreter: Interpreter) -> Plan:
    asked = [name for name in arguments.variants.split(",") if name] or [variant.name for variant in VARIANTS]
    wanted = [variant for variant in VARIANTS if variant.name in ("plain", "plain again", *asked)]
    suites = arguments.suites.split(",")
    return Plan(
        interpreter=interpreter,
        suites=tuple(suite for suite in SUITES if suite.name in suites),
        variants=tuple(variant for variant in wanted if variant.needs in interpreter.modules),
        modules=MANY if arguments.many else FEW,
        library=LIBRARY if arguments.many else 0,
        tests=500 if arguments.quick else arguments.tests,
        rounds=3 if arguments.quick else arguments.rounds,
        instructions="instructions" in arguments.measures.split(",") and has_valgrind(),
        cpu="cpu" in arguments.measures.split(",") and os.name == "posix",
        memory="memory" in arguments.measures.split(",") and os.name == "posix",
    )


def has_valgrind() -> bool:
    if shutil.which("valgrind") is None:
        print("valgrind: not on the path, no instructions are counted")
        return False
    return True


def print_head(plan: Plan) -> None:
    print(f"Python {plan.interpreter.version}, {pin_to_one_core()}, {plan.modules} project modules", end="")
    print(f" and {plan.library:,} of a library" if plan.library else "")
    for variant in VARIANTS:
        if variant.needs not in plan.interpreter.modules:
            print(f"{variant.name}: {variant.needs} is not installed, skipped")
    print(f"\n{HEADER}", flush=True)


def pin_to_one_core() -> str:
    """Bind this process and its children to one core, where the platform can."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned: not on this platform"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"pinned to core {core}"


if __name__ == "__main__":
    sys.exit(main())
