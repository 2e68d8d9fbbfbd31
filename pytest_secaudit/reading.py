"""What the audit keeps of a file: its hits, its ignores, its fixtures, as plain values that can be cached and sent."""

from __future__ import annotations

import hashlib
import io
import os
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from pytest_secaudit.lean import lean
from pytest_secaudit.model import Owner, Proof, Question, Severity
from pytest_secaudit.places import RestoreFact
from pytest_secaudit.redact import clean
from pytest_secaudit.suppressions import Suppression

#: Beyond this size a file is data that happens to end in .py.
MAX_BYTES = 4 * 1024 * 1024


@lean
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
    decided_by: Proof | None = None


@lean
@dataclass(frozen=True, slots=True)
class Armed:
    """A `Suspicion` without its tree: what the run is to watch for this file."""

    code: str
    subject: str
    confirmed_by: str
    message: str
    line: int
    owner: Owner
    column: int = 1
    end_line: int = 0
    fingerprint: str = ""
    decided_by: Proof | None = None


@lean
@dataclass(frozen=True, slots=True)
class FixtureFact:
    """A fixture that the file defines, and the names it replaces while it is in effect."""

    name: str
    line: int
    scope: str
    autouse: bool
    replaces: tuple[str, ...]


@lean
@dataclass(frozen=True, slots=True)
class Guard:
    """A statement that fails whenever it is reached; ``owner`` is the id of the function that it stands in."""

    line: int
    end_line: int
    text: str
    owner: str


Certainty = Literal["sure", "maybe", "unknown"]


@lean
@dataclass(frozen=True, slots=True)
class TestFact:
    """Whether passing a test implies that something was checked.

    Attributes:
        test: the id of the test function.
        line: its first line, decorators included.
        checks: ``sure``: passing it implies a check; ``maybe``: one was made if a line of ``lines`` ran, and none
            otherwise; ``unknown``: the same, but it also calls what cannot be seen from here.
        unseen: those calls, as they are written.
    """

    __test__ = False  # pytest would like to collect a class of this name

    test: str
    line: int
    checks: Certainty
    lines: tuple[int, ...] = ()
    unseen: tuple[str, ...] = ()


@lean
@dataclass(frozen=True, slots=True)
class Reading:
    """Everything the audit keeps of a file.

    Attributes:
        path: relative to the rootdir, with ``/``.
        error: why it could not be read, or None.
        tests: how many test functions it defines.
        examined: per dimension, how many places there were to look at.
        failures: checks that raised, with the error.
        guards: the statements of tests and helpers that fail whenever they are reached.
        sure: the tests of which passing implies that something was checked, one a line: the number of its first line,
            and its id. Most are, and text takes the least room in a cache and in memory.
        open_facts: what passing each other test implies.
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
    guards: tuple[Guard, ...] = ()
    sure: str = ""
    open_facts: tuple[TestFact, ...] = ()

    @property
    def facts(self) -> tuple[TestFact, ...]:
        """What passing each test function implies."""
        sure = (line.partition(" ") for line in self.sure.splitlines())
        return (*(TestFact(test, int(line), "sure") for line, _, test in sure), *self.open_facts)


def packed(facts: Iterable[TestFact]) -> dict[str, Any]:
    """What a `Reading` keeps of these facts: its values for ``sure`` and ``open_facts``."""
    facts = tuple(facts)
    sure = "\n".join(f"{fact.line} {fact.test}" for fact in facts if fact.checks == "sure")
    return {"sure": sure, "open_facts": tuple(fact for fact in facts if fact.checks != "sure")}


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
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        return file.read(min(size, MAX_BYTES) + 1)  # as much room is taken as is asked for


def text_at(root: str | os.PathLike[str], path: str) -> str:
    """The text of a file by its path in a report.

    Raises:
        OSError, ValueError: when it cannot be read.
    """
    try:
        return decode(load(os.path.join(root, path))) if path else ""
    except SyntaxError as error:  # of the coding line
        raise ValueError(str(error)) from None


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
        armed=tuple(_armed_from_plain(armed) for armed in data["armed"]),
        restores=tuple(RestoreFact(**fact) for fact in data["restores"]),
        suppressions=tuple(Suppression(**{**s, "codes": tuple(s["codes"])}) for s in data["suppressions"]),
        fixtures=tuple(FixtureFact(**{**f, "replaces": tuple(f["replaces"])}) for f in data["fixtures"]),
        tests=data["tests"],
        examined=tuple((digit, count) for digit, count in data["examined"]),
        failures=tuple((code, error) for code, error in data["failures"]),
        guards=tuple(Guard(**guard) for guard in data["guards"]),
        sure=data["sure"],
        open_facts=tuple(
            TestFact(**{**fact, "lines": tuple(fact["lines"]), "unseen": tuple(fact["unseen"])})
            for fact in data["open_facts"]
        ),
    )


def _armed_from_plain(data: Mapping[str, Any]) -> Armed:
    return Armed(
        **{
            **data,
            "owner": _owner_from_plain(data["owner"]),
            "decided_by": _proof_from_plain(data["decided_by"]),
        }
    )


def _hit_from_plain(data: Mapping[str, Any]) -> StaticHit:
    return StaticHit(
        **{
            **data,
            "severity": Severity(data["severity"]),
            "owner": _owner_from_plain(data["owner"]),
            "unless": tuple(Question(q["kind"], tuple(q["args"])) for q in data["unless"]),
            "only_if": tuple(Question(q["kind"], tuple(q["args"])) for q in data["only_if"]),
            "decided_by": _proof_from_plain(data["decided_by"]),
        }
    )


def _proof_from_plain(data: Mapping[str, Any] | None) -> Proof | None:
    if data is None:
        return None
    level = Severity(data["level"]) if data["level"] is not None else None
    return Proof(**{**data, "lines": tuple(data["lines"]), "at": tuple(data["at"]), "level": level})


def _owner_from_plain(data: Mapping[str, Any]) -> Owner:
    return Owner(**{**data, "ids": tuple(data["ids"])})
