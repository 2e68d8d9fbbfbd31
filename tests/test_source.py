"""What a parsed module answers: names, roles, scopes, comments."""

from __future__ import annotations

import ast

import pytest

from pytest_secaudit.conventions import Conventions
from pytest_secaudit.lexicon import security_word
from pytest_secaudit.redact import clean
from pytest_secaudit.source import Role, TestModule, source_of
from pytest_secaudit.source.mocks import replacements, resolved_target


def module(source: str, **conventions) -> TestModule:
    return TestModule("tests/test_a.py", source, Conventions(**conventions))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import time\ntime.sleep()", "time.sleep"),
        ("import time as t\nt.sleep()", "time.sleep"),
        ("from time import sleep\nsleep()", "time.sleep"),
        ("from time import sleep as nap\nnap()", "time.sleep"),
        ("import os.path\nos.path.join()", "os.path.join"),
        ("from unittest import mock\nmock.patch()", "unittest.mock.patch"),
        ("import mock\nmock.patch()", "unittest.mock.patch"),
        ("from tests.compat import mock\nmock.patch.object()", "unittest.mock.patch.object"),
        ("from . import base\nbase.run()", ".base.run"),
        ("len()", "builtins.len"),
        ("def len(): pass\nlen()", ""),
        ("nobody_knows()", ""),
        ("import time\ndef f(time):\n    time.sleep()", ""),
        ("import time\ndef f():\n    time = fake()\n    time.sleep()", ""),
        ("def f():\n    import time\n    def g():\n        time.sleep()", "time.sleep"),
        ("import time\nclass A:\n    time = 1\n    def f(self):\n        time.sleep()", "time.sleep"),
        ("import time\ndef f():\n    for time in x:\n        time.sleep()", ""),
        ("import time\ndef f():\n    global time\n    time = 1\n    time.sleep()", "time.sleep"),
        ("import time\nf()[0].sleep()", ""),
    ],
)
def test_resolve(source: str, name: str) -> None:
    parsed = module(source)
    calls = [
        (call, scope)
        for scope in parsed.scopes
        for call in scope.calls
        if not isinstance(call.func, ast.Name) or call.func.id != "fake"
    ]
    call, scope = calls[-1]
    if source.startswith("import time\nf()[0]"):
        call, scope = next((c, s) for c, s in calls if isinstance(c.func, ast.Attribute))
    assert parsed.resolve(call.func, scope) == name


def test_roles() -> None:
    parsed = module(
        "import pytest, pytest_asyncio\n"
        "from pytest import fixture as fx\n"
        "def test_a(): pass\n"
        "def helper(): pass\n"
        "@pytest.fixture\ndef one(): pass\n"
        "@pytest_asyncio.fixture(scope='module', autouse=True)\nasync def two(): pass\n"
        "@fx(name='test_x')\ndef three(): pass\n"
        "def setup_module(): pass\n"
        "def teardown_function(): pass\n"
        "class Anything(Base):\n"
        "    def setUp(self): pass\n"
        "    async def asyncTearDown(self): pass\n"
        "    def test_b(self):\n"
        "        def test_inner(): pass\n"
        "    def helper(self): pass\n"
    )
    roles = {scope.qualname: parsed.role(scope).value for scope in parsed.scopes}
    assert roles == {
        "": "module",
        "test_a": "test",
        "helper": "helper",
        "one": "fixture",
        "two": "fixture",
        "three": "fixture",
        "setup_module": "setup",
        "teardown_function": "teardown",
        "Anything": "class",
        "Anything.setUp": "setup",
        "Anything.asyncTearDown": "teardown",
        "Anything.test_b": "test",
        "Anything.test_b.test_inner": "helper",
        "Anything.helper": "helper",
    }
    two = next(scope for scope in parsed.scopes if scope.name == "two")
    assert parsed.fixture_scope(two) == "module"
    assert parsed.is_autouse(two)


def test_conventions_are_pytests() -> None:
    parsed = module("def check_a(): pass\ndef it_b(): pass\ndef test_c(): pass\n", functions=("check", "it_*"))
    assert [scope.name for scope in parsed.functions(Role.TEST)] == ["check_a", "it_b"]


