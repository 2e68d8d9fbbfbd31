"""A test, set-up or fixture changes what an import finds, or who traces the process, and leaves it so.

`sys.path`, `sys.modules`, `sys.meta_path` and `sys.path_hooks` decide which code every later import gets. A stand-in
that stays in `sys.modules` makes later tests pass that never touch the real module; where that is a security library,
nothing checks it any more. A module that was removed and imported anew exists twice: its classes are no longer equal
to themselves, and what one half of the program sets the other half does not see. An entry left in `sys.path` can put
somebody else's module in the place of a real one. A trace or profile function that stays slows everything down, or
takes coverage's place.

Instead: `monkeypatch.syspath_prepend`, `monkeypatch.setitem(sys.modules, ...)` and `monkeypatch.delitem`, or
`mock.patch.dict(sys.modules, ...)`, which also takes away what was imported meanwhile. `sys.settrace` belongs in a
`try` with its `finally`.

Only a run can tell. Silent: an import, also one that is the first of its module, and what a module puts in its own
place or beside itself while it is imported; the removal of a module that a test was the first to import; hooks that
came with the first import of their module; debuggers, profilers of the standard library and coverage. A module loaded
by hand from a file, under the name its spec gives, counts as an import.
"""

from __future__ import annotations

from pytest_secaudit.model import DEFECT, Check

BAD = (
    """
import sys
import types
from unittest import mock
import pytest

def test_stand_in():
    sys.modules["shop_backend"] = mock.Mock()  # PSA111
    import shop_backend
    assert shop_backend.charge()

@pytest.fixture
def no_backend():
    sys.modules["shop_bus"] = None  # PSA111
    yield

def test_without(no_backend):
    with pytest.raises(ImportError):
        import shop_bus

def test_module_made_by_hand():
    fake = types.ModuleType("shop_queue")
    sys.modules["shop_queue"] = fake  # PSA111
    import shop_queue
    assert shop_queue is fake
""",
    """
import importlib
import json.tool
import sys

def test_removed():
    del sys.modules["json.tool"]  # PSA111
    assert "json.tool" not in sys.modules

def test_imported_anew():
    sys.modules.pop("json.scanner")  # PSA111
    importlib.import_module("json.scanner")
    assert "json.scanner" in sys.modules
""",
    """
import sys
import unittest

class TestPath(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        sys.path.insert(0, "/srv/shop/lib")  # PSA111

    def test_path(self):
        sys.path.append("/srv/shop/more")  # PSA111
        self.assertEqual(sys.path[0], "/srv/shop/lib")
""",
    """
import sys

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None

def test_finder():
    sys.meta_path.insert(0, Finder)  # PSA111
    assert sys.meta_path[0] is Finder

def test_profile():
    sys.setprofile(lambda frame, event, arg: None)  # PSA111
    assert sys.getprofile() is not None
""",
)

GOOD = (
    """
import json.scanner
import sys
import types
from unittest import mock
import pytest

def test_monkeypatch(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "shop_backend", None)
    monkeypatch.delitem(sys.modules, "json.scanner")

def test_patch_dict():
    with mock.patch.dict(sys.modules, {"shop_backend": mock.Mock(), "json": mock.Mock()}):
        import shop_backend
        assert shop_backend.charge()

@pytest.fixture(scope="module")
def backend():
    saved = sys.modules["json.scanner"]
    sys.modules["json.scanner"] = sys.modules["shop_backend"] = types.ModuleType("shop_backend")
    sys.path.insert(0, "/srv/shop/lib")
    yield
    sys.path.remove("/srv/shop/lib")
    sys.modules["json.scanner"] = saved
    del sys.modules["shop_backend"]

def test_first(backend):
    import shop_backend

def test_second(backend):
    import shop_backend
""",
    """
import importlib
import sys
import unittest

class TestPath(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        sys.path.insert(0, "/srv/shop/lib")

    @classmethod
    def tearDownClass(cls):
        sys.path.remove("/srv/shop/lib")

    def setUp(self):
        self.addCleanup(sys.path.remove, "/srv/shop/more")
        sys.path.append("/srv/shop/more")

    def test_path(self):
        self.assertEqual(sys.path[0], "/srv/shop/lib")

class TestImports(unittest.TestCase):
    def test_first_import(self):
        importlib.import_module("xml.dom.minidom")
        importlib.reload(sys.modules["xml.dom.minidom"])

    def test_of_a_generated_module(self):
        import this_is_not_there_or_is_it as _
    test_of_a_generated_module = unittest.expectedFailure(test_of_a_generated_module)

def test_trace():
    trace = sys.gettrace()
    try:
        sys.settrace(lambda frame, event, arg: None)
    finally:
        sys.settrace(trace)
""",
    """
import importlib
import sys
import pytest

@pytest.fixture
def plugin(tmp_path, monkeypatch):
    (tmp_path / "secaudit_plugin.py").write_text("import sys\\nsys.modules[__name__] = type('Lazy', (), {})()")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("secaudit_plugin")
    del sys.modules["secaudit_plugin"]

def test_plugin(plugin):
    assert "secaudit_plugin" in sys.modules

def test_isolated_imports():
    before = set(sys.modules)
    importlib.import_module("colorsys")
    for name in set(sys.modules) - before:
        del sys.modules[name]
""",
)

CHECK = Check("PSA111", "import-system-left", DEFECT, __doc__, BAD, GOOD, cwe=459)
