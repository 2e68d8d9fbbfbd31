"""A test makes a temporary file or folder and nothing removes it.

`mkdtemp`, `mkstemp` and `NamedTemporaryFile(delete=False)` leave the removal to the caller. What stays
fills the disk of the machine that runs the tests, and whatever the test has written into it (keys,
dumps, configurations) stays readable there.

Instead: use the `tmp_path` fixture, `TemporaryDirectory` in a `with` block, or register the removal in
the line after (`self.addCleanup(shutil.rmtree, path)`).

A run hears of what `tempfile` makes, and reports what is still there when its owner's scope is over.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, Check, Hit, Question
from pytest_secaudit.source import Role, Scope, TestModule, dotted_name, own_nodes, terminal_name
from pytest_secaudit.source.mocks import replacements, resolved_target
from pytest_secaudit.source.restores import fixtures_asked

BAD = (
    """
import os, tempfile
from tempfile import NamedTemporaryFile, mkdtemp

def test_export():
    folder = mkdtemp()  # PSA602
    export(folder)
    assert os.listdir(folder)

def test_key():
    fd, path = tempfile.mkstemp(suffix=".pem")  # PSA602
    os.write(fd, b"key")
    assert load(path)

def test_named():
    with NamedTemporaryFile("w", delete=False) as file:  # PSA602
        file.write("x")
""",
    """
import tempfile, unittest, pytest

