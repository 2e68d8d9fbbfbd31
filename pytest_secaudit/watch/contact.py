"""What was reached outside the process: hosts, programs, listeners on all interfaces, files with credentials.

It is noted where it is done, never raised: no ``except Exception`` of a test can hide it. The outermost act counts: a
look-up that asks a server, or a program started by what starts programs, is said once.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import types
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, Literal

from pytest_secaudit.lean import lean
from pytest_secaudit.redact import clean
from pytest_secaudit.watch import credentials, programs, real
from pytest_secaudit.watch.sockets import Sockets
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Site
from pytest_secaudit.watch.tapping import Around, Taps, original_of

__unittest = True

Kind = Literal["host", "program", "listen", "file"]
#: What a call reaches, asked with its arguments; None for nothing that is worth to note.
Reached = Callable[..., str | None]

_SOCKET = socket.socket
_METHODS = vars(_SOCKET)
_FUNCTIONS = vars(socket)
#: Those who bring their own sockets and programs, once they are loaded: module and class.
_OTHER_SOCKETS = (("__original_module_socket", "socket"), ("gevent._socket3", "socket"))
_OTHER_PROGRAMS = (("__original_module_subprocess", "Popen"), ("gevent.subprocess", "Popen"))
#: What connect_ex returns when it did not fail.
_UNDER_WAY = {0, *(getattr(errno, name, 0) for name in ("EINPROGRESS", "EWOULDBLOCK", "EALREADY", "EISCONN"))}
_MOST = 1000
_MAX_DEPTH = 50


@lean
@dataclass(frozen=True, slots=True)
class Contacted:
    """What one actor reached.

    Attributes:
        what: ``example.org:443``, ``git``, ``0.0.0.0:8080``, ``~/.netrc``.
        in_thread: in another thread than the one that runs the tests; its actor is whoever started it.
        tried: it failed each time, as far as the call itself told.
    """

    kind: Kind
    what: str
    actor: Hashable
    site: Site
    in_thread: bool
    tried: bool


class Contact:
    """Hears of everything that a run reaches.

    Args:
        taps: what is put there is taken back by its owner.
        who: tells who acts, and whether in another thread than the one that runs the tests.
        exact: credential files are watched too.

    Attributes:
        files_off: why credential files are not watched; empty if they are.
    """

    def __init__(
        self, taps: Taps, stack: Stack, who: Callable[[], tuple[Hashable, bool]], *, exact: bool = False
    ) -> None:
        self._taps = taps
        self._stack = stack
        self._who = who
        self._seen: dict[tuple[Hashable, Kind, str], Contacted] = {}
        self._sockets = Sockets()
        self._classes: set[type] = set()
        self._modules = 0
        self._arounds = _arounds(self, self._sockets)
        self._tap_sockets(_SOCKET)
        self._put(subprocess.Popen, "__init__", "Popen")
        self._put(os, "system")
        for name in ("posix_spawn", "posix_spawnp"):
            self._put(os, name, "posix_spawn")
        for name in ("spawnv", "spawnve", "spawnvp", "spawnvpe"):  # the others of the family call these
            self._put(os, name, "spawnv")
        self.refresh()
        self.files_off = credentials.listen(self._opened) if exact else "only at depth exact"

    def stop(self) -> None:
        """No file is heard of any more; the taps are taken back by their owner."""
        credentials.forget(self._opened)

    def drain(self, actor: Hashable | None = None) -> tuple[Contacted, ...]:
        """What this actor reached since the last time, or what all did."""
        keys = [key for key in list(self._seen) if actor is None or key[0] == actor]
        return tuple(self._seen.pop(key) for key in keys)

    # --- the taps

    def refresh(self) -> None:
        """Take in the sockets of gevent and eventlet, and what they put in the place of ours.

        pytest-socket puts the method that it once found back after each test, which ends our tap: so again.
        """
        if type(_METHODS.get("connect")) is types.MethodDescriptorType:
            self._put(_SOCKET, "connect")
        if len(real.modules) == self._modules:
            return
        self._modules = len(real.modules)
        for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr"):
            if _is_a_lookup(original_of(_FUNCTIONS.get(name))):
                self._put(socket, name)
        for module, name in _OTHER_SOCKETS:
            self._tap_sockets(_class_in(module, name))
        for module, name in _OTHER_PROGRAMS:
            self._put(_class_in(module, name), "__init__", "Popen")
        self._put(_class_in("asyncio.windows_events", "IocpProactor"), "connect", "proactor")

    def _tap_sockets(self, cls: type | None) -> None:
        if cls is not None and cls not in self._classes:
            self._classes.add(cls)
            for name in ("connect", "connect_ex", "sendto", "sendmsg", "bind", "listen"):
                self._put(cls, name)

    def tap_sends(self) -> None:
        """From now on it matters who sends without saying where to."""
        for cls in self._classes:
            self._put(cls, "send")
            self._put(cls, "sendall")

    def _put(self, holder: Any, name: str, around: str = "") -> None:
        if holder is not None:
            self._taps.put(holder, name, self._arounds[around or name])

    # --- what is noted

    def reached(self, what: Reached, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
        """What the call of the caller's frame is about to reach, if that is worth to note."""
        try:
            reached = what(*args, **kwargs)
            return None if reached is None or _is_within_another(real.getframe(2)) else reached
        except Exception:  # the arguments are wrong, and the call will say so itself
            return None

    def note(self, kind: Kind, what: str, *, tried: bool) -> None:
        """It was reached, or tried in vain."""
        try:
            actor, in_thread = self._who()
            what = clean(what)
            key = actor, kind, what
            known = self._seen.get(key)
            if known is None and len(self._seen) < _MOST:
                site = self._stack.of(real.getframe(1))
                self._seen[key] = Contacted(kind, what, actor, site, in_thread, tried)
            elif known is not None and known.tried and not tried:
                self._seen[key] = replace(known, tried=False)
        except Exception:
            return

    def _opened(self, name: str) -> None:
        self.note("file", name, tried=False)


