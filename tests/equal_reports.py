"""Whether JSON reports say the same: ``python tests/equal_reports.py A.json B.json ...`` names every difference.

Runs of one suite in one process, in several and in shards have to find the same. What may differ is how the run went
(``run``), measured time, who happened to come later, and how often a shared fixture was set up.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

#: Keys of what may differ, beside all that end in ``_s``.
OF_THE_RUN = frozenset({"run", "share", "seen_by", "setups", "seconds"})
_SECONDS = re.compile(r"\b\d+(\.\d+)? (s|ms|seconds?)\b")


def comparable(data: object) -> object:
    """The report without what may differ."""
    if isinstance(data, Mapping):
        kept = {key: value for key, value in data.items() if key not in OF_THE_RUN and not key.endswith("_s")}
        return {key: comparable(value) for key, value in kept.items()}
    if isinstance(data, list):
        return [comparable(value) for value in data]
    return _SECONDS.sub("N s", data) if isinstance(data, str) else data


def differences(one: object, other: object, where: str = "") -> Iterator[str]:
    """Each difference of two comparable reports, with its path."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted({*one, *other}):
            if key in one and key in other:
                yield from differences(one[key], other[key], f"{where}.{key}")
            else:
                yield f"{where}.{key}: only in {'the first' if key in one else 'the other'}"
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, f"{where}[{number}]")
    elif isinstance(one, list) and isinstance(other, list):
        only = [[value for value in values if value not in others] for values, others in ((one, other), (other, one))]
        yield f"{where}: only in the first {only[0]}, only in the other {only[1]}"
    elif one != other:
        yield f"{where}: {one!r} != {other!r}"


def main(paths: list[str]) -> int:
    """1 if one of the reports differs from the first."""
    first, *others = (comparable(json.loads(Path(path).read_text("utf-8"))) for path in paths)
    found = [
        f"{path}: {line}" for path, other in zip(paths[1:], others, strict=True) for line in differences(first, other)
    ]
    print("\n".join(found) or "equal")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
