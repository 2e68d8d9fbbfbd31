"""The lines of source around a finding, without the secrets that may stand in them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pytest_secaudit.lean import lean
from pytest_secaudit.model import Finding
from pytest_secaudit.redact import clean

#: So many lines before and after those of the finding.
_AROUND = 2
#: Of a long statement no more are shown.
_MOST_LINES = 14
_WIDEST = 160
#: Only so much of a line is looked at: to clean one of a generated file would take long.
_READ = 4_000
_END_OF_LINE = re.compile("\r\n?|\n")
#: A line of a private key that is written over several: nothing but its letters, quoted or not.
_OF_A_KEY = re.compile(r"[\sbBrRuU]*['\"]?[A-Za-z0-9+/=]+(?:\\[nr])*['\"]?[\s,)\\+]*")


@lean
@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line as it may be shown, and whether the finding is about it."""

    number: int
    text: str
    is_meant: bool


Excerpts = Callable[[Finding], tuple[SourceLine, ...]]


def reader(source_of: Callable[[str], str]) -> Excerpts:
    """What gives the lines of a finding, none where its file cannot be read. Each file is read once."""

    @functools.cache
    def lines_of(path: str) -> tuple[str, ...]:
        try:
            text = source_of(path)
        except (OSError, ValueError):
            return ()
        return tuple(_without_keys(_END_OF_LINE.split(text.removesuffix("\n"))))

    return lambda finding: tuple(_around(finding, lines_of(finding.path)))


def _without_keys(lines: Sequence[str]) -> Iterator[str]:
    """What `clean` would hide of a key if it saw all of it at once."""
    is_inside = False
    for line in lines:
        starts, ends = "PRIVATE KEY-----" in line, "-----END" in line
        yield "<redacted>" if is_inside and not ends and _OF_A_KEY.fullmatch(line) else line
        is_inside = (is_inside or starts) and not ends


def _around(finding: Finding, lines: Sequence[str]) -> Iterator[SourceLine]:
    first, last = finding.line, max(finding.line, finding.end_line)
    if not 1 <= first <= len(lines):  # the file has changed since, or the line is not known
        return
    start = max(1, first - _AROUND)
    end = min(len(lines), last + _AROUND, start + _MOST_LINES - 1)
    while start < first and not lines[start - 1].strip():
        start += 1
    while end > last and not lines[end - 1].strip():
        end -= 1
    for number in range(start, end + 1):
        yield SourceLine(number, _shown(lines[number - 1]), first <= number <= last)


def _shown(line: str) -> str:
    text = clean(line[:_READ].expandtabs(4) + ("…" if len(line) > _READ else ""))
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST]}…"
