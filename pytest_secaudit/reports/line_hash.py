"""The hash by which GitHub's code scanning knows a line again after the file was edited.

As ``src/fingerprints.ts`` of github/codeql-action computes ``primaryLocationLineHash``: a polynomial over the first 100
UTF-16 units from the start of the line on, without spaces and tabs, with every line break as a line feed.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from itertools import accumulate

_BLOCK = 100
_BASE = 37
_MASK = (1 << 64) - 1
#: What leaving the block multiplies a unit by.
_OUT = pow(_BASE, _BLOCK, _MASK + 1)
_LINE_FEED = 10
#: Stands at the end of the file; zeros follow, so that the last lines have a whole block, too.
_END = 0xFFFF
_BREAK = re.compile("\r\n?")
_BLANK = re.compile("[ \t]")


def line_hashes(text: str) -> tuple[str, ...]:
    """The hash of each line, as in ``270b1fd4a1e5ee5c:1``: in hexadecimal, and the how manieth of its kind it is.

    Lines end at a line feed, a carriage return, or both together; after the last break comes one more line.
    """
    units = _units(_BLANK.sub("", _BREAK.sub("\n", text)))
    starts = [0, *(index + 1 for index, unit in enumerate(units) if unit == _LINE_FEED)]
    units += (_END, *(0,) * _BLOCK)
    upto = [*accumulate(units, lambda value, unit: (value * _BASE + unit) & _MASK, initial=0)]
    seen: Counter[int] = Counter()
    hashes = []
    for start in starts:
        value = (upto[start + _BLOCK] - upto[start] * _OUT) & _MASK
        seen[value] += 1
        hashes.append(f"{value:x}:{seen[value]}")
    return tuple(hashes)


def _units(text: str) -> tuple[int, ...]:
    data = text.encode("utf-16-le", "surrogatepass")
    return struct.unpack(f"<{len(data) // 2}H", data)
