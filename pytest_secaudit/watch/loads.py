"""Files from elsewhere that are loaded in a way which can run code: pickle, marshal, YAML with an unsafe loader.

What lies in the project, in the temporary folder or where Python and its packages are installed is the tests' own or
trusted anyway. The file is asked for its name only if it is one of the standard library's own file objects.
"""

from __future__ import annotations

import _pickle
import io
import marshal
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from site import getsitepackages
from typing import Any

from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import home_of_class, names_of, type_name
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.origins import library
from pytest_secaudit.watch.engine import owner_of
from pytest_secaudit.watch.ledger import OUTSIDE, Actor
from pytest_secaudit.watch.noticing import Noticings
from pytest_secaudit.watch.record import Noticed
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Around, Taps, original_of

__unittest = True

#: The loaders of PyYAML that construct any object. Listened to where they are made: ``from yaml import load`` has
#: nothing to listen to once it is done.
_UNSAFE = (("yaml.loader", ("Loader", "UnsafeLoader")), ("yaml.cyaml", ("CLoader", "CUnsafeLoader")))
#: Functions of PyYAML that take such a loader and construct nothing.
_HARMLESS = frozenset(("compose", "compose_all", "parse", "scan"))

#: File objects that stand on another one, and the attribute that it is.
_STANDS_ON = {
    ("_io", "TextIOWrapper"): "buffer",
    ("_io", "BufferedReader"): "raw",
    ("_io", "BufferedRandom"): "raw",
}
_KEEPS = {("gzip", "GzipFile"): "fileobj", ("bz2", "BZ2File"): "_fp", ("lzma", "LZMAFile"): "_fp"}

_INSTALLED = re.compile(r"[\\/](?:site|dist)-packages[\\/]", re.IGNORECASE)
_MAX_KNOWN = 1000

_realpath = real.own(os.path.realpath)
_expanduser: Callable[[str], str] = real.own(os.path.expanduser)


class Loads:
    """Hears of every such load.

    Args:
        taps: what is put there is taken back by its owner.
        who: tells who acts, and whether in another thread than the one that runs the tests.
        is_own: whether a path, free of links, is the project's or the test's own.
    """

    def __init__(
        self, taps: Taps, stack: Stack, who: Callable[[], tuple[Actor, bool]], is_own: Callable[[str], bool]
    ) -> None:
        self._taps = taps
        self._stack = stack
        self._who = who
        self._is_own = is_own
        self._noticed = Noticings()
        self._harmless: set[str] = set()
        self._pickle = self._yaml = False
        self._around_yaml: Around = partial(_around, self._yaml_loader)
        self._around_pickle: Around = partial(_around, partial(self._loaded, "pickle.load"))
        taps.put(_pickle, "load", self._around_pickle)  # where `pickle` will take it from
        taps.put(marshal, "load", partial(_around, partial(self._loaded, "marshal.load")))
        self.refresh()

    def refresh(self) -> None:
        """Before each test: take in what is imported by now. A run that loads nothing pays for none of it."""
        if not self._pickle and "pickle" in real.modules:
            module = real.modules["pickle"]
            if original_of(names_of(module).get("load")) is original_of(_pickle.load):  # no fake
                self._pickle = self._taps.put(module, "load", self._around_pickle)
        if not self._yaml and "yaml" in real.modules:
            self._yaml = True
            self._listen_to_yaml()

    def _listen_to_yaml(self) -> None:
        for module, classes in _UNSAFE:
            names = names_of(real.modules.get(module))
            for name in classes:
                if issubclass(type(names.get(name)), type):
                    self._taps.put(names[name], "__init__", self._around_yaml)

    def drain(self) -> tuple[Noticed, ...]:
        """What is new since the last time."""
        return self._noticed.drain()

    # --- acts

    def _yaml_loader(self, args: tuple[Any, ...]) -> None:
        if len(args) > 1 and not _only_reads():
            self._loaded("yaml.load with an unsafe loader", args[1:])

    def _loaded(self, how: str, args: tuple[Any, ...]) -> None:
        name = _name_of(args[0]) if args else None
        if name is None or name in self._harmless:
            return
        path = _realpath(real.absolute(name))
        if self._is_own(path) or _is_trusted(path):
            if len(self._harmless) < _MAX_KNOWN:
                self._harmless.add(name)
            return
        site = self._stack.of(real.getframe(1))
        if library(site) and _is_within(path, _caches()):
            return  # a library's cache of its own
        owner, _ = self._who()
        if owner is OUTSIDE and site.edit is None:
            return  # no affair of the suite's
        shown = clean(_short(path))
        self._noticed.add(
            Noticed(
                code="PSA303",
                subject=f"{how} of {shown}",
                message=f"{how} runs whatever the file says, and {shown} is neither the project's nor the test's own",
                fix="keep the file in the project, or use a format that holds only data (json, yaml.safe_load)",
                owner=owner_of(owner),
                place=site.edit,
                written_at=site.written_at,
                security="deserialisation",
            )
        )


