"""Which lines of the project ran, by coverage: the user's data are read, or a measurement of our own is made.

Only before Python 3.12. There is never a second `coverage.Coverage` in a process, the contexts of the user's stay as
they are, and what it would warn of is said once, as without us.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from coverage import Coverage, CoverageData

#: Stands for the tests, where a measurement tells them from imports but not from each other.
ANY_TEST: Final = "*"
#: Under which pytest-cov keeps its plugin, and only if it measures.
_PYTEST_COV: Final = "_cov"


@dataclass(slots=True)
class Measured:
    """The lines of the project that ran.

    Attributes:
        lines: path -> line -> the tests that ran it, where that was measured; empty for a file of which none ran.
        entered: path -> the first lines of what was entered; only with branches.
        knows_tests: the data tell which tests ran a line.
    """

    lines: dict[str, dict[int, set[str]]] = field(default_factory=lambda: defaultdict(dict))
    entered: dict[str, set[int]] = field(default_factory=dict)
    knows_tests: bool = False


def current() -> Coverage | None:
    """The one that measures in this process, if coverage is in use."""
    module = sys.modules.get("coverage")
    found: Coverage | None = module.Coverage.current() if module is not None else None
    return found


class Own:
    """A measurement of our own, in memory.

    Attributes:
        off: why there is none.
    """

    def __init__(self) -> None:
        self.off = ""
        self._coverage: Coverage | None = None
        if sys.gettrace() is not None:
            self.off = "the trace function is that of a debugger or another tool"
            return
        try:
            import coverage
        except ImportError as error:
            self.off = f"coverage cannot be imported: {error}"
            return
        self._coverage = coverage.Coverage(data_file=None, config_file=False, branch=True, messages=False)
        self._coverage.start()

    def tests_begin(self) -> None:
        """What ran until now was run by imports."""
        if self._coverage is not None:
            self._coverage.switch_context(f"{ANY_TEST}|run")

    def stop(self) -> None:
        """Measure no more."""
        found, self._coverage = self._coverage, None
        if found is not None:
            found.stop()

    def read(self, name_of: Callable[[str], str], folder: str) -> Measured | None:
        """What ran until now; the measurement is over."""
        found = self._coverage
        if found is None:
            return None
        self.stop()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read(found.get_data(), name_of, folder)


def of_pytest_cov(manager: Any) -> CoverageData | None:
    """The data of pytest-cov, those of all workers, once its run is over; None if it is not in use."""
    controller = getattr(manager.getplugin(_PYTEST_COV), "cov_controller", None)
    coverage = getattr(controller, "cov", None)
    if coverage is None or current() is coverage:  # it still measures
        return None
    data: CoverageData = coverage.get_data()
    return data


def of_current(said: list[warnings.WarningMessage]) -> CoverageData | None:
    """The data of `coverage run`, which goes on measuring; None if it is not in use.

    Args:
        said: takes what coverage warns of when it is asked: it will not say so again.
    """
    found = current()
    if found is None:
        return None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = found.get_data()
    said += caught
    return data


def read(data: CoverageData, name_of: Callable[[str], str], folder: str) -> Measured:
    """The lines that ran.

    Args:
        data: of all processes.
        name_of: a file as the report writes it; empty for what is not of the project's product.
        folder: what relative file names in the data are relative to.
    """
    measured = Measured(knows_tests=_are_of_tests(data.measured_contexts()))
    for file in data.measured_files():
        path = name_of(os.path.realpath(os.path.join(folder, file)))
        if not path:
            continue
        lines = measured.lines[path]
        contexts: Mapping[int, list[str]] = data.contexts_by_lineno(file) if measured.knows_tests else {}
        for line in data.lines(file) or ():
            tests = filter(None, map(_test_of, contexts.get(line, ())))
            lines.setdefault(line, set()).update(tests)
            if "" in contexts.get(line, ("",)):
                lines[line].add("")
        if data.has_arcs():
            measured.entered.setdefault(path, set()).update(-start for start, _ in data.arcs(file) or () if start < 0)
    return measured


def _are_of_tests(contexts: Iterable[str]) -> bool:
    """Whether they are those of pytest-cov, and any are."""
    named = [context for context in contexts if context]
    return bool(named) and all(context.endswith(("|setup", "|run", "|teardown")) for context in named)


def _test_of(context: str) -> str:
    """Of a context such as ``ctx|tests/test_a.py::test_b|run``, as pytest-cov writes them."""
    test = context.rpartition("|")[0]
    return test.partition("|")[2] if "|" in test.partition("::")[0] else test
