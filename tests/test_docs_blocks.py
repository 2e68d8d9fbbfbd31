"""Every block of code in the documentation is run, a page at a time, in a copy of the example suite.

What becomes of a block is said by its language:

* ``console``: each line that begins with ``$`` is run, and prints what stands below it;
* ``sh``: each line is run, and its output is not looked at;
* ``python``: a test module beside those of the examples; its tests pass, and the audit reports the lines that are marked
  ``# PSA101``, and no others; or a check, which is held against its own examples;
* ``toml`` and ``ini``: pytest takes it as its configuration, and knows every key;
* ``yaml`` and ``json``: see `is_yaml` and `is_json`;
* ``{toctree}`` and the like are for Sphinx.

In what is printed, ``[...]`` stands for any number of lines, or for some of a line; times and shares of time are not
compared. A comment right above a block says more: ``<!-- file: PATH -->`` writes it there, for the blocks that follow;
``<!-- exit: 1 -->`` is the exit status of a block's commands. What no copy of the examples can run is run elsewhere:
``<!-- run by: .ci/run -->``, or ``<!-- run by: tests/test_ci_recipes.py::test_tox -->``.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_secaudit import baseline

if sys.version_info >= (3, 11):
    import tomllib

ROOT = Path(__file__).parents[1]
#: The pages of the checks are made of examples that tests/test_examples.py runs one by one.
PAGES = sorted(
    file
    for file in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "examples" / "README.md"]
    if file.parent != ROOT / "docs" / "checks" and "_build" not in file.parts
)
#: tests/test_strangers_check.py runs this one, as a stranger would.
ELSEWHERE = {ROOT / "docs" / "writing-a-check.md"}
FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>```+|~~~+)(?P<info>[^\n`]*)\n(?P<text>.*?)^ *(?P=ticks) *$", re.MULTILINE | re.DOTALL
)
NOTE = re.compile(r"<!-- (file|exit|run by): ((?:(?!-->).)+) -->\n+\Z", re.DOTALL)
LANGUAGES = {"console", "sh", "python", "toml", "ini", "yaml", "json"}
DIRECTIVE = re.compile(r"\{[a-z-]+\}")
#: The line of a module that the audit is to report, as in the examples of the checks.
MARK = re.compile(r"#.*?\b(PSA\d{3})\b")
#: What differs from run to run, and pytest's last line, which counts subtests since pytest 9.
TIMES = re.compile(r"\d+(\.\d+)? ?m?s\b(?: \(\d+(\.\d+)? %\))?")
LAST_LINE = re.compile(r"=* ?\d+ (?:passed|failed).* in \d.*")
#: Holds the check of a file against its own examples.
JUDGE = """
import runpy, sys
from pytest_secaudit.testing import assert_examples
assert_examples(runpy.run_path(sys.argv[1])["CHECK"])
"""


@dataclass(frozen=True)
class Block:
    """One fenced block, and what the comment above it says."""

    page: Path
    line: int
    language: str
    text: str
    notes: dict[str, str]

    @property
    def place(self) -> str:
        return f"{named(self.page)}:{self.line}"


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, from the top."""
    source = page.read_text("utf-8")
    return [
        Block(
            page,
            source.count("\n", 0, match.start()) + 1,
            match["info"].strip().partition(" ")[0],
            textwrap.dedent(match["text"]),
            notes_above(source[: match.start()]),
        )
        for match in FENCE.finditer(source)
    ]


def notes_above(text: str) -> dict[str, str]:
    notes: dict[str, str] = {}
    while (match := NOTE.search(text)) is not None:
        notes[match[1]] = " ".join(match[2].split())
        text = text[: match.start()]
    return notes


RUN_ELSEWHERE = [block for page in PAGES for block in blocks(page) if "run by" in block.notes]


# --- which blocks there are


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_block_has_a_language_that_is_known_here(page: Path) -> None:
    """A fence that is never closed is no block: it is counted by hand."""
    found = blocks(page)
    assert len(re.findall(r"^ *```", page.read_text("utf-8"), re.MULTILINE)) == 2 * len(found)
    unknown = [f"{block.place} {block.language!r}" for block in found if block.language not in LANGUAGES]
    allowed = {f"{block.place} {block.language!r}" for block in found if DIRECTIVE.fullmatch(block.language)}
    assert set(unknown) <= allowed


