"""The run slept longer than `secaudit_max_sleep` allows.

Each sleep has its reason, and together they are the half of a slow suite in which nothing happens. A budget keeps the
sum from growing unnoticed: with `secaudit_max_sleep = 5` a run that really slept more than five seconds has a defect,
which names the line that slept longest.

Counted is real time of `time.sleep` and of the sleeps of asyncio, trio, anyio, gevent and eventlet, in tests, fixtures
and the code that they call. A patched sleep and a loop with a clock of its own slept nothing. Sleeps at the same time
count once, so that the sum is never more than what a clock on the wall shows; under xdist the workers are added up.

Instead: wait for the event itself with a time-out, or hand the code a clock that the test moves. `PSA701` has the lines.

Not counted are the sleeps of other threads, which the report shows apart, and of tasks that were cancelled: nobody
waited for them. Nor is a wait that is no sleep (`Event.wait`, `Queue.get`, `Popen.wait`), nor a sleep whose name was
taken (`from time import sleep`) before the audit began.

There is no example to run here: without the setting nothing is reported.
"""

from __future__ import annotations

from pytest_secaudit.model import DEFECT, Check

CHECK = Check("PSA704", "sleep-budget", DEFECT, __doc__)
