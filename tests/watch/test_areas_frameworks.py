"""Areas that wait for their framework: in a process of its own, where none is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import types
from typing import Any

import pytest

from pytest_secaudit.watch.areas import WATCHERS
from pytest_secaudit.watch.areas.frameworks import NAMES, OfFramework, areas_of_frameworks
from pytest_secaudit.watch.engine import Engine
from pytest_secaudit.watch.eyes import Eyes
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps


def test_their_names_are_known_before_they_are_loaded() -> None:
    stack = Stack(lambda path: path, lambda path: False)
    made = areas_of_frameworks(Taps(), stack, lambda module: False, lambda path: "")
    assert tuple(area.name for area in made) == NAMES
    assert set(NAMES) < set(WATCHERS)
    assert len(Eyes(made).asleep) == len(made), "they are asked only when a module is loaded"
    for area in made:
        area.stop()  # of what was never made there is nothing to let go


def test_they_come_to_life_with_their_framework() -> None:
    code = """
        import sys, types
        from pytest_secaudit.watch.areas.frameworks import areas_of_frameworks
        from pytest_secaudit.watch.stack import Stack
        from pytest_secaudit.watch.tapping import Taps

        def module(name, **names):
            sys.modules[name] = found = types.ModuleType(name)
            vars(found).update(names)
            return found

        stack = Stack(lambda path: path, lambda path: False)
        areas = areas_of_frameworks(Taps(), stack, lambda module: module.__name__ == "shop", lambda path: "")
        ours = lambda: sorted(name.rpartition(".")[2] for name in sys.modules if name.startswith("pytest_secaudit.watch.areas.set"))
        changes = lambda: [area.fix(one) for area in areas for one in area.look()]
        assert not changes() and not ours() and not any(hasattr(area, "level") for area in areas)

        class Flask:
            __module__ = "flask.app"
            def __init__(self):
                self.config = {"PAGES": 1}
        module("flask.app", Flask=Flask)
        module("shop", app=Flask())
        assert not changes()
        print(ours(), [area.name for area in areas if hasattr(area, "level")])
        sys.modules["shop"].app.config["PAGES"] = 2
        print(changes())
    """
    environment = {**os.environ, "PYTEST_CURRENT_TEST": ""}  # what runs there is no test
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [
        "['settings_values'] ['flask config']",
        """["monkeypatch.setitem(app.config, 'PAGES', ...)"]""",
    ], done.stderr


def test_who_cannot_be_loaded_just_now_is_loaded_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "secaudit_framework", types.ModuleType("secaudit_framework"))
    tries: list[int] = []

    def make() -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise ImportError("somebody fakes imports")
        return types.SimpleNamespace(look=lambda: ("news",), stirred=())

    area = OfFramework("a framework", "PSA402", ("secaudit_framework",), make)
    assert not any(area.stirred)
    assert [tuple(area.look()) for _ in range(3)] == [(), (), ("news",)]
    assert len(tries) == 3


def test_who_can_never_be_loaded_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "secaudit_framework", types.ModuleType("secaudit_framework"))

    def make() -> Any:
        raise ImportError("for good")

    engine = Engine([OfFramework("a framework", "PSA402", ("secaudit_framework",), make)])
    for _ in range(50):  # what stirs is asked again though no module came
        engine.look()
    assert engine.watchers == {"a framework": "off: it failed: ImportError: for good"}
