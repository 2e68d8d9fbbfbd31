"""A test switches off a part of an application's security, and the application is shared.

`app.dependency_overrides[get_user] = ...`, `app.config["WTF_CSRF_ENABLED"] = False` or `settings.AUTH_...= ...` on an
application that the whole suite imports stays on for every later test. Those tests then pass without the login, the
permission or the CSRF check that they were written for. Taken back in the last line of the test, it stays on
whenever the test fails before that line.

Instead: set it in a fixture and take it back below its `yield`, make the application in a fixture, or write
with `monkeypatch.setitem(app.dependency_overrides, ...)`, `monkeypatch.setattr(settings, ...)`.

The finding is an advisory; it becomes a defect when a run has seen the override in place after the test.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.lexicon import security_word
from pytest_secaudit.model import ADVISORY, DEFECT, Check, Hit
from pytest_secaudit.source import Role, Scope, TestModule, own_nodes, parameter_names, source_of, terminal_name
from pytest_secaudit.source.changes import Change, attribute_place
from pytest_secaudit.source.containers import (
    Write,
    is_item,
    module_path,
    writes,
    writes_within,
)
from pytest_secaudit.source.restores import fixtures_asked, question
from pytest_secaudit.source.switches import MADE_FOR, OVERRIDES, outlives_the_test, security_switch
from pytest_secaudit.source.syntax import TRIES, WITHS

BAD = (
    """
from fastapi.testclient import TestClient
from shop.main import app, get_user
from shop import settings

client = TestClient(app)

def test_as_admin():
    app.dependency_overrides[get_user] = lambda: "admin"  # PSA401 advisory
    assert client.get("/admin").status_code == 200

def test_cleared_at_the_end():
    app.dependency_overrides[get_user] = lambda: None  # PSA401 advisory
    assert client.get("/admin").status_code == 401
    app.dependency_overrides = {}

def test_all_at_once():
    app.dependency_overrides.update({get_user: lambda: "eve"})  # PSA401 advisory
    app.dependency_overrides.clear()

def test_settings():
    settings.PERMISSION_CHECKS = False  # PSA401 advisory
    assert client.get("/admin").status_code == 200
""",
    """
import pytest
from shop import create_app

app = create_app()

@pytest.fixture
def client():
    app.config["WTF_CSRF_ENABLED"] = False  # PSA401 advisory
    return app.test_client()

class TestLogin:
    def setup_method(self):
        app.config.update(TESTING=True, LOGIN_DISABLED=True)  # PSA401 advisory

@pytest.fixture(scope="module")
def shared_app():
    return create_app()

def test_wide(shared_app):
    shared_app.config["SESSION_COOKIE_SECURE"] = False  # PSA401 advisory
    assert shared_app.test_client().get("/")
""",
)
GOOD = (
    """
# the application is made for the test
import pytest
from fastapi import FastAPI
from shop import create_app, get_user

def test_own():
    app = FastAPI()
    app.dependency_overrides[get_user] = lambda: "admin"
    assert call(app)

@pytest.fixture
def app():
    app = create_app()
    app.config["WTF_CSRF_ENABLED"] = False
    return app

def test_fixture(app):
    app.config["LOGIN_DISABLED"] = True

class TestApp:
    def setup_method(self):
        self.app = create_app()
        self.app.config["WTF_CSRF_ENABLED"] = False

    def test_app(self):
        self.app.config["LOGIN_DISABLED"] = True
""",
    """
# taken back on every path
import pytest
from shop.main import app, get_user, get_token

@pytest.fixture
def admin():
    app.dependency_overrides[get_user] = lambda: "admin"
    yield
    app.dependency_overrides.clear()

@pytest.fixture
def token():
    app.dependency_overrides[get_token] = lambda: "t"
    yield
    del app.dependency_overrides[get_token]

def test_finally(client):
    app.dependency_overrides[get_user] = lambda: "eve"
    try:
        assert client.get("/")
    finally:
        app.dependency_overrides.pop(get_user)

