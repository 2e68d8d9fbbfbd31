"""The sockets of the real libraries, each in a process of its own: monkey patching cannot be undone."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

SCRIPT = """
import socket, subprocess, sys, warnings
warnings.simplefilter("ignore")
from pytest_secaudit.watch import addresses
from pytest_secaudit.watch.contact import Contact
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps

# Nothing leaves the machine: one address of its own is taken for a far one.
addresses.is_far = lambda host: host in ("127.0.0.2", "far.localhost")

taps = Taps()
contact = Contact(taps, Stack(str, lambda path: False), lambda: ("a test", False))
LOCAL = ("127.0.0.1", 0)

{patch}
contact.refresh()

def reached():
    return sorted((one.kind, one.what) for one in contact.drain())

with socket.socket() as listener:
    listener.bind(LOCAL)
    listener.listen()
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
        accepted, _ = listener.accept()
        one.sendall(b"x")
        assert accepted.recv(1) == b"x"
        accepted.close()
assert reached() == []

with socket.socket() as one:
    one.settimeout(5)
    try:
        one.connect(("127.0.0.2", 9))
    except OSError:
        pass
assert reached() == [("host", "127.0.0.2:9")]

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.sendto(b"x", ("127.0.0.2", 9))
assert reached() == [("host", "127.0.0.2:9")]

try:
    socket.getaddrinfo("far.localhost", 9)
except OSError:
    pass
found = reached()
assert found == [("host", "far.localhost:9")], found

with socket.socket() as one:
    one.bind(("", 0))
    one.listen()
assert reached() == [("listen", "0.0.0.0")]

subprocess.run([sys.executable, "-c", ""], check=True)
assert reached() == [("program", "python")]
taps.take_back()
subprocess.run([sys.executable, "-c", ""], check=True)
assert reached() == []
"""

PATCHES = {
    "socket": "",
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}


@pytest.mark.parametrize("name", PATCHES)
@pytest.mark.skipif(sys.platform != "linux", reason="only there all of 127.0.0.0/8 is this machine")
def test_library(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip("not installed")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(patch=PATCHES[name])],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
