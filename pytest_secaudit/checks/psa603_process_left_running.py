"""A test or fixture starts a program and leaves it running.

It goes on while the next tests run, and often after the run: it holds its port, its files and its database, uses the
credentials that it was given, and fills the machine that runs the tests. What goes wrong in it is blamed on nobody.

Instead: `with subprocess.Popen(...) as process` (and end it inside), `subprocess.run`, or `terminate` and `wait` in a
`finally`, after a fixture's `yield` or in a registered clean-up; executors and pools in a `with` block.

Counted are the processes that this one started (`subprocess`, `multiprocessing`, `os.fork` and `os.posix_spawn`), by
number and start time, and only while they run: one that ended and was never waited for is Python's own
`ResourceWarning`. One that is about to end is given a moment. Not seen are the children of children, and daemons that
left their parent.
"""

from __future__ import annotations

from pytest_secaudit.model import ADVISORY, Check

BAD = (
    """
import subprocess
import sys

STARTED = []

def test_server():
    server = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)  # PSA603
    STARTED.append(server)
    assert server.poll() is None
""",
    """
import subprocess
import sys
import pytest

@pytest.fixture
def server():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)  # PSA603
    yield process

STARTED = []

def test_server(server):
    STARTED.append(server)
    assert server.poll() is None
""",
)
GOOD = (
    """
import concurrent.futures
import multiprocessing
import subprocess
import sys
import unittest
import pytest

WAITS = [sys.executable, "-c", "input()"]

def test_run():
    subprocess.run([sys.executable, "-c", ""], check=True)

def test_with():
    with subprocess.Popen(WAITS, stdin=subprocess.PIPE) as process:
        process.communicate(b"\\n")
    assert process.returncode == 0

def test_about_to_end():
    process = subprocess.Popen(WAITS, stdin=subprocess.PIPE)
    process.communicate(b"\\n")

def test_killed():
    process = subprocess.Popen(WAITS, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()

@pytest.fixture(scope="module")
def server():
    process = subprocess.Popen(WAITS, stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()

def test_server(server):
    assert server.poll() is None

def test_same_server(server):
    assert server.poll() is None

class TestServer(unittest.TestCase):
    def setUp(self):
        self.process = subprocess.Popen(WAITS, stdin=subprocess.PIPE)
        self.addCleanup(self.process.communicate)
        self.addCleanup(self.process.kill)

    def test_runs(self):
        self.assertIsNone(self.process.poll())
""",
)

CHECK = Check("PSA603", "process-left-running", ADVISORY, __doc__ or "", BAD, GOOD, cwe=404)
