"""sys.modules: stand-ins, replaced and removed entries are seen; imports never are."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sched
import sys
import time
import types
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from pytest_secaudit.watch.areas.modules import Gone, Modules
from pytest_secaudit.watch.engine import Engine
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Held
from pytest_secaudit.watch.tapping import Taps

STACK = Stack(str, lambda path: path == __file__)


class Stub:
    """Stands in for a module."""


class HostileModule(types.ModuleType):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the example modules are imported from."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    return tmp_path


@pytest.fixture
def area(folder: Path) -> Iterator[Modules]:
    """With a package ``shop`` of the product, which was imported before the tests."""
    with mock.patch.dict(sys.modules):
        write(folder, "shop/__init__.py")
        write(folder, "shop/config.py")
        importlib.import_module("shop.config")
        area = Modules(Taps(), STACK)
        assert not area.off
        assert not area.look()
        assert not area.look()
        assert not area.look_closely()
        yield area


@pytest.fixture
def tests_run(area: Modules) -> None:
    """Collection is over."""
    area.begin()


def test_what_is_imported_anew_is_of_who_did_it(area: Modules, folder: Path, tests_run: None) -> None:
    """As many modules as before, and nobody looks closely: but another one is the youngest."""
    engine = Engine([area])
    engine.look(closely=True)
    engine._free, engine._next_close_look = 0, 1e18
    test = Actor("test", "test_a.py::test_x", scope="function")
    engine.enter(test)
    del sys.modules["shop"]
    importlib.import_module("shop")
    engine.leave(test)
    write(folder, "plugin.py")
    importlib.import_module("plugin")
    engine.look()
    assert [change.subject for _, change in engine.ledger.owed(test)] == ["sys.modules['shop']"]


def write(folder: Path, name: str, text: str = "") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    importlib.invalidate_caches()


def said(area: Modules) -> dict[str, str]:
    return {change.subject: area.said(change) for change in area.look()}


# --- stand-ins


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: None, "None, so that its import fails"),
        (mock.MagicMock, "set to a MagicMock"),
        (lambda: types.ModuleType("secaudit_absent"), "set to a module made by hand"),
        (Stub, "set to a Stub"),
        (lambda: Stub, f"set to {__name__}.Stub"),
        (types.SimpleNamespace, "set to a SimpleNamespace"),
        (lambda: json, "set to the module json"),
        (lambda: HostileModule("secaudit_absent"), "set to a module made by hand"),
        (lambda: "text", "set to 'text'"),
    ],
)
def test_a_stand_in_that_is_left_and_one_that_is_taken_away(
    area: Modules, tests_run: None, make: Any, words: str
) -> None:
    sys.modules["secaudit_absent"] = make()
    (change,) = area.look()
    assert (change.subject, area.said(change)) == ("sys.modules['secaudit_absent']", words)
    assert area.fix(change) == "monkeypatch.setitem(sys.modules, 'secaudit_absent', ...)"
    assert not area.look()
    assert not area.look_closely()
    del sys.modules["secaudit_absent"]
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, change.before)
    assert not area.look()
    assert not area.look_closely()


def test_a_spec_made_by_hand_does_not_make_a_module_real(area: Modules) -> None:
    fake = types.ModuleType("secaudit_absent")
    fake.__spec__ = ModuleSpec("secaudit_absent", None)
    sys.modules["secaudit_absent"] = fake
    assert said(area) == {"sys.modules['secaudit_absent']": "set to a module made by hand"}


def test_a_stand_in_in_the_place_of_a_module(area: Modules, tests_run: None) -> None:
    real, sys.modules["shop"] = sys.modules["shop"], mock.MagicMock()
    fake: Any = sys.modules["shop"]
    assert not area.look()
    (change,) = area.look_closely()
    assert (change.subject, area.said(change)) == ("sys.modules['shop']", "replaced by a MagicMock")
    assert fake.mock_calls == []
    assert not area.look_closely()
    sys.modules["shop"] = real
    (back,) = area.look_closely()
    assert (back.before, back.after) == (change.after, change.before)
    assert fake.mock_calls == []


def test_hostile_objects_and_names(area: Modules) -> None:
    sys.modules["shop.config"] = HostileModule("shop.config")
    assert len(list(area.look_closely())) == 1
    sys.modules[HostileModule] = 1  # type: ignore[index, assignment]
    sys.modules["secaudit_absent"] = mock.ANY
    assert [change.subject for change in area.look()] == ["sys.modules['secaudit_absent']"]
    del sys.modules[HostileModule]  # type: ignore[arg-type]
    assert not area.look()


def test_the_real_import_after_a_stand_in_pays(area: Modules, tests_run: None, folder: Path) -> None:
    write(folder, "secaudit_late.py")
    sys.modules["secaudit_late"] = mock.MagicMock()
    (change,) = area.look()
    del sys.modules["secaudit_late"]
    importlib.import_module("secaudit_late")
    (back,) = area.look_closely()
    assert (back.before, back.after) == (change.after, change.before)


def test_several_in_one_look_are_told_apart(area: Modules, tests_run: None, folder: Path) -> None:
    write(folder, "secaudit_product.py", "import secaudit_dependency")
    sys.modules["secaudit_dependency"] = mock.MagicMock()
    importlib.import_module("secaudit_product")
    sys.modules["secaudit_other"] = None  # type: ignore[assignment]
    assert list(said(area)) == ["sys.modules['secaudit_dependency']", "sys.modules['secaudit_other']"]


def test_monkeypatch_and_patch_dict_put_all_back(area: Modules) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "shop.config", mock.Mock())
        patch.setitem(sys.modules, "secaudit_absent", None)
        patch.delitem(sys.modules, "shop")
    with mock.patch.dict(sys.modules, {"shop.config": mock.Mock()}):
        importlib.import_module("json.tool")
    assert not area.look()
    assert not area.look_closely()


# --- replaced and removed


def test_a_module_that_is_removed_and_put_back(area: Modules, tests_run: None) -> None:
    module = sys.modules.pop("shop.config")
    (change,) = area.look()
    assert (change.subject, area.said(change)) == ("sys.modules['shop.config']", "removed")
    assert area.fix(change) == "monkeypatch.delitem(sys.modules, 'shop.config')"
    assert not area.look()
    sys.modules["shop.config"] = module
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, change.before)
    assert not area.look()


def test_removed_and_imported_anew(area: Modules, tests_run: None) -> None:
    old = sys.modules["shop.config"]
    del sys.modules["shop.config"]
    importlib.import_module("shop.config")
    (change,) = area.look()
    assert area.said(change) == "removed and imported anew"
    assert not area.look()
    sys.modules["shop.config"] = old
    (back,) = area.look_closely()
    assert (back.before, back.after) == (change.after, change.before)


def test_the_next_import_after_a_removal_is_nobodys_fault(area: Modules, tests_run: None) -> None:
    del sys.modules["shop.config"]
    assert area.look()
    importlib.import_module("shop.config")
    assert not area.look()
    assert not area.look_closely()
    del sys.modules["shop.config"]
    importlib.import_module("shop.config")
    assert not area.look()


def test_a_removed_module_is_not_kept_alive(area: Modules, tests_run: None) -> None:
    del sys.modules["shop.config"]
    vars(sys.modules["shop"]).pop("config")
    (change,) = area.look()
    assert type(change.before) is Held
    held = area._known["shop.config"]
    assert type(held) is Held
    change.before.loosen()
    assert held._strong is None
    assert change.before._strong is None


def test_reload_keeps_the_module(area: Modules, tests_run: None) -> None:
    importlib.reload(sys.modules["shop.config"])
    assert not area.look()
    assert not area.look_closely()


def test_a_module_that_only_tests_imported_may_be_removed(area: Modules, tests_run: None, folder: Path) -> None:
    """As fixtures do that isolate imports, or clean up after a generated module."""
    write(folder, "secaudit_plugin.py")
    importlib.import_module("secaudit_plugin")
    assert not area.look()
    del sys.modules["secaudit_plugin"]
    assert not area.look()
    importlib.import_module("secaudit_plugin")
    assert not area.look()


def test_a_run_within_a_test_does_not_end_the_tests(
    area: Modules, tests_run: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It removes PYTEST_CURRENT_TEST, and the fixture that made it what was imported since."""
    write(folder, "secaudit_plugin.py")
    importlib.import_module("secaudit_plugin")
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    assert not area.look()
    del sys.modules["secaudit_plugin"]
    assert not area.look()


