"""What a call of a socket's method, or of a function of the module, reaches beyond this machine.

Each method takes the arguments of the call and returns what is reached, or None. The name that a number was looked up
under is kept, so that a connection is named as the code names it.
"""

from __future__ import annotations

import socket
import weakref
from typing import Any, Final

from pytest_secaudit.watch import addresses

_NET: Final = (socket.AF_INET, socket.AF_INET6)
_STREAM = socket.SOCK_STREAM
_MOST = 1000


class _Marks:
    """A word about a socket, for as long as it lives."""

    def __init__(self) -> None:
        self._words: dict[int, tuple[weakref.ref[Any], str]] = {}

    def put(self, sock: Any, word: str | None) -> None:
        if word is None:
            self._words.pop(id(sock), None)
            return
        if len(self._words) > _MOST:
            for number in [number for number, (ref, _) in self._words.items() if ref() is None]:
                del self._words[number]
        self._words[id(sock)] = weakref.ref(sock), word

    def of(self, sock: Any) -> str | None:
        ref, word = self._words.get(id(sock), (None, None))
        return word if ref is not None and ref() is sock else None


class Sockets:
    """Remembers of names and sockets what a later call does not tell."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._bound = _Marks()
        self.aimed = _Marks()  # datagram sockets that know where to send to

    # --- names

    def looked_up(self, host: Any, port: Any = None, *rest: Any, **named: Any) -> str | None:
        """`getaddrinfo` and those who only want a name; what is a number, or has to be one, is not looked up."""
        name = addresses.text(host)
        flags = rest[3] if len(rest) > 3 else named.get("flags", 0)  # after family, type and proto
        if name is None or flags & socket.AI_NUMERICHOST:
            return None
        if addresses.numeric(name) is not None or not addresses.is_far(name):
            return None
        return addresses.shown(name, int(port) if type(port) is str and port.isdecimal() else port)

    def looked_up_backwards(self, host: Any) -> str | None:
        """`gethostbyaddr`: here a number is."""
        name = addresses.text(host)
        return name if name is not None and addresses.is_far(name) else None

    def found(self, result: Any, host: Any, *_: object, **__: object) -> None:
        """A look-up succeeded."""
        name = addresses.text(host)
        if name is not None:
            if len(self._names) > _MOST:
                self._names.clear()
            for number in [result] if type(result) is str else [entry[4][0] for entry in result]:
                self._names[number] = name

    # --- connections

    def connected(self, sock: Any, address: Any) -> str | None:
        what = self._far(sock, address)
        if sock.type == _STREAM:
            return what
        self.aimed.put(sock, what)  # nothing is sent yet: this is how one asks for one's own address
        return None

    def sent_to(self, sock: Any, _data: object, *rest: Any) -> str | None:
        return self._far(sock, rest[-1])

    def sent_message(self, sock: Any, _data: object, *rest: Any) -> str | None:
        return self._far(sock, rest[2]) if len(rest) > 2 and rest[2] is not None else self.aimed.of(sock)

    def sent(self, sock: Any, *_: object) -> str | None:
        return self.aimed.of(sock)

    def connected_by_proactor(self, _proactor: object, sock: Any, address: Any) -> str | None:
        """The same by asyncio on Windows."""
        return self._far(sock, address)

    def _far(self, sock: Any, address: Any) -> str | None:
        host = addresses.text(address[0]) if sock.family in _NET else None
        if host is None or not addresses.is_far(host):
            return None
        return addresses.shown(self._names.get(host, host), address[1])

    # --- listeners

    def bound(self, sock: Any, address: Any) -> None:
        """Remember the port that was asked for: one that the system chose is different each time."""
        host = addresses.text(address[0]) if sock.family in _NET else None
        name = addresses.everywhere(host) if host is not None else None
        if name is not None:
            name = "::" if sock.family == socket.AF_INET6 else name
            self._bound.put(sock, addresses.shown(name, address[1]))

    def listened(self, sock: Any, *_: object) -> str | None:
        if sock.family not in _NET or sock.type != _STREAM:
            return None
        name = addresses.everywhere(sock.getsockname()[0])
        return name and (self._bound.of(sock) or name)
