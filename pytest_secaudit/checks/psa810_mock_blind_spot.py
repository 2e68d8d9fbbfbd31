"""A function of the project that tests replace and no test runs.

Each of these tests passes whatever the function does: it may let everybody in, charge twice or raise at its first
line. Coverage calls its lines missing, among all others that nobody thought of; this is one that somebody did think of,
and put a mock in its place.

Instead: let at least one test call the real function, and replace only what it reaches outside of the process: the
socket, the clock, the database. `mock.patch(..., wraps=verify_token)` and `mocker.spy` run the real one and record the
calls.

Asked for with `--secaudit-blindspots` (or `secaudit_blindspots = true`). Replacements are those of `unittest.mock` and
its backport, pytest-mock, `pytest.MonkeyPatch`, the `fixtures` package, and assignments to an attribute of what the
file imports. What stands behind them is looked for in methods, static and class methods, properties,
`functools.partial`, decorated functions and all methods of a class. Security comes first: a security word in the name
of the function or its module, or `hmac`, `ssl`, `subprocess` and their like in its body; such a blind spot is an
advisory, any other only for information.

What ran is measured: from Python 3.12 on by a tool of `sys.monitoring` of our own, beside any coverage; before, by what
pytest-cov or `coverage run` has measured, which is only read, or by coverage in memory where nobody else measures. What
nobody measured is unknown, and never a blind spot: a file that the coverage leaves out, a function of one line without
branch coverage, a package that a child process may have run. A partial run (`-k`, `-x`, a lost worker, a
file that could not be imported) calls nothing blind. Half-blind, and listed apart: what ran only while modules were
imported, or only in tests that check nothing. Silent: functions with an empty body, and those that only give back an
empty list or raise `NotImplementedError`.
"""

from __future__ import annotations

from pytest_secaudit.model import ADVISORY, Check

CHECK = Check("PSA810", "mock-blind-spot", ADVISORY, __doc__)
