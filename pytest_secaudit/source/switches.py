"""Which writes switch off, or change, a part of an application's security."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.lexicon import security_word
from pytest_secaudit.model import Question
from pytest_secaudit.source.containers import Write, is_fixture_argument, wide_fixture, writes
from pytest_secaudit.source.module import Role, TestModule, parameter_names, source_of

#: Where FastAPI keeps what stands in for its dependencies, the login among them.
OVERRIDES = "dependency_overrides"
#: Whose writes are judged.
MADE_FOR = (Role.TEST, Role.SETUP, Role.FIXTURE)
_SWITCHES = re.compile(r"^(LOGIN_DISABLED|SECURE_.*|SESSION_COOKIE_.*|TALISMAN_.*|WTF_CSRF_.*)$")
_SETTINGS = re.compile(r"(^|_)(settings|conf|config)$", re.IGNORECASE)


def security_switch(write: Write) -> str | None:
    """The key or name that is about security, for a write that switches something; None for any other write."""
    if write.how == "remove":
        return None
    if write.how == "attribute":
        if write.name == OVERRIDES:
            return None if _is_empty(write.value) else OVERRIDES
        of_settings = _SETTINGS.search(write.steps[-1] if write.steps else write.root)
        return write.name if of_settings and _is_security(write.name) else None
    if write.steps[-1:] == (OVERRIDES,):
        return source_of(write.key, 40) if write.key is not None else OVERRIDES
    if write.steps[-1:] == ("config",):
        return next((key for key in _keys(write) if _is_security(key)), None)
    return None


def outlives_the_test(module: TestModule, write: Write) -> tuple[Question, ...] | None:
    """What must hold for the application to outlive the test; None if it does not."""
    if write.root == "settings" and "settings" in parameter_names(write.scope.outermost.node):
        return None  # the fixture of pytest-django takes everything back
    if is_fixture_argument(module, write):
        outer = write.scope.outermost
        wide = wide_fixture(module, write.root, outer)
        if wide is None:
            return (Question("wide-fixture", (write.root, outer.qualname)),)
        return () if wide else None
    return () if module.binder(write.root, write.scope) is module.root else None


def switching(module: TestModule) -> frozenset[ast.AST]:
    """The writes of tests, set-ups and fixtures that PSA401 judges: nobody else need do so."""
    return module.once(_switching)


def _switching(module: TestModule) -> frozenset[ast.AST]:
    text = module.text
    if OVERRIDES not in text and ".config" not in text and "ettings" not in text:
        return frozenset()
    return frozenset(
        write.node
        for write in writes(module)
        if security_switch(write) is not None
        and module.role(write.scope.outermost) in MADE_FOR
        and outlives_the_test(module, write) is not None
    )


def _is_security(key: str) -> bool:
    return bool(security_word(key) or _SWITCHES.match(key))


def _is_empty(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Dict) and not value.keys


def _keys(write: Write) -> Iterator[str]:
    if isinstance(write.key, ast.Constant) and isinstance(write.key.value, str):
        yield write.key.value
    if write.how == "grow" and isinstance(write.node, ast.Call):
        yield from (keyword.arg for keyword in write.node.keywords if keyword.arg)
        for argument in write.node.args:
            for key in argument.keys if isinstance(argument, ast.Dict) else ():
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value
