"""What of the process is watched: one file is one part of its state (see `pytest_secaudit.watch.state.Area`)."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.redact import clean
from pytest_secaudit.watch.areas.builtin_names import BuiltinNames
from pytest_secaudit.watch.areas.children import Children
from pytest_secaudit.watch.areas.contexts import ContextVars
from pytest_secaudit.watch.areas.cwd import Cwd
from pytest_secaudit.watch.areas.descriptors import Descriptors
from pytest_secaudit.watch.areas.environ import Environ
from pytest_secaudit.watch.areas.exits import Exits
from pytest_secaudit.watch.areas.filters import Filters
from pytest_secaudit.watch.areas.fixture_values import FixtureValues
from pytest_secaudit.watch.areas.frameworks import NAMES, areas_of_frameworks
from pytest_secaudit.watch.areas.generators import Decimals, Generator
from pytest_secaudit.watch.areas.imports import Imports
from pytest_secaudit.watch.areas.interpreter import Interpreter
from pytest_secaudit.watch.areas.limits import Limits
from pytest_secaudit.watch.areas.locales import Locale
from pytest_secaudit.watch.areas.logs import Logging, LoggingDisable
from pytest_secaudit.watch.areas.loops import EventLoops
from pytest_secaudit.watch.areas.modules import Modules
from pytest_secaudit.watch.areas.pending import Tasks
from pytest_secaudit.watch.areas.signals import Signals
from pytest_secaudit.watch.areas.threads import Threads
from pytest_secaudit.watch.areas.timezone import TimeZone
from pytest_secaudit.watch.areas.tracing import Tracing
from pytest_secaudit.watch.areas.umask import Umask
from pytest_secaudit.watch.disk.elsewhere import Elsewhere
from pytest_secaudit.watch.disk.files import Files
from pytest_secaudit.watch.disk.temporary import TemporaryPaths
from pytest_secaudit.watch.namespaces import Namespaces
from pytest_secaudit.watch.patches import Patches
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Area, Change
from pytest_secaudit.watch.tapping import Taps


@lean
@dataclass(frozen=True, slots=True)
class Facts:
    """What areas must know about the run.

    Attributes:
        warnings_are_reset: pytest resets the warning filters after every test.
        random_is_reseeded: a plugin seeds the random generator before every test.
        is_project: whether a module is the project's own, tests and product alike.
        relative: a file name as the report writes it.
        test_path: the same of a test-side file; empty for any other.
        exact: everything is compared at every change of stage, whatever it costs.
        deep: namespaces, files and the values of fixtures are looked into.
        root: the rootdir.
        is_ignored: whether a path is pytest's own, or a report's.
        whoever_holds: a descriptor counts as long as it is open: nobody's namespace is about to go.
    """

    warnings_are_reset: bool
    random_is_reseeded: bool
    is_project: Callable[[ModuleType], bool]
    relative: Callable[[str], str]
    test_path: Callable[[str], str]
    exact: bool
    deep: bool
    root: str
    is_ignored: Callable[[str], bool]
    whoever_holds: bool = False


#: The patches come first: what they change in another area is theirs.
_PLAIN = (
    Patches,
    Environ,
    Cwd,
    Modules,
    Tracing,
    Interpreter,
    BuiltinNames,
    Signals,
    Umask,
    Locale,
    TimeZone,
    Limits,
    LoggingDisable,
    Decimals,
    EventLoops,
    Tasks,
    Exits,
    Threads,
    Children,
)


def areas_for(taps: Taps, stack: Stack, facts: Facts, names: Container[str] | None = None) -> list[Area]:
    """All areas, or those of these names, with their taps in place.

    One that cannot be made says so and is never looked at.
    """
    makers: list[tuple[Any, Callable[[], Any]]] = [(area, partial(area, taps, stack)) for area in _PLAIN]
    makers += [
        (Logging, partial(Logging, taps, stack, relative=facts.relative)),
        (Imports, partial(Imports, taps, stack, relative=facts.relative)),
        (Filters, partial(Filters, taps, stack, reset_by_pytest=facts.warnings_are_reset)),
        (Generator, partial(Generator, taps, stack, reseeded=facts.random_is_reseeded)),
        (ContextVars, partial(ContextVars, taps, stack, is_project=facts.is_project)),
        (
            Descriptors,
            partial(
                Descriptors,
                taps,
                stack,
                is_project=facts.is_project,
                relative=facts.relative,
                whoever_holds=facts.whoever_holds,
            ),
        ),
    ]
    makers.append((TemporaryPaths, partial(TemporaryPaths, taps, stack, is_ignored=facts.is_ignored)))
    if facts.deep:
        values = partial(FixtureValues, taps, stack, test_path=facts.test_path, is_project=facts.is_project)
        makers.append((FixtureValues, values))
        makers.append((Files, partial(Files, taps, stack, root=facts.root, is_ignored=facts.is_ignored)))
        makers.append((Elsewhere, partial(Elsewhere, taps, stack, root=facts.root)))
        makers.append((Namespaces, partial(Namespaces, taps, stack, facts.is_project, facts.test_path, facts.relative)))
    made = [_made(area, make) for area, make in makers if names is None or area.name in names]
    frameworks = areas_of_frameworks(taps, stack, facts.is_project, facts.test_path)
    return [*made, *(area for area in frameworks if names is None or area.name in names)]


def _made(area: Any, make: Callable[[], Any]) -> Area:
    try:
        made: Area = make()
    except Exception as error:  # a platform or a version that nobody has thought of
        return Unavailable(area.name, area.code, clean(f"it failed: {type(error).__name__}: {error}"))
    return made


@dataclass(slots=True)
class Unavailable:
    """An area that cannot be watched here."""

    name: str
    code: str
    off: str

    def look(self) -> tuple[Change, ...]:
        return ()

    def said(self, change: Change) -> str:
        return str(change.after)

    def fix(self, change: Change) -> str:  # noqa: ARG002 - the form of an area
        return ""

    def settle(self) -> None:
        """Nothing is waited for."""

    def stop(self) -> None:
        """Nothing was begun."""


#: Beside the areas: what is done in a run, see `pytest_secaudit.watch.clock` and `contact`.
ACTS = ("sleep", "contact", "credential files", "outputs", "loads", "lines", "mocks")

_OTHERS = (
    Logging,
    Imports,
    Filters,
    Generator,
    ContextVars,
    Descriptors,
    TemporaryPaths,
    FixtureValues,
    Files,
    Elsewhere,
    Namespaces,
)
WATCHERS = (*(area.name for area in (*_PLAIN, *_OTHERS)), *NAMES, *ACTS)

#: What a block can be watched for: `pytest_secaudit.no_leaks`. The second are dear, and only looked at if asked for.
OF_A_BLOCK = tuple(name for name in WATCHERS if name not in {*ACTS, *(area.name for area in _OTHERS[-4:])})
OF_A_BLOCK_IF_ASKED = (Files.name, Namespaces.name)
