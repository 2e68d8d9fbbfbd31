"""What the modules of the project and of its tests hold: names, classes, containers, instances, some steps deep.

`roots` says which modules, `kinds` what is looked into, `tree` what was there, `wire` whether anything may have
moved, `differences` what has, `noise` what changes by itself, `telling` what is said of it, and `area` is the watcher.
"""

from __future__ import annotations

from pytest_secaudit.watch.namespaces.area import Namespaces

__all__ = ["Namespaces"]