def _around(
    notice: Callable[[tuple[Any, ...]], None],
    original: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    __tracebackhide__ = True
    with suppress(Exception):  # no affair of theirs
        notice((*args, *kwargs.values()))
    return original(*args, **kwargs)


def _only_reads() -> bool:
    """Whether the loader was made by a function of PyYAML that constructs nothing."""
    frame = real.getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("pytest_secaudit."):
        frame = frame.f_back
    return frame.f_code.co_name in _HARMLESS and frame.f_globals.get("__name__") == "yaml"


# --- which file


def _name_of(file: Any) -> str | None:
    """The path that a file was opened by; None for what is no file, or not one of the standard library's."""
    for _ in range(len(_STANDS_ON) + len(_KEEPS)):
        kind = type(file)
        if kind is io.FileIO:
            name = file.name
            return os.fsdecode(name) if type(name) in (bytes, str) else None
        key = (home_of_class(kind), type_name(file))
        if key in _STANDS_ON:
            file = getattr(file, _STANDS_ON[key])
        elif key in _KEEPS:
            file = names_of(file).get(_KEEPS[key])
        else:
            return None
    return None


def _is_trusted(path: str) -> bool:
    if path.endswith(".pyc"):  # pytest loads the test modules and plugins that it has rewritten
        return True
    return _INSTALLED.search(path) is not None or _is_within(path, (*_INTERPRETER, *_temporary()))


def _is_within(path: str, folders: Iterable[str]) -> bool:
    path = real.normcase(path)
    return any(path.startswith(folder) for folder in folders)


def _folders(paths: Iterable[object]) -> tuple[str, ...]:
    """As they begin a path, without and with their links resolved; never the root of everything."""
    found = {path.rstrip("\\/") for path in paths if type(path) is str and real.isabs(path)}
    found |= {_realpath(path) for path in found if path}
    return tuple(real.normcase(path) + real.separator for path in found if len(path) > 3)


_INTERPRETER = _folders(
    (
        *getsitepackages(),
        os.path.dirname(os.__file__),
        sys.prefix,
        sys.exec_prefix,
        sys.base_prefix,
        sys.base_exec_prefix,
    )
)


def _temporary() -> tuple[str, ...]:
    """Where temporary files go. `tempfile.gettempdir` is not asked: it would decide it, once for the whole run."""
    named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    return _folders((tempfile.tempdir, *named, "/tmp", "/var/tmp", "/usr/tmp"))


def _caches() -> tuple[str, ...]:
    named = (os.environ.get(name) for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"))
    return _folders((*named, *map(_expanduser, ("~/.cache", "~/Library/Caches"))))


def _short(path: str) -> str:
    """The path as it is on every machine, as far as it lies in somebody's home."""
    home = _realpath(_expanduser("~")) + real.separator
    short = f"~/{path[len(home) :]}" if len(home) > 4 and path.startswith(home) else path
    return short.replace("\\", "/")
