"""Lay findings out for a reader to label, with the source around each.

    pytest --secaudit --secaudit-report=json:report.json ...
    python benchmarks/label_sheet.py report.json SUITE_ROOT [--level defect] [--code PSA201] [--sample 30]
        [--template docs/field-notes/SUITE.json --suite NAME --version V --command "pytest ..."]
    python benchmarks/label_sheet.py report.json SUITE_ROOT --again docs/field-notes/SUITE.json --sample 30

``--sample`` takes a fixed-seed choice, the same for everyone who asks. ``--template`` also writes a data file
for `field_notes.py` with ``true`` still null and no reasons: fill both in. ``--again`` lays out what that file
has labelled already, without the labels: the sheet of the second reader.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

SEED = 1
CONTEXT = 12

Finding = dict[str, Any]


def chosen(findings: Iterable[Finding], arguments: argparse.Namespace) -> list[Finding]:
    """The findings asked for, in the order of the report."""
    kept = [finding for finding in findings if is_asked_for(finding, arguments)]
    if arguments.again is not None:
        labelled = {label["fingerprint"] for label in json.loads(arguments.again.read_bytes())["labels"]}
        kept = [finding for finding in kept if finding["fingerprint"] in labelled]
    return sampled(kept, arguments.sample)


def is_asked_for(finding: Finding, arguments: argparse.Namespace) -> bool:
    right_level = not arguments.level or finding["severity"] in arguments.level
    return right_level and (not arguments.code or finding["code"] in arguments.code)


def sampled(findings: Sequence[Finding], number: int | None) -> list[Finding]:
    """So many of them, chosen by fingerprint and seed alone: a line that moves changes nothing."""
    if number is None or number >= len(findings):
        return list(findings)
    by_fingerprint = sorted(finding["fingerprint"] for finding in findings)
    taken = set(random.Random(SEED).sample(by_fingerprint, number))
    return [finding for finding in findings if finding["fingerprint"] in taken]


def place(finding: Finding) -> str:
    return f"{finding['path']}:{finding['line']}"


# --- the sheet


def sheet(findings: Sequence[Finding], root: Path, context: int) -> Iterator[str]:
    """The lines to print: one block per finding."""
    for number, finding in enumerate(findings, 1):
        yield f"=== {number} of {len(findings)}  {finding['code']} {finding['name']}  {place(finding)}"
        yield f"    {finding['severity']}, {finding['evidence']}  fingerprint {finding['fingerprint']}"
        yield f"    owner: {finding['owner']['kind']} {finding['owner']['id']}"
        yield f"    {finding['message']}"
        if finding["fix"]:
            yield f"    fix: {finding['fix']}"
        yield ""
        yield from source_around(root / finding["path"], finding["line"], finding["end_line"], context)
        yield ""


def source_around(path: Path, first: int, last: int, context: int) -> Iterator[str]:
    """Numbered lines; those of the finding are marked."""
    try:
        lines = path.read_bytes().decode("utf-8", "replace").split("\n")
    except OSError as error:
        yield f"    cannot be read: {error.strerror}"
        return
    for number in range(max(1, first - context), min(len(lines), last + context) + 1):
        mark = ">" if first <= number <= last else " "
        yield f"{mark}{number:6}  {lines[number - 1].rstrip()}"


# --- the template


def template(report: dict[str, Any], findings: Sequence[Finding], arguments: argparse.Namespace) -> str:
    """A data file of `field_notes.py` that waits for its labels."""
    data = {
        "suite": arguments.suite or arguments.root.resolve().name,
        "version": arguments.version,
        "tests": report["evidence"]["tests_collected"],
        "command": arguments.command,
        "depth": report["run"]["depth"],
        "secaudit": report["tool"]["version"],
        "labels": [to_label(finding) for finding in findings],
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def to_label(finding: Finding) -> dict[str, Any]:
    return {
        "fingerprint": finding["fingerprint"],
        "code": finding["code"],
        "severity": finding["severity"],
        "place": place(finding),
        "true": None,
        "reason": "",
        "second": None,
    }


# --- the command line


def main() -> int:
    arguments = parse_arguments()
    report = json.loads(arguments.report.read_bytes())
    findings = chosen(report["findings"], arguments)
    for line in sheet(findings, arguments.root, arguments.context):
        print(line)
    if arguments.template is None:
        return 0
    try:
        with arguments.template.open("x", encoding="utf-8", newline="\n") as file:
            file.write(template(report, findings, arguments))
    except FileExistsError:
        print(f"label_sheet.py: {arguments.template} is there already; labels are not overwritten", file=sys.stderr)
        return 1
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("report", type=Path, help="what --secaudit-report=json:PATH wrote")
    parser.add_argument("root", type=Path, help="the rootdir of the suite, which the report's paths are relative to")
    parser.add_argument("--level", action="append", choices=("defect", "advisory", "info"), help="only this level")
    parser.add_argument("--code", action="append", help="only this code (both may be repeated)")
    parser.add_argument("--sample", type=int, metavar="N", help="a fixed-seed choice of N")
    parser.add_argument("--context", type=int, default=CONTEXT, help="lines around (default %(default)s)")
    parser.add_argument("--again", type=Path, metavar="DATA", help="only what this data file has labelled")
    parser.add_argument("--template", type=Path, metavar="DATA", help="also write a data file to fill in")
    parser.add_argument("--suite", default="", help="for the data file: its name (default: that of the root)")
    parser.add_argument("--version", default="", help="for the data file: the suite's version")
    parser.add_argument("--command", default="", help="for the data file: the command that was run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
