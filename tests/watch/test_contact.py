"""What is reached outside the process. Nothing here leaves the machine: what would is a stand-in below our taps."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import http.server
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_secaudit.model import Place
from pytest_secaudit.watch import contact as contact_module
from pytest_secaudit.watch.contact import Contact, Contacted
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps

MAIN = threading.get_ident()
FAR = ("192.0.2.1", 443)  # documentation's own network
STREAM, DGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM


class World:
    """A contact, and what it stands on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.actor = "a test"
        self.taps = Taps()
        self.stack = Stack(
            lambda path: path.removeprefix(str(root) + os.sep), lambda path: os.path.basename(path).startswith("test_")
        )
        self.contact = Contact(self.taps, self.stack, self.who)

    def who(self) -> tuple[str, bool]:
        return self.actor, threading.get_ident() != MAIN

    def reached(self) -> list[tuple[str, str, bool]]:
        return sorted((one.kind, one.what, one.tried) for one in self.contact.drain())

    def only(self) -> Contacted:
        [one] = self.contact.drain()
        return one


class Net:
    """The network: what was asked of it, and how it answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.answer: Callable[[], Any] = lambda: None
        self.found = "192.0.2.7"

    def method(self, name: str) -> Callable[..., Any]:
        def act(sock: socket.socket, *args: Any) -> Any:
            if name in ("send", "sendall") and sock.type == STREAM:  # asyncio wakes itself up by these
                return vars(socket.socket.__base__)[name](sock, *args)
            self.asked.append((name, args))
            return self.answer()

        return act

    def lookup(self, name: str) -> Callable[..., Any]:
        def look_up(host: Any, port: Any = None, *args: Any, **kwargs: Any) -> Any:
            self.asked.append((name, host))
            self.answer()
            if name == "getaddrinfo":
                return [(socket.AF_INET, STREAM, 6, "", (self.found, port if type(port) is int else 0))]
            return self.found

        look_up.__module__ = "socket"
        return look_up


def state() -> list[object]:
    """All that we put something into."""
    programs = {name: found for name, found in vars(os).items() if name.startswith(("posix_spawn", "spawn", "system"))}
    return [dict(vars(socket.socket)), dict(vars(socket)), programs, vars(subprocess.Popen)["__init__"]]


@pytest.fixture(autouse=True)
def _left_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = state()
    yield
    monkeypatch.undo()
    assert state() == before


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Net:
    made = Net()
    for name in ("connect", "connect_ex", "sendto", "sendmsg", "send", "sendall"):
        monkeypatch.setattr(socket.socket, name, made.method(name), raising=False)
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr"):
        monkeypatch.setattr(socket, name, made.lookup(name))
    return made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.taps.take_back()


@pytest.fixture
def far(net: Net, world: World) -> World:
    """A world whose network is a stand-in; it is there before the taps are."""
    return world


def sock(kind: int = STREAM, family: int = socket.AF_INET) -> socket.socket:
    return socket.socket(family, kind)


# --- addresses

NEAR = [
    "127.0.0.1",
    "127.8.9.10",
    "127.1",
    "2130706433",
    "0x7f000001",
    "localhost",
    "LocalHost.",
    "localhost.localdomain",
    "app.localhost",
    "",
    "0.0.0.0",
    socket.gethostname(),
]
NEAR_6 = ["::1", "::", "::1%lo", "::ffff:127.0.0.1", "localhost", "0:0:0:0:0:0:0:1"]


@pytest.mark.parametrize("host", [*NEAR, b"localhost", bytearray(b"127.0.0.1")])
def test_this_machine_is_no_contact(far: World, host: Any) -> None:
    with sock() as one, sock(DGRAM) as datagram:
        one.connect((host, 80))
        one.connect_ex((host, 80))
        datagram.sendto(b"x", (host, 80))
        datagram.connect((host, 80))
        datagram.send(b"x")
    socket.getaddrinfo(host, 80)
    socket.gethostbyname(host)
    socket.gethostbyaddr(host)
    assert far.reached() == []


@pytest.mark.parametrize("host", NEAR_6)
@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_this_machine_is_no_contact_by_ipv6(far: World, host: str) -> None:
    with sock(family=socket.AF_INET6) as one:
        one.connect((host, 80, 0, 0))
    socket.getaddrinfo(host, 80)
    assert far.reached() == []


@pytest.mark.parametrize(
    ("host", "port", "what"),
    [
        ("192.0.2.1", 443, "192.0.2.1:443"),
        ("example.org", 443, "example.org:443"),
        (b"example.org", 443, "example.org:443"),
        ("10.1.2.3", 5432, "10.1.2.3:5432"),
        ("255.255.255.255", 9, "255.255.255.255:9"),
        ("<broadcast>", 9, "<broadcast>:9"),
        ("localhost.example.org", 80, "localhost.example.org:80"),
        ("128.1", 80, "128.1:80"),
        ("beef", 80, "beef:80"),
        ("192.0.2.1", 0, "192.0.2.1"),
    ],
)
def test_another_machine_is(far: World, host: Any, port: int, what: str) -> None:
    with sock() as one:
        one.connect((host, port))
    assert far.reached() == [("host", what, False)]


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_another_machine_by_ipv6(far: World) -> None:
    with sock(family=socket.AF_INET6) as one:
        one.connect(("2001:db8::1", 443, 0, 0))
        one.connect(("::ffff:192.0.2.1", 443, 0, 0))
    assert far.reached() == [("host", "[2001:db8::1]:443", False), ("host", "[::ffff:192.0.2.1]:443", False)]


def test_sockets_that_go_nowhere(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = socket.socketpair()
    with a, b:
        a.sendall(b"x")
        assert b.recv(1) == b"x"
    if hasattr(socket, "AF_UNIX"):
        monkeypatch.chdir(tmp_path)
        with sock(family=socket.AF_UNIX) as listener, sock(family=socket.AF_UNIX) as one:
            listener.bind("s")
            listener.listen()
            one.connect("s")
    assert world.reached() == []


def test_a_real_connection_to_this_machine_works_as_ever(world: World) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), timeout=30) as one,
    ):
        accepted, _ = listener.accept()
        with accepted:
            one.sendall(b"hello")
            assert accepted.recv(5) == b"hello"
    assert world.reached() == []


# --- how it ended


def fail(error: Exception) -> Any:
    raise error


@pytest.mark.parametrize(
    ("error", "tried"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (OSError(errno.ENETUNREACH, "no"), True),
        (BlockingIOError(), False),
        (InterruptedError(), False),
        (KeyboardInterrupt(), True),
    ],
)
def test_what_fails_was_tried(far: World, net: Net, error: BaseException, tried: bool) -> None:
    net.answer = functools.partial(fail, error)
    with sock() as one, pytest.raises(type(error)) as info:
        one.connect(FAR)
    assert info.value is error
    assert far.reached() == [("host", "192.0.2.1:443", tried)]


@pytest.mark.parametrize(
    ("code", "tried"), [(0, False), (errno.EINPROGRESS, False), (errno.EISCONN, False), (errno.ECONNREFUSED, True)]
)
def test_connect_ex_returns_how_it_ended(far: World, net: Net, code: int, tried: bool) -> None:
    net.answer = lambda: code
    with sock() as one:
        assert one.connect_ex(FAR) == code
    assert far.reached() == [("host", "192.0.2.1:443", tried)]


def test_one_success_among_failures_is_a_contact(far: World, net: Net) -> None:
    with sock() as one:
        for code in (errno.ECONNREFUSED, 0, errno.ECONNREFUSED):
            net.answer = lambda code=code: code
            one.connect_ex(FAR)
    assert far.reached() == [("host", "192.0.2.1:443", False)]


def test_no_except_hides_it(far: World, net: Net) -> None:
    net.answer = functools.partial(fail, ConnectionRefusedError())
    with sock() as one, contextlib.suppress(Exception):
        one.connect(FAR)
    assert far.only().what == "192.0.2.1:443"


# --- datagrams


def test_the_question_for_the_own_address_is_no_contact(far: World) -> None:
    with sock(DGRAM) as one:
        one.connect(("8.8.8.8", 80))
    assert far.reached() == []


@pytest.mark.parametrize(
    "send", [lambda one: one.send(b"x"), lambda one: one.sendall(b"x"), lambda one: one.sendmsg([b"x"])]
)
@pytest.mark.skipif(not hasattr(socket.socket, "sendmsg"), reason="needs POSIX")
def test_what_is_sent_to_where_it_was_aimed(far: World, send: Callable[[socket.socket], object]) -> None:
    with sock(DGRAM) as one, sock(DGRAM) as other:
        one.connect(("8.8.8.8", 53))
        send(other)
        assert far.reached() == []
        send(one)
        assert far.reached() == [("host", "8.8.8.8:53", False)]
        one.connect(("127.0.0.1", 53))
        send(one)
    assert far.reached() == []


@pytest.mark.parametrize(
    "send",
    [
        lambda one: one.sendto(b"x", ("8.8.8.8", 53)),
        lambda one: one.sendto(b"x", 0, ("8.8.8.8", 53)),
        lambda one: one.sendmsg([b"x"], [], 0, ("8.8.8.8", 53)),
    ],
)
@pytest.mark.skipif(not hasattr(socket.socket, "sendmsg"), reason="needs POSIX")
def test_what_is_sent_with_an_address(far: World, send: Callable[[socket.socket], object]) -> None:
    with sock(DGRAM) as one:
        send(one)
    assert far.reached() == [("host", "8.8.8.8:53", False)]


def test_sends_are_not_heard_until_it_matters(world: World) -> None:
    assert "send" not in vars(socket.socket)


# --- look-ups


def test_look_ups(far: World) -> None:
    socket.getaddrinfo("example.org", 443)
    socket.getaddrinfo("example.net", "80")
    socket.getaddrinfo(host="example.com", port="https")
    socket.gethostbyname("a.invalid")
    socket.gethostbyname_ex("b.invalid")
    socket.gethostbyaddr("192.0.2.9")
    names = ["192.0.2.9", "a.invalid", "b.invalid", "example.com", "example.net:80", "example.org:443"]
    assert far.reached() == [("host", name, False) for name in names]


@pytest.mark.parametrize("host", [None, "", "192.0.2.1", "2001:db8::1", "localhost"])
def test_what_needs_no_look_up(far: World, host: Any) -> None:
    socket.getaddrinfo(host, 80, flags=socket.AI_PASSIVE)
    assert far.reached() == []


def test_a_check_of_what_a_number_is_looks_nothing_up(far: World) -> None:
    host = "www.example.org"  # as tornado.netutil.is_valid_ip asks
    socket.getaddrinfo(host, 0, socket.AF_UNSPEC, STREAM, 0, socket.AI_NUMERICHOST)
    socket.getaddrinfo(host, 80, flags=socket.AI_PASSIVE | socket.AI_NUMERICHOST)
    assert far.reached() == []
    socket.getaddrinfo(host, 0, socket.AF_UNSPEC, STREAM, 0, socket.AI_CANONNAME)
    assert far.reached() == [("host", host, False)]


def test_a_look_up_that_fails(far: World, net: Net) -> None:
    net.answer = functools.partial(fail, socket.gaierror())
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("example.invalid", 443)
    assert far.reached() == [("host", "example.invalid:443", True)]


def test_a_connection_is_named_as_the_code_names_it(far: World) -> None:
    socket.create_connection(("example.org", 443)).close()
    assert far.reached() == [("host", "example.org:443", False)]


@pytest.mark.skipif(os.name == "nt", reason="asyncio connects by other means there")
def test_asyncio(far: World, net: Net) -> None:
    """It looks up in a thread of its own and connects in ours: one contact, whichever came first."""

    async def main() -> None:
        with pytest.raises(OSError, match="no way"):
            await asyncio.open_connection("example.org", 443)

    def refuse() -> None:
        if net.asked[-1][0] == "connect":
            raise OSError(errno.ENETUNREACH, "no way")

    net.answer = refuse
    asyncio.run(main())
    assert far.reached() == [("host", "example.org:443", False)]


def test_the_outermost_counts(far: World, net: Net) -> None:
    def ask_the_server() -> None:
        with sock(DGRAM) as one:
            net.answer = lambda: None
            one.sendto(b"?", ("8.8.8.8", 53))

    net.answer = ask_the_server
    socket.getaddrinfo("example.org", 443)
    assert far.reached() == [("host", "example.org:443", False)]


# --- listeners


def test_a_server_for_everybody(world: World) -> None:
    with sock() as one:
        one.bind(("", 0))
        one.listen()
    assert world.reached() == [("listen", "0.0.0.0", False)]


def test_the_port_is_named_where_it_was_chosen(world: World) -> None:
    with sock() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with sock() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("0.0.0.0", port))
        one.listen(1)
    assert world.reached() == [("listen", f"0.0.0.0:{port}", False)]


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_a_server_for_everybody_by_ipv6(world: World) -> None:
    with sock(family=socket.AF_INET6) as one:
        one.bind(("::", 0))
        one.listen()
    assert world.reached() == [("listen", "::", False)]


def test_who_never_binds_listens_everywhere(world: World) -> None:
    with sock() as one:
        one.listen()
    assert world.reached() == [("listen", "0.0.0.0", False)]


def test_servers_of_the_standard_library(world: World) -> None:
    http.server.HTTPServer(("", 0), http.server.BaseHTTPRequestHandler).server_close()

    async def main() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "0.0.0.0", 0)
        server.close()
        await server.wait_closed()

    asyncio.run(main())
    assert world.reached() == [("listen", "0.0.0.0", False)]


def test_what_is_no_server_for_everybody(world: World) -> None:
    with sock() as probe, sock() as near, sock(DGRAM) as datagram:
        probe.bind(("", 0))
        near.bind(("127.0.0.1", 0))
        near.listen()
        datagram.bind(("", 0))
    assert world.reached() == []


# --- programs


def test_programs(world: World) -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert world.reached() == [("program", "python", False)]


def test_a_program_that_does_not_start(world: World) -> None:
    with pytest.raises(FileNotFoundError):
        subprocess.Popen(["/no/such/program", "--password", "hunter2"])
    assert world.reached() == [("program", "program", True)]


def test_a_program_of_a_shell(world: World) -> None:
    subprocess.run("TOKEN=hunter2 echo hunter2", shell=True, check=False, capture_output=True)
    os.system("exit 0")
    assert world.reached() == [("program", "echo", False), ("program", "cmd" if os.name == "nt" else "sh", False)]


@pytest.mark.skipif(not hasattr(os, "posix_spawn"), reason="needs POSIX")
def test_a_program_started_by_the_system(world: World) -> None:
    os.waitpid(os.posix_spawn(sys.executable, ["x", "-c", ""], {}), 0)
    assert world.reached() == [("program", "python", False)]
    subprocess.run(["/bin/sh", "-c", "exit 0"], check=True, close_fds=False)  # may use posix_spawn itself
    assert world.reached() == [("program", "sh", False)]


def test_the_family_of_spawn(world: World) -> None:
    os.spawnl(os.P_WAIT, sys.executable, "python", "-c", "0")
    assert world.reached() == [("program", "python", False)]


def test_asyncio_starts_programs(world: World) -> None:
    async def main() -> None:
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        await child.wait()

    asyncio.run(main())
    assert world.reached() == [("program", "python", False)]


def test_a_process_of_multiprocessing_is_no_program(world: World) -> None:
    process = multiprocessing.get_context("spawn").Process(target=int)
    process.start()
    process.join()
    process.close()
    assert world.reached() == []


# --- what is noted


def test_the_site(far: World) -> None:
    product, test = {"socket": socket}, {}
    source = "def fetch(address):\n    with socket.socket() as one:\n        one.connect(address)\n"
    exec(compile(source, str(far.root / "shop.py"), "exec"), product)
    exec(compile("def test_it():\n    fetch(FAR)\n", str(far.root / "test_a.py"), "exec"), test)
    test.update(fetch=product["fetch"], FAR=FAR)
    test["test_it"]()
    one = far.only()
    assert (one.site.written_at, one.site.edit) == (Place("shop.py", 3), Place("test_a.py", 2))
    assert (one.actor, one.in_thread) == ("a test", False)


def test_a_thread(far: World) -> None:
    one = sock()
    thread = threading.Thread(target=one.connect, args=(FAR,))
    thread.start()
    thread.join()
    one.close()
    assert far.only().in_thread


def test_once_for_each_actor(far: World) -> None:
    for far.actor in ("a", "a", "b"):
        with sock() as one:
            one.connect(FAR)
            one.connect(FAR)
    assert [one.actor for one in far.contact.drain("a")] == ["a"]
    assert [one.actor for one in far.contact.drain()] == ["b"]
    assert far.contact.drain() == ()


def test_no_secret_is_noted(far: World) -> None:
    with sock() as one:
        one.connect(("ghp_" + "a1B2" * 9 + ".example.org", 443))
    assert "a1B2a1B2" not in far.only().what


def test_the_memory_is_bounded(far: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_module, "_MOST", 10)
    with sock() as one:
        for number in range(50):
            one.connect((f"host{number}.example.org", 443))
    assert len(far.contact.drain()) == 10


# --- what must not happen


@pytest.mark.parametrize("broken", ["_who", "_stack"])
def test_our_own_failure_is_not_theirs(far: World, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    monkeypatch.setattr(far.contact, broken, None)
    with sock() as one:
        one.connect(FAR)
    assert far.reached() == []


def errors(address: Any) -> list[tuple[type, str]]:
    found = []
    with sock() as one:
        for name in ("connect", "connect_ex", "bind", "listen", "sendto"):
            with pytest.raises((TypeError, OSError)) as info:
                getattr(one, name)(address)
            found.append((info.type, str(info.value)))
    for start in (subprocess.Popen, os.system, socket.getaddrinfo):
        with pytest.raises(TypeError) as info:
            start()
        found.append((info.type, str(info.value)))
    return found


@pytest.mark.parametrize("address", [None, "x", (), ("a",), ("a", "b"), (None, 1), (1, 2), [1, 2]])
def test_wrong_arguments_fail_as_ever(tmp_path: Path, address: Any) -> None:
    before = errors(address)
    world = World(tmp_path)
    try:
        assert errors(address) == before
        assert world.reached() == []
    finally:
        world.taps.take_back()


def test_all_is_taken_back(tmp_path: Path) -> None:
    before = state()
    world = World(tmp_path)
    with sock(DGRAM) as one:
        one.connect(("127.0.0.1", 9))
    world.contact.tap_sends()
    assert state() != before
    world.contact.stop()
    world.taps.take_back()
    assert state() == before


def test_a_method_that_somebody_saved_before_us_is_tapped_again(tmp_path: Path) -> None:
    """pytest-socket puts it back after each test."""
    before, raw = vars(socket.socket).get("connect"), vars(socket.socket.__base__)["connect"]
    world = World(tmp_path)
    socket.socket.connect = raw
    world.contact.refresh()
    assert vars(socket.socket)["connect"] is not raw
    world.taps.take_back()
    assert vars(socket.socket)["connect"] is (before or raw)  # as they left it, or the tap of an audit of this very run
    if before is None:
        del socket.socket.connect


def test_a_stand_in_is_not_tapped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def guard(*args: Any) -> None: ...

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", guard)
        patch.setattr(socket, "getaddrinfo", guard)
        patch.setitem(sys.modules, "some_new_module", sys)
        world.contact.refresh()
        assert vars(socket.socket)["connect"] is guard
        assert socket.getaddrinfo is guard


def test_nothing_new_costs_next_to_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.contact.refresh()
    monkeypatch.setattr(world.contact, "_put", lambda *args: pytest.fail("looked again"))
    world.contact.refresh()
