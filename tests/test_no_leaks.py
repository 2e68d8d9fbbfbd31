"""`no_leaks` judges a block alone: what its body leaves is named, what others do meanwhile is theirs, nothing disturbs an audit."""

# ruff: noqa: PT012 - the body of a block is what is tried here

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import importlib.util
import inspect
import itertools
import json
import logging
import os
import pickle
import re
import subprocess
import sys
import tempfile
import textwrap
import threading
import types
import warnings
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import pytest

import pytest_secaudit
from pytest_secaudit import Leaked, no_leaks
from pytest_secaudit.watch import tapping
from pytest_secaudit.watch.areas import OF_A_BLOCK, OF_A_BLOCK_IF_ASKED
from pytest_secaudit.watch.areas.children import _Forks
from pytest_secaudit.watch.areas.frameworks import NAMES as FRAMEWORKS
from pytest_secaudit.watch.tapping import Taps, original_of

HERE = Path(__file__)
ROOT = HERE.parents[1]


@pytest.fixture(autouse=True)
def _no_tap_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made: list[Taps] = []
    make = Taps.__init__

    def noted(taps: Taps, **kwargs: bool) -> None:
        made.append(taps)
        make(taps, **kwargs)

    monkeypatch.setattr(Taps, "__init__", noted)
    yield
    monkeypatch.undo()
    assert not [taps for taps in made if taps._taps]
    assert original_of(os.putenv) is os.putenv
    assert original_of(threading.Thread.start) is threading.Thread.start


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """What these tests leave on purpose."""
    cwd, path, level = os.getcwd(), sys.path.copy(), logging.root.level
    yield
    os.chdir(cwd)
    for name in [name for name in os.environ if name.startswith("LEFT")]:
        del os.environ[name]
    sys.path[:] = path
    logging.root.setLevel(level)


def line_of(text: str) -> str:
    """The only line of this file that ends with a comment."""
    (number,) = (n for n, line in enumerate(HERE.read_text("utf-8").splitlines(), 1) if line.endswith(f"  # {text}"))
    return f"tests/{HERE.name}:{number}"


def subjects(found: pytest_secaudit.NoLeaks | Leaked) -> list[str]:
    return [leak.subject for leak in found.left]


# --- what is said


def test_what_is_left_fails_with_its_line_and_what_it_was() -> None:
    with pytest.raises(AssertionError) as failed, no_leaks() as found:
        os.environ["LEFT_TOKEN"] = "hunter2"  # the token
    (leak,) = found.left
    assert failed.value.left == found.left  # type: ignore[attr-defined]
    assert (leak.area, leak.subject, leak.said) == ("environ", "os.environ['LEFT_TOKEN']", "set")
    assert (leak.before, leak.after) == ("not there", "a value that is not shown")
    assert leak.written_at == line_of("the token")
    assert leak.fix == "monkeypatch.setenv('LEFT_TOKEN', ...)"
    assert str(failed.value) == (
        "the block left 1 thing changed:\n"
        f"  os.environ['LEFT_TOKEN'] set  ({leak.written_at})\n"
        "      before: not there\n"
        "      after:  a value that is not shown\n"
        "      fix: monkeypatch.setenv('LEFT_TOKEN', ...)"
    )


def test_what_was_before_and_what_is_put_back_is_silent() -> None:
    os.environ["LEFT_BEFORE"] = "1"
    with no_leaks() as found:
        os.environ["LEFT_INSIDE"] = "2"
        os.environ["LEFT_BEFORE"] = "3"
        del os.environ["LEFT_INSIDE"]
        os.environ["LEFT_BEFORE"] = "1"
    assert found.left == ()
    assert found.not_watched == {}


def test_a_line_that_is_found_by_reading_is_one_of_the_block() -> (
    None
):  # secaudit: ignore[PSA103] vars(sys) puts it back
    before = sys.argv
    try:
        sys.argv = ["a"]  # not this one: it is the only one of the function, and stands before the block
        with pytest.raises(Leaked) as failed, no_leaks("interpreter"):
            vars(sys).update({"argv": ["b"]})
    finally:
        vars(sys)["argv"] = before
    assert [(leak.subject, leak.written_at) for leak in failed.value.left] == [("sys.argv", "")]


