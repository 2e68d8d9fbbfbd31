"""Make the pages of the checks, and the list of their headings, from the checks themselves.

``python docs/generate_checks.py`` writes `docs/checks/` and `pytest_secaudit/checks/headings.py`; with ``--check`` it
writes nothing and exits 1 if one of them is stale.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_secaudit import checks as package
from pytest_secaudit.checks import built_in
from pytest_secaudit.explain import page
from pytest_secaudit.model import DIMENSIONS, Check

FOLDER = Path(__file__).parent / "checks"
NOTES = FOLDER.parent.parent / "benchmarks" / "field_notes.py"
HEADINGS = Path(package.__file__).with_name("headings.py")

_HEAD = """\
# The checks

One line per check; the same list as `pytest --secaudit-list`. The first digit of a code is its dimension: the part
of a review of a test suite that it belongs to. `pytest --secaudit-explain CODE` prints a check's page.
"""


_HEADINGS = '''\
"""The headings of the built-in checks, so that a run need not load what it does not use.

Made by ``docs/generate_checks.py`` from the checks themselves.
"""

from __future__ import annotations

from pytest_secaudit.model import ADVISORY, DEFECT, INFO, Heading

HEADINGS = (
{}
)
'''


def headings() -> str:
    """The text of `pytest_secaudit/checks/headings.py`."""
    return _HEADINGS.format("\n".join(map(_heading, built_in())))


def _heading(check: Check) -> str:
    more = [f"cwe={check.cwe}"] if check.cwe else []
    more += [f'since="{check.since}"'] if check.since != "0.1.0" else []
    more += [f"suspected={check.suspected.name}"] if check.suspected else []
    more += [f"revision={check.revision}"] if check.revision != 1 else []
    words = [f'"{check.code}"', f'"{check.name}"', check.severity.name, *more]
    return f"    Heading({', '.join(words)}),"


def pages() -> dict[str, str]:
    """The text of each page, by its path below `docs/checks`."""
    checks = built_in()
    told = measured()
    return {"index.md": _index(checks)} | {
        f"{check.code}.md": _tidy(page(check) + "\n" + told.get(check.code, _UNREAD)) for check in checks
    }


_MEASURED = """\
## How often it was right

Of {labels} of its findings that were read in {suites}, {true} true{share}. [Field notes](../field-notes.md) say
how, and of which suites.
"""

_UNREAD = """\
## How often it was right

None of its findings in suites of others was read yet, so there is no figure. If it is wrong in yours, [we would like
to know](../disagree.md).
"""


def measured() -> dict[str, str]:
    """By code: what the labels of the field notes say of a check, and what was false."""
    notes = _field_notes()
    by_code: dict[str, list[tuple[str, Any]]] = {}
    for one in notes.load_all(notes.DATA):
        for label in one.labels:
            by_code.setdefault(label.code, []).append((one.suite, label))
    return {code: _told(notes, found) for code, found in by_code.items()}


def _told(notes: ModuleType, found: Sequence[tuple[str, Any]]) -> str:
    labels = [label for _, label in found]
    suites = len({suite for suite, _ in found})
    count = notes.tally(labels)
    rated = count.labels >= notes.RATED_FROM
    text = _MEASURED.format(
        labels=count.labels,
        suites=f"{suites} suite" + "s" * (suites > 1),
        true=f"{count.true} {'was' if count.true == 1 else 'were'}",
        share=f" ({notes.share(count.true, count.labels)})" if rated else ": too few to speak of a share",
    )
    false = dict.fromkeys(f"- {suite}: {label.reason}" for suite, label in found if not label.true)
    return text + ("\nWhat was false:\n\n" + "\n".join(false) + "\n" if false else "")


def _field_notes() -> ModuleType:
    """The script that makes the field notes, which is no part of the package."""
    name = "field_notes"
    spec = importlib.util.spec_from_file_location(name, NOTES)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(NOTES)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def _index(checks: Sequence[Check]) -> str:
    parts = [_HEAD, *_tables(checks), "```{toctree}\n:hidden:\n\n" + "\n".join(c.code for c in checks) + "\n```"]
    return _tidy("\n".join(parts))


def _tables(checks: Sequence[Check]) -> Iterator[str]:
    for digit, group in groupby(checks, key=lambda check: check.dimension):
        rows = [f"| [{c.code}]({c.code}.md) | {c.name} | {c.by_reading.word} | {_cell(c.summary)} |" for c in group]
        head = ["| code | name | level | what is wrong |", "| --- | --- | --- | --- |"]
        yield "\n".join([f"## {digit} {DIMENSIONS[digit]}", "", *head, *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _tidy(text: str) -> str:
    return text.rstrip("\n") + "\n"


def stale(wanted: Mapping[str, str], folder: Path = FOLDER) -> list[str]:
    """The pages that are missing, different, or of no check any more."""
    there = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.md")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def write(wanted: Mapping[str, str], folder: Path = FOLDER) -> None:
    """Make the folder hold these pages and no others."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale(wanted, folder):
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8", newline="\n")
        else:
            (folder / name).unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 for stale pages with `--check`."""
    parser = argparse.ArgumentParser(description="Make the pages of the checks.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is stale")
    only_check = parser.parse_args(arguments).check
    wanted = pages()
    names = [f"docs/checks/{name}" for name in stale(wanted)]
    names += [f"pytest_secaudit/checks/{HEADINGS.name}"] * (HEADINGS.read_text(encoding="utf-8") != headings())
    if not only_check:
        write(wanted)
        HEADINGS.write_text(headings(), encoding="utf-8", newline="\n")
    for name in names:
        print(f"{'stale' if only_check else 'written'}: {name}")
    return 1 if names and only_check else 0


if __name__ == "__main__":
    raise SystemExit(main())
