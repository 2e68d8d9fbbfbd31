"""What one process knows of replaced functions and of what ran, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.model import Place


@lean
@dataclass(frozen=True, slots=True)
class Replaced:
    """A function of the project that was replaced in one process.

    Attributes:
        path, line: of its ``def``.
        first: of its code: the line of its first decorator.
        body: the lines that run only when it does; none of a function of one line.
        word: what makes it security-relevant, or an empty string.
        package: the top-level name under which it is imported.
        checksum: by which forked children tell what they ran.
        tests: those during which it was replaced.
        places: where that was done.
        with_class: only its whole class was.
    """

    path: str
    line: int
    first: int
    qualname: str
    body: tuple[int, ...]
    word: str
    package: str
    checksum: int
    tests: tuple[str, ...]
    places: tuple[Place, ...]
    with_class: bool = False


#: Stands for no test: an import, a hook.
OUTSIDE_OF_TESTS = -1
#: Stands for more tests than were counted.
AND_OTHERS = -2

#: Path -> line -> who, by their number in a table of tests.
ByLine = Mapping[str, Mapping[int, tuple[int, ...]]]


def start_key(first: int, name: str) -> int:
    """The first line of a function. That of a lambda is negated: in a decorator it begins where the function does."""
    return -first if name.endswith("<lambda>") else first


@lean
@dataclass(frozen=True, slots=True)
class Executed:
    """What of the project's product ran, as one measurement has it.

    Attributes:
        tests: the table of tests.
        starts: the functions that were started, by `start_key`, and by whom; None where nobody heard of starts.
        lines: the lines that ran, of each file that was measured; None where lines were not measured.
        entered: path -> the first lines of what was entered, as far as that was measured.
        knows_tests: it is known which tests ran a line.
        words: what may have run in child processes: top-level names of packages, ``*`` for anything.
        forked: the checksums of what forked children ran.
    """

    tests: tuple[str, ...] = ()
    starts: ByLine | None = None
    lines: ByLine | None = None
    entered: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    knows_tests: bool = False
    words: tuple[str, ...] = ()
    forked: tuple[int, ...] = ()


def replaced(data: Mapping[str, Any]) -> Replaced:
    """The record that `dataclasses.asdict` made plain.

    Raises:
        KeyError, TypeError: when the data are not of that form.
    """
    places = tuple(Place(**place) for place in data["places"])
    return Replaced(**{**data, "body": tuple(data["body"]), "tests": tuple(data["tests"]), "places": places})


def executed(data: Mapping[str, Any]) -> Executed:
    """The record that `dataclasses.asdict` made plain.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: when the data are not of that form.
    """
    return Executed(
        tests=tuple(data["tests"]),
        starts=_by_line(data["starts"]),
        lines=_by_line(data["lines"]),
        entered={path: tuple(lines) for path, lines in data["entered"].items()},
        knows_tests=data["knows_tests"],
        words=tuple(data["words"]),
        forked=tuple(data["forked"]),
    )


def _by_line(data: Mapping[str, Any] | None) -> ByLine | None:
    if data is None:
        return None
    return {path: {int(line): tuple(tests) for line, tests in lines.items()} for path, lines in data.items()}