def test_fixture_clears(admin, client):
    app.dependency_overrides[get_user] = lambda: "eve"

def test_monkeypatch(monkeypatch, client):
    monkeypatch.setitem(app.dependency_overrides, get_user, lambda: "eve")

def test_finalizer(request):
    request.addfinalizer(app.dependency_overrides.clear)
    app.dependency_overrides[get_user] = lambda: "eve"
""",
    """
# tear-downs and autouse fixtures that take it back
import unittest
import pytest
from shop.main import app, get_user

class TestUsers(unittest.TestCase):
    def setUp(self):
        app.dependency_overrides[get_user] = lambda: "admin"

    def tearDown(self):
        app.dependency_overrides = {}

class TestMore:
    @pytest.fixture(autouse=True)
    def no_overrides(self):
        yield
        app.dependency_overrides.clear()

    def test_more(self):
        app.dependency_overrides[get_user] = lambda: "admin"
""",
    """
# settings that a fixture or a decorator gives back
from django.conf import settings as django_settings
from django.test import override_settings

def test_fixture(settings):
    settings.AUTH_PASSWORD_VALIDATORS = []

def test_block():
    with override_settings():
        django_settings.SESSION_COOKIE_SECURE = False

@override_settings(DEBUG=True)
def test_decorated():
    django_settings.SESSION_COOKIE_SECURE = False
""",
    """
# nothing about security; what is configured for the whole suite; what only looks like it
import pytest
from shop.main import app, settings

app.config["WTF_CSRF_ENABLED"] = False

@pytest.fixture(scope="session", autouse=True)
def configured():
    app.config["LOGIN_DISABLED"] = True

def test_title(client):
    app.config["TITLE"] = "Shop"
    settings.PAGE_SIZE = 3
    assert client.get("/")

def test_empties(client):
    app.dependency_overrides = {}
    app.dependency_overrides.clear()
""",
    """
# saved and written back around the change
from shop.main import settings

def test_saved(client):
    before = settings.PERMISSION_CHECKS
    try:
        settings.PERMISSION_CHECKS = False
        assert client.get("/")
    finally:
        settings.PERMISSION_CHECKS = before
