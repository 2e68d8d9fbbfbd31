"""A test or fixture leaves a file or folder in the project, or changes or removes one that was there.

What a test writes beside its sources is there for every later test and for the next run: a test that expects an empty
folder fails the second time, a file of test data that was changed gives other results from then on, and one that was
removed is missed by whoever comes next. In a checkout it is committed by mistake.

Instead: write below `tmp_path`; work on a copy of the data (`shutil.copytree(data, tmp_path / "data")`).

It is a *defect* when a file of the project was removed, or changed by whoever names it, else an *advisory*. Only a run can tell: a file says
when it was last written, and a folder when something was added to it, so the audit need not look after each test; the
one on stage then is the owner, or one of a few where the clock of the file system is too coarse. Looked at are the
files below the rootdir, up to 20,000; those in a folder that is the value of a fixture wider than a test, where new ones
are *info*; and what stands in the home folder and the one for temporary files, if the owner's code names it. Silent: what begins with a dot, caches, build folders, reports of pytest and
coverage, pytest's own temporary folders, and what was written while no test or fixture ran.
"""

from __future__ import annotations

from pytest_secaudit.model import ADVISORY, Check

BAD = (
    """
import os
import pathlib
import pytest

HERE = pathlib.Path(__file__).parent

def test_report():
    with open(HERE / "report_of_test.txt", "w") as file:  # PSA605
        file.write("x")

@pytest.fixture
def folder():
    os.makedirs(HERE / "made_by_fixture" / "deep", exist_ok=True)  # PSA605
    yield

def test_folder(folder):
    pass
""",
)
GOOD = (
    """
import pathlib
import shutil
import pytest

HERE = pathlib.Path(__file__).parent

def test_report(tmp_path):
    (tmp_path / "report.txt").write_text("x")

def test_clean():
    path = HERE / "scratch.txt"
    path.write_text("x")
    path.unlink()

@pytest.fixture
def folder():
    folder = HERE / "scratch"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)

def test_folder(folder):
    (folder / "a.txt").write_text("x")
""",
)

CHECK = Check("PSA605", "file-left-behind", ADVISORY, __doc__ or "", BAD, GOOD, cwe=459)
