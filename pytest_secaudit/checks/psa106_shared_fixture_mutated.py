"""A test writes to the value of a fixture that is shared by a class, a module or the whole session.

A fixture of a wider scope is made once: what one test puts into it, every later test finds there. The order
of the tests, a single test run on its own or a run on several workers then gives other results.

Instead: let the test work on its own copy, write with `monkeypatch.setattr` or `monkeypatch.setitem`, or give the
fixture the scope of a function.

The finding is an advisory; it becomes a defect when a run has seen the value keep the change.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, DEFECT, Check, Hit, Question
from pytest_secaudit.source import Role, Scope, TestModule, parameter_names
from pytest_secaudit.source.containers import (
    Write,
    first_of_each_test,
    is_container,
    is_fixture_argument,
    is_put_right,
    place_name,
    wide_fixture,
    writes,
    writes_within,
)
from pytest_secaudit.source.switches import security_switch

BAD = (
    """
import pytest

@pytest.fixture(scope="module")
def db():
    return {"ann": 1}

@pytest.fixture(scope="session", name="app")
def make_app():
    return make()

@pytest.fixture(scope="class")
def names():
    return ["ann"]

def test_new_user(db):
    db["bob"] = 2  # PSA106 advisory
    assert len(db) == 2

def test_debug(app, names):
    app.debug = True  # PSA106 advisory
    app.config["PROPAGATE"] = True
    names.append("bob")  # PSA106 advisory
    db.insert(1)
    assert app.run(names)

class TestUsers:
    def test_update(self, db):
        db.update(eve=3)  # PSA106 advisory
""",
    """
# the fixture is in a conftest: what is in effect there decides
def test_token(shared_account):
    shared_account.token = "expired"  # PSA106 advisory
    assert shared_account.login() is None
""",
)
GOOD = (
    """
# made for each test
import pytest

@pytest.fixture
def db():
    return {"ann": 1}

@pytest.fixture(scope="module")
def wide():
    return {"ann": 1}

def test_new_user(db):
    db["bob"] = 2

def test_copy(wide):
    wide = dict(wide)
    wide["bob"] = 2

def test_monkeypatch(wide, monkeypatch):
    monkeypatch.setitem(wide, "bob", 2)

class TestUsers:
    @pytest.fixture
    def wide(self):
        return {}

    def test_own(self, wide):
        wide["bob"] = 2

@pytest.mark.parametrize("wide", [1, 2])
def test_parametrized(wide):
    wide.x = 1

@pytest.mark.parametrize(("a", "wide"), [(1, 2)])
def test_parametrized_more(a, wide):
    wide.x = 1

def test_default(wide={}):
    wide["x"] = 1
""",
    """
# put right: by the test, by a clean-up, by a fixture around
import pytest

@pytest.fixture(scope="session")
def app():
    return make()

@pytest.fixture(scope="session")
def store():
    return {}

@pytest.fixture(autouse=True)
def empty(store):
    yield
    store.clear()

def test_begins_with_nothing(app):
    app.visits = 0
    assert app.run()

def test_begins_with_nothing_too(app):
    app.visits = 0
    assert not app.run("x")

def test_finally(app):
    before = app.debug
    app.debug = True
    try:
        assert app.run()
    finally:
        app.debug = before

def test_finalizer(app, request):
    request.addfinalizer(lambda: setattr(app, "debug", False))
    app.debug = True

def test_store(store):
    store["a"] = 1
""",
    """
# what mock hands in is no fixture; what a mock returns is set anew by each test
from unittest import mock
import pytest

@pytest.fixture(scope="module")
def api():
    return mock.Mock()

@mock.patch("shop.db")
def test_patched(db):
    db.x = 1

def test_switch(app):
    app.config["LOGIN_DISABLED"] = True  # another check's

def test_answer(api):
    api.get.return_value = 1
    api.post.side_effect = ValueError
""",
    """
# a client or a data base of its own: methods that only sound like a container's
import pytest

@pytest.fixture(scope="session")
def client():
    return connect()

def test_client(client):
    client.update("/a", 1)
    client.insert({"a": 1})
    client.add(User())
    client.set("x", 1)
""",
)

#: What configures a mock; each test says anew what it wants.
_MOCK_WORDS = frozenset(("return_value", "side_effect", "wraps", "__class__"))
#: Methods that only containers have.
_SURE = frozenset(("append", "appendleft", "extend", "extendleft", "setdefault", "__setitem__"))


def rule(module: TestModule) -> Iterator[Hit]:
    for write in first_of_each_test(_leaking(module)):
        yield _hit(module, write)


def _leaking(module: TestModule) -> Iterator[Write]:
    for write in writes(module):
        if write.how == "remove" or _configures_mock(write) or not is_fixture_argument(module, write):
            continue
        if security_switch(write) is not None:
            continue  # PSA401 says more about it
        if wide_fixture(module, write.root, write.scope.outermost) is not False:
            if _is_a_write(module, write) and _stays(module, write):
                yield write


def _configures_mock(write: Write) -> bool:
    return write.name in _MOCK_WORDS or not _MOCK_WORDS.isdisjoint(write.steps)


def _is_a_write(module: TestModule, write: Write) -> bool:
    """An item or attribute is set, or a method is called that only a container has."""
    return write.how != "grow" or write.name in _SURE or (not write.steps and _gives_container(module, write))


def _gives_container(module: TestModule, write: Write) -> bool:
    """Whether the fixture of this file returns a list, dict or set that it makes."""
    for scope in module.functions(Role.FIXTURE):
        if module.fixture_name(scope) == write.root:
            given: list[ast.Return | ast.Yield] = [*scope.of(ast.Return), *scope.of(ast.Yield)]
            return any(_is_made_here(module, scope, node.value) for node in given)
    return False


def _is_made_here(module: TestModule, scope: Scope, value: ast.expr | None) -> bool:
    if isinstance(value, ast.Name):
        value = module.value(value.id, scope)
    return is_container(module, value, scope)


def _stays(module: TestModule, write: Write) -> bool:
    mine = [other for other in writes_within(module, write.scope.outermost) if other.root == write.root]
    return not (is_put_right(module, write, mine) or _is_reset_by_fixture(module, write))


def _is_reset_by_fixture(module: TestModule, write: Write) -> bool:
    """Another fixture or set-up of the file, which asks for this one, writes the same place or empties it."""
    return any(
        other.root == write.root
        and module.role(other.scope.outermost) in (Role.FIXTURE, Role.SETUP, Role.TEARDOWN)
        and other.root in parameter_names(other.scope.outermost.node)
        and (other.how == "remove" or other.is_same_place(write))
        for other in writes(module)
    )


def _hit(module: TestModule, write: Write) -> Hit:
    question = Question("wide-fixture", (write.root, write.scope.outermost.qualname))
    is_known = wide_fixture(module, write.root, write.scope.outermost) is not None
    return Hit(
        write.node,
        f"the fixture {write.root} is shared by several tests and keeps what this test writes",
        fix=f"work on a copy of {write.root}, or write with monkeypatch",
        subject=place_name(f"fixture:{write.root}", write),
        only_if=() if is_known else (question,),
    )


CHECK = Check("PSA106", "shared-fixture-mutated", DEFECT, __doc__, BAD, GOOD, rule, suspected=ADVISORY)
