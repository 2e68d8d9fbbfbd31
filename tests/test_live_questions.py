"""What only the surroundings of a file can answer about its fixtures."""

from __future__ import annotations

import ast
import sys
import types

import pytest

from pytest_secaudit.catalogue import one
from pytest_secaudit.checks import built_in
from pytest_secaudit.live import Surroundings, answer, scopes_in_effect, settle
from pytest_secaudit.model import Question
from pytest_secaudit.reading import Reading
from pytest_secaudit.rules import read
from pytest_secaudit.source import TestModule
from pytest_secaudit.source.containers import emptied_places

WIDE = 'import pytest\n@pytest.fixture(scope="session")\ndef app(): ...\n'
NARROW = "import pytest\n@pytest.fixture\ndef app(): ...\n"
DYNAMIC = "import pytest\n@pytest.fixture(scope=decide)\ndef app(): ...\n"
EMPTY = "def test_app(app): ...\n"


def readings(**files: str) -> list[Reading]:
    return [read(source.encode(), path, []) for path, source in files.items()]


def wide(files: dict[str, str], in_effect: dict[str, set[str]] | None = None) -> bool | None:
    """The answer for the parameter ``app`` of ``test_app`` in ``tests/test_shop.py``."""
    around = Surroundings(
        fixture_scopes=scopes_in_effect("tests/test_shop.py", readings(**files)),
        fixtures_in_effect=in_effect,
    )
    return answer(Question("wide-fixture", ("app", "test_app")), around)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"tests/test_shop.py": EMPTY}, None),
        ({"tests/test_shop.py": WIDE}, True),
        ({"tests/test_shop.py": NARROW}, False),
        ({"tests/test_shop.py": DYNAMIC}, False),
        ({"tests/test_shop.py": EMPTY, "tests/conftest.py": WIDE}, True),
        ({"tests/test_shop.py": NARROW, "tests/conftest.py": WIDE}, False),
        ({"tests/test_shop.py": WIDE, "tests/conftest.py": NARROW}, True),
        ({"tests/test_shop.py": EMPTY, "conftest.py": WIDE, "tests/conftest.py": NARROW}, False),
        ({"tests/test_shop.py": EMPTY, "conftest.py": NARROW, "tests/conftest.py": WIDE}, True),
        ({"tests/test_shop.py": EMPTY, "shop/fixtures.py": WIDE}, True),
        # A base class or a plugin may stand above or below a conftest: sure only if all agree.
        ({"tests/test_shop.py": EMPTY, "shop/fixtures.py": WIDE, "tests/conftest.py": NARROW}, False),
        ({"tests/test_shop.py": EMPTY, "shop/fixtures.py": WIDE, "tests/conftest.py": WIDE}, True),
    ],
)
def test_scope_of_the_nearest_fixture_decides(files: dict[str, str], expected: bool | None) -> None:
    assert wide(files) is expected


def test_a_parameter_that_no_fixture_fills_is_not_wide() -> None:
    files = {"tests/test_shop.py": WIDE}
    assert wide(files, {"test_app": {"app"}}) is True
    assert wide(files, {"test_app": {"other"}}) is False
    assert wide(files, {}) is False


def test_nothing_is_known_without_fixtures() -> None:
    assert answer(Question("wide-fixture", ("app", "test_app")), Surroundings()) is None


CLEARS = """
import pytest
from shop.main import app, other

@pytest.fixture(autouse=True)
def clean():
    app.dependency_overrides[1] = 2
    yield
    app.dependency_overrides.clear()
    app.config.pop("LOGIN_DISABLED", None)
    app.title = "shop"
    local = {}
    local.clear()

@pytest.fixture
def starts_empty():
    app.dependency_overrides.clear()
    return app

class TestBase:
    def tearDown(self):
        other.dependency_overrides = {}
"""


def test_what_fixtures_and_tear_downs_empty() -> None:
    assert set(emptied_places(TestModule("tests/conftest.py", CLEARS))) == {
        ("fixture", "clean", "shop.main.app.dependency_overrides"),
        ("fixture", "clean", "shop.main.app.config"),
        ("class", "TestBase", "shop.main.other.dependency_overrides"),
    }


