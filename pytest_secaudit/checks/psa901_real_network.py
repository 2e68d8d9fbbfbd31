"""A test, set-up or fixture reaches beyond this machine.

It fails when the network does, is as slow as the other side, and tests what somebody else may change tomorrow. It also
tells the other side something: that the tests run, and whatever they send, credentials of the environment included.

Seen are connections, datagrams and look-ups of names, wherever they are made: in the test, in the code that it calls,
in fixtures, at import, in threads. They are noted, not forbidden, so that an `except Exception` cannot hide them; one
that fails counts too. The finding is at the line of the tests that led there.

Instead: a server of the test's own on `127.0.0.1`, or a stand-in for the client. A test that is meant to reach the real
service says so: `# secaudit: ignore[PSA901] why`.

This machine is no contact: loopback, the names that stand for it, Unix sockets, socket pairs. Nor is a datagram socket
that is connected and sends nothing, which is how one asks for one's own address, or an address that needs no look-up.
Only Python's own sockets (gevent's and eventlet's too) are heard: what a C library or another program sends is not. A
call that is patched, or stopped before it comes to the socket, reaches nobody.
"""

from __future__ import annotations

from pytest_secaudit.model import ADVISORY, Check

BAD = (
    """
import socket

def test_swallows_what_goes_wrong():
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=0.01).close()  # PSA901
    except Exception:
        pass
""",
    """
import contextlib
import socket
import threading
import pytest

@pytest.fixture
def shop():
    with contextlib.suppress(OSError):
        socket.gethostbyname("shop.invalid")  # PSA901

def test_looks_up_a_name(shop):
    assert shop is None

def report():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.sendto(b"a test ran", ("192.0.2.2", 9))  # PSA901

def test_reports_from_a_thread():
    thread = threading.Thread(target=report)
    thread.start()
    thread.join()
""",
)
GOOD = (
    """
import socket
import pytest

@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()

def test_a_server_of_its_own(server):
    with socket.create_connection(("localhost", server[1])) as sock:
        sock.sendall(b"x")

def test_a_pair():
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"x")
        assert right.recv(1) == b"x"

def test_asks_for_its_own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            pass
        assert sock.getsockname()

def test_needs_no_look_up():
    assert socket.getaddrinfo("192.0.2.1", 80)
    assert socket.gethostbyname("localhost")
""",
    """
import socket
from unittest import mock

@mock.patch("socket.create_connection")
def test_patched(connect):
    socket.create_connection(("192.0.2.1", 80))
    connect.assert_called_once()

def test_the_methods_are_patched():
    with mock.patch.object(socket.socket, "connect"):
        with socket.socket() as sock:
            sock.connect(("192.0.2.1", 80))
""",
)

CHECK = Check("PSA901", "real-network", ADVISORY, __doc__, BAD, GOOD)
