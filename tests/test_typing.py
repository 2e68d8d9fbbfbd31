"""The public parts are typed: mypy --strict finds nothing in right use, and every mistake in wrong use."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

FOLDER = Path(__file__).with_name("typing")


def checked(name: str, cache: Path) -> subprocess.CompletedProcess[str]:
    # Run where no configuration file of ours is: strangers have none.
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file=", str(FOLDER / name)]
    root = str(Path(__file__).parents[1])
    env = {**os.environ, "MYPYPATH": root, "MYPY_CACHE_DIR": str(cache)}
    return subprocess.run(command, cwd=cache, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


def test_right_use_has_no_errors(cache: Path) -> None:
    done = checked("right.py", cache)
    assert (done.stdout, done.returncode) == ("", 0)


def test_each_mistake_is_found_and_nothing_else(cache: Path) -> None:
    lines = (FOLDER / "wrong.py").read_text("utf-8").splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("# an error")}
    assert marked
    done = checked("wrong.py", cache)
    found = {int(line) for line in re.findall(r"wrong\.py:(\d+): error: ", done.stdout)}
    assert found == marked, done.stdout