def test_a_module_imported_while_tests_were_collected_may_not(area: Modules, folder: Path) -> None:
    write(folder, "secaudit_late.py")
    importlib.import_module("secaudit_late")
    assert not area.look()
    area.begin()
    del sys.modules["secaudit_late"]
    assert said(area) == {"sys.modules['secaudit_late']": "removed"}


def test_what_was_replaced_waits_for_a_closer_look_when_something_else_is_imported(
    area: Modules, tests_run: None, folder: Path
) -> None:
    write(folder, "secaudit_late.py")
    with mock.patch.dict(sys.modules):
        assert sys.modules["sched"] is sched
        sys.modules["sched"] = mock.Mock()
        importlib.import_module("secaudit_late")
        assert not area.look()
        assert not area.look()
        (change,) = area.look_closely()
        assert change.subject == "sys.modules['sched']"
        assert not area.look_closely()


def test_less_thorough(area: Modules, tests_run: None) -> None:
    area.thorough = False
    old = next(iter(sys.modules))
    with mock.patch.dict(sys.modules, {old: mock.Mock(), "shop.config": mock.Mock()}):
        assert "sys.modules['shop.config']" in [change.subject for change in area.look_closely()]
    assert area.look_closely()
    with mock.patch.dict(sys.modules, {old: mock.Mock()}):
        assert not area.look_closely()