@pytest.mark.parametrize("block", RUN_ELSEWHERE, ids=lambda block: block.place)
def test_what_is_run_elsewhere_is_run_there(block: Block) -> None:
    """A script has every line of it; a test takes it from the page."""
    name, _, function = block.notes["run by"].partition("::")
    runner = (ROOT / name).read_text("utf-8")
    if function:
        assert f"\ndef {function}(" in runner
        assert re.search(rf"\b{re.escape(block.page.name)}\b", runner)
    else:
        assert {line.strip() for line in block.text.splitlines()} <= {line.strip() for line in runner.splitlines()}


# --- a page, from the top


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page not in ELSEWHERE and any("run by" not in b.notes for b in blocks(page))],
    ids=named,
)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    here = Scratch(tmp_path)
    for block in blocks(page):
        if "run by" not in block.notes and not DIRECTIVE.fullmatch(block.language):
            try:
                here.do(block)
            except AssertionError as error:
                raise AssertionError(f"{block.place}: {error}") from error


class Scratch:
    """A copy of the example suite, in which the blocks of one page are run in turn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "shop"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        shutil.copytree(ROOT / "examples", self.folder, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))

    def do(self, block: Block) -> None:
        """Do what the language says."""
        if "file" in block.notes:
            file = self.folder / block.notes["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
        what = {"console": self.console, "sh": self.sh, "python": self.python, "toml": self.configuration,
                "ini": self.configuration, "yaml": is_yaml, "json": is_json}[block.language]  # fmt: skip
        what(block)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one command here; `stdout` has both streams."""
        first = {"python": [sys.executable], "pytest": [sys.executable, "-m", "pytest"]}
        assert command[0] in first, f"{command[0]} is nothing that is run here"
        words = [*first[command[0]], *(name for word in command[1:] for name in self.meant(word))]
        temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.temporary))
        return subprocess.run(
            words,
            cwd=self.folder,
            env={**os.environ, "COLUMNS": "76", **temporary},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=180,
            check=False,
        )

    def meant(self, word: str) -> list[str]:
        """What a shell would make of the word."""
        return sorted(glob.glob(word, root_dir=self.folder)) or [word] if "*" in word else [word]

    def console(self, block: Block) -> None:
        for command, printed in commands(block.text):
            done = self.command(command, block)
            if done is not None:
                why = different(printed.splitlines(), done.stdout.splitlines())
                assert not why, f"$ {command}: {why}\n{done.stdout}"

    def sh(self, block: Block) -> None:
        for line in block.text.replace("\\\n", " ").splitlines():
            self.command(line, block)

    def command(self, line: str, block: Block) -> subprocess.CompletedProcess[str] | None:
        words = shlex.split(line, comments=True)
        if not words or words[:4] == ["python", "-m", "pip", "install"]:
            return None  # what is to be installed is here already
        done = self.run(*words)
        assert done.returncode == int(block.notes.get("exit", 0)), f"$ {line}: {done.returncode}\n{done.stdout}"
        return done

    def python(self, block: Block) -> None:
        """A test module, or a check (a conftest or product code is only written)."""
        name = block.notes.get("file", f"tests/test_line_{block.line}.py")
        (self.folder / name).write_text(block.text, "utf-8")
        if not Path(name).name.startswith("test_"):
            compile(block.text, name, "exec")
            if "CHECK = Check(" in block.text:
                done = self.run("python", "-c", JUDGE, name)
                assert done.returncode == 0, done.stdout
            return
        done = self.run("pytest", "-p", "no:cacheprovider", "--secaudit", "--secaudit-report=json:block.json", name)
        assert done.returncode == int(block.notes.get("exit", 0)), done.stdout
        report = json.loads((self.folder / "block.json").read_text("utf-8"))
        lines = enumerate(block.text.splitlines(), 1)
        marked = {(n, match[1]) for n, line in lines if "secaudit:" not in line and (match := MARK.search(line))}
        found = [one for one in report["findings"] if one["path"] == name and one["status"] == "new"]
        assert {(one["line"], one["code"]) for one in found if one["severity"] != "info"} == marked

    def configuration(self, block: Block) -> None:
        """Settings of pytest, in a folder with one test."""
        name = block.notes.get("file") or ("pyproject.toml" if block.language == "toml" else "pytest.ini")
        if block.language == "toml" and sys.version_info >= (3, 11):
            assert list(tomllib.loads(block.text)) == ["tool"]
        folder = self.folder / f"settings-{block.line}"
        folder.mkdir()
        (folder / "test_it.py").write_text("def test_it(): assert 1 + 1 == 2\n", "utf-8")
        (folder / name).write_text(block.text, "utf-8")
        place = folder.name
        if "secaudit_baseline" in block.text:
            made = f"--secaudit-baseline={place}/secaudit-baseline.json"
            done = self.run("pytest", "--rootdir", place, "-q", "--secaudit", made, "--secaudit-write-baseline", place)
            assert done.returncode == 0, done.stdout
        done = self.run("pytest", "--strict-config", "-c", f"{place}/{name}", "--rootdir", place, "--secaudit", place)
        assert done.returncode == 0, done.stdout
        assert f"configfile: {name}" in done.stdout


