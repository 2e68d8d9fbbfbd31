"""The heat map: which module has what, by dimension."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_secaudit.conclusion import plural
from pytest_secaudit.model import DIMENSIONS, Audit, FileRun, Severity
from pytest_secaudit.policy import count_by_level
from pytest_secaudit.reports.html.anchors import Anchored
from pytest_secaudit.reports.html.tree import Element, element
from pytest_secaudit.reports.html.words import fold, shortened, unseen

_SHOWN = 60
_MOST = 600


@dataclass(frozen=True)
class _Module:
    """A file and its new findings by dimension, in the order of the report: the worst first."""

    path: str
    cells: defaultdict[int, list[Anchored]] = field(default_factory=lambda: defaultdict(list))

    @property
    def order(self) -> tuple[object, ...]:
        levels = count_by_level(one.finding for cell in self.cells.values() for one in cell)
        return (*(-levels[level] for level in sorted(Severity, reverse=True)), self.path)


def section(audit: Audit, new: Sequence[Anchored]) -> Element:
    """A row for each module with a finding, the worst first; a cell has its worst level and how many there are."""
    found: dict[str, _Module] = {}
    for one in new:
        module = found.setdefault(one.finding.path, _Module(one.finding.path))
        module.cells[one.finding.dimension].append(one)
    modules = sorted(found.values(), key=lambda module: module.order)
    return element("section", element("h2", "Modules and dimensions"), *_told(audit, modules), id="modules")


def _told(audit: Audit, modules: Sequence[_Module]) -> Iterator[Element]:
    if not modules:
        yield element("p", "No module has a new finding.", class_="quiet")
        return
    runs = {run.path: run for run in audit.files}
    yield _table(modules[:_SHOWN], runs, _caption(audit, modules))
    if modules[_SHOWN:]:
        more = modules[_SHOWN:_MOST]
        left = len(modules) - _SHOWN - len(more)
        yield fold(
            f"{plural(len(modules) - _SHOWN, 'module')} more",
            _table(more, runs, f"The next {plural(len(more), 'module')}."),
            element("p", f"{plural(left, 'module')} more: see the findings.", class_="quiet") if left else None,
        )


def _caption(audit: Audit, modules: Sequence[_Module]) -> str:
    files = {run.path for run in audit.files}
    clean = len(files.difference(module.path for module in modules))
    rest = f" {plural(clean, 'test file')} that ran {'has' if clean == 1 else 'have'} none." if clean else ""
    return f"New findings of each module by dimension: the worst level, and how many there are.{rest}"


def _table(modules: Sequence[_Module], runs: Mapping[str, FileRun], caption: str) -> Element:
    heads = (
        element(
            "th", element("span", str(digit), class_="digit"), element("span", f" {name}", class_="name"), scope="col"
        )
        for digit, name in DIMENSIONS.items()
    )
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", element("th", "Module", scope="col"), *heads)),
        element("tbody", *(_row(module, runs.get(module.path)) for module in modules)),
        class_="heat",
    )


def _row(module: _Module, run: FileRun | None) -> Element:
    return element(
        "tr",
        element(
            "th",
            element("code", shortened(module.path, 200)),
            element("small", _ran(run)) if run is not None else None,
            scope="row",
        ),
        *(_cell(module.cells.get(digit, ())) for digit in DIMENSIONS),
    )


def _ran(run: FileRun) -> str:
    failed = f", {run.failed:,} failed" if run.failed else ""
    return f"{plural(run.collected, 'test')}{failed}"


def _cell(found: Sequence[Anchored]) -> Element:
    if not found:
        return element("td")
    worst = max(found, key=lambda one: one.finding.severity)
    word = worst.finding.severity.word
    of = "" if len(found) == 1 else f", the worst of {len(found):,}"
    link = element("a", f"{len(found):,}", unseen(f" {word}{of}"), href=worst.link, class_=f"level {word}")
    return element("td", link, class_=word)
