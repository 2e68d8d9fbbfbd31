"""Which network addresses lead beyond this machine, and how they are named. Only what is written counts: nothing is looked up."""

from __future__ import annotations

import functools
import ipaddress
import re
import socket

from pytest_secaudit.watch import real

_inet_aton = real.own(socket.inet_aton)
_OLD_FORM = re.compile(r"[0-9a-fx.]+", re.IGNORECASE)
_NEAR = {
    "",
    "localhost",
    "localhost.localdomain",
    "localhost4",
    "localhost6",
    "localhost6.localdomain6",
    "ip6-localhost",
    "ip6-loopback",
    socket.gethostname().lower(),
}
#: A server bound to one of these can be reached from everywhere.
_EVERYWHERE = {"": "0.0.0.0", "0.0.0.0": "0.0.0.0", "::": "::", "0": "0.0.0.0"}


def text(host: object) -> str | None:
    """A host as it was given to a function of `socket`; None for what is none."""
    if type(host) is str:
        return host
    if type(host) in (bytes, bytearray):
        return bytes(host).decode("ascii", "replace")  # type: ignore[call-overload,no-any-return]
    return str(host) if isinstance(host, str) else None


@functools.lru_cache(maxsize=1000)
def is_far(host: str) -> bool:
    """Whether the name or number leads beyond this machine."""
    name = host.rstrip(".").lower()
    if name in _NEAR or name.endswith(".localhost"):
        return False
    number = numeric(name)
    return number is None or not (number.is_loopback or number.is_unspecified)


@functools.lru_cache(maxsize=1000)
def numeric(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The number that a host stands for without being looked up: also ``127.1``, ``::ffff:127.0.0.1``, ``fe80::1%eth0``."""
    try:
        number = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _old_form(host)
    return (number.ipv4_mapped or number) if isinstance(number, ipaddress.IPv6Address) else number


def _old_form(host: str) -> ipaddress.IPv4Address | None:
    if not _OLD_FORM.fullmatch(host):
        return None
    try:
        return ipaddress.IPv4Address(_inet_aton(host))
    except OSError:
        return None


def everywhere(host: str) -> str | None:
    """The name of "all interfaces" that a host to bind to is; None for any other."""
    return _EVERYWHERE.get(host)


def shown(host: str, port: object = 0) -> str:
    """``example.org:443``; without the port where it is left to the system."""
    if type(port) is not int or port == 0:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
