"""What the audit keeps of a file: its hits, its ignores, its fixtures, as plain values that can be cached and sent."""

from __future__ import annotations

import hashlib
import io
import os
import tokenize
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from pytest_secaudit.model import Owner, Question, Severity
from pytest_secaudit.places import RestoreFact
from pytest_secaudit.redact import clean
from pytest_secaudit.suppressions import Suppression

#: Beyond this size a file is data that happens to end in .py.
MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StaticHit:
    """A `Hit` without its tree: what is reported, where, and what live objects must still answer."""

    code: str
    severity: Severity
    message: str
    fix: str
    line: int
    column: int
    end_line: int
    security: str | None
    subject: str | None
    acknowledged: str | None
    owner: Owner
    fingerprint: str
    if_it_fails: bool = False
    unless: tuple[Question, ...] = ()
    only_if: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class Armed:
    """A `Suspicion` without its tree: what the run is to watch for this file."""

    code: str
    subject: str
    confirmed_by: str
    message: str
    line: int
    owner: Owner


@dataclass(frozen=True, slots=True)
class FixtureFact:
    """A fixture that the file defines, and the names it replaces while it is in effect."""

    name: str
    line: int
    scope: str
    autouse: bool
    replaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything the audit keeps of a file.

    Attributes:
        path: relative to the rootdir, with ``/``.
        error: why it could not be read, or None.
        tests: how many test functions it defines.
        examined: per dimension, how many places there were to look at.
        failures: checks that raised, with the error.
    """

    path: str
    error: str | None = None
    hits: tuple[StaticHit, ...] = ()
    armed: tuple[Armed, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    restores: tuple[RestoreFact, ...] = ()
    fixtures: tuple[FixtureFact, ...] = ()
    tests: int = 0
    examined: tuple[tuple[int, int], ...] = ()
    failures: tuple[tuple[str, str], ...] = ()


def cleaned(suppression: Suppression) -> Suppression:
    """The suppression with its words, which are the user's, made fit to be kept and shown."""
    return replace(
        suppression,
        codes=tuple(map(clean, suppression.codes)),
        reason=clean(suppression.reason),
        until=clean(suppression.until) if suppression.until else None,
        problem=clean(suppression.problem) if suppression.problem else None,
    )


def fingerprint(*parts: str) -> str:
    """A short stable hash; it holds no value that could be read back."""
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


# --- the file itself


def load(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file; of one that is too large to be read, only enough to tell.

    Raises:
        OSError: when it cannot be read.
    """
    with open(path, "rb") as file:
        return file.read(MAX_BYTES + 1)


def decode(data: bytes) -> str:
    """Source bytes as text, by byte order mark and coding line (PEP 263).

    Raises:
        SyntaxError: for an unknown encoding.
        UnicodeDecodeError: when the bytes are not of the declared encoding.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding)


# --- to plain data and back


def to_plain(reading: Reading) -> dict[str, Any]:
    """A JSON-ready form; `from_plain` reads it back."""
    return asdict(reading)


def from_plain(data: Mapping[str, Any]) -> Reading:
    """The reading that `to_plain` wrote.

    Raises:
        KeyError, TypeError, ValueError: when the data are not of that form.
    """
    return Reading(
        path=data["path"],
        error=data["error"],
        hits=tuple(_hit_from_plain(hit) for hit in data["hits"]),
        armed=tuple(Armed(**{**armed, "owner": _owner_from_plain(armed["owner"])}) for armed in data["armed"]),
        restores=tuple(RestoreFact(**fact) for fact in data["restores"]),
        suppressions=tuple(Suppression(**{**s, "codes": tuple(s["codes"])}) for s in data["suppressions"]),
        fixtures=tuple(FixtureFact(**{**f, "replaces": tuple(f["replaces"])}) for f in data["fixtures"]),
        tests=data["tests"],
        examined=tuple((digit, count) for digit, count in data["examined"]),
        failures=tuple((code, error) for code, error in data["failures"]),
    )


def _hit_from_plain(data: Mapping[str, Any]) -> StaticHit:
    return StaticHit(
        **{
            **data,
            "severity": Severity(data["severity"]),
            "owner": _owner_from_plain(data["owner"]),
            "unless": tuple(Question(q["kind"], tuple(q["args"])) for q in data["unless"]),
            "only_if": tuple(Question(q["kind"], tuple(q["args"])) for q in data["only_if"]),
        }
    )


def _owner_from_plain(data: Mapping[str, Any]) -> Owner:
    return Owner(**{**data, "ids": tuple(data["ids"])})
