"""Child processes that are left running."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_secaudit.watch.areas import children, patience
from pytest_secaudit.watch.areas.children import Children
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps

WAITS = [sys.executable, "-c", "input()"]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def relative(path: str) -> str:
    return f"<site-packages>/{path.rpartition('/')[2]}" if "site-packages" in path else path


@pytest.fixture
def area() -> Iterator[Children]:
    taps = Taps()
    area = Children(taps, Stack(relative, lambda path: path == __file__))
    assert area.off == ""
    assert not area.look()
    yield area
    area.stop()
    taps.take_back()


def started(*args: Any, **kwargs: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(*args, stdin=subprocess.PIPE, **kwargs)


def end(popen: subprocess.Popen[bytes]) -> None:
    popen.communicate(b"\n")


def test_a_process_that_is_left_and_its_end(area: Children) -> None:
    with subprocess.Popen(WAITS, stdin=subprocess.PIPE) as popen:
        wrote = sys._getframe().f_lineno - 1
        (change,) = area.look()
        assert (change.subject, change.before) == ("process python", ABSENT)
        assert change.key.startswith(f"{popen.pid} ")
        assert change.site is not None
        assert change.site.edit is not None
        assert change.site.edit.line == wrote
        assert (area.said(change), area.code) == ("running", "PSA603")
        assert area.is_lasting(change)
        assert not area.look()
        end(popen)
    assert area.look() == [Change(change.subject, change.after, ABSENT, key=change.key)]
    assert not area.is_lasting(change)
    assert not area.look()


def test_what_was_waited_for_before_anybody_looked_is_not_seen(area: Children) -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert not area.look()


def test_what_ended_and_was_not_waited_for_is_silent_and_not_reaped(area: Children) -> None:
    popen = started(WAITS)
    assert popen.stdin is not None
    (change,) = area.look()
    popen.stdin.close()
    area.settle({change.key})
    assert [change.after for change in area.look()] == [ABSENT]
    assert popen.returncode is None
    assert popen.wait() == 1


def test_a_moment_is_given_to_what_is_about_to_end(area: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    popen = started(WAITS)
    assert len(area.look()) == 1
    monkeypatch.setattr(patience.real, "sleep", lambda _: end(popen))
    area.settle()
    assert [change.after for change in area.look()] == [ABSENT]


def test_the_user_s_object_is_never_asked(area: Children) -> None:
    class Asked(subprocess.Popen):  # type: ignore[type-arg]
        def poll(self) -> int | None:
            raise RuntimeError

    popen = Asked(WAITS, stdin=subprocess.PIPE)
    assert len(area.look()) == 1
    area.settle()
    popen.communicate(b"\n")
    assert len(area.look()) == 1


def test_a_program_is_named_and_its_arguments_are_not(area: Children) -> None:
    popen = started([*WAITS, "--password=hunter2"])
    assert [change.subject for change in area.look()] == ["process python"]
    end(popen)


def test_a_program_that_cannot_be_started_raises_as_ever(area: Children) -> None:
    with pytest.raises(OSError, match="secaudit-none"):
        subprocess.Popen(["secaudit-none"])
    with pytest.raises(TypeError):
        subprocess.Popen()  # type: ignore[call-overload]
    assert not area.look()


def test_a_process_of_multiprocessing(area: Children) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=time.sleep, args=(60,), name="Worker-3")
    process.start()
    (change,) = area.look()
    assert change.subject == "process Worker-3"
    process.kill()
    process.join()
    assert [change.after for change in area.look()] == [ABSENT]


def test_a_process_of_asyncio(area: Children) -> None:
    async def main() -> None:
        process = await asyncio.create_subprocess_exec(*WAITS, stdin=subprocess.PIPE)
        assert [change.subject for change in area.look()] == ["process python"]
        await process.communicate(b"\n")

    asyncio.run(main())
    assert [change.after for change in area.look()] == [ABSENT]


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_with_its_line(area: Children) -> None:
    stop, go_on = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        os.read(stop, 1)
        os._exit(0)
    wrote = sys._getframe().f_lineno - 4
    (change,) = area.look()
    assert change.subject == "process forked from this one"
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.line == wrote
    os.write(go_on, b"\n")
    os.waitpid(child, 0)
    os.close(stop)
    os.close(go_on)
    assert [change.after for change in area.look()] == [ABSENT]


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_process_started_in_two_ways_is_one(area: Children) -> None:
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    process.start()
    (change,) = area.look()
    assert change.subject.startswith("process ForkProcess-")
    process.kill()
    process.join()
    assert [change.after for change in area.look()] == [ABSENT]


@pytest.mark.skipif(not hasattr(os, "posix_spawn"), reason="not on this platform")
def test_a_spawned_process(area: Children) -> None:
    stop, go_on = os.pipe()
    pid = os.posix_spawn(sys.executable, WAITS, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, stop, 0)])
    assert [change.subject for change in area.look()] == ["process python"]
    os.write(go_on, b"\n")
    os.close(stop)
    os.close(go_on)
    assert os.waitpid(pid, 0)[1] == 0
    assert [change.after for change in area.look()] == [ABSENT]


def test_processes_that_a_library_keeps_are_silent(area: Children) -> None:
    namespace: dict[str, Any] = {"Popen": subprocess.Popen, "args": WAITS, "pipe": subprocess.PIPE}
    exec(compile("popen = Popen(args, stdin=pipe)", "/site-packages/joblib.py", "exec"), namespace)
    assert not area.look()
    end(namespace["popen"])


def test_a_number_that_is_used_again_is_another_process(area: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    popen = started(WAITS)
    (change,) = area.look()
    with monkeypatch.context() as patch:
        patch.setattr(children, "_HAS_PROC", True)
        patch.setattr(children, "_stat", lambda pid: ("S", "a later time"))
        assert not area.is_lasting(change)
    assert area.is_lasting(change)
    end(popen)


def test_off_where_nothing_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_HAS_PROC", False)
    monkeypatch.setattr(children, "_waitid", None)
    monkeypatch.setattr(children.sys, "platform", "darwin")
    taps = Taps()
    area = Children(taps, Stack(str, str.isdigit))
    assert area.off == "not on this platform"
    assert "__init__" in vars(subprocess.Popen)


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="not on this platform")
def test_without_proc(area: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_HAS_PROC", False)
    monkeypatch.setattr(children, "_read", lambda *_, **__: (_ for _ in ()).throw(OSError()))
    popen = started(WAITS)
    (change,) = area.look()
    assert change.key == f"{popen.pid} "
    assert area.is_lasting(change)
    end(popen)
    assert [change.after for change in area.look()] == [ABSENT]


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="not on this platform")
def test_by_proc_alone(area: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_waitid", None)
    popen = started(WAITS)
    (change,) = area.look()
    assert area.is_lasting(change)
    end(popen)
    assert [change.after for change in area.look()] == [ABSENT]
