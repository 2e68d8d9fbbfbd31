"""The reviews of docs/reviews, made again by the commands of their page, and compared: by hand, for it takes minutes.

``SECAUDIT_NOVA=FOLDER python -m pytest tests/test_reviews.py`` installs Nova in the folder, if it is not there yet.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REVIEWS = ROOT / "docs" / "reviews"
PAGE = (REVIEWS / "index.md").read_text("utf-8")
FILE = re.compile(r"<!-- file: (\S+) -->.*?^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: How long it took, how often it was slept and asked: no two runs agree.
VARIES = (
    re.compile(r"\d[\d,.]* s\b(?: of \d[\d,.]* s)?(?: \(\d+ %\))?"),
    re.compile(r"\b\d+ x N\b(?: \(N\))?"),
    re.compile(r"(?<=call_count at )\d+"),
    re.compile(r"(?<=^\| 7 sleep and synchronisation \| )[\d,]+", re.MULTILINE),
)


def lasting(review: str) -> list[str]:
    for pattern in VARIES:
        review = pattern.sub("N", review)
    return review.splitlines()


def test_what_varies_from_run_to_run_is_left_out() -> None:
    some = (
        "Asleep: 6.6 s of 12 s (54 %).\n| 7 sleep and synchronisation | 5,587 | 0 |\nat 158: 53 x 0.5 s (26.5 s). *(m)*"
    )
    other = (
        "Asleep: 16 s of 20.5 s (78 %).\n| 7 sleep and synchronisation | 608 | 0 |\nat 158: 4 x 0.5 s (2.0 s). *(m)*"
    )
    assert lasting(some) == lasting(other)
    assert lasting(some) != lasting(other.replace("158", "159"))
    assert lasting(some) != lasting(other.replace("| 0 |", "| 1 |"))


@pytest.mark.skipif("SECAUDIT_NOVA" not in os.environ, reason="SECAUDIT_NOVA names no folder for Nova")
def test_the_page_makes_the_reviews(tmp_path: Path) -> None:
    """The commands of index.md, in a shell."""
    folder = Path(os.environ["SECAUDIT_NOVA"]).resolve()
    folder.mkdir(exist_ok=True)
    shutil.copy(REVIEWS / "constraints.txt", folder)
    for name, text in FILE.findall(PAGE):
        folder.joinpath(name).write_text(text, "utf-8")
    if folder.joinpath("nova", "bin", "python").exists():  # of an earlier time, with our code as it was then
        uninstall = ["nova/bin/python", "-m", "pip", "uninstall", "--quiet", "--yes", "pytest-secaudit"]
        subprocess.run(uninstall, cwd=folder, check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)],
        check=True,
    )
    script = "set -e\n" + "\n".join(COMMANDS.findall(PAGE))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**kept, "PIP_FIND_LINKS": str(tmp_path), "PATH": path}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    for review in ("test_bug_1896463.md", "test_cross_cell_migrate.md"):
        made = folder.joinpath(review).read_text("utf-8")
        assert lasting(made) == lasting(REVIEWS.joinpath(review).read_text("utf-8"))