def test_a_line_within_the_block_is() -> None:  # secaudit: ignore[PSA103] vars(sys) puts it back
    before = sys.argv

    def body() -> None:
        with no_leaks("interpreter"):
            sys.argv = ["b"]  # the only one

    try:
        with pytest.raises(Leaked) as failed:
            body()
    finally:
        vars(sys)["argv"] = before
    assert failed.value.left[0].written_at == line_of("the only one")


def test_the_error_travels() -> None:
    with pytest.raises(Leaked) as failed, no_leaks("environ"):
        os.environ["LEFT"] = "1"
    for again in (pickle.loads(pickle.dumps(failed.value)), copy.copy(failed.value)):
        assert (str(again), again.left) == (str(failed.value), failed.value.left)


# --- areas


def test_only_the_areas_that_are_named(tmp_path: Path) -> None:
    with no_leaks("cwd", "signals") as found:
        os.environ["LEFT"] = "1"
    assert not found.left
    with pytest.raises(Leaked) as failed, no_leaks("cwd", "signals"):
        os.chdir(tmp_path)
    assert subjects(failed.value) == ["the working directory"]


@pytest.mark.parametrize("name", ["environment", "sleep", "fixture values", "elsewhere", ""])
def test_an_unknown_area_is_refused_with_what_is_accepted(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{name!r} is no area; accepted: async tasks, asyncio, ")) as failed:
        no_leaks("environ", name)
    assert all(known in str(failed.value) for known in (*OF_A_BLOCK, *OF_A_BLOCK_IF_ASKED))


def states() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("generate_states", ROOT / "docs" / "generate_states.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.states_module()  # type: ignore[no-any-return]


STATES = [
    one
    for one in states().STATES
    if not one.alone
    and (not one.platforms or sys.platform in one.platforms)
    and (not one.needs or importlib.util.find_spec(one.needs) is not None)
    and (one.before is None or sys.version_info < one.before)
]

#: Each test's body in a block of its own.
AROUND_EACH = """
import json, pytest
from pytest_secaudit import no_leaks
SEEN = {}
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item):
    block = no_leaks()
    try:
        with block:
            return (yield)
    except AssertionError:
        return None
    finally:
        SEEN[item.nodeid] = [(one.area, one.subject, one.written_at) for one in block.left]
def pytest_sessionfinish():
    with open("seen.json", "w") as file:
        json.dump(SEEN, file)
"""


def left_of_each(pytester: pytest.Pytester, which: str, *args: str) -> dict[str, list[list[str]]]:
    pytester.makeconftest(AROUND_EACH)
    pytester.makeini("[pytest]\n")
    for number, state in enumerate(STATES):
        Path(pytester.path, f"test_{number}.py").write_text(getattr(state, which), encoding="utf-8")
    result = pytester.run(sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", *args)
    result.assert_outcomes(
        passed=len(re.findall(r"(?m)^ *def test_", "\n".join(getattr(one, which) for one in STATES)))
    )
    seen: dict[str, list[list[str]]] = json.loads(Path(pytester.path, "seen.json").read_text("utf-8"))
    return seen


@pytest.mark.parametrize("args", [(), ("--secaudit",)], ids=["alone", "audited"])
def test_every_state_that_is_watched_is_seen_in_a_block(pytester: pytest.Pytester, args: tuple[str, ...]) -> None:
    seen = left_of_each(pytester, "bad", *args)
    wrong = {}
    for number, state in enumerate(STATES):
        left = seen[f"test_{number}.py::test_leaves"]
        line = next(n for n, text in enumerate(state.bad.splitlines(), 1) if "# LEFT" in text)
        if [area for area, _, _ in left] != [state.area] or left[0][2] not in ("", f"test_{number}.py:{line}"):
            wrong[state.name] = left
    assert not wrong
    assert {state.area for state in STATES} >= set(OF_A_BLOCK) - {*FRAMEWORKS, "temporary paths", "warnings"}


@pytest.mark.parametrize(
    ("which", "args"),
    [("good", ()), ("good", ("--secaudit",)), ("lasting", ())],
    ids=["alone", "audited", "of the session"],
)
def test_whatever_puts_a_state_back_is_silent_in_a_block(
    pytester: pytest.Pytester, which: str, args: tuple[str, ...]
) -> None:
    """Also `monkeypatch` and `caplog`, which do so when their test is over."""
    assert not {test: left for test, left in left_of_each(pytester, which, *args).items() if left}


def test_a_temporary_file_is_left() -> None:
    with pytest.raises(Leaked) as failed, no_leaks():
        folder = tempfile.mkdtemp()
    os.rmdir(folder)
    assert [(leak.area, leak.subject) for leak in failed.value.left] == [("temporary paths", folder)]


def test_warning_filters_are_left_though_pytest_resets_them_after_the_test() -> None:
    with warnings.catch_warnings():
        with pytest.raises(Leaked) as failed, no_leaks():
            warnings.simplefilter("once", UnicodeWarning)  # the filter
            warnings.filterwarnings("error", "left at the end", append=True)  # the last filter
        assert {leak.subject: leak.written_at for leak in failed.value.left} == {
            "warnings.filters['once::UnicodeWarning']": line_of("the filter"),
            "warnings.filters['error:left at the end:Warning']": line_of("the last filter"),
        }


def test_an_open_file_counts_though_a_name_holds_it(tmp_path: Path) -> None:
    with pytest.raises(Leaked) as failed, no_leaks():
        file = open(tmp_path / "a.txt", "w", encoding="utf-8")  # noqa: SIM115
    file.close()
    assert [(leak.area, leak.said) for leak in failed.value.left] == [("descriptors", "open")]


HELD: dict[str, list[int]] = {"numbers": [1]}


def test_namespaces_if_they_are_asked_for() -> None:
    with no_leaks():
        HELD["numbers"].append(2)
    with pytest.raises(Leaked) as failed, no_leaks("namespaces"):
        HELD["numbers"].append(3)
        HELD["more"] = []
    del HELD["more"]
    assert {leak.area for leak in failed.value.left} == {"namespaces"}
    with no_leaks("namespaces"):
        HELD["numbers"].append(4)
        HELD["numbers"].pop()


def test_files_of_the_project_if_they_are_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from pathlib import Path
        import pytest

        def test_it(secaudit):
            with secaudit.no_leaks("files"):
                Path("made.txt").write_text("1")
                Path("made.txt").unlink()
            with pytest.raises(AssertionError) as failed, secaudit.no_leaks("files"):
                Path("left.txt").write_text("1")
            assert [one.subject for one in failed.value.left] == ["left.txt"]
        """
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_an_area_that_is_named_and_cannot_be_watched_says_so() -> None:
    with mock.patch("pytest_secaudit.watch.areas.cwd._where", side_effect=RuntimeError("gone")), no_leaks() as found:
        pass
    assert found.not_watched == {"cwd": "it failed: RuntimeError: gone"}
    with (
        pytest.raises(RuntimeError, match=r"not watched: cwd \(it failed: RuntimeError: gone\)"),
        mock.patch("pytest_secaudit.watch.areas.cwd._where", side_effect=RuntimeError("gone")),
        no_leaks("cwd"),
    ):
        pass


# --- the body fails


def test_what_the_body_raises_goes_on_with_a_note() -> None:
    with pytest.raises(KeyError) as failed, no_leaks() as found:
        os.environ["LEFT"] = "1"
        raise KeyError("the body's")
    assert failed.value.args == ("the body's",)
    (note,) = failed.value.__notes__  # type: ignore[attr-defined]
    assert "os.environ['LEFT'] set" in note
    assert subjects(found) == ["os.environ['LEFT']"]


def test_what_a_tidy_body_raises_goes_on_as_it_is() -> None:
    with pytest.raises(KeyError) as failed, no_leaks():
        raise KeyError
    assert not hasattr(failed.value, "__notes__")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, pytest.skip.Exception])
def test_also_what_is_no_error(kind: type[BaseException]) -> None:
    with pytest.raises(kind), no_leaks() as found:
        os.environ["LEFT"] = "1"
        raise kind
    assert found.left


def test_an_exception_without_room_for_a_note_goes_on() -> None:
    class Closed(Exception):
        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    with pytest.raises(Closed), no_leaks() as found:
        os.environ["LEFT"] = "1"
        raise Closed
    assert found.left


# --- nested, again, and through others


def test_blocks_in_blocks_each_see_what_was_left_in_them() -> None:
    with pytest.raises(Leaked) as outer_failed, no_leaks() as outer:
        os.environ["LEFT_OUTER"] = "1"
        with no_leaks() as tidy:
            os.environ["LEFT_OUTER"] = "2"
            os.environ["LEFT_OUTER"] = "1"
        with pytest.raises(Leaked) as inner_failed, no_leaks("environ"):
            os.environ["LEFT_INNER"] = "1"
        os.environ["LEFT_LATER"] = "1"
        del os.environ["LEFT_LATER"]
    assert not tidy.left
    assert subjects(inner_failed.value) == ["os.environ['LEFT_INNER']"]
    assert subjects(outer_failed.value) == ["os.environ['LEFT_OUTER']", "os.environ['LEFT_INNER']"]
    assert outer.left == outer_failed.value.left


def test_blocks_end_in_any_order() -> None:
    for order in itertools.permutations(range(3)):
        blocks = [no_leaks("environ") for _ in order]
        for number, block in enumerate(blocks):
            block.__enter__()
            os.environ[f"LEFT_{number}"] = "1"
        for number in order:
            with pytest.raises(Leaked) as failed:
                blocks[number].__exit__(None, None, None)
            assert subjects(failed.value) == [f"os.environ['LEFT_{later}']" for later in range(number, 3)]
        for number in order:
            del os.environ[f"LEFT_{number}"]
        assert original_of(os.putenv) is os.putenv


def test_one_block_serves_again_but_not_twice_at_a_time() -> None:
    block = no_leaks("environ")
    with pytest.raises(Leaked), block:
        os.environ["LEFT"] = "1"
    with block, pytest.raises(RuntimeError, match="has begun already"):
        block.__enter__()
    assert block.left == ()


def test_an_exit_stack_may_enter_it() -> None:
    with pytest.raises(Leaked) as failed, contextlib.ExitStack() as stack:
        stack.enter_context(no_leaks())
        os.environ["LEFT"] = "1"  # through a stack
    assert failed.value.left[0].written_at == line_of("through a stack")


# --- threads


def test_a_thread_that_the_block_started_is_its_own() -> None:
    def work() -> None:
        inner = threading.Thread(target=os.environ.__setitem__, args=("LEFT_DEEP", "1"))
        inner.start()
        inner.join()

    with pytest.raises(Leaked) as failed, no_leaks():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert subjects(failed.value) == ["os.environ['LEFT_DEEP']"]


def test_what_another_thread_does_meanwhile_is_not_the_blocks(tmp_path: Path) -> None:
    begun, done, end = threading.Event(), threading.Event(), threading.Event()

    def other() -> None:
        begun.wait(10)
        os.environ["LEFT_OTHER"] = "1"
        os.chdir(tmp_path)
        threading.Thread(target=end.wait, args=(10,), name="of the other").start()
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    try:
        with no_leaks() as found:
            begun.set()
            assert done.wait(10)
        assert not found.left
    finally:
        end.set()
        thread.join()


def test_blocks_in_several_threads_see_their_own() -> None:
    """Each leaves something, or not, while the others do; all begin before any ends."""
    barrier = threading.Barrier(4)

    def work(number: int) -> list[str]:
        block = no_leaks("environ")
        with contextlib.suppress(Leaked), block:
            barrier.wait(10)
            os.environ[f"LEFT_{number}"] = "1"
            if number % 2:
                del os.environ[f"LEFT_{number}"]
            barrier.wait(10)
        return subjects(block)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            for number in (0, 2):
                os.environ.pop(f"LEFT_{number}", None)
            assert list(pool.map(work, range(4))) == [["os.environ['LEFT_0']"], [], ["os.environ['LEFT_2']"], []]


def test_what_a_pool_does_is_of_the_block_that_hands_it_in() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        with pytest.raises(Leaked) as failed, no_leaks():
            pool.submit(os.environ.__setitem__, "LEFT_POOL", "1").result()
    assert subjects(failed.value) == ["os.environ['LEFT_POOL']"]


# --- asyncio


def test_of_tasks_that_take_turns_each_has_its_own() -> None:
    async def work(number: int, order: list[asyncio.Event]) -> list[str]:
        block = no_leaks()
        with contextlib.suppress(Leaked), block:
            os.environ[f"LEFT_{number}"] = "1"
            await asyncio.sleep(0)
            os.environ[f"LEFT_TIDY_{number}"] = "1"
            await order[number].wait()
            del os.environ[f"LEFT_TIDY_{number}"]
        return subjects(block)

    async def main() -> list[list[str]]:
        order = [asyncio.Event() for _ in range(3)]
        tasks = [asyncio.ensure_future(work(number, order)) for number in range(3)]
        for number in (1, 0, 2):  # neither the order in which they began nor the reverse
            await asyncio.sleep(0.001)
            order[number].set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [[f"os.environ['LEFT_{number}']"] for number in range(3)]


def test_a_task_that_was_begun_in_the_block_is_its_own_and_one_before_is_not() -> None:
    async def write(name: str) -> None:
        await asyncio.sleep(0)
        os.environ[name] = "1"

    async def main() -> list[str]:
        before = asyncio.ensure_future(write("LEFT_BEFORE"))
        block = no_leaks()
        with contextlib.suppress(Leaked):
            async with block:
                await asyncio.gather(
                    before,
                    asyncio.ensure_future(write("LEFT_WITHIN")),
                    asyncio.to_thread(os.environ.__setitem__, "LEFT_THREAD", "1"),
                )
                contextvars.Context().run(os.environ.__setitem__, "LEFT_CONTEXT", "1")
        return sorted(subjects(block))

    assert asyncio.run(main()) == [f"os.environ['LEFT_{name}']" for name in ("CONTEXT", "THREAD", "WITHIN")]


def test_a_task_that_is_still_pending_is_left_and_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """To wait would be in vain: it goes on in the thread that waits."""
    waited: list[float] = []
    monkeypatch.setattr("pytest_secaudit.watch.real.sleep", waited.append)

    async def forever() -> None:
        await asyncio.sleep(60)

    async def main() -> list[str]:
        block = no_leaks()
        with contextlib.suppress(Leaked), block:
            task = asyncio.ensure_future(forever())
            await asyncio.sleep(0)
        task.cancel()
        return subjects(block)

    assert [subject.rpartition(".")[2] for subject in asyncio.run(main())] == ["forever"]
    assert waited == []


def test_a_block_may_begin_in_a_run_of_a_loop_and_end_in_another() -> None:
    """As around the ``yield`` of a fixture of pytest-asyncio: the loop's own handler of SIGINT is no affair of ours."""

    async def begin(block: pytest_secaudit.NoLeaks) -> None:
        block.__enter__()

    async def write(name: str) -> None:
        os.environ[name] = "1"

    block = no_leaks()
    asyncio.run(begin(block))
    block.__exit__(None, None, None)
    assert block.left == ()
    assert block.not_watched.keys() == {"contextvars", "decimal"}
    asyncio.run(begin(block))
    asyncio.run(write("LEFT_LATER"))  # the task that began it is over: whoever comes next acts for it
    with pytest.raises(Leaked) as failed:
        block.__exit__(None, None, None)
    assert subjects(failed.value) == ["os.environ['LEFT_LATER']"]


# --- decorators


@no_leaks()
def leaves(name: str, *, value: str = "1") -> str:
    """Leaves something."""
    os.environ[name] = value
    return value


@no_leaks()
def adds(one: int, other: int = 2) -> int:
    return one + other


def test_a_decorated_function_is_a_block_each_time() -> None:
    assert adds(1) == 3
    for name in ("LEFT_A", "LEFT_B"):
        with pytest.raises(Leaked) as failed:
            leaves(name)
        assert subjects(failed.value) == [f"os.environ[{name!r}]"]
    assert (leaves.__name__, leaves.__doc__) == ("leaves", "Leaves something.")
    assert str(inspect.signature(leaves)) == "(name: 'str', *, value: 'str' = '1') -> 'str'"


def test_a_decorated_function_may_call_itself() -> None:
    @no_leaks("environ")
    def down(number: int) -> int:
        return number and down(number - 1)

    assert down(3) == 0


def test_a_decorated_coroutine_function() -> None:
    @no_leaks("environ")
    async def work(name: str) -> str:
        await asyncio.sleep(0)
        if name:
            os.environ[name] = "1"
        return name

    assert inspect.iscoroutinefunction(work)
    assert asyncio.run(work("")) == ""
    with pytest.raises(Leaked):
        asyncio.run(work("LEFT_ASYNC"))


def test_decorated_methods() -> None:
    class Shop:
        @no_leaks("environ")
        def open(self, name: str) -> Shop:
            os.environ[name] = "1"
            return self

        @classmethod
        @no_leaks("environ")
        def closed(cls) -> type[Shop]:
            return cls

        @staticmethod
        @no_leaks("environ")
        def sign() -> str:
            return "shop"

    assert Shop.closed() is Shop
    assert Shop().sign() == "shop"
    with pytest.raises(Leaked):
        Shop().open("LEFT_SHOP")


def test_a_decorated_generator_is_a_block_from_its_first_step_to_its_end() -> None:
    @no_leaks("environ")
    def steps(name: str) -> Iterator[int]:
        yield 1
        os.environ[name] = "1"
        yield 2

    walk = steps("LEFT_STEPS")
    assert next(walk) == 1
    assert next(walk) == 2
    with pytest.raises(Leaked):
        next(walk)
    given_up = steps("LEFT_OTHER")
    next(given_up)
    given_up.close()


def test_what_cannot_be_decorated_says_so() -> None:
    async def generator() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(TypeError, match="asynchronous generator"):
        no_leaks()(generator)
    for found in (int, staticmethod(adds), 3):
        with pytest.raises(TypeError, match="no_leaks decorates functions"):
            no_leaks()(found)  # type: ignore[arg-type]


# --- what others have promised


def test_what_a_patch_of_the_block_itself_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLDER", "1")
    with pytest.raises(Leaked) as failed, no_leaks():
        younger = pytest.MonkeyPatch()
        younger.setenv("LEFT_YOUNGER", "1")  # by hand
        monkeypatch.setenv("OLDER", "2")
    younger.undo()
    assert [(leak.area, leak.subject, leak.written_at) for leak in failed.value.left] == [
        ("patches", "os.environ['LEFT_YOUNGER']", line_of("by hand"))
    ]


def test_pytests_own_clean_up_is_known(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """By names of pytest's that are private: this fails when one is gone."""
    name = "no_leaks.shop"
    with no_leaks():
        monkeypatch.setattr(sys, "argv", ["a"])
        monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, mock.Mock()])
        monkeypatch.setattr(logging.getLogger(name), "propagate", False)
        monkeypatch.setattr(logging.getLogger(), "level", 35)
        monkeypatch.setitem(sys.modules, "no_leaks_fake", mock.Mock())
        monkeypatch.delenv("PATH")
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(tmp_path)
        caplog.set_level(logging.DEBUG)
        caplog.set_level(logging.DEBUG, logger=name)
    monkeypatch.undo()


# --- beside others


def test_an_audit_hears_beside_a_block_and_after_it() -> None:
    """Taps of a block silence nobody, and end without a trace."""
    run, beside, heard = Taps(), Taps(beside=True), []

    def listener(name: str) -> tapping.Around:
        def around(original, args, kwargs):
            heard.append(name)
            return original(*args, **kwargs)

        return around

    holder = types.SimpleNamespace(act=lambda: "done")
    original = holder.act
    run.put(holder, "act", listener("run"))
    beside.put(holder, "act", listener("beside"))
    assert holder.act() == "done"
    newer = Taps()
    newer.put(holder, "act", listener("newer"))
    holder.act()
    assert heard == ["run", "beside", "newer", "beside"]
    run.take_back()
    newer.take_back()
    holder.act()
    assert heard[4:] == ["beside"]
    beside.take_back()
    assert holder.act is original


def test_forks_are_told_to_the_newest_run_and_to_blocks() -> None:
    forks, heard = _Forks(), []
    run, newer, beside = (lambda name=name: heard.append(name) for name in ("run", "newer", "beside"))
    with mock.patch("os.register_at_fork", create=True) as register:
        forks.listen(run)
        forks.listen(newer)
        forks.listen(beside, beside=True)
    tell = register.call_args.kwargs["after_in_parent"]
    tell()
    forks.forget(newer)
    forks.forget(beside)
    tell()
    assert heard == ["newer", "beside", "run"]


def test_threads_come_and_go_while_others_call() -> None:
    """A tap that is put and taken back in one thread loses no call of another."""
    count, stop = itertools.count(), threading.Event()

    def around(original, args, kwargs):
        next(count)
        return original(*args, **kwargs)

    holder = types.SimpleNamespace(act=lambda: 1)
    run = Taps()
    run.put(holder, "act", lambda original, args, kwargs: original(*args, **kwargs))
    run.put(holder, "act", around)

    def come_and_go() -> None:
        while not stop.is_set():
            taps = Taps(beside=True)
            taps.put(holder, "act", lambda original, args, kwargs: original(*args, **kwargs))
            taps.take_back()

    threads = [threading.Thread(target=come_and_go) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert sum(holder.act() for _ in range(20_000)) == 20_000
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        run.take_back()
    assert next(count) == 20_000


TIDY = """
    import asyncio, logging, os, subprocess, sys, tempfile, threading
    from unittest import mock
    import pytest
    from around import block, block_that_leaks

    def body(monkeypatch):
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("A", "1")
        with mock.patch("os.getcwd"), mock.patch.dict(os.environ, {"B": "1"}):
            pass
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
        asyncio.run(asyncio.sleep(0))
        monkeypatch.setenv("C", "1")
        logging.getLogger("shop").setLevel(logging.NOTSET)

    def test_tidy(monkeypatch):
        with block():
            body(monkeypatch)
        assert True

    def test_leaves(monkeypatch):
        with block_that_leaks():
            os.environ["LEFT"] = "1"
            patcher = mock.patch("os.path.samestat")
            patcher.start()
            pytest.MonkeyPatch().setenv("LEFT_BY_HAND", "1")
            threading.Thread(target=threading.Event().wait, args=(20,), daemon=True, name="left").start()
            os.chdir(tempfile.gettempdir())
        assert True

    def test_later():
        assert os.environ["LEFT"]
"""


def audited(pytester: pytest.Pytester, *args: str) -> dict:
    result = pytester.run(
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--secaudit", "--secaudit-report=json:audit.json", *args
    )  # fmt: skip
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    data: dict = json.loads(Path(pytester.path, "audit.json").read_text("utf-8"))
    assert not any("failed" in state for state in data["evidence"]["watchers"].values())
    return data


def equal_reports() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("equal_reports", HERE.parent / "equal_reports.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


#: What stands around the bodies: nothing, or a block.
AROUND = {
    "nothing": "from contextlib import nullcontext as block, nullcontext as block_that_leaks\n",
    "a block": """
from contextlib import contextmanager
from pytest_secaudit import no_leaks as block

@contextmanager
def block_that_leaks():
    found = block()
    try:
        with found:
            yield
    except AssertionError:
        assert len(found.left) == 5, found.left
    else:
        raise RuntimeError
""",
}


def test_an_audit_reports_the_same_with_a_block_and_without(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=textwrap.dedent(TIDY))
    reports = []
    for around in AROUND.values():
        Path(pytester.path, "around.py").write_text(around, encoding="utf-8")
        reports.append(equal_reports().comparable(audited(pytester)))
    without, with_blocks = reports
    assert {one["subject"] for one in without["findings"]} >= {
        "os.environ['LEFT']",
        "os.environ['LEFT_BY_HAND']",
        "posixpath.samestat" if os.name == "posix" else "ntpath.samestat",
        "the working directory",
        "thread left",
    }
    assert list(equal_reports().differences(without, with_blocks)) == []


def test_a_block_is_a_check(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from pytest_secaudit import no_leaks
        def test_it():
            with no_leaks():
                int()
        def test_with_the_fixture(secaudit):
            with secaudit.no_leaks():
                int()
        @no_leaks("environ")
        def test_decorated():
            int()
        def test_nothing():
            int()
        """
    )
    evidence = audited(pytester)["evidence"]
    assert (evidence["tests_run"], evidence["tests_with_a_check"]) == (4, 3)


# --- the fixture, and runs of pytest

SUITE = """
    import os
    import pytest
    from pytest_secaudit import no_leaks

    @pytest.fixture(scope="session")
    def server():
        os.environ["OF_SESSION"] = "1"
        file = open(os.devnull if False else __file__)
        import sys
        sys.path.insert(0, "of the session")
        yield
        sys.path.remove("of the session")
        file.close()
        del os.environ["OF_SESSION"]

    @pytest.fixture
    def watched(secaudit):
        with secaudit.no_leaks():
            yield

    @pytest.fixture
    @no_leaks()
    def decorated():
        yield 3

    @pytest.fixture
    def late():
        os.environ["LATE"] = "1"
        yield
        del os.environ["LATE"]

    def test_a_fixture_that_is_set_up_inside(secaudit, request):
        with secaudit.no_leaks():
            request.getfixturevalue("server")

    def test_fixtures_in_a_plain_block(request):
        with no_leaks():
            request.getfixturevalue("late")

    def test_in_a_fixture(watched, late): pass

    def test_a_decorated_fixture(decorated, late):
        assert decorated == 3

    @pytest.mark.parametrize("name", ["A", "B"])
    @no_leaks()
    def test_decorated(name, monkeypatch):
        monkeypatch.setenv(name, "1")

    def test_leaves_in_a_fixture(watched):
        os.environ["LEFT"] = "1"

    def test_leaves(secaudit):
        with secaudit.no_leaks("environ"):
            os.environ["LEFT_HERE"] = "1"

    @no_leaks()
    def test_leaves_decorated(late):
        os.environ["LEFT_TOO"] = "1"
"""


@pytest.mark.parametrize("args", [(), ("--secaudit",), ("-n2",), ("-n2", "--secaudit")])
def test_the_fixture_and_blocks_in_runs(pytester: pytest.Pytester, args: tuple[str, ...]) -> None:
    pytester.makepyfile(SUITE)
    result = pytester.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "xdist", *args)
    result.assert_outcomes(passed=7, failed=2, errors=1)
    text = result.stdout.str()
    assert "INTERNALERROR" not in text
    for name, place in (("LEFT", 51), ("LEFT_HERE", 55), ("LEFT_TOO", 59)):
        assert f"os.environ['{name}'] set  (test_the_fixture_and_blocks_in_runs.py:{place})" in text
    assert "OF_SESSION" not in text
    assert "leaks.py:" not in text.replace("pytest_secaudit.leaks.Leaked", "")  # our frames are left out


def test_a_note_is_shown_by_pytest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os
        def test_it(secaudit):
            with secaudit.no_leaks():
                os.environ["LEFT_NOTE"] = "1"
                assert 1 == 2
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert 1 == 2", "*os.environ?'LEFT_NOTE'? set*"])


def test_the_fixture_is_listed_with_what_it_is_for(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--fixtures", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["secaudit [[]session scope[]]*", "*Assert in a test of your own*no_leaks()*"])


def test_plain_python_needs_no_pytest_and_importing_the_package_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text(
        textwrap.dedent(
            """
            import sys
            before = set(sys.modules)
            import pytest_secaudit
            assert set(sys.modules) - before <= {"pytest_secaudit", "__future__"}, set(sys.modules) - before
            import os
            from pytest_secaudit import no_leaks
            assert "pytest" not in sys.modules and "_pytest" not in sys.modules
            with no_leaks():
                import decimal, concurrent.futures
                decimal.Decimal(1) / 3
            try:
                with no_leaks():
                    os.environ["LEFT"] = "1"
            except AssertionError as error:
                print(error.left[0].written_at)
            """
        ),
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, "tool.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("tool.py:14", "")


def test_a_forked_child_judges_nothing() -> None:
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    block = no_leaks("environ")
    with block:
        pid = os.fork()
        if pid == 0:
            try:
                os.environ["LEFT_CHILD"] = "1"
                block.__exit__(None, None, None)
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0


def test_the_package_names_what_it_has() -> None:
    assert all(hasattr(pytest_secaudit, name) for name in pytest_secaudit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'no_leak'"):
        _ = pytest_secaudit.no_leak  # type: ignore[attr-defined]


def test_what_mocker_will_stop_is_known() -> None:
    """By names of pytest-mock's that are private, as far as it is installed."""
    plugin = pytest.importorskip("pytest_mock.plugin")

    class Shop:
        name = "shop"

    shop = Shop()
    mocker = plugin.MockerFixture(None)
    with no_leaks():
        mocker.patch("os.getcwd")
        mocker.patch.object(sys, "argv", ["a"])
        mocker.patch.object(shop, "name")
        mocker.patch.dict(os.environ, {"LEFT_MOCKER": "1"})
        mocker.spy(os, "getpid")
    mocker.stopall()
    with pytest.raises(Leaked) as failed, no_leaks():
        younger = plugin.MockerFixture(None)
        younger.patch("os.getcwd")
    younger.stopall()
    assert subjects(failed.value) == ["os.getcwd"]


# --- the documentation

PAGE = (ROOT / "docs" / "fixture-authors.md").read_text(encoding="utf-8")


def test_the_page_names_every_area() -> None:
    listed = PAGE.partition("<!-- areas -->")[2].partition("<!-- /areas -->")[0]
    assert re.findall(r"`([^`]+)`", listed) == sorted(OF_A_BLOCK)
    assert all(f"`{name}`" in PAGE for name in OF_A_BLOCK_IF_ASKED)
