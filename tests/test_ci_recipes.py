"""The recipes of docs/ci.md: valid for the services that they are for, and with options that exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_secaudit import cli, plugin

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "ci.md"
#: The first line of a recipe names its file.
RECIPE = re.compile(r"^```\w+\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RECIPES: dict[str, str] = dict(RECIPE.findall(PAGE.read_text("utf-8")))
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "greeting"
version = "1"

[tool.hatch.build.targets.wheel]
include = ["greeting.py"]
"""
CLEAN = """
import greeting

def test_word():
    assert greeting.WORD == "hello"
"""
LEAKY = """
import os

def test_word():
    os.environ["WORD"] = "hello"
    assert os.environ["WORD"]
"""
SCHEMAS = {".github/workflows/tests.yml": "vendor.github-workflows", ".gitlab-ci.yml": "vendor.gitlab-ci"}


def test_every_recipe_is_known_here() -> None:
    assert set(RECIPES) == {*SCHEMAS, "tox.ini", "noxfile.py", ".pre-commit-config.yaml"}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_recipe_keeps_to_the_schema_of_its_service(name: str, tmp_path: Path) -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema has the schemas of the services")
    file = tmp_path / Path(name).name
    file.write_text(RECIPES[name], "utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[name]]
    if "gitlab" in name:
        command += ["--data-transform", "gitlab-ci"]
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    file.write_text(RECIPES[name].replace("script:", "scripts:").replace("runs-on:", "runs-in:"), "utf-8")
    assert subprocess.run([*command, str(file)], capture_output=True, check=False).returncode == 1


def test_the_pre_commit_hook_calls_what_is_there() -> None:
    yaml = pytest.importorskip("ruamel.yaml", reason="comes with check-jsonschema")
    (repo,) = yaml.YAML(typ="safe").load(RECIPES[".pre-commit-config.yaml"])["repos"]
    (hook,) = repo["hooks"]
    assert {"id", "name", "entry", "language", "files"} <= set(hook)
    words = hook["entry"].split()
    assert words[:3] == ["python", "-m", "pytest_secaudit"]
    assert cli._parser().parse_args([*words[3:], "tests/test_a.py"]).fail_on == "defect"
    matches = re.compile(hook["files"]).search
    assert [bool(matches(path)) for path in ("tests/test_a.py", "a_test.py", "conftest.py", "src/a.py")] == [
        True, True, True, False,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Somebody's project with one test that leaves nothing, and a wheel of ours where pip looks for it."""
    wheels = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(ROOT)]
    subprocess.run(command, check=True)
    folder = tmp_path_factory.mktemp("project")
    folder.joinpath("pyproject.toml").write_text(PROJECT, "utf-8")
    folder.joinpath("greeting.py").write_text("WORD = 'hello'\n", "utf-8")
    folder.joinpath("test_greeting.py").write_text(CLEAN, "utf-8")
    return Project(folder, wheels)


@dataclass(frozen=True)
class Project:
    folder: Path
    wheels: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON", "TOX"))}
        return subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env={**kept, "PIP_FIND_LINKS": str(self.wheels)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
        )


def test_tox(project: Project) -> None:
    pytest.importorskip("tox", reason="tox is not installed: python -m pip install -e '.[recipes]'")
    is_a_gate(project, "tox.ini", "tox", "-e", "py", "--", "--strict-markers")


def test_nox(project: Project) -> None:
    pytest.importorskip("nox", reason="nox is not installed: python -m pip install -e '.[recipes]'")
    is_a_gate(project, "noxfile.py", "nox", "--reuse-venv=yes", "--", "--strict-markers")


def is_a_gate(project: Project, name: str, *command: str) -> None:
    """With the recipe in its file the command audits; it fails where a test leaves something, and only there."""
    project.folder.joinpath(name).write_text(RECIPES[name], "utf-8")
    done = project.run(*command)
    assert done.returncode == 0, done.stdout
    assert "no defects found in 1 test" in done.stdout, done.stdout
    project.folder.joinpath("test_greeting.py").write_text(LEAKY, "utf-8")
    try:
        done = project.run(*command)
    finally:
        project.folder.joinpath("test_greeting.py").write_text(CLEAN, "utf-8")
    assert done.returncode == 1, done.stdout
    assert re.search(r"defect +PSA101 .* test_greeting\.py:5$", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.parametrize("page", ["ci.md", "baseline.md", "reports.md", "settings.md", "suppressing.md"])
def test_every_option_that_a_page_names_exists(page: str) -> None:
    text = (PAGE.parent / page).read_text("utf-8")
    ours = {f"--secaudit-{name}" for table in (plugin._VALUES, plugin._LISTS, plugin._FLAGS) for name, *_ in table}
    named = set(re.findall(r"--secaudit-[a-z-]*[a-z]", text))
    assert named <= ours
    keys = {
        f"secaudit_{name}" for table in (plugin._INI_TEXTS, plugin._INI_LINES, plugin._INI_FLAGS) for name, _ in table
    }
    assert set(re.findall(r"\bsecaudit_[a-z_]+\b(?= =)", text)) <= keys
