"""The documentation is a site that Sphinx builds without a warning, and that asks no other machine for anything."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

for needed in ("sphinx", "furo", "myst_parser"):
    pytest.importorskip(needed, reason=f"{needed} is not installed: python -m pip install -e '.[docs]'")

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
#: What a page loads by itself; a link to follow is none of it.
LOADED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"([^\"]+)|<link\b[^>]*\bhref=\"([^\"]+)")


#: The command that CONTRIBUTING.md gives.
COMMAND = re.compile(r"^python (-m sphinx .*) docs (docs/_build/html)$", re.MULTILINE)


def build(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder with the pages below ``docs``."""
    command = COMMAND.search(ROOT.joinpath("CONTRIBUTING.md").read_text("utf-8"))
    assert command is not None
    words = [sys.executable, *shlex.split(command[1]), "docs", command[2]]
    return subprocess.run(words, cwd=root, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages."""
    root = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, root / "docs", ignore=shutil.ignore_patterns("_build"))
    for page in ROOT.glob("*.md"):
        shutil.copy(page, root)
    done = build(root)
    assert done.returncode == 0, done.stderr
    return root / "docs" / "_build" / "html"


def test_every_page_is_in_it(site: Path) -> None:
    pages = {file.relative_to(DOCS).with_suffix(".html") for file in DOCS.rglob("*.md") if "_build" not in file.parts}
    assert len(pages) > 60
    assert {page.as_posix() for page in pages if not (site / page).is_file()} == set()


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    loaded = {
        (page.name, src or href)
        for page in site.rglob("*.html")
        for src, href in LOADED.findall(page.read_text("utf-8"))
        if re.match(r"(?:[a-z]+:)?//", src or href)
    }
    assert loaded == set()


def test_pictures_are_there(site: Path) -> None:
    for page in site.rglob("*.html"):
        for source in re.findall(r"<img\b[^>]*\bsrc=\"([^\"]+)", page.read_text("utf-8")):
            assert (page.parent / source).is_file(), (page, source)


@pytest.mark.parametrize("wrong", ["[gone](gone.md)", "[gone](index.md#gone)", "![gone](gone.png)", "```{gone}\n```"])
def test_what_is_wrong_fails_the_build(wrong: str, tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    shutil.copy(DOCS / "conf.py", source)
    shutil.copytree(DOCS / "static", source / "static")
    (source / "index.md").write_text(f"# Title\n\n{wrong}\n", "utf-8")
    done = build(tmp_path)
    assert done.returncode != 0
    assert "gone" in done.stderr