def test_the_dictionary_itself(area: Modules, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "modules", dict(sys.modules))
        changes = list(area.look())
    assert [(change.subject, area.said(change)) for change in changes] == [("sys.modules", "replaced by a dict")]
    assert area.fix(changes[0]) == "mock.patch.dict(sys.modules, ...)"
    (back,) = area.look()
    assert (back.before, back.after) == (changes[0].after, changes[0].before)


# --- imports are never a change


@pytest.mark.parametrize(
    ("files", "imported"),
    [
        ({"plain.py": ""}, "plain"),
        ({"pack/__init__.py": "", "pack/inner.py": ""}, "pack.inner"),
        ({"namespace/inner.py": ""}, "namespace.inner"),
        ({"itself.py": "import sys\nclass Lazy:\n    pass\nsys.modules[__name__] = Lazy()"}, "itself"),
        (
            {
                "itself.py": "import sys, types\nclass Lazy(types.ModuleType):\n    pass\n"
                "sys.modules[__name__] = Lazy(__name__)"
            },
            "itself",
        ),
        (
            {"lib/__init__.py": "import sys, json, types\nsys.modules['lib.json'] = json\n"
             "sys.modules['lib.moves'] = types.ModuleType('lib.moves')"},
            "lib",
        ),
        (
            {"lib/__init__.py": "import sys\nfrom . import _vendor\nsys.modules['lib.extern'] = _vendor",
             "lib/_vendor.py": ""},
            "lib.extern",
        ),
        ({"lib/__init__.py": "", "lib/sub.py": "import sys\nsys.modules[__name__] = object()"}, "lib.sub"),
    ],
    ids=["module", "package", "namespace", "object", "subclass", "moves", "vendored", "object-in-package"],
)  # fmt: skip
def test_imports_of_all_kinds_are_silent(
    area: Modules, tests_run: None, folder: Path, files: dict[str, str], imported: str
) -> None:
    for name, text in files.items():
        write(folder, name, text)
    importlib.import_module(imported)
    assert not area.look()
    assert not area.look_closely()


def test_lazy_parts_that_a_package_adds_later(area: Modules, tests_run: None, folder: Path) -> None:
    write(folder, "lib.py", "import types\nclass Lazy(types.ModuleType):\n    pass")
    lib = importlib.import_module("lib")
    assert not area.look()
    sys.modules["lib.moves"] = lib.Lazy("lib.moves")
    sys.modules["lib.alias"] = lib
    assert not area.look()


