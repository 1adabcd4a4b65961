"""A class in a job's spec stands for exactly one profile, and for one of its models or for all of them.

An installed package offers a profile by an entry point in the group `windlass.hardware` (`tpu = "mypackage:TPU"`); it
is imported when first asked for. This module does not know nodes.
"""

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Final

import attrs

from windlass.controller.errors import ExecutorNotFound
from windlass.controller.executors import ExecutorRegistry
from windlass.operators.errors import HardwareInvalid
from windlass.operators.training.hardware.builtin import BUILT_IN
from windlass.operators.training.hardware.profile import Profile

__all__ = (
    "CONTRACT",
    "ENTRY_POINT_GROUP",
    "HardwareClass",
    "HardwareRegistry",
    "class_of",
    "hardware_registry",
    "profiles_of",
)

ENTRY_POINT_GROUP: Final = "windlass.hardware"
CONTRACT: Final = tuple(field.name for field in attrs.fields(Profile))

HardwareRegistry = ExecutorRegistry[Profile]


@attrs.frozen
class HardwareClass:
    """A word of `spec.hardware.classes`, understood. `model` is in lower case, None for every model."""

    name: str
    profile: Profile
    model: str | None = None


def hardware_registry(
    discover: Callable[[], Iterable[EntryPoint]] = lambda: entry_points(group=ENTRY_POINT_GROUP),
) -> HardwareRegistry:
    """A registry with the built-in profiles, and with those of installed packages."""
    # The package offers its own by entry points too, but a checkout that is not installed has none.
    registry: HardwareRegistry = ExecutorRegistry(contract=CONTRACT, discover=discover, noun="hardware profile")
    for profile in BUILT_IN:
        registry.register(profile.name, profile)
    return registry


def class_of(name: str, registry: HardwareRegistry) -> HardwareClass:
    """What a class means: a profile, `PROFILE-MODEL`, or the name of an extended resource (C4).

    Raises HardwareInvalid for a name that is none of these, and as the registry does for a broken profile.
    """
    if "/" in name:
        return HardwareClass(name, _of_resource(name, registry))
    if name in registry:
        return HardwareClass(name, registry.get(name))
    # The longest name that fits, so that `nvidia-grace-h100` may be a model of a profile `nvidia-grace`.
    for known in sorted(registry.names(), key=len, reverse=True):
        if name.startswith(f"{known}-"):
            profile, model = registry.get(known), name.removeprefix(f"{known}-")
            if profile.model_label is None:
                raise HardwareInvalid(f"the class {name!r} names a model, but {known} knows no label for models")
            return HardwareClass(name, profile, model)
    try:
        return HardwareClass(name, registry.get(name))
    except ExecutorNotFound as error:
        raise HardwareInvalid(str(error)) from error


def _of_resource(resource: str, registry: HardwareRegistry) -> Profile:
    """A profile for a resource of any name; that of its domain if there is one, as `nvidia` for a MIG slice."""
    domain = resource.partition("/")[0]
    for name in registry.names():
        profile = registry.get(name)
        if domain in profile.domains:
            return attrs.evolve(profile, resource=resource, device_class=None)
    return Profile(name=resource, resource=resource, domains=(domain,))


def profiles_of(registry: HardwareRegistry) -> tuple[Profile, ...]:
    """Every profile there is, by name. Raises as the registry does for a broken one."""
    return tuple(registry.get(name) for name in registry.names())