def _arounds(contact: Contact, sockets: Sockets) -> dict[str, Around]:
    def connected(sock: Any, address: Any) -> str | None:
        what = sockets.connected(sock, address)
        if sockets.aimed.of(sock) is not None:
            contact.tap_sends()
        return what

    hosts: dict[str, Reached] = {
        "connect": connected,
        "sendto": sockets.sent_to,
        "sendmsg": sockets.sent_message,
        "send": sockets.sent,
        "sendall": sockets.sent,
        "gethostbyname_ex": sockets.looked_up,
        "gethostbyaddr": sockets.looked_up_backwards,
        "proactor": sockets.connected_by_proactor,
    }
    started: dict[str, Reached] = {
        "Popen": programs.popened,
        "system": programs.of_command,
        "posix_spawn": programs.of_path,
        "spawnv": programs.spawned,
    }
    return {
        **{name: _reaching(contact, "host", what) for name, what in hosts.items()},
        **{name: _reaching(contact, "program", what) for name, what in started.items()},
        "connect_ex": _reaching(contact, "host", connected, failed=lambda result: result not in _UNDER_WAY),
        "getaddrinfo": _reaching(contact, "host", sockets.looked_up, then=sockets.found),
        "gethostbyname": _reaching(contact, "host", sockets.looked_up, then=sockets.found),
        "listen": _reaching(contact, "listen", sockets.listened),
        "bind": _binding(sockets),
    }


def _reaching(
    contact: Contact,
    kind: Kind,
    what: Reached,
    *,
    failed: Callable[[Any], bool] = lambda _result: False,
    then: Callable[..., None] = lambda *_, **__: None,
) -> Around:
    def reaching(original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        reached = contact.reached(what, args, kwargs)
        if reached is None:
            return original(*args, **kwargs)
        tried = True
        try:
            result = original(*args, **kwargs)
            tried = failed(result)
            _carefully(then, result, *args, **kwargs)
            return result
        except (BlockingIOError, InterruptedError):  # under way: how it ends is told elsewhere
            tried = False
            raise
        except TypeError:  # the arguments are wrong: nothing was done
            reached = None
            raise
        finally:
            if reached is not None:
                contact.note(kind, reached, tried=tried)

    return reaching


def _binding(sockets: Sockets) -> Around:
    def binding(original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        result = original(*args, **kwargs)
        _carefully(sockets.bound, *args, **kwargs)
        return result

    return binding


def _carefully(act: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    try:
        act(*args, **kwargs)
    except Exception:
        return


def _code_of(make: Callable[..., Any]) -> types.CodeType:
    code: types.CodeType = make(None, "host", None).__code__
    return code


_REACHING = _code_of(_reaching)


def _is_within_another(frame: FrameType | None) -> bool:
    for _ in range(_MAX_DEPTH):
        if frame is None:
            break
        if frame.f_code is _REACHING:
            return True
        frame = frame.f_back
    return False


def _class_in(module: str, name: str) -> type | None:
    found = vars(real.modules[module]).get(name) if module in real.modules else None
    return found if isinstance(found, type) else None


def _is_a_lookup(function: object) -> bool:
    """Whether it is a function of Python's, gevent's or eventlet's, and not a stand-in."""
    if type(function) is types.BuiltinFunctionType:
        return True
    top = (function.__module__ or "").partition(".")[0] if type(function) is types.FunctionType else ""
    return top in ("socket", "gevent", "eventlet")
