"""What changes in namespaces by itself: caches of the interpreter, marks of libraries, what pytest and unittest note."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Final

from pytest_secaudit.strangers import names_of
from pytest_secaudit.watch.namespaces.kinds import Kind, Mark

#: Names in a module's namespace that the interpreter, pytest and `warnings` keep.
_OF_MODULES: Final = frozenset(
    "__annotate__ __annotations__ __builtins__ __cached__ __conditional_annotations__ __doc__ __file__ __loader__"
    " __package__ __path__ __spec__ __warningregistry__ @py_builtins @pytest_ar".split()
)
#: The same of classes: also of `copyreg`, `abc`, unittest, typing and dataclasses.
_OF_CLASSES: Final = frozenset(
    "__abstractmethods__ __annotate__ __annotate_func__ __annotations__ __annotations_cache__ __dict__ __doc__"
    " __firstlineno__ __module__ __orig_bases__ __parameters__ __qualname__ __signature__ __slotnames__ __slots__"
    " __static_attributes__ __weakref__ _abc_impl _class_cleanups _classSetupFailed tearDown_exceptions".split()
)
_OF_FUNCTIONS: Final = frozenset(("hypothesis", "pytestmark", "__signature__", "__doc__"))
#: Names that libraries put on the classes, functions and modules that they look after.
_OF_LIBRARIES: Final = (
    "__attrs_", "__dataclass_", "__hypothesis", "__mapper", "__pydantic_", "__pytest_", "__sqlalchemy", "__zope",
    "_hypothesis_", "_pytest", "_sa_", "_v_",
)  # fmt: skip
_BY_KIND: Final = {Kind.MODULE: _OF_MODULES, Kind.CLASS: _OF_CLASSES, Kind.FUNCTION: _OF_FUNCTIONS}
#: Those that do not look like it.
_PLAIN_NAMES: Final = frozenset(("hypothesis", "pytestmark", "tearDown_exceptions"))
#: What is worked out once and kept.
_CACHES: Final = (functools.cached_property, type(functools.lru_cache(None)(id)))


def is_noise(kind: Kind, mark: Mark, value: object) -> bool:
    """Whether an entry with a name says nothing about the tests.

    Args:
        kind: of what it is in.
        mark: the name.
        value: what is there.
    """
    if type(mark) is not str:
        return False
    if (mark[:1] in "_@" or mark in _PLAIN_NAMES) and (
        mark.startswith(_OF_LIBRARIES) or mark in _BY_KIND.get(kind, ())
    ):
        return True
    cls = type(value)
    return cls in _CACHES or (cls is ModuleType and kind is Kind.MODULE and _is_submodule(mark, value))


def _is_submodule(mark: str, value: object) -> bool:
    """An import of ``shop.orders`` puts ``orders`` into the namespace of ``shop``."""
    name = names_of(value).get("__name__")
    return type(name) is str and name.rpartition(".")[2] == mark
