"""What only the surroundings of a file can answer about its fixtures."""

from __future__ import annotations

import pytest

from pytest_secaudit.live import Surroundings, answer, scopes_in_effect
from pytest_secaudit.model import Question
from pytest_secaudit.reading import Reading, read
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
