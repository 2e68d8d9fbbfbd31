"""Count what runs made of what reading suspected, for `field_notes.py`.

    python benchmarks/verdicts.py NAME=VERSION=REPORT.json ... > docs/field-notes/verdicts.json

The reports are those of `pytest --secaudit --secaudit-no-suppress --secaudit-report=json:REPORT.json`, which hold what
was cleared, too. Counted are the checks that read: by suite and code how many findings are suspected, confirmed, not
reached and cleared.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_secaudit.checks import built_in

VERDICTS = ("suspected", "confirmed", "not-reached", "cleared")


def rows(suite: str, version: str, report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The counts of one suite, a row for each code that has any."""
    reading = {check.code for check in built_in() if check.rule is not None}
    found = [*report["findings"], *report.get("cleared", [])]
    counts = Counter((one["code"], one["evidence"]) for one in found if one["code"] in reading)
    for code in sorted({code for code, _ in counts}):
        yield {
            "suite": suite,
            "version": version,
            "tests": report["evidence"]["tests_run"],
            "depth": report["run"]["depth"],
            "secaudit": report["tool"]["version"],
            "code": code,
            **{verdict.replace("-", "_"): counts[code, verdict] for verdict in VERDICTS},
        }


def main(arguments: Sequence[str]) -> int:
    every = []
    for argument in arguments:
        suite, version, path = argument.split("=", 2)
        every += rows(suite, version, json.loads(Path(path).read_bytes()))
    print(json.dumps(every, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
