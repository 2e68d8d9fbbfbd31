"""A file or socket is left open.

Descriptors are few, and what they hold is shared: a listening socket keeps its port and answers the tests that come
after, a file that is open cannot be removed on Windows and may still be written to, and after some hundred tests the
run ends with "Too many open files" in a test that did nothing wrong.

Instead: a `with` block; `close` in a `finally`, after a fixture's `yield` or in a registered clean-up
(`self.addCleanup(sock.close)`). `os.close` what `tempfile.mkstemp` returned.

Reported are listening sockets; regular files and connected sockets that the tests or the project still hold on to (in a
module, a class, an object of theirs), and files behind a mere number (`os.open`, `tempfile.mkstemp`) that no object will
ever close. Silent are pipes, socket pairs, devices, databases, what only waits to be collected, and what an installed
library keeps open for itself (a connection pool, a logging handler). Linux and macOS only. The line is the one of the
owner that can have opened it, if there is only one.
"""

from __future__ import annotations

from pytest_secaudit.model import ADVISORY, Check

BAD = (
    """
import socket
import sys
import tempfile
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="not watched there")
KEPT = []

def test_listens():
    KEPT.append(socket.create_server(("127.0.0.1", 0)))  # PSA604

def test_writes(tmp_path):
    KEPT.append(open(tmp_path / "out.txt", "w"))  # PSA604

def test_number(tmp_path):
    number, path = tempfile.mkstemp(dir=tmp_path)  # PSA604
    assert path

@pytest.fixture(scope="module")
def log(tmp_path_factory):
    TestLog.log = open(tmp_path_factory.mktemp("log") / "log.txt", "w")  # PSA604
    return TestLog.log

class TestLog:
    def test_log(self, log):
        assert log.write("x")
""",
)
GOOD = (
    """
import contextlib
import logging
import os
import socket
import tempfile
import unittest
import pytest

KEPT = []

def test_with(tmp_path):
    with open(tmp_path / "out.txt", "w") as file:
        file.write("x")
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()), server.accept()[0]:
            pass

def test_number(tmp_path):
    number, path = tempfile.mkstemp(dir=tmp_path)
    os.close(number)

def test_pairs():
    KEPT.extend(socket.socketpair())
    KEPT.extend(os.fdopen(number) for number in os.pipe())

@pytest.fixture(scope="module", autouse=True)
def at_the_end():
    yield
    while KEPT:
        KEPT.pop().close()

@pytest.fixture
def stack():
    with contextlib.ExitStack() as stack:
        yield stack

def test_stack(stack, tmp_path):
    KEPT.append(stack.enter_context(open(tmp_path / "out.txt", "w")))

@pytest.fixture(scope="session")
def server():
    server = socket.create_server(("127.0.0.1", 0))
    yield server
    server.close()

def test_server(server):
    assert server.fileno() > 0

def test_same_server(server):
    assert server.fileno() > 0

@pytest.fixture(scope="module")
def log(tmp_path_factory):
    handler = logging.FileHandler(tmp_path_factory.mktemp("log") / "log.txt")
    logging.getLogger("shop.log").addHandler(handler)
    yield
    logging.getLogger("shop.log").removeHandler(handler)
    handler.close()

def test_log(log):
    logging.getLogger("shop.log").warning("x")

class TestFiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = open(__file__)

    @classmethod
    def tearDownClass(cls):
        cls.shared.close()

    def test_clean_up(self):
        file = open(__file__)
        self.addCleanup(file.close)
        self.assertTrue(file.readline() or True)
""",
)

CHECK = Check("PSA604", "descriptor-left-open", ADVISORY, __doc__ or "", BAD, GOOD, cwe=775)
