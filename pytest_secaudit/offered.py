"""The checks of a run: ours, and those that plugins and conftests offer through ``pytest_secaudit_checks``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_secaudit.catalogue import BadCheck, gathered
from pytest_secaudit.lean import lean
from pytest_secaudit.model import OWN_CHECKS, Heading, NotAudited
from pytest_secaudit.redact import clean

_HOOK = "pytest_secaudit_checks"
_OURS = "pytest_secaudit.plugin"
#: What a hook may raise without ending the run: those of pytest are no Exception.
_FAILURES = (Exception, pytest.fail.Exception, pytest.skip.Exception)


@lean
@dataclass(frozen=True, slots=True)
class Offered:
    """What was offered when the run began.

    Attributes:
        catalogue: all checks, sorted by code; of ours the headings.
        failures: who could not be asked, and why; what else is to be said of a check.
        asked: the names of the plugins that were asked.
    """

    catalogue: tuple[Heading, ...]
    failures: tuple[NotAudited, ...] = ()
    asked: frozenset[str] = frozenset()

    def late(self, config: pytest.Config) -> Iterator[NotAudited]:
        """Those who came with checks when all had been asked: conftests that pytest found while it collected."""
        for name, plugin in _implementers(config):
            if name not in self.asked:
                yield NotAudited(
                    _source(config, name, plugin),
                    f"not by {OWN_CHECKS}: it was loaded after {_HOOK} had been asked for; "
                    "checks belong into a plugin, the conftest at the rootdir, or that of a folder on the command line",
                )


def offered(config: pytest.Config) -> Offered:
    """The checks that this run may use.

    Raises:
        pytest.UsageError: for what is no check, and for a code or name that two of them have.
    """
    ours: list[Heading] = []
    offers: list[tuple[str, list[object]]] = []
    failures: list[NotAudited] = []
    plugins = list(_implementers(config))
    for name, plugin in plugins:
        others = [other for _, other in plugins if other is not plugin]
        source = _source(config, name, plugin)
        try:
            answers = config.pluginmanager.subset_hook_caller(_HOOK, remove_plugins=others)(config=config)
            found = [check for answer in answers for check in answer]
        except _FAILURES as error:
            reason = clean(f"not by {OWN_CHECKS}: {_HOOK} raised {type(error).__name__}: {error}")
            failures.append(NotAudited(source, reason))
            continue
        if getattr(plugin, "__name__", "") == _OURS:
            ours += found
        else:
            offers.append((source, found))
    try:
        catalogue, idle = gathered(ours, offers)
    except BadCheck as error:
        raise pytest.UsageError(clean(f"{_HOOK}: {error}")) from None
    failures += [NotAudited(source, f"not by {code}: it has no rule, and reports nothing") for source, code in idle]
    return Offered(catalogue, tuple(failures), frozenset(name for name, _ in plugins))


def _implementers(config: pytest.Config) -> Iterator[tuple[str, object]]:
    """Name and plugin of each that has the hook, each once."""
    known = {impl.plugin_name: impl.plugin for impl in getattr(config.hook, _HOOK).get_hookimpls()}
    yield from sorted(known.items())


def _source(config: pytest.Config, name: str, plugin: object) -> str:
    """How a plugin is named to its user: a conftest by its path below the rootdir, as pytest registers them by path."""
    file = getattr(plugin, "__file__", None)
    if file is None or name != str(file):
        return clean(f"plugin {name}")
    try:
        return clean(Path(file).relative_to(config.rootpath).as_posix())
    except ValueError:
        return clean(str(file))
