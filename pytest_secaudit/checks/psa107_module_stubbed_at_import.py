"""A test file puts a stand-in into `sys.modules` while it is imported.

The stand-in stays for the rest of the session. Every module that is imported later gets it, also those of other test
files; modules that were imported before keep the real one. What is tested then depends on the order in which files are
collected, and a stand-in for a security library makes tests pass that never touch it.

Instead: `mock.patch.dict(sys.modules, ...)` in a fixture, around the import that needs it.

A stand-in in a `conftest.py` is meant for the whole session and comes before all imports: it is not reported. Neither
is one that the file itself takes away again.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_secaudit.lexicon import security_word
from pytest_secaudit.model import ADVISORY, Check, Hit
from pytest_secaudit.source import TestModule
from pytest_secaudit.source.changes import Change, changes_in
from pytest_secaudit.source.left import stands_in
from pytest_secaudit.source.restores import is_reset, touches, writes_saved
from pytest_secaudit.source.syntax import TRIES, WITHS
from pytest_secaudit.source.temporary import guards

BAD = (
    """
import sys
import types
from unittest import mock

sys.modules["castellan"] = mock.Mock()  # PSA107
sys.modules["castellan.common"] = types.ModuleType("castellan.common")  # PSA107
fake = mock.MagicMock()
fake.constants = types.SimpleNamespace()
sys.modules["dfs_sdk"] = fake  # PSA107
sys.modules.update({"storops": mock.Mock()})  # PSA107
sys.modules.setdefault("rados", mock.MagicMock())  # PSA107
""",
    """
import sys
from tests import fake_client

try:
    import vendor
except ImportError:
    sys.modules["vendor"] = fake_client.FakeVendor()  # PSA107

class Stub:
    pass

sys.modules["other"] = Stub  # PSA107
for name in ("a", "b"):
    sys.modules[name] = Stub()  # PSA107
""",
)
GOOD = (
    """
import sys
from unittest import mock

saved = sys.modules.get("castellan")
sys.modules["castellan"] = mock.Mock()
from shop import keys
sys.modules["castellan"] = saved

try:
    sys.modules["a"] = mock.Mock()
    import shop.a
finally:
    del sys.modules["a"]

sys.modules["b"] = mock.Mock()

def teardown_module():
    sys.modules.pop("b")
""",
    """
import shop.compat
import sys
from unittest import mock

sys.modules["shop.old_name"] = shop.compat
sys.modules["collections.abc"] = __import__("collections")

def test_inside():
    sys.modules["c"] = mock.Mock()

with mock.patch.dict(sys.modules, {"d": mock.Mock()}):
    sys.modules["e"] = mock.Mock()
    import shop.d
""",
)


def rule(module: TestModule) -> Iterator[Hit]:
    if "sys" not in module.imported_names().values() and "sys.modules" not in module.imported_names().values():
        return
    if module.path.endswith("conftest.py"):
        return
    for change in changes_in(module, module.root):
        if change.place.area == "sys.modules" and _is_stub(module, change) and not _taken_away(module, change):
            yield _hit(change)


def _hit(change: Change) -> Hit:
    name = change.place.name
    return Hit(
        change.node,
        f"{name} is a stand-in from here to the end of the session",
        fix="mock.patch.dict(sys.modules, ...) in a fixture, around the import that needs it",
        security=security_word(name.partition("[")[2]),
        subject=name,
    )


def _is_stub(module: TestModule, change: Change) -> bool:
    return change.value is not None and stands_in(module, module.root, change.value)


def _taken_away(module: TestModule, change: Change) -> bool:
    """The file puts back what was there: further down, in a ``finally``, around a ``with``, or in a tear-down."""
    place, root = change.place, module.root
    if writes_saved(module, change) or any(
        other.place.meets(place) and (is_reset(module, other) or writes_saved(module, other))
        for scope in module.scopes
        for other in changes_in(module, scope)
        if other is not change and (scope is not root or other.line > change.line)
    ):
        return True
    for node in root.ancestors(change.node):
        if isinstance(node, TRIES) and touches(module, root, node.finalbody, place):  # type: ignore[attr-defined]
            return True
        if isinstance(node, WITHS) and any(guards(module, root, item.context_expr, place) for item in node.items):
            return True
    return False


CHECK = Check("PSA107", "module-stubbed-at-import", ADVISORY, __doc__, BAD, GOOD, rule, cwe=459)
