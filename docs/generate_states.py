"""Make the page of watched states from the table that the tests run.

``python docs/generate_states.py`` writes `docs/watched-states.md`; with ``--check`` it writes nothing and exits 1 if the
page is stale.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

_HERE = Path(__file__).parent
PAGE = _HERE / "watched-states.md"
TABLE = _HERE.parent / "tests" / "watched_states.py"
_NAME = "watched_states"

_HEAD = """\
# What is watched

While tests run, `pytest --secaudit` looks at the state of the process at each change of stage: before and after each
fixture's set-up, at its clean-up, before and after each test. What differs from one look to the next was changed by
whoever was on stage.

**Whose a change is.** Every change has an owner: a test, a fixture (with its scope), a set-up like `setup_method` or
`setUpClass`, or the import of a test module. What a thread changes belongs to who started the thread. The owner owes the
change until its scope is over: a test until its last function-scoped fixture is down, a fixture of the session until the
session ends. Who puts the old value back does not matter, nor how: `monkeypatch`, a `with` block, a `finally`, another
fixture's clean-up. What is still owed when the scope is over is a finding, reported once, at the line that wrote where
it is known (else at the owner's `def`), with the tests that ran or failed meanwhile. What a wider scope's clean-up puts
back after that, and what a failed test leaves, counts one level less; what every following set-up makes anew is silent.

What is dear to look at is looked at as often as the budget allows (`--secaudit-depth=exact`: always). The budget decides
how precisely an owner is known, never whether a change that is still in force at the end of its module is found.

**What modules hold** is looked at from depth `deep` on, when the tests begin and from then on: names of modules and
classes, containers, instances of the project's and the tests' own classes (slots and `threading.local` too), defaults and
attributes of functions, parameters of tests and fixtures, and calls of the mocks of test modules; two steps below a
module of the project, four below one of tests, and in modules of others that the project imports by name what stands
under a name. It is the project's what lies under the rootdir or is installed from there. Nobody's code runs for it, and
no object is kept alive. Most tests are followed by a look at their own module and at those where something was found
before; a look at everything comes as often as the budget allows and at the end of each module, so that a change may
belong to one of several tests, unless the source of only one of them can have written it. Silent: what is made anew with
equal contents, caches of `functools`, enumerations, what libraries note on the classes they look after, submodules, names
that a set-up makes for its own test module or class, and what was changed while modules were imported. A container with
more than 1,000 entries is only counted, and named in the report.

**Files of the project** tell when they were written: see [PSA605](checks/PSA605.md).

**What is silent.** The owner's own clean-up in any form; first imports and what libraries set up when they are first
used; threads and processes about to end, and workers of executors; what pytest itself resets (captured streams, warning
filters, the level that `caplog` sets); `asyncio.run`, `asyncio.to_thread`, socket pairs, empty loggers, a policy or
loop that asyncio makes for itself; the random generator as long as nobody seeds it; patches of an object that does not
outlive its test.

Each line below is run by our own tests: the change, left by a test and by another owner, is reported once with its owner
and line; put back by a `finally`, by fixtures of every scope, in `teardown_method`, `tearDown`, `addCleanup` and
`tearDownClass`, and in the ways of the last column, it is silent, in one process and under pytest-xdist.
"""


def states_module(path: Path = TABLE) -> ModuleType:
    """The module with the table, which is no part of the package."""
    known = sys.modules.get(_NAME)
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(_NAME, path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def page() -> str:
    """The text of the page."""
    module = states_module()
    return "\n".join([_HEAD, *_tables(module.STATES, module.TITLES)])


def _tables(states: Sequence[Any], titles: dict[str, str]) -> Iterator[str]:
    for title, group in groupby(states, key=lambda state: titles[state.area]):
        rows = [
            f"| {_name(s)} | [{s.code}](checks/{s.code}.md) | `{s.subject}` | {_code(s.line)} | {_twins(s)} |"
            for s in group
        ]
        head = ["| state | check | named as | left by | also silent |", "| --- | --- | --- | --- | --- |"]
        yield "\n".join([f"## {title}", "", *head, *rows, ""])


def _name(state: Any) -> str:
    where = "" if not state.platforms else "not on Windows"
    notes = "; ".join(note for note in (state.note, where) if note)
    return f"{state.name} ({notes})" if notes else str(state.name)


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _twins(state: Any) -> str:
    return ", ".join(twin if " " in twin else f"`{twin}`" for twin in state.twins)


def is_stale(wanted: str, file: Path = PAGE) -> bool:
    """Whether the page is missing or different."""
    return not file.exists() or file.read_text(encoding="utf-8") != wanted


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 for a stale page with `--check`."""
    parser = argparse.ArgumentParser(description="Make the page of watched states.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page is stale")
    only_check = parser.parse_args(arguments).check
    wanted = page()
    stale = is_stale(wanted)
    if stale and not only_check:
        PAGE.write_text(wanted, encoding="utf-8", newline="\n")
    if stale:
        print(f"{'stale' if only_check else 'written'}: {PAGE.name}")
    return 1 if stale and only_check else 0


if __name__ == "__main__":
    raise SystemExit(main())
