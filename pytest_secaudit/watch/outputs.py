"""Secrets in what a run shows: test ids, captured output, log records, the texts of failures.

Log records are read where loggers hand them to their handlers, for test suites take pytest's handler away. Only texts
that are plain strings are read; nobody's ``__str__`` is called. Of a secret its kind, its first four characters and
four bytes of a hash are kept, so that one secret is one finding however many tests show it.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_secaudit.model import Place
from pytest_secaudit.redact import clean
from pytest_secaudit.secrets_formats import (
    HOMES,
    UNREAL,
    is_about_secrets,
    is_live_password,
    is_made_up,
    may_hold_token,
    tokens,
    url_passwords,
)
from pytest_secaudit.watch import real
from pytest_secaudit.watch.engine import owner_of
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.noticing import Noticings
from pytest_secaudit.watch.record import Noticed
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Site
from pytest_secaudit.watch.tapping import Taps

__unittest = True

_LOG = "log record"
_PHASE = re.compile(r" (?:setup|call|teardown)$")
#: The name that a value is given right before it: ``FAKE_TOKEN = "``, ``token=``, ``dummy('``.
_NAMED = re.compile(r"(\w+)['\"]?\s*[=:(]\s*\w{0,2}['\"]?$")
_WORD = re.compile(r"[a-z]+")
_AHEAD = 60
#: No token, and no URL with a live password, is shorter.
_SHORTEST = 20
_MAX_TEXT = 1_000_000
_MAX_TEMPLATES = 2000
_MAX_ARGS = 20

_hash = real.own(hashlib.blake2b)


class Outputs:
    """Reads what is shown.

    Args:
        taps: what is put there is taken back by its owner.
        who: tells who acts, and whether in another thread than the one that runs the tests.
    """

    def __init__(self, taps: Taps, stack: Stack, who: Callable[[], tuple[Actor, bool]]) -> None:
        self._stack = stack
        self._who = who
        self._noticed = Noticings()
        self._harmless: set[str] = set()  # messages with places for arguments: nearly always constants
        # `handle` is passed also by what a logger's filters drop or hide from its handlers; this is not.
        taps.put(logging.Logger, "callHandlers", self._around_record)

    def scan(self, where: str, text: str, owner: Actor) -> None:
        """Look for secrets in a text that this owner showed there."""
        if type(text) is str and (may_hold_token(text) or "://" in text):
            self._report(where, text[:_MAX_TEXT], owner, None)

    def drain(self) -> tuple[Noticed, ...]:
        """What is new since the last time."""
        return self._noticed.drain()

    # --- log records

    def _around_record(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        try:  # noqa: SIM105 - `suppress` costs more than reading the record
            self._read(args[1])  # before its handlers see it: a plain one shows it as it is now
        except Exception:  # a record of their own making
            pass
        return original(*args, **kwargs)

    def _read(self, record: Any) -> None:
        message, arguments = record.msg, record.args
        if type(message) is str and len(message) >= _SHORTEST and message not in self._harmless:
            self._in_message(message, arguments)
        if arguments:
            self._in_arguments(arguments)

    def _in_message(self, message: str, arguments: object) -> None:
        if may_hold_token(message) or "://" in message:
            self._in_record(message)
        elif arguments and len(self._harmless) < _MAX_TEMPLATES:
            self._harmless.add(message)

    def _in_arguments(self, arguments: object) -> None:
        if type(arguments) is dict:
            arguments = tuple(arguments.values())
        if type(arguments) is tuple:
            for one in arguments[:_MAX_ARGS]:
                if type(one) is str and len(one) >= _SHORTEST and (may_hold_token(one) or "://" in one):
                    self._in_record(one)

    def _in_record(self, text: str) -> None:
        owner, _ = self._who()
        self._report(_LOG, text[:_MAX_TEXT], owner, self._stack.of(real.getframe(1)))

    # --- what is found

    def _report(self, where: str, text: str, owner: Actor, site: Site | None) -> None:
        if is_about_secrets(owner.id):
            return
        where = _PHASE.sub("", where)
        for secret, what in _secrets(text):
            self._noticed.add(_noticed(_LOG if where == "captured log" else where, secret, what, owner, site))


def _secrets(text: str) -> Iterator[tuple[str, str]]:
    """The live ones, each with its kind; an empty string for the password of a URL."""
    for token, what in tokens(text):
        if not (is_made_up(token) or _is_at_home(what) or _is_unreal(text, token)):
            yield token, what
    for password, host in url_passwords(text):
        if is_live_password(password, host) and not _is_unreal(text, password):
            yield password, ""


def _is_at_home(what: str) -> bool:
    return any(home in real.modules for home in HOMES.get(what, ()))


def _is_unreal(text: str, secret: str) -> bool:
    """Whether the name that it is given in the text says so."""
    at = text.find(secret)
    named = _NAMED.search(text[max(0, at - _AHEAD) : at])
    return named is not None and not UNREAL.isdisjoint(_WORD.findall(named[1].lower()))


def _noticed(where: str, secret: str, what: str, owner: Actor, site: Site | None) -> Noticed:
    mark = _hash(secret.encode("utf-8", "replace"), digest_size=4).hexdigest()
    shown = f"{what} {secret[:4]}... ({mark})" if what else f"URL password ({mark})"
    place: Place | None = site.edit if site is not None else None
    return Noticed(
        code="PSA302",
        subject=clean(f"{shown} in {where}"),
        message=clean(f"{_article(where)} shows what has the format of a live {shown}"),
        fix="revoke it, then keep it out of what is shown: give the parameter an id, log a name instead of the value",
        owner=owner_of(owner),
        place=place,
        written_at=site.written_at if site is not None else None,
        security="credential",
    )


def _article(where: str) -> str:
    return where if where.startswith("captured") else f"a {where}"
