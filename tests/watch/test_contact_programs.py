"""What a program is called: never by its arguments."""

from __future__ import annotations

import os
import sys
from pathlib import PurePosixPath
from typing import Any

import pytest

from pytest_secaudit.watch import programs


@pytest.mark.parametrize(
    ("args", "options", "name"),
    [
        (["git", "push", "https://me:hunter2@example.org"], {}, "git"),
        (["/usr/bin/git"], {}, "git"),
        (("git",), {}, "git"),
        ("git", {}, "git"),
        (b"/usr/bin/git", {}, "git"),
        ([b"git"], {}, "git"),
        (PurePosixPath("/usr/bin/git"), {}, "git"),
        ([PurePosixPath("/usr/bin/git"), "x"], {}, "git"),
        ([sys.executable, "-c", ""], {}, "python"),
        (["python3.12"], {}, "python"),
        (["python-config"], {}, "python-config"),
        (["/tmp/tmpa1b2c3d_"], {}, "a temporary file"),
        (["/tmp/tmpa1b2c3d_.sh"], {}, "a temporary file"),
        (["tmpreaper"], {}, "tmpreaper"),
        (["x"], {"executable": "/usr/bin/git"}, "git"),
        ("git push", {"shell": True}, "git"),
        (["git push", "x"], {"shell": True}, "git"),
        ("  TOKEN=hunter2 A=b  git push", {"shell": True}, "git"),
        ("'/opt/my tools/git' push", {"shell": True}, "git"),
        ('"git" push', {"shell": True}, "git"),
        ("for i in 1 2; do git push; done", {"shell": True}, "sh"),
        ("(git push)", {"shell": True}, "sh"),
        ("$GIT push", {"shell": True}, "sh"),
        ("git;ls", {"shell": True}, "sh"),
        ("`git`", {"shell": True}, "sh"),
        ("TOKEN=hunter2", {"shell": True}, "sh"),
        ("", {"shell": True}, "sh"),
        (["g" * 500], {}, "g" * 60),
        ([""], {}, "sh"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="a command line is one string there")
def test_name(args: Any, options: dict[str, Any], name: str) -> None:
    assert programs.popened(None, args, **options) == name
    positional = [-1, options.get("executable"), None, None, None, None, True, options.get("shell", False), None]
    assert programs.popened(None, args, *positional) == name
    assert programs.popened(None, args=args, cwd="/", **options) == name


@pytest.mark.parametrize(
    ("args", "name"),
    [
        ("C:\\tools\\git.EXE", "git"),
        ("git.exe push https://me:hunter2@example.org", "git"),
        ('"C:\\my tools\\git.exe" push', "git"),
        (["C:\\my tools\\git.exe", "push"], "git"),
        (["C:/my tools/python.exe"], "python"),
        (["C:\\Python\\pythonw.exe"], "python"),
    ],
)
def test_name_on_windows(monkeypatch: pytest.MonkeyPatch, args: Any, name: str) -> None:
    monkeypatch.setattr(programs, "_WINDOWS", True)
    assert programs.popened(None, args) == name


@pytest.mark.parametrize("args", [[], None, 3, [3]])
def test_what_is_no_command(args: Any) -> None:
    with pytest.raises((TypeError, IndexError)):
        programs.popened(None, args)


def test_nothing_is_consumed() -> None:
    args = iter(["git"])
    with pytest.raises(TypeError):
        programs.popened(None, args)
    assert list(args) == ["git"]