def test_lazy_parts_whose_class_is_from_nowhere(area: Modules, tests_run: None, folder: Path) -> None:
    """As celery makes them."""
    write(folder, "lib.py", "import types\nclass Lazy(types.ModuleType):\n    pass")
    lib = importlib.import_module("lib")
    assert not area.look()
    sys.modules["lib.moves"] = type("moves", (lib.Lazy,), {"__module__": ""})("moves")
    assert not area.look()


def test_a_module_of_cython_is_there_under_its_short_name_too(area: Modules, tests_run: None) -> None:
    """As those of SciPy: imported as ``scipy.ndimage._ni_label``, entered as ``_ni_label`` as well."""
    made = types.ModuleType("science.images._secaudit_label")
    origin = f"/lib/science/images/_secaudit_label{EXTENSION_SUFFIXES[0]}"
    made.__spec__ = ModuleSpec(made.__name__, object(), origin=origin)  # type: ignore[arg-type]
    sys.modules["_secaudit_label"] = made
    assert not area.look()
    sys.modules["secaudit_fake"] = made
    assert [change.subject for change in area.look()] == ["sys.modules['secaudit_fake']"]


def test_modules_that_are_made_in_c(area: Modules, tests_run: None) -> None:
    """As the extension modules of cryptography set them beside themselves."""
    made = types.ModuleType("_secaudit_ssl")
    made.lib = type("Lib", (), {"__module__": "_cffi_backend"})()  # type: ignore[attr-defined]
    sys.modules["_secaudit_ssl"] = made
    sys.modules["_secaudit_ssl.lib"] = made.lib  # type: ignore[attr-defined]
    assert not area.look()
    fake = types.ModuleType("secaudit_fake")
    fake.sleep = time.sleep  # type: ignore[attr-defined]
    sys.modules["secaudit_fake"] = fake
    assert list(said(area)) == ["sys.modules['secaudit_fake']"]
    vars(time)["__spec__"], spec = None, time.__spec__
    try:
        sys.modules["secaudit_of_c"] = time
        assert not area.look()
    finally:
        time.__spec__ = spec


def test_a_module_loaded_by_hand_from_its_file(area: Modules, tests_run: None, folder: Path) -> None:
    write(folder, "script.py")
    spec = importlib.util.spec_from_file_location("script", folder / "script.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["script"] = module
    assert not area.look()


@pytest.mark.parametrize(
    "name",
    [
        "__main__",
        "__mp_main__",
        "__original_module_threading",
        "_cython_3_1_4",
        "conftest",
        "cython_runtime",
        "pytest_secaudit.x",
        "tests.conftest",
    ],
)
def test_what_the_machinery_of_runs_sets_is_silent(area: Modules, tests_run: None, name: str) -> None:
    with mock.patch.dict(sys.modules, {name: types.ModuleType(name)}):
        assert not area.look_closely()
    assert not area.look_closely()


def test_the_empty_parents_that_pytest_makes(area: Modules, tests_run: None) -> None:
    sys.modules["secaudit_tests"] = types.ModuleType(
        "secaudit_tests", doc="Empty module created by pytest's importmode=importlib."
    )
    assert not area.look()


@pytest.mark.parametrize("make", [mock.Mock, lambda: HostileModule("x")])
def test_a_module_whose_spec_is_none(area: Modules, tests_run: None, make: Any) -> None:
    fake = types.ModuleType("secaudit_absent")
    fake.__spec__ = make()
    sys.modules["secaudit_absent"] = fake
    assert list(said(area)) == ["sys.modules['secaudit_absent']"]


def test_gone_is_gone_however_it_went() -> None:
    assert Gone("removed") == Gone("removed and imported anew")
    assert len({Gone("a"), Gone()}) == 1


def test_nothing_is_held_when_it_is_over(area: Modules) -> None:
    area.stop()
    assert not any((area._seen, area._values, area._known, area._fakes))
