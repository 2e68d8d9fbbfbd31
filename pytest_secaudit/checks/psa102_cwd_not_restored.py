"""A test, set-up or fixture changes the working directory and does not go back on every path.

Every later test then runs somewhere else, often in a folder that has been deleted: relative paths point to other
files, and tools that ask for the working directory fail far from the cause. A way back in a straight line is not taken
when the test fails.

Instead: use `monkeypatch.chdir`, or `contextlib.chdir` from Python 3.11 on.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, DEFECT, Check, Hit
from pytest_secaudit.source import TestModule, source_of
from pytest_secaudit.source.changes import Change
from pytest_secaudit.source.left import gets_no_fixtures, left

BAD = (
    """
import os
import pytest
from os import chdir

def test_never(tmp_path):
    os.chdir(tmp_path)  # PSA102 advisory
    assert run()

def test_straight(tmp_path):
    old = os.getcwd()
    chdir(tmp_path)  # PSA102 advisory
    assert run()
    chdir(old)

def test_folder_of_py_path(tmpdir):
    tmpdir.chdir()  # PSA102 advisory
    assert run()

@pytest.fixture
def project(tmp_path):
    os.chdir(tmp_path)  # PSA102 advisory
    return tmp_path
""",
    """
import os
import unittest

class TestProject(unittest.TestCase):
    def setUp(self):
        os.chdir(self.folder)  # PSA102 advisory

    def test_it(self):
        pass
""",
)
GOOD = (
    """
import contextlib
import os
import pytest

def test_finally(tmp_path):
    old = os.getcwd()
    os.chdir(tmp_path)
    try:
        assert run()
    finally:
        os.chdir(old)

def test_is_itself_the_way_back():
    run_in_folder()
    os.chdir(ORIGINAL_FOLDER)

def test_monkeypatch(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    os.chdir("sub")

def test_context(tmp_path):
    with contextlib.chdir(tmp_path):
        os.chdir("sub")

def test_as_cwd(tmpdir):
    with tmpdir.as_cwd():
        os.chdir("sub")

def test_pytester(pytester):
    os.chdir("sub")

def test_isolated(runner):
    with runner.isolated_filesystem():
        os.chdir("sub")

@pytest.fixture
def project(tmp_path):
    old = os.getcwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(old)

def test_in_project(project):
    os.chdir("sub")

@pytest.fixture
def finalized(request, tmpdir):
    cwd = os.getcwd()
    request.addfinalizer(lambda: os.chdir(cwd))
    tmpdir.chdir()
""",
    """
import os
import unittest

class TestProject(unittest.TestCase):
    def setUp(self):
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)

    def test_it(self):
        os.chdir("sub")

class TestTornDown(unittest.TestCase):
    def setUp(self):
        self.cwd = os.getcwd()
        os.chdir(self.folder)

    def tearDown(self):
        self.go_back()

    def go_back(self):
        os.chdir(self.cwd)

class TestDerived(TestTornDown):
    def test_it(self):
        os.chdir("sub")
""",
    """
import os

def test_twice_in_a_row(tmp_path):
    here = os.getcwd()
    os.chdir(tmp_path)
    os.chdir(here)

if __name__ == "__main__":
    os.chdir("/tmp")
""",
)


def rule(module: TestModule) -> Iterator[Hit]:
    for found in left(module, "cwd"):
        if found.weak:
            continue
        back = found.restored
        yield Hit(
            found.change.node,
            "changes the working directory and nothing here goes back"
            if back is None
            else f"the working directory stays changed if something fails before line {back.line} goes back",
            fix=_fix(module, found.change),
            subject=found.change.place.name,
            if_it_fails=found.restored is not None,
            unless=found.unless(module),
        )


def _fix(module: TestModule, change: Change) -> str:
    """The same step, taken by what goes back."""
    if gets_no_fixtures(module, change.scope.outermost):
        return "self.addCleanup(os.chdir, os.getcwd()), before it"
    call = change.node
    to = call.args[0] if isinstance(call, ast.Call) and call.args else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and not call.args:
        to = call.func.value  # `tmpdir.chdir()`
    return f"monkeypatch.chdir({'...' if to is None else source_of(to, 40)})"


CHECK = Check("PSA102", "cwd-not-restored", DEFECT, __doc__, BAD, GOOD, rule, cwe=459, suspected=ADVISORY)
