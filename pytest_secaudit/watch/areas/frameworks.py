"""Areas of frameworks that most runs never load: their code is loaded with the framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

from pytest_secaudit.watch import real
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Area, Change
from pytest_secaudit.watch.tapping import Taps

#: So many times the code of an area may fail to load before it counts as failed.
_PATIENCE = 20

IsProject = Callable[[ModuleType], bool]
TestPath = Callable[[str], str]


class OfFramework:
    """Stands for an area until its framework is there, and passes on to it from then on.

    Nothing is missed: what such an area looks at did not exist before.

    Args:
        loaded_with: any of these modules; the area is made when one of them is loaded.
        make: makes the area.
    """

    off = ""

    def __init__(self, name: str, code: str, loaded_with: Sequence[str], make: Callable[[], Any]) -> None:
        self.name = name
        self.code = code
        self._loaded_with = loaded_with
        self._make = make
        self._area: Any = None
        self._failures = 0

    def __getattr__(self, name: str) -> Any:
        """What an area may have beside the rest; nothing as long as there is none."""
        if self._area is None:
            raise AttributeError(name)
        return getattr(self._area, name)

    @property
    def stirred(self) -> Sequence[object]:
        return (self._failures,) if self._area is None else self._area.stirred

    def look(self) -> Iterable[Change]:
        if self._area is None:
            if not any(name in real.modules for name in self._loaded_with):
                return ()
            try:
                self._area = self._make()
            except Exception:  # a test may fake what imports need just now
                self._failures += 1
                if self._failures > _PATIENCE:
                    raise
                return ()
        return self._area.look()  # type: ignore[no-any-return]

    def said(self, change: Change) -> str:
        return str(self._area.said(change))

    def fix(self, change: Change) -> str:
        return str(self._area.fix(change))

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Let go of what the area holds."""
        if self._area is not None:
            self._area.stop()


#: The names of the areas below.
NAMES = ("django settings", "oslo.config", "flask config", "dependency overrides")


def areas_of_frameworks(taps: Taps, stack: Stack, is_project: IsProject, test_path: TestPath) -> list[Area]:
    """The areas of what is configured in frameworks, none of them loaded yet."""

    def django() -> Area:
        from pytest_secaudit.watch.areas.settings_objects import DjangoSettings

        return DjangoSettings(taps, stack)

    def oslo() -> Area:
        from pytest_secaudit.watch.areas.settings_objects import OsloConfig

        return OsloConfig(taps, stack, is_project, test_path)

    def flask() -> Area:
        from pytest_secaudit.watch.areas.applications import FlaskConfig

        return FlaskConfig(taps, stack, is_project, test_path)

    def fastapi() -> Area:
        from pytest_secaudit.watch.areas.applications import DependencyOverrides

        return DependencyOverrides(taps, stack, is_project, test_path)

    return [
        OfFramework("django settings", "PSA402", ("django.conf",), django),
        OfFramework("oslo.config", "PSA402", ("oslo_config.cfg",), oslo),
        OfFramework("flask config", "PSA402", ("flask.app", "quart.app"), flask),
        OfFramework("dependency overrides", "PSA402", ("fastapi.applications",), fastapi),
    ]