""",
)


def rule(module: TestModule) -> Iterator[Hit]:
    text = module.text
    if OVERRIDES not in text and ".config" not in text and "ettings" not in text:
        return
    seen: set[tuple[Scope, str, str]] = set()
    for write in writes(module):
        what = security_switch(write)
        if what is not None and module.role(write.scope.outermost) in MADE_FOR:
            key = (write.scope.outermost, write.root, what)
            for hit in _judge(module, write, what) if key not in seen else ():
                seen.add(key)  # once for each test and key
                yield hit


def _judge(module: TestModule, write: Write, what: str) -> Iterator[Hit]:
    outer = write.scope.outermost
    wide_fixture_of_suite = module.role(outer) is Role.FIXTURE and module.fixture_scope(outer) in ("session", "package")
    needs = outlives_the_test(module, write)
    if needs is None or wide_fixture_of_suite or _is_undone(module, write):
        return
    base = _full_name(module, write)
    full = ".".join((base, *(step for step in write.steps if not is_item(step))))
    place = attribute_place(full if write.how != "attribute" else f"{full}.{write.name}")
    subject = place.name if write.key is None else f"{place.name}[{source_of(write.key, 40)}]"
    at_the_end = any(
        _takes_back(write, other) and _line(other) > _line(write) for other in writes_within(module, outer)
    )
    ends = "is taken back only if nothing fails before" if at_the_end else "stays for every later test"
    yield Hit(
        write.node,
        f"the override of {what} on the shared {_owner(write)} {ends}",
        fix="take it back below the yield of a fixture, or write with monkeypatch",
        security=security_word(what),
        subject=subject,
        if_it_fails=at_the_end,
        unless=(question(module, Change(place, write.node, write.scope)),),
        only_if=needs,
    )


def _owner(write: Write) -> str:
    named = [step for step in write.steps if step not in (OVERRIDES, "config") and not is_item(step)]
    return ".".join((write.root, *named))


def _line(write: Write) -> int:
    line: int = getattr(write.node, "lineno", 0)
    return line


# --- what it belongs to


def _full_name(module: TestModule, write: Write) -> str:
    full = module.resolve(ast.Name(write.root, ast.Load()), write.scope)
    if full:
        return full
    if module.binder(write.root, write.scope) is module.root:
        return f"{module_path(module)}.{write.root}"
    return f"fixture:{write.root}"


# --- whether it is taken back


def _is_undone(module: TestModule, write: Write) -> bool:
    return (
        _in_block(write)
        or _by_itself(module, write)
        or _by_registration(module, write)
        or any(_restores(module, write, scope) for scope in _around(module, write.scope.outermost))
    )


def _takes_back(write: Write, other: Write) -> bool:
    """Whether the other write empties or rewrites what this one has written."""
    if other.root != write.root or other.node is write.node:
        return False
    if other.how == "attribute" and (*other.steps, other.name) == write.steps:
        return True
    return other.steps == write.steps and (other.how == "remove" or other.is_same_place(write))


def _by_itself(module: TestModule, write: Write) -> bool:
    """In a ``finally`` of the function, or below the ``yield`` of the fixture."""
    outer = write.scope.outermost
    yields = [node.lineno for node in outer.of(ast.Yield)] if module.role(outer) is Role.FIXTURE else []
    if yields and _line(write) > min(yields):
        return True
    ends = [
        node
        for scope in outer.within()
        for attempt in scope.of(*TRIES)
        for s in _final(attempt)
        for node in own_nodes(s)
    ]
    if write.node in ends:
        return True
    for other in writes_within(module, outer):
        if _takes_back(write, other) and (other.node in ends or (yields and _line(other) > min(yields))):
            return True
    return False


def _final(attempt: ast.AST) -> list[ast.stmt]:
    body: list[ast.stmt] = getattr(attempt, "finalbody", [])
    return body


def _by_registration(module: TestModule, write: Write) -> bool:
    """A clean-up, patch or ``monkeypatch`` call in the function is given the application."""
    names = (
        "addCleanup",
        "addClassCleanup",
        "addfinalizer",
        "callback",
        "setitem",
        "delitem",
        "setattr",
        "object",
        "dict",
    )
    return any(
        terminal_name(call.func) in names and any(_mentions(argument, write.root) for argument in call.args)
        for scope in write.scope.outermost.within()
        for call in scope.calls
    ) or any(
        isinstance(decorator, ast.Call) and ("override" in name or "modify_settings" in name or "patch" in name)
        for around in (write.scope.outermost, write.scope.outermost.enclosing)
        if around is not None
        for name, decorator in module.decorators(around)
    )


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(node))


def _in_block(write: Write) -> bool:
    """``with override_settings():``, ``with patch.dict(app.config):`` and the like."""
    return any(
        re.search(r"override|patch|settings|preserve|isolat|restore", source_of(item.context_expr, 120))
        for node in write.scope.ancestors(write.node)
        if isinstance(node, WITHS)
        for item in getattr(node, "items", ())
    )


def _around(module: TestModule, outer: Scope) -> Iterator[Scope]:
    """The tear-downs and fixtures of this file that are in effect for a function."""
    owner = outer.owner_class
    asked = set(fixtures_asked(module, outer)) | set(parameter_names(outer.node))
    for holder in (*(module.lineage(owner)), module.root):
        for child in holder.children:
            if not child.is_function or child is outer:
                continue
            role = module.role(child)
            in_effect = module.is_autouse(child) or module.fixture_name(child) in asked
            if role is Role.TEARDOWN or (role is Role.FIXTURE and in_effect):
                yield child


def _restores(module: TestModule, write: Write, scope: Scope) -> bool:
    return any(_takes_back(write, other) for other in writes_within(module, scope))


CHECK = Check("PSA401", "security-override-left-on-app", DEFECT, __doc__, BAD, GOOD, rule, cwe=459, suspected=ADVISORY)
