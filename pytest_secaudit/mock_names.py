"""The assertions of ``unittest.mock``, and the names that are mistaken for them."""

from __future__ import annotations

import re
from functools import lru_cache

#: Every assertion that a mock has.
ASSERTIONS = frozenset(
    """
    assert_any_await assert_any_call assert_awaited assert_awaited_once assert_awaited_once_with assert_awaited_with
    assert_called assert_called_once assert_called_once_with assert_called_with assert_has_awaits assert_has_calls
    assert_not_awaited assert_not_called
    """.split()
)
#: The same without the prefix: ``m.called_with(1)``. A mock does have ``called``.
_UNPREFIXED = frozenset(name.removeprefix("assert_") for name in ASSERTIONS) - {"called"}

#: What asks whether a mock was called, and is no attribute of a mock: ``m.is_called``, ``m.called_twice``.
_STATE = re.compile(
    r"(?:(?:is|was|were|has|have|had|been|got|not|never)_)*(?:called|awaited)(?:_(?:once|twice|thrice|with|exactly|again))*"
)

#: More names than any suite gives to the attributes of its mocks.
_KNOWN = 1 << 14


@lru_cache(maxsize=_KNOWN)
def is_doubtful(name: str) -> bool:
    """Whether an attribute of this name, made up by a mock, may be meant as an assertion. Asked of every attribute."""
    return bool("_" in name and (name in ASSERTIONS or meant(name) or asked_state(name)))


def is_doubtful_of_record(name: str) -> bool:
    """The same for the record of a call, which has no assertion at all."""
    return ("call" in name or "await" in name) and not name.startswith("_")


def meant(name: str) -> str:
    """The assertion that a name is a slip of, or an empty string."""
    if name in ASSERTIONS or name.startswith("_"):
        return ""
    if name in _UNPREFIXED:
        return f"assert_{name}"
    return _misspelt(name)


def asked_state(name: str) -> str:
    """The assertion that the truth of an attribute such as ``is_called`` stands for, or an empty string."""
    if name in _UNPREFIXED:
        return f"assert_{name}"
    if name == "called" or not _STATE.fullmatch(name):
        return ""
    verb = "awaited" if "awaited" in name else "called"
    if "not_" in name or "never_" in name:
        return f"assert_not_{verb}"
    return f"assert_{verb}" + ("_once" if "_once" in name else "") + ("_with" if "_with" in name else "")


def _misspelt(name: str) -> str:
    if "_" not in name or not _PIECES.search(name):
        return ""
    for right, slips in _SPELLINGS:
        if _distance(name, right, slips) <= slips:
            return right if right in ASSERTIONS else f"assert_{right}"
    return ""


def _slips(right: str) -> int:
    # Short names are near to ordinary words: one slip, or none, is all that they are granted.
    return 2 if len(right) > 12 else 1 if len(right) > 9 else 0


#: Right spellings with the number of slips that still show what was meant.
_SPELLINGS = [(right, _slips(right)) for right in (*sorted(ASSERTIONS), *sorted(_UNPREFIXED)) if _slips(right)]


def _thirds(word: str) -> list[str]:
    size = -(-len(word) // 3)
    return [word[start : start + size] for start in range(0, len(word), size)]


#: Two slips cannot touch all three parts of a word, so that one of them stands in every misspelling.
_PIECES = re.compile("|".join(sorted({re.escape(part) for right, _ in _SPELLINGS for part in _thirds(right)})))


def _distance(one: str, other: str, limit: int) -> int:
    """How many letters to add, drop or change; anything above ``limit`` may be reported as more than it is."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, wanted in enumerate(other, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (letter != wanted))
        if min(row) > limit:
            break
    return min(row[-1], limit + 1) if min(row) <= limit else limit + 1
