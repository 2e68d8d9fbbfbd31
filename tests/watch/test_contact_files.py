"""Files with credentials: heard of at the exact depth only, by an audit hook that is dead when nobody listens."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_secaudit.watch import credentials
from pytest_secaudit.watch.contact import Contact
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps

FILES = [
    ".aws/credentials",
    ".ssh/id_ed25519",
    ".netrc",
    ".pypirc",
    ".docker/config.json",
    ".kube/config",
    ".config/gcloud/credentials.db",
]
OTHERS = [".aws/config.txt", ".bashrc", "netrc", "project/.netrc", ".config/other", ".sshx/id"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with all of them, and no hook: the tests call it themselves."""
    for name in (*FILES, *OTHERS):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("secret")
    monkeypatch.setattr(credentials, "_HOMES", (str(tmp_path) + os.sep,))
    monkeypatch.setattr(credentials, "_hooks", ["installed"])
    return tmp_path


@pytest.fixture
def contact(home: Path) -> Iterator[Contact]:
    taps = Taps()
    made = Contact(taps, Stack(str, lambda path: False), lambda: ("a test", False), exact=True)
    yield made
    made.stop()
    taps.take_back()


def opened(path: object, flags: int = os.O_RDONLY) -> None:
    credentials._hook("open", (path, "r", flags))


def reached(contact: Contact) -> list[str]:
    return [one.what for one in contact.drain() if one.kind == "file"]


@pytest.mark.parametrize("name", FILES)
def test_opened(contact: Contact, home: Path, name: str) -> None:
    opened(str(home / name))
    opened(os.fsencode(home / name))
    assert reached(contact) == [f"~/{name}"]


@pytest.mark.parametrize("name", OTHERS)
def test_other_files(contact: Contact, home: Path, name: str) -> None:
    opened(str(home / name))
    assert reached(contact) == []


def test_what_is_no_path(contact: Contact) -> None:
    for path in (3, None, object(), "", "\0", b"\xff", "/etc/\0", "/etc/hosts"):
        opened(path)
    credentials._hook("open", ())
    credentials._hook("import", ("x",))
    assert reached(contact) == []


def test_looking_for_one_that_is_not_there(contact: Contact, home: Path) -> None:
    (home / ".netrc").unlink()
    opened(str(home / ".netrc"))
    assert reached(contact) == []
    opened(str(home / ".netrc"), os.O_WRONLY | os.O_CREAT)
    assert reached(contact) == ["~/.netrc"]


def test_only_at_the_exact_depth(home: Path) -> None:
    taps = Taps()
    contact = Contact(taps, Stack(str, lambda path: False), lambda: ("a test", False))
    opened(str(home / ".netrc"))
    assert (reached(contact), contact.files_off) == ([], "only at depth exact")
    taps.take_back()


def test_dead_after_the_run(contact: Contact, home: Path) -> None:
    assert contact.files_off == ""
    contact.stop()
    opened(str(home / ".netrc"))
    assert reached(contact) == []
    assert contact._opened not in credentials._listeners


def test_a_run_inside_a_run_hears_alone(contact: Contact, home: Path) -> None:
    taps = Taps()
    inner = Contact(taps, Stack(str, lambda path: False), lambda: ("another", False), exact=True)
    opened(str(home / ".netrc"))
    assert (reached(contact), reached(inner)) == ([], ["~/.netrc"])
    inner.stop()
    taps.take_back()
    opened(str(home / ".netrc"))
    assert reached(contact) == ["~/.netrc"]


def test_our_own_failure_is_not_theirs(home: Path) -> None:
    def fail(name: str) -> None:
        raise RuntimeError

    credentials.listen(fail)
    try:
        opened(str(home / ".netrc"))
    finally:
        credentials.forget(fail)


SCRIPT = """
import os, sys, pathlib
from pytest_secaudit.watch.contact import Contact
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps

stack = Stack(lambda path: os.path.basename(path), lambda path: path.endswith("test_a.py"))
taps = Taps()
contact = Contact(taps, stack, lambda: ("a test", False), exact=True)
home = pathlib.Path(os.path.expanduser("~"))
os.environ["HOME"] = os.environ["USERPROFILE"] = "elsewhere"
exec(compile("def test_it(path):\\n    return path.read_text()\\n", "/x/test_a.py", "exec"))
assert test_it(home / ".netrc") == "secret"
[one] = contact.drain()
assert (one.kind, one.what, one.site.edit.line) == ("file", "~/.netrc", 2), one
os.close(os.open(home / ".aws" / "credentials", os.O_RDONLY))
open(os.fsencode(home / ".pypirc"), "rb").close()
open(home / "other", "w").close()
assert [one.what for one in contact.drain()] == ["~/.aws/credentials", "~/.pypirc"]
contact.stop()
test_it(home / ".netrc")
assert contact.drain() == ()
taps.take_back()
"""


def test_the_real_hook(home: Path) -> None:
    environ = {**os.environ, "HOME": str(home), "USERPROFILE": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0
