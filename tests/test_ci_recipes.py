"""The recipes of docs/ci.md: valid for the services that they are for, and with options that exist."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_secaudit import cli, plugin

PAGE = Path(__file__).parent.parent / "docs" / "ci.md"
#: The first line of a recipe names its file.
RECIPE = re.compile(r"^```\w+\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RECIPES: dict[str, str] = dict(RECIPE.findall(PAGE.read_text("utf-8")))
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


def test_tox_and_nox() -> None:
    tox = configparser.ConfigParser()
    tox.read_string(RECIPES["tox.ini"])
    assert "--secaudit" in tox["testenv"]["commands"]
    assert ast.parse(RECIPES["noxfile.py"])


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
