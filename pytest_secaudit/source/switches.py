"""Which writes switch off, or change, a part of an application's security."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.source.containers import Write
from pytest_secaudit.source.lexicon import security_word
from pytest_secaudit.source.module import source_of

#: Where FastAPI keeps what stands in for its dependencies, the login among them.
OVERRIDES = "dependency_overrides"
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
