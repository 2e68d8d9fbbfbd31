"""A test, set-up or fixture listens on all network interfaces.

While the test runs, everybody on the same network can talk to a server that was made for a test: without passwords,
with debugging switched on, with data of its own. A firewall of the machine may ask its user each time, or make the test
fail.

Instead: bind to `127.0.0.1` (or `::1`, or `localhost`), which nobody else can reach.

Reported is what listens (`listen`) for connections on `''`, `0.0.0.0` or `::`, or without having been bound at all. A
port that the system chose (`0`) is not named, for it is different each time. Silent: a socket that is bound to find a
free port and never listens, datagram sockets, and what another program binds.
"""

from __future__ import annotations

from pytest_secaudit.model import INFO, Check

BAD = (
    """
import http.server
import pytest

@pytest.fixture(scope="module")
def server():
    server = http.server.HTTPServer(("", 0), http.server.BaseHTTPRequestHandler)  # PSA903
    yield server
    server.server_close()

def test_server(server):
    assert server.server_port
""",
    """
import socket

def test_listens():
    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 0))
        sock.listen()  # PSA903
        assert sock.getsockname()
""",
)
GOOD = (
    """
import asyncio
import http.server
import socket
import pytest

@pytest.fixture(scope="module")
def server():
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    yield server
    server.server_close()

def test_server(server):
    assert server.server_port

def free_port():
    with socket.socket() as sock:
        sock.bind(("", 0))
        return sock.getsockname()[1]

def test_only_looks_for_a_port():
    assert free_port()

def test_datagrams():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))

def test_asyncio():
    async def main():
        server = await asyncio.start_server(lambda reader, writer: None, "localhost", 0)
        server.close()
        await server.wait_closed()

    asyncio.run(main())
""",
)

CHECK = Check("PSA903", "listens-everywhere", INFO, __doc__, BAD, GOOD, cwe=1327)