class TestStore(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()  # PSA602

    def test_one(self):
        self.assertTrue(store(self.folder))

@pytest.fixture
def folder():
    yield tempfile.mkdtemp()  # PSA602
""",
)
GOOD = (
    # removed, in all ways
    """
import os, shutil, tempfile, pytest
from pathlib import Path

def test_rmtree():
    folder = tempfile.mkdtemp()
    try:
        export(folder)
    finally:
        shutil.rmtree(folder)

def test_unlink():
    fd, path = tempfile.mkstemp()
    Path(path).unlink()

@pytest.fixture
def folder(request):
    path = tempfile.mkdtemp()
    request.addfinalizer(lambda: shutil.rmtree(path))
    return path

@pytest.fixture
def other():
    path = tempfile.mkdtemp()
    yield path
    shutil.rmtree(path, ignore_errors=True)
""",
    """
import shutil, tempfile, unittest

class Base(unittest.TestCase):
    def tearDown(self):
        shutil.rmtree(self.folder)

class TestStore(Base):
    def setUp(self):
        self.folder = tempfile.mkdtemp()

class TestOther(unittest.TestCase):
    def test_one(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)

    def test_two(self):
        self.path = tempfile.mkdtemp()

    def cleanup(self):
        remove_tree(self.path)

    tearDown = cleanup
""",
    # inside a folder that somebody removes
    """
import tempfile

def test_inside(tmp_path):
    tempfile.mkdtemp(dir=tmp_path)
    tempfile.mkstemp("a", "b", str(tmp_path))
    with tempfile.TemporaryDirectory() as folder:
        tempfile.NamedTemporaryFile(dir=folder, delete=False)
""",
    # removed when closed
    """
import tempfile

def test_closed():
    with tempfile.NamedTemporaryFile() as file:
        assert file.name
    with tempfile.NamedTemporaryFile(delete=True):
        pass
""",
    # a helper: its caller removes; a function under test removes
    """
import tempfile

def make_folder():
    return tempfile.mkdtemp()

def test_removes():
    folder = tempfile.mkdtemp()
    remove_project(folder)
    assert not exists(folder)
""",
    # nothing is made
    """
import tempfile
from unittest import mock

@mock.patch("tempfile.mkdtemp")
def test_mocked(mkdtemp):
    assert tempfile.mkdtemp() is mkdtemp.return_value

def test_patched(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tempfile.mkstemp()
""",
    # a fixture in effect moves the folder for temporary files
    """
import tempfile, pytest

@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

def test_isolated():
    tempfile.mkdtemp()
""",
    # the base class is elsewhere: it may remove, or move the folder for temporary files
    """
import tempfile
from shop import test

class TestStore(test.TestCase):
    def test_one(self):
        self.folder = tempfile.mkdtemp()
""",
)

_IN_TESTS = (Role.TEST, Role.SETUP, Role.FIXTURE)
_REMOVES = re.compile(
    r"rm_?tree|rmdir|unlink|remove|delete|clean|rm_rf|safe_rm|purge|discard|teardown|tear_down", re.IGNORECASE
)
#: Where `dir` stands among the positional arguments.
_DIR_POSITION = {"mkdtemp": 2, "mkstemp": 2, "NamedTemporaryFile": 6}


def rule(module: TestModule) -> Iterator[Hit]:
    for call, scope in module.calls(*_DIR_POSITION):
        full = module.resolve(call.func, scope)
        name = full.removeprefix("tempfile.")
        if name in _DIR_POSITION and name != full and module.role(scope.outermost) in _IN_TESTS:
            if _stays(call, name) and not (_is_removed(module, scope) or _is_moved(module, scope)):
                yield _hit(module, scope, call, name)


def _hit(module: TestModule, scope: Scope, call: ast.Call, name: str) -> Hit:
    what = "folder" if name == "mkdtemp" else "file"
    return Hit(
        call,
        f"the {what} made by {name}() is never removed",
        fix=_fix(module, scope, call, name),
        unless=(
            Question("fixture-replaces", (f"tempfile.{name}", *fixtures_asked(module, scope))),
            Question("fixture-replaces", ("tempfile.tempdir", *fixtures_asked(module, scope))),
        ),
    )


def _fix(module: TestModule, scope: Scope, call: ast.Call, name: str) -> str:
    path = _path(scope, call, name)
    if path is None:
        return "use tmp_path, or keep its name and remove it in a clean-up"
    owner = scope.outermost.owner_class
    if owner is not None and any("TestCase" in base for base in module.base_names(owner)):
        remove = "shutil.rmtree" if name == "mkdtemp" else "os.remove"
        return f"register the removal in the next line: self.addCleanup({remove}, {path})"
    return f"use tmp_path, or remove {path} in a clean-up"


def _path(scope: Scope, call: ast.Call, name: str) -> str | None:
    """The user's own name for what was made: ``folder``, ``path`` of ``fd, path``, ``file.name``."""
    parent = scope.parent(call)
    if isinstance(parent, ast.withitem):
        target = parent.optional_vars
    else:
        target = parent.targets[0] if isinstance(parent, ast.Assign) else None
    if name == "mkstemp":
        target = target.elts[1] if isinstance(target, ast.Tuple) and len(target.elts) == 2 else None
    if target is None or not dotted_name(target):
        return None
    return f"{dotted_name(target)}.name" if name == "NamedTemporaryFile" else dotted_name(target)


def _stays(call: ast.Call, name: str) -> bool:
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    if None in options or "dir" in options or len(call.args) > _DIR_POSITION[name]:
        return False
    if any(isinstance(argument, ast.Starred) for argument in call.args):
        return False
    if name != "NamedTemporaryFile":
        return True
    delete = options.get("delete")
    return isinstance(delete, ast.Constant) and delete.value is False


def _is_removed(module: TestModule, scope: Scope) -> bool:
    """Whether anything around removes something: the function, its class, a tear-down of the module."""
    if _has_unknown_base(module, scope.outermost):
        return True
    return any(_removes(node) for inner in _around(module, scope.outermost) for node in own_nodes(inner.node))


def _removes(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.startswith("rm -")
    name = terminal_name(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
    return bool(name) and bool(_REMOVES.search(name))


def _around(module: TestModule, function: Scope) -> Iterator[Scope]:
    yield from function.within()
    for cls in module.lineage(function.owner_class):
        for child in cls.children:
            if child.is_function and module.role(child) is not Role.TEST:
                yield from child.within()
    for child in module.root.children:
        if child.is_function and module.role(child) is Role.TEARDOWN:
            yield from child.within()


def _has_unknown_base(module: TestModule, function: Scope) -> bool:
    """Whether a base class stands in another file, where it may keep the folder for temporary files clean."""
    for cls in module.lineage(function.owner_class):
        for base in getattr(cls.node, "bases", ()):
            known = module.definition(base, cls.enclosing or module.root) is not None
            if not known and not module.resolve(base, cls.enclosing or module.root).startswith(
                ("unittest.", "django.test.", "builtins.")
            ):
                return True
    return False


def _is_moved(module: TestModule, scope: Scope) -> bool:
    """Whether the test, its class or a set-up replaces the function or the folder for temporary files."""
    inside = {*scope.outermost.within(), scope.outermost.enclosing, module.root}
    if any(
        re.search(
            r"(tempfile|tempdir|gettempdir|mkdtemp|mkstemp|NamedTemporaryFile)$", resolved_target(module, replacement)
        )
        for replacement in replacements(module)
        if replacement.scope in inside or module.role(replacement.scope.outermost) is Role.SETUP
    ):
        return True
    targets = (target for node in scope.outermost.of(ast.Assign) for target in node.targets)
    return any(dotted_name(target) == "tempfile.tempdir" for target in targets)


CHECK = Check("PSA602", "temp-path-left-behind", ADVISORY, __doc__, BAD, GOOD, rule, cwe=459)