def test_what_stands_in_a_nested_function_is_its_own() -> None:
    parsed = module(
        "def test_a(x=outer()):\n    def inner():\n        deep()\n    class A(base()):\n        y = body()\n    lambda: lam()\n"
    )
    where = {ast.unparse(call.func): scope.qualname for scope in parsed.scopes for call in scope.calls}
    assert where == {
        "outer": "",
        "deep": "test_a.inner",
        "base": "test_a",
        "body": "test_a.A",
        "lam": "test_a.<lambda>",
    }


def test_deep_code_does_not_exhaust_the_stack() -> None:
    source = "def test_a():\n    x = " + "a" + ".b" * 600 + "()\n"
    assert module(source).scopes


def test_definitions_are_found_along_the_bases_of_the_file() -> None:
    parsed = module("class A:\n    def check(self): pass\nclass B(A):\n    def test_a(self):\n        self.check()\n")
    scope = next(scope for scope in parsed.scopes if scope.name == "test_a")
    assert parsed.definition(scope.calls[0].func, scope).qualname == "A.check"


@pytest.mark.parametrize(
    ("source", "form", "target"),
    [
        ("from unittest import mock\nmock.patch('a.b')", "patch", "a.b"),
        ("from unittest.mock import patch\npatch.object(thing, 'run', 1)", "patch.object", "thing.run"),
        ("import time\nfrom unittest.mock import patch\npatch.object(time, 'sleep')", "patch.object", "time.sleep"),
        ("def test(mocker):\n    mocker.patch('a.b', return_value=1)", "patch", "a.b"),
        ("def test(monkeypatch):\n    monkeypatch.setattr('a.b', 1)", "setattr", "a.b"),
        ("import time as t\ndef test(monkeypatch):\n    monkeypatch.setattr(t, 'sleep', 1)", "setattr", "time.sleep"),
        ("import fixtures\nself.useFixture(fixtures.MockPatch('a.b', new=1))", "MockPatch", "a.b"),
        ("import fixtures\nfixtures.MonkeyPatch('a.b', 1)", "MonkeyPatch", "a.b"),
        ("self.stub_out('a.b', f)", "stub_out", "a.b"),
    ],
)
def test_replacement_forms(source: str, form: str, target: str) -> None:
    parsed = module(source)
    (replacement,) = replacements(parsed)
    assert replacement.form == form
    assert resolved_target(parsed, replacement) == target


@pytest.mark.parametrize(
    "source",
    [
        "client.patch('/url', 1)",
        "import pytest\npytest.MonkeyPatch()",
        "setattr(a, 'b', 1)",
        "logger.setattr(a, 'b', 1)",
    ],
)
def test_what_is_no_replacement(source: str) -> None:
    assert replacements(module(source)) == ()


def test_source_is_shortened_to_one_line() -> None:
    assert source_of(ast.parse("f(a,\n  b)")) == "f(a, b)"
    assert source_of(ast.parse("x" * 100), 20) == "x" * 17 + "..."


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("test_verify_hostname", "verify"),
        ("TestTLSAwareCrypt", "tls"),
        ("test_api_key_is_hidden", "api key"),
        ("ssl_match_hostname", "ssl"),
        ("check_hostname", "check hostname"),
        ("get_hostname", None),
        ("VolumeEncryptor", "encryptor"),
        ("test_private_keys", "private keys"),
        ("tests/auth/test_x.py", "auth"),
        ("test_oauth2_flow", "oauth2"),
        ("test_keys_are_sorted", None),
        ("test_scope", None),
        ("test_ps", None),
        ("test_authority", None),
        ("test_timeseries", None),
    ],
)
def test_security_words_are_whole_words(name: str, word: str | None) -> None:
    assert security_word(name) == word


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("AKIA" + "IOSFODNN7ABCDEFG", "AKIA<redacted>"),
        ("ghp_" + "a1" * 18, "ghp_<redacted>"),
        ("https://user:hunter2hunter2@host/x", "https://user:<redacted>@host/x"),
        ("https://host/x", "https://host/x"),
        ("a\x1b[31mred\nnext", "a\\x1b[31mred\\nnext"),
        ("bidi \u202e end", "bidi \\u202e end"),
        ("lone \ud800", "lone \\ud800"),
        ("plain text, ä and 🐍", "plain text, ä and 🐍"),
    ],
)
def test_clean_leaves_no_secret_and_no_control_character(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