def is_yaml(block: Block) -> None:
    """A recipe of docs/ci.md, which tests/test_ci_recipes.py tries; or a part of one, word for word."""
    recipes = textwrap.dedent((ROOT / "docs" / "ci.md").read_text("utf-8"))
    assert block.text in recipes or textwrap.indent(block.text, "  ") in recipes


def is_json(block: Block) -> None:
    """Entries of a baseline."""
    entries = json.loads(f"[{block.text.strip().rstrip(',')}]")
    text = json.dumps({"baseline_version": 1, "depth": "deep", "catalogue": {}, "entries": entries})
    assert len(baseline.parse(text).entries) == len(entries)


# --- what is printed


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command with what is printed below it."""
    assert text.startswith("$ "), "a console begins with a command"
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, printed = re.sub(r"\A(?:.*\\\n)+", joined, part).partition("\n")
        yield command, printed


def joined(lines: re.Match[str]) -> str:
    return lines[0].replace("\\\n", " ")


def different(wanted: Sequence[str], printed: Sequence[str]) -> str:
    """The first line that is not printed; nothing if all are, in this order and without a gap that is not marked."""
    lines = [plain(line) for line in printed]
    at, gap = 0, False
    for stretch in stretches(wanted):
        if stretch is None:
            gap = True
            continue
        places = range(at, len(lines) - len(stretch) + 1) if gap else [at]
        found = next((place for place in places if fits(stretch, lines[place:])), None)
        if found is None:
            return f"not printed here: {next(iter(stretch))!r} ..."
        at, gap = found + len(stretch), False
    rest = [line for line in lines[at:] if line]
    return "" if gap or not rest else f"printed, too: {rest[0]!r}"


def stretches(wanted: Sequence[str]) -> Iterator[list[str] | None]:
    """The lines between gaps, and None for each gap."""
    stretch: list[str] = []
    for line in wanted:
        if line.strip() != "[...]":
            stretch.append(plain(line))
            continue
        if stretch:
            yield stretch
        yield None
        stretch = []
    if stretch:
        yield stretch


def plain(line: str) -> str:
    line = line.rstrip()
    return "(last line)" if LAST_LINE.fullmatch(line) else TIMES.sub("N s", line)


def fits(stretch: Sequence[str], lines: Sequence[str]) -> bool:
    return len(lines) >= len(stretch) and all(
        re.fullmatch(".*".join(map(re.escape, wanted.split("[...]"))), line)
        for wanted, line in zip(stretch, lines, strict=False)
    )


@pytest.mark.parametrize(
    ("wanted", "is_it"),
    [
        ("a\nb", True),
        ("b", False),
        ("a", False),
        ("[...]\nb", True),
        ("a\n[...]", True),
        ("a\n[...]\nc", False),
        ("[...]\n[...]b[...]", True),
        ("took 2.5 s (9 %)\nb", False),
    ],
)
def test_what_is_printed_is_compared(wanted: str, is_it: bool) -> None:
    assert (different(wanted.splitlines(), ["a", "b"]) == "") is is_it


def test_times_and_the_last_line_are_not_compared() -> None:
    printed = ["audit took 0.6 s (27.9 %)", "==== 3 passed, 1 audit defect in 2.80s ===="]
    assert different(["audit took 11 s (1 %)", "=== 3 passed, 1 subtests passed in 1.1s ==="], printed) == ""
    assert different(["audit took 11 s (1 %)"], printed) != ""
