"""What the user's own coverage knows of the project, for blind spots; it is only read."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable

import pytest

from pytest_secaudit.blind_log import as_record, name_of_product
from pytest_secaudit.carrying import Cargo
from pytest_secaudit.collected import Collector
from pytest_secaudit.outfit import Outfit
from pytest_secaudit.testside import TestSide
from pytest_secaudit.watch import tool_ids
from pytest_secaudit.watch.blind import measuring
from pytest_secaudit.watch.record import Watched


def covered(
    config: pytest.Config, outfit: Outfit | None, cargo: Iterable[Cargo], said: list[warnings.WarningMessage]
) -> tuple[Cargo, ...]:
    """What coverage measured, where nothing better is at hand; nothing if it was not in use.

    Args:
        config: of the run, which is over.
        outfit: the watch of this process, if it ran tests.
        cargo: what all processes sent.
        said: takes what coverage warned of meanwhile.
    """
    watched = [one.watched for one in cargo if one.watched is not None]
    has_children = any(part.words for one in watched for part in one.executed)
    if not any(one.replaced for one in watched) or (tool_ids.monitoring is not None and not has_children):
        return ()
    data = measuring.of_pytest_cov(config.pluginmanager)
    if data is None and tool_ids.monitoring is None and outfit is not None:
        data = measuring.of_current(said)
    if data is None:
        return ()
    measured = measuring.read(data, _namer(config, outfit), str(config.invocation_params.dir))
    return (Cargo(watched=Watched(executed=(as_record(measured),))),)


def _namer(config: pytest.Config, outfit: Outfit | None) -> Callable[[str], str]:
    if outfit is not None and outfit.blind is not None:
        return outfit.blind.name_of
    return name_of_product(TestSide(config.rootpath), Collector(config).relative)
