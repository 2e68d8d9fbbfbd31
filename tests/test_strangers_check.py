"""docs/writing-a-check.md, done as it says: its files written, its commands run, its output seen."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1].joinpath("docs", "writing-a-check.md").read_text(encoding="utf-8")
FILE = re.compile(r"^```python\n# (\S+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SESSION = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = dict(FILE.findall(PAGE))


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command of the page, and the lines that it says come out, in order; ``...`` for any."""
    for block in SESSION.findall(PAGE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *lines = part.splitlines()
            yield command, [line for line in lines if line != "..."]


COMMANDS = list(commands())


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with the files of the page."""
    for name, text in FILES.items():
        file = pytester.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    pytester.path.joinpath("pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.run(sys.executable, "-m", "pytest", "-p", "no:randomly", *arguments)


def test_the_page_has_what_is_tried_here() -> None:
    assert {
        "conftest.py",
        "test_shop.py",
        "test_checks.py",
        "test_in_a_run.py",
        "elsewhere/conftest.py",
    } <= FILES.keys()
    assert len(COMMANDS) >= 6
    assert all(lines for _, lines in COMMANDS)


@pytest.mark.parametrize(("command", "lines"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_commands_say_what_the_page_says(project: pytest.Pytester, command: str, lines: list[str]) -> None:
    program, *arguments = shlex.split(command)
    assert program == "pytest"
    if not any(argument.endswith(".py") for argument in arguments):
        arguments.append("test_shop.py")  # the only test so far, for who reads from the top
    result = run(project, *arguments)
    result.stdout.fnmatch_lines([line.replace("[", "[[]") for line in lines])
    assert result.ret == (1 if any("failed the run" in line for line in lines) else 0)


def test_the_conftest_with_an_optional_hook_works_with_and_without_us(project: pytest.Pytester) -> None:
    folder = project.path / "elsewhere"
    source = FILES["conftest.py"].partition("def pytest_secaudit_checks")[0]
    (folder / "checks_of_ours.py").write_text(source, encoding="utf-8")
    (folder / "test_shop.py").write_text(FILES["test_shop.py"], encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    alone = ("--rootdir=elsewhere", "-c", "elsewhere/pytest.ini", "--confcutdir=elsewhere", "elsewhere")
    run(project, *alone, "--secaudit").stdout.fnmatch_lines(["suspected SHOP901 unverified-tls *"])
    run(project, *alone).assert_outcomes(passed=1)
    without_us = run(project, *alone, "-p", "no:secaudit")
    without_us.assert_outcomes(passed=1)
    assert without_us.ret == 0


def test_the_file_is_a_plugin_as_well(project: pytest.Pytester) -> None:
    project.path.joinpath("conftest.py").rename(project.path / "shop_checks.py")
    result = run(project, "-p", "shop_checks", "--secaudit", "test_shop.py")
    result.stdout.fnmatch_lines(["suspected SHOP901 unverified-tls *"])


def test_one_that_raises_is_named_as_the_page_says(project: pytest.Pytester) -> None:
    conftest = project.path / "conftest.py"
    conftest.write_text(FILES["conftest.py"].replace("yield Hit(", "yield 1 / 0 or Hit(", 1), "utf-8")
    result = run(project, "--secaudit", "test_shop.py")
    result.stdout.fnmatch_lines(["not judged: SHOP901 failed in 1 file*"])
    result.assert_outcomes(passed=1)


def test_an_example_that_is_not_so_is_shown_as_the_page_says(project: pytest.Pytester) -> None:
    conftest = project.path / "conftest.py"
    text = FILES["conftest.py"].replace("ssl._create_unverified_context()  # SHOP901", "ssl.SSLContext()  # SHOP901")
    conftest.write_text(text, "utf-8")
    result = run(project, "-q", "test_checks.py")
    result.stdout.fnmatch_lines(["*expected: line 5 (advisory)", "*found:    nothing", "*-   5 |*# SHOP901"])
