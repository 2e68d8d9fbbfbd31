"""Asking the live objects of a run what the files left open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from pytest_secaudit.collected import Collected
from pytest_secaudit.live import Surroundings, scopes_in_effect, settle
from pytest_secaudit.reading import Reading


def settled(reading: Reading, found: Collected, beside: Sequence[Reading], *, time_limit: bool) -> Reading:
    """The reading without the hits that live objects clear.

    Args:
        reading: of a collected file.
        found: what was collected.
        beside: the file itself and those whose fixtures may be in effect in it.
        time_limit: whether a plugin ends every test that takes too long.
    """
    path = reading.path
    replacements: dict[str, set[str]] = defaultdict(set)
    for one in beside:
        for fixture in one.fixtures:
            replacements[fixture.name].update(fixture.replaces)
    around = Surroundings(
        module=found.files[path].module,
        fixtures_in_effect=found.fixtures_in_effect(path),
        fixture_replacements=replacements,
        autouse=tuple(_autouse(path, beside)),
        time_limit=time_limit,
        restores=tuple((one.path, fact) for one in beside for fact in one.restores),
        fixture_scopes=scopes_in_effect(path, beside),
    )
    return settle(reading, around)


def _autouse(path: str, readings: Iterable[Reading]) -> Iterator[str]:
    """Fixtures that are in effect for every function of the file, as far as these files tell."""
    for reading in readings:
        if reading.path == path or surrounds(reading.path, path):
            yield from (fixture.name for fixture in reading.fixtures if fixture.autouse)


def surrounds(conftest: str, path: str) -> bool:
    """Whether a file is a conftest in the folder of ``path`` or above it."""
    folder, _, name = conftest.rpartition("/")
    return name == "conftest.py" and (not folder or path.startswith(f"{folder}/"))