class Untouchable:
    """Whoever compares it or asks it for anything has lost."""

    def __getattribute__(self, name):
        raise AssertionError(name)

    __eq__ = __getattribute__
    __hash__ = None


class OfOslo:
    """Stands for ``oslo_config.cfg.ConfigOpts``."""


OfOslo.__module__ = "oslo_config.cfg"


def shop() -> types.ModuleType:
    """A test module that has imported ``orders``, with a class and an object in it."""
    orders = types.ModuleType("shop.orders")
    orders.LIMIT, orders.NAME, orders.FLAG, orders.NOTHING = 3, "SUCCEEDED", True, None
    orders.Backend = type("Backend", (type("Base", (), {"STATUS": "done"}),), {})
    orders.odd, orders.entries, orders.CONF = Untouchable(), [], OfOslo()
    module = types.ModuleType("tests.test_shop")
    module.orders = orders
    return module


@pytest.mark.parametrize(
    ("target", "literal", "expected"),
    [
        ("orders.LIMIT", "3", True),
        ("orders.LIMIT", "3.0", False),
        ("orders.LIMIT", "4", False),
        ("orders.NAME", "'SUCCEEDED'", True),
        ("orders.FLAG", "True", True),
        ("orders.FLAG", "1", False),
        ("orders.NOTHING", "None", True),
        ("orders.Backend.STATUS", "'done'", True),
        ("orders.entries", "[]", False),
        ("orders.odd", "3", False),
        ("orders.odd.size", "3", None),
        ("orders.gone", "3", None),
        ("elsewhere.LIMIT", "3", None),
    ],
)
def test_what_has_the_value_already(target: str, literal: str, expected: bool | None) -> None:
    assert answer(Question("already-equal", (target, literal)), Surroundings(module=shop())) is expected


def test_full_name_of_a_loaded_module_stands_for_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "shop.orders", shop().orders)
    assert answer(Question("already-equal", ("shop.orders.LIMIT", "3")), Surroundings()) is True


def test_configuration_of_oslo_is_known_by_its_class() -> None:
    around = Surroundings(module=shop())
    assert answer(Question("oslo-config", ("orders.CONF",)), around) is True
    assert answer(Question("oslo-config", ("orders.CONF.profiler",)), around) is True
    assert answer(Question("oslo-config", ("orders.odd",)), around) is False
    assert answer(Question("oslo-config", ("orders",)), around) is False


def test_time_limit_is_told_by_the_surroundings() -> None:
    assert answer(Question("time-limit"), Surroundings(time_limit=True)) is True
    assert answer(Question("time-limit"), Surroundings()) is False


@pytest.mark.parametrize("value", ["3", '"x"', "None", "-1", "1.5"])
def test_value_that_is_there_already_is_no_hand_rolled_patch(value: str) -> None:
    source = f"from shop import orders\n\ndef test_it():\n    orders.LIMIT = {value}\n    assert orders.buy()\n"
    reading = read(source.encode(), "tests/test_shop.py", [one("PSA501", built_in())])
    module = types.ModuleType("tests.test_shop")
    module.orders = types.ModuleType("shop.orders")
    for now, hits in ((ast.literal_eval(value), 0), ("another", 1)):
        module.orders.LIMIT = now
        expected = 0 if value == "None" else hits  # an emptying value is armed only
        assert len(settle(reading, Surroundings(module=module)).hits) == expected


def test_two_values_of_one_place_are_never_there_already() -> None:
    source = "from shop import orders\n\ndef test_it():\n    orders.A = 3\n    orders.buy()\n    orders.A = 4\n    orders.buy()\n"
    reading = read(source.encode(), "tests/test_shop.py", [one("PSA501", built_in())])
    module = types.ModuleType("tests.test_shop")
    module.orders = types.ModuleType("shop.orders")
    module.orders.A = 3
    assert len(settle(reading, Surroundings(module=module)).hits) == 1
