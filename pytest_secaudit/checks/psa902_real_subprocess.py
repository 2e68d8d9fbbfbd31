"""A test, set-up or fixture starts a program.

The test then depends on what is installed, on its version and settings, and on what the program itself reaches and
leaves behind: nothing in this report sees into it. Often that is what the test is for, so this is for information: the
list of programs that a suite runs, each with those who start it.

Seen are `subprocess`, `os.system`, `os.popen`, `os.posix_spawn` and the family of `os.spawn`, wherever they are called;
also a program that could not be started. Named is the program's base name alone, for its arguments may hold secrets;
any Python is `python`; in a shell's command line the first program is meant.

Instead, where the program is not what is tested: call the function behind it, or hand the code a stand-in.

Silent: processes of `multiprocessing`, which run the same program, and calls that are patched.
"""

from __future__ import annotations

from pytest_secaudit.model import INFO, Check

BAD = (
    """
import subprocess
import sys
import pytest

@pytest.fixture
def version():
    return subprocess.run([sys.executable, "--version"], capture_output=True)  # PSA902

def test_version(version):
    assert version.returncode == 0

def test_is_not_there():
    try:
        subprocess.Popen(["no-such-program", "--password", "hunter2"])  # PSA902
    except Exception:
        pass
""",
    """
import os

def test_of_a_shell():
    assert os.system("echo hello") == 0  # PSA902
""",
)
GOOD = (
    """
import os
import subprocess
from unittest import mock

@mock.patch("subprocess.run")
def test_patched(run):
    subprocess.run(["git", "status"])
    run.assert_called_once()

@mock.patch("subprocess.Popen")
def test_below(popen):
    popen.return_value.__enter__.return_value.communicate.return_value = (b"", b"")
    popen.return_value.__enter__.return_value.poll.return_value = 0
    assert subprocess.run(["git", "status"]).returncode == 0

def test_of_a_shell(monkeypatch):
    monkeypatch.setattr(os, "system", lambda command: 0)
    assert os.system("echo hello") == 0
""",
    """
import multiprocessing

def test_a_process_of_the_same_program():
    process = multiprocessing.get_context("spawn").Process(target=int)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    process.close()
""",
)

CHECK = Check("PSA902", "real-subprocess", INFO, __doc__, BAD, GOOD)
