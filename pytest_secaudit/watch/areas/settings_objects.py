"""Overrides in the global settings of Django and of oslo.config that outlive their owner.

Nothing is imported, set up or watched before the framework is loaded. Values are read where the objects keep them,
past their own attribute access, and compared by identity. What only vanishes is no override that was left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import is_
from types import FrameType, ModuleType
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.strangers import is_from, names_of
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.origins import library
from pytest_secaudit.watch.areas.settings_values import MISSING, differences, left, setting, shown
from pytest_secaudit.watch.areas.shared_objects import SharedObjects
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Site
from pytest_secaudit.watch.tapping import Taps

__unittest = True

_MAX_LAYERS = 100
_NOTHING: Mapping[str, Any] = {}


def _is_a_librarys(site: Site | None) -> bool:
    """Whether an installed package did it on its own account, no line of the suite having asked for it."""
    return site is not None and site.edit is None and bool(library(site))


def _outside(frame: FrameType | None, *modules: str) -> FrameType | None:
    """Whoever called into these modules, past our own frames."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if name not in modules and not name.startswith("pytest_secaudit."):
            break
        frame = frame.f_back
    return frame


# --- Django


@lean
@dataclass(frozen=True, slots=True)
class _Layer:
    """One override over the settings below, as it was last seen."""

    names: Mapping[str, object]
    values: tuple[object, ...]
    deleted: int

    def is_as_it_was(self) -> bool:
        names = self.names
        return (
            len(names) == len(self.values)
            and all(map(is_, names.values(), self.values))
            and _size(names.get("_deleted")) == self.deleted
        )


