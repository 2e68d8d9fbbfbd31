"""What the documentation says is so: pages are fresh, options exist, and every option is named."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from pytest_secaudit import __version__, plugin
from pytest_secaudit.checks import built_in, whole
from pytest_secaudit.checks.headings import HEADINGS
from pytest_secaudit.model import Heading

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
OPTION = re.compile(r"--(?:no-)?secaudit(?:-[a-z]+)*")
KEY = re.compile(r"\bsecaudit(?:_[a-z]+)*\b")
TEXTS = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
#: A line like `pytest --secaudit ...`, in a block of code or in a span.
COMMAND = re.compile(r"(?:^|`)(?:python -m )?pytest (--(?:no-)?secaudit[^`\n]*)", re.MULTILINE)


class Recorder:
    """Stands in for pytest's parser and keeps the names of what is registered."""

    def __init__(self) -> None:
        self.options: set[str] = set()
        self.keys: set[str] = set()

    def getgroup(self, *args: object, **kwargs: object) -> Recorder:
        return self

    def addoption(self, *names: str, **kwargs: object) -> None:
        self.options.update(names)

    def addini(self, name: str, *args: object, **kwargs: object) -> None:
        self.keys.add(name)


@pytest.fixture(scope="module")
def registered() -> Recorder:
    """What the plugin adds to pytest's command line and configuration file."""
    recorder = Recorder()
    plugin.pytest_addoption(recorder)  # type: ignore[arg-type]
    return recorder


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_checks", DOCS / "generate_checks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_of_the_checks_are_fresh() -> None:
    """`python docs/generate_checks.py` makes them."""
    made = generator()
    assert made.stale(made.pages()) == []


def test_the_headings_are_those_of_the_checks() -> None:
    """A run goes by the list, and loads a check only where it has something to read."""
    assert generator().HEADINGS.read_text(encoding="utf-8") == generator().headings()
    assert [whole(heading).code for heading in HEADINGS] == [check.code for check in built_in()]
    for heading, check in zip(HEADINGS, built_in(), strict=True):
        for field in dataclasses.fields(Heading):
            assert getattr(heading, field.name) == getattr(check, field.name), heading.code


def test_stale_pages_are_named_and_written(tmp_path: Path) -> None:
    """A page that is missing, different or of no check is stale; writing leaves none."""
    made = generator()
    (tmp_path / "PSA001.md").write_text("old", encoding="utf-8")
    (tmp_path / "PSA999.md").write_text("gone", encoding="utf-8")
    wanted = {"index.md": "# The checks\n", "PSA001.md": "new\n"}
    assert made.stale(wanted, tmp_path) == ["PSA001.md", "PSA999.md", "index.md"]
    made.write(wanted, tmp_path)
    assert made.stale(wanted, tmp_path) == []


def test_every_option_is_in_the_settings(registered: Recorder) -> None:
    """An option that is not in docs/settings.md is not finished."""
    assert registered.options
    assert registered.options <= set(OPTION.findall(text("settings.md")))


def test_every_key_is_in_the_settings(registered: Recorder) -> None:
    """So is a key of the configuration file."""
    assert registered.keys
    assert registered.keys <= set(re.findall(r"^\| `(secaudit\w*)` \|", text("settings.md"), re.MULTILINE))


def test_every_option_of_the_check_command_is_in_the_settings() -> None:
    """`python -m pytest_secaudit check --help` says nothing that docs/settings.md does not."""
    command = [sys.executable, "-m", "pytest_secaudit", "check", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    options = set(re.findall(r"--[a-z][a-z-]*", shown)) - {"--help"}
    _, _, section = text("settings.md").partition("## Without running pytest")
    assert options <= set(re.findall(r"--[a-z][a-z-]*", section))


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_option_named_exists(file: Path, registered: Recorder) -> None:
    """The documentation speaks of no option that this version does not have."""
    assert set(OPTION.findall(file.read_text(encoding="utf-8"))) <= registered.options


#: The commands in the field notes need the plugins of the suites that were read.
OUR_COMMANDS = [file for file in TEXTS if file.name != "field-notes.md"]


@pytest.mark.parametrize("file", OUR_COMMANDS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_example_commands_are_accepted(file: Path, request: pytest.FixtureRequest) -> None:
    """pytest itself takes every option of a line that starts with `pytest --secaudit`."""
    for line in COMMAND.findall(file.read_text(encoding="utf-8")):
        _, unknown = request.config._parser.parse_known_and_unknown_args(line.split("#")[0].split())
        assert unknown == [], line


def test_the_table_in_the_readme_has_every_check() -> None:
    """No check is missing in the ranges of codes there, and none is promised."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    codes = {check.code for check in built_in()}
    table = "\n".join(line.split("|")[2] for line in readme.splitlines() if line.startswith("| ") and "`PSA" in line)
    ranges = re.findall(r"`(PSA\d{3})`(?:-`(PSA\d{3})`)?", table)
    assert {code for first, last in ranges for code in (first, last) if code} <= codes
    assert {code for code in codes if any(first <= code <= (last or first) for first, last in ranges)} == codes


def test_the_figures_in_the_readme_are_those_of_the_field_notes() -> None:
    """Labels that come or go change both."""
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    said = re.search(
        r"right\*\* in (\d+) of (\d+) findings \((\d+ %)\) that we read one by one in (\d+) public", readme
    )
    notes = re.search(
        r"In all: (\d+) findings labelled in (\d+) suites, (\d+) of them true \((\d+ %)\)", text("field-notes.md")
    )
    assert said is not None
    assert notes is not None
    assert said.groups() == (notes[3], notes[1], notes[4], notes[2])
    sample = re.search(r"in (\d+) of (\d+) that were drawn at random .*? though (\d+) of those", readme)
    drawn = re.search(
        r"then.*?(\d+) confirmed.*?drawn at random.*?\| confirmed \| (\d+) \| (\d+) \|",
        text("field-notes.md"),
        re.IGNORECASE | re.DOTALL,
    )
    assert sample is not None
    assert drawn is not None
    assert sample.groups() == (str(int(drawn[2]) + int(drawn[3])), drawn[1], drawn[3])


def test_the_picture_of_a_finding_is_of_a_real_one() -> None:
    """Its lines are those of the block of its page, which tests/test_docs_blocks.py has printed."""
    picture = ElementTree.parse(DOCS / "pictures" / "finding.svg")
    lines = ["".join(one.itertext()).strip() for one in picture.iter() if one.get("class") == "out"]
    assert len(lines) > 4
    printed = [line.strip() for line in text("reading-a-finding.md").splitlines()]
    at = printed.index(lines[0])
    assert printed[at : at + len(lines)] == lines


@pytest.mark.parametrize("file", [*TEXTS, ROOT / "CONTRIBUTING.md"], ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file(file: Path) -> None:
    """Where the pages are read as they lie in the repository, without the site."""
    links = re.findall(
        r"\]\((?![a-z]+:)([^)#\s]+)(?:#[^)]*)?\)",
        re.sub(r"```.*?```|`[^`\n]*`", "", file.read_text("utf-8"), flags=re.DOTALL),
    )
    assert [link for link in links if not (file.parent / link).exists()] == []


def test_the_version_is_the_same_in_both_places() -> None:
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    assert found[1] == __version__