class DjangoSettings:
    """Watches ``django.conf.settings``: overrides that were not disabled, and plain assignments.

    Assignments are heard of at the settings object below, which is not Django's front (that looks at its callers'
    frames to decide whom to warn of deprecated settings); overrides are small and compared at each look.
    """

    name = "django settings"
    code = "PSA402"

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self.off = ""
        self._taps = taps
        self._stack = stack
        self._front: Mapping[str, object] = _NOTHING
        self._is_heard = False
        self._touched = False
        self._sites: dict[str, Site] = {}
        self._top: object = None
        self._base: object = None
        self._layers: tuple[_Layer, ...] = ()
        self._seen: dict[str, object] = {}

    @property
    def stirred(self) -> Sequence[object]:
        return (self._front,)

    def look(self) -> Iterable[Change]:
        front = self._front
        if not front:
            if "django.conf" not in real.modules:
                return ()
            front = self._begin()
        top = front.get("_wrapped")
        if top is self._top and not self._touched and (not self._layers or self._layers_are_as_they_were()):
            return ()
        return self._compare(top)

    def _layers_are_as_they_were(self) -> bool:
        return all(layer.is_as_it_was() for layer in self._layers)

    def _begin(self) -> Mapping[str, object]:
        names = names_of(real.modules.get("django.conf"))
        self._front = names_of(names.get("settings"))
        plain = names.get("Settings")
        if issubclass(type(plain), type):
            self._is_heard = self._taps.put(plain, "__setattr__", self._around)
            self._taps.put(plain, "__delattr__", self._around)
        return self._front

    def _around(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        if args and args[0] is self._base:
            self._touched = True
            with suppress(Exception):
                self._sites[args[1]] = self._stack.of(
                    _outside(real.getframe(1), "django.conf", "django.utils.functional")
                )
        return original(*args, **kwargs)

    def _compare(self, top: object) -> list[Change]:
        self._touched = False
        sites, self._sites = self._sites, {}
        layers, base, before = list(_layers(top)), self._base, self._seen
        self._top, self._base = top, layers[-1][0] if layers else None
        self._layers = tuple(
            _Layer(names, tuple(names.values()), _size(names.get("_deleted")))
            for found, names in layers
            if found is not self._base or not self._hears(found)
        )
        self._seen = _effective(names for _, names in layers)
        if self._base is not base:  # settings were set up: what stands over them already was put there since
            before = _effective(names for _, names in layers[-1:])
        return [
            Change(f"django.conf.settings.{name}", was, there, sites.get(name))
            for name, was, there in differences(before, self._seen)
        ]

    def _hears(self, base: object) -> bool:
        return self._is_heard and type(base) is names_of(real.modules.get("django.conf")).get("Settings")

    def said(self, change: Change) -> str:
        return left(change.before, change.after)

    def fix(self, change: Change) -> str:
        name = change.subject.rpartition(".")[2]
        return f"override_settings({name}=...) as decorator or in a with, or the settings fixture of pytest-django"

    def is_lasting(self, change: Change) -> bool:
        """Whether it is still so, and the suite's own doing; pytest-django switches migrations off for the whole run."""
        now = self._seen.get(change.subject.rpartition(".")[2], MISSING)
        return setting(now) == change.after and not _is_a_librarys(change.site) and not is_from(now, "pytest_django")

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Let go of the settings."""
        self._front, self._seen, self._layers = _NOTHING, {}, ()
        self._top = self._base = None


def _layers(top: object) -> Iterator[tuple[object, Mapping[str, object]]]:
    """The settings with what stands over them, the topmost first; nothing of a front that is not set up."""
    for _ in range(_MAX_LAYERS):
        names = names_of(top)
        below = names.get("default_settings")
        if below is None and "SETTINGS_MODULE" not in names:
            return
        yield top, names
        if below is None or not {"default_settings", "SETTINGS_MODULE"} & names_of(below).keys():
            return  # what it stands on are Django's own defaults, in a module
        top = below


def _effective(layers: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """What holds. Below the rest are Django's own defaults: `settings.configure` keeps only what differs."""
    found: dict[str, object] = {}
    layers = list(layers)
    defaults = names_of(layers[-1].get("default_settings")) if layers else {}
    for names in (defaults, *reversed(layers)):
        deleted = names.get("_deleted")
        for name in tuple(deleted) if type(deleted) is set else ():
            found.pop(name, None)
        found.update({name: value for name, value in list(names.items()) if _is_setting(name)})
    return found


def _is_setting(name: object) -> bool:
    return type(name) is str and name.isupper()


def _size(found: object) -> int:
    return len(found) if type(found) is set else 0


# --- oslo.config

_CONF = "oslo_config.cfg.CONF"
#: What sets a value, and where it is kept.
_KINDS = {"set_override": "override", "set_default": "default"}
_MAX_FRAMES = 8


@dataclass(slots=True)
class _Slot:
    """One override or default of one option, as it was last seen.

    Attributes:
        path: the name of the option, once it is asked for; None if nobody else can reach its options.
    """

    conf: object
    group: str
    option: str
    kind: str
    info: Mapping[str, object]
    seen: object
    path: str | None = ""


class OsloConfig:
    """Watches overrides and defaults set on ``oslo_config.cfg.CONF`` and on other options that modules hold.

    Heard of where a value is about to be converted, inside `set_override` and `set_default`: these may note which file
    called them, and must not find ours. Only what was set is looked at from then on, as long as it is in place.
    """

    name = "oslo.config"
    code = "PSA402"

    def __init__(
        self,
        taps: Taps,
        stack: Stack,
        is_project: Callable[[ModuleType], bool],
        test_path: Callable[[str], str] = lambda _: "",
    ) -> None:
        self.off = ""
        self._taps = taps
        self._stack = stack
        self._objects = SharedObjects((("oslo_config.cfg", "ConfigOpts"),), is_project, test_path)
        self._modules = 0
        self._is_heard = False
        self._slots: dict[tuple[int, str], _Slot] = {}
        self._sites: dict[tuple[int, str], Site] = {}

    @property
    def stirred(self) -> Sequence[object]:
        return (self._slots,)

    def look(self) -> Iterable[Change]:
        if not self._is_heard and "oslo_config.cfg" in real.modules:
            self._begin()
        return self._changed() if self._slots else ()

    def _begin(self) -> None:
        self._is_heard = True
        options = names_of(real.modules.get("oslo_config.cfg")).get("ConfigOpts")
        if issubclass(type(options), type):
            self._taps.put(options, "_get_enforced_type_value", self._around)

    def _around(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        with suppress(Exception):
            frame = _setter(real.getframe(1))
            if frame is not None:
                self._is_set(args[0], frame.f_locals, _KINDS[frame.f_code.co_name], frame)
        return original(*args, **kwargs)

    def _is_set(self, conf: object, names: Mapping[str, Any], kind: str, frame: FrameType) -> None:
        info = names["opt_info"]
        key = (id(info), kind)  # the slot holds it
        if key not in self._slots:
            group, option = _where(conf, info, names.get("group"))
            self._slots[key] = _Slot(conf, group, option, kind, info, info.get(kind, MISSING))
        self._sites[key] = self._stack.of(_outside(frame, "oslo_config.cfg"))

    def _changed(self) -> list[Change]:
        changes: list[Change] = []
        for key, slot in list(self._slots.items()):
            now = slot.info.get(slot.kind, MISSING)
            if slot.path == "":
                slot.path = self._path(slot)
            if now is not slot.seen and slot.path is not None:
                was, there = setting(slot.seen), setting(now)
                slot.seen = now
                if was != there:
                    site = self._sites.get(key)
                    changes.append(Change(slot.path, was, there, site, key=f"{slot.path} {slot.kind}"))
            if now is MISSING or slot.path is None:
                del self._slots[key]
        if self._sites:
            self._sites = {}
        return changes

    def _path(self, slot: _Slot) -> str | None:
        name = self._name(slot.conf)
        return ".".join(filter(None, (name, slot.group, slot.option))) if name else None

    def _name(self, conf: object) -> str | None:
        """What these options are called; None for those that nobody else can reach."""
        if conf is names_of(real.modules.get("oslo_config.cfg")).get("CONF"):
            return _CONF
        if len(real.modules) != self._modules:
            self._modules = len(real.modules)
            self._objects.refresh()
        return next((shared.path for shared in self._objects.found if shared.value is conf), None)

    def said(self, change: Change) -> str:
        if change.after == ABSENT:
            return "without its override"
        return f"{_kind(change)} {shown(change.after)}"

    def fix(self, change: Change) -> str:
        group, _, option = change.subject.removeprefix(f"{_CONF}.").rpartition(".")
        named = f'{option}=..., group="{group}"' if group and "." not in group else f"{option}=..."
        return f"useFixture(oslo_config.fixture.Config(CONF)).config({named}), or addCleanup(CONF.reset)"

    def level(self, change: Change) -> str:
        return "" if _kind(change) == "overridden with" else "advisory"

    def is_lasting(self, change: Change) -> bool:
        """Whether it is still there, and the suite's own doing; what merely vanished was a default of somebody's."""
        return not _is_a_librarys(change.site) and any(
            f"{slot.path} {slot.kind}" == change.key and _is_in_place(slot) for slot in self._slots.values()
        )

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Let go of the options."""
        self._slots, self._sites = {}, {}


def _kind(change: Change) -> str:
    return "with the default" if change.key.endswith(" default") else "overridden with"


def _spaces(conf: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The options of each group by their names; of none in particular, first."""
    names = names_of(conf)
    yield "", _mapping(names.get("_opts"))
    for name, group in list(_mapping(names.get("_groups")).items()):
        yield name, _mapping(names_of(group).get("_opts"))


def _setter(frame: FrameType | None) -> FrameType | None:
    """The call of `set_override` or `set_default` that wants the value converted."""
    for _ in range(_MAX_FRAMES):
        if frame is None or frame.f_code.co_name in _KINDS:
            return frame
        frame = frame.f_back
    return None


def _where(conf: object, info: Mapping[str, Any], group: object) -> tuple[str, str]:
    """The group and name of an option; it may have been called by an older name of either."""
    option = str(names_of(info["opt"]).get("dest"))
    name = "" if group is None else group if type(group) is str else str(names_of(group).get("name"))
    holder = names_of(conf) if not name else names_of(_mapping(names_of(conf).get("_groups")).get(name))
    if _mapping(holder.get("_opts")).get(option) is info:
        return name, option
    return next((found, option) for found, options in _spaces(conf) if options.get(option) is info)


def _is_in_place(slot: _Slot) -> bool:
    return any(slot.group == group and options.get(slot.option) is slot.info for group, options in _spaces(slot.conf))


def _mapping(found: object) -> Mapping[str, Any]:
    return found if type(found) is dict else _NOTHING
