"""A profile is all that is to be known of one kind of device: how it is asked for, told apart, and kept out of a Pod.

It is data alone. This module does not know which profiles there are.
"""

from collections.abc import Mapping

import attrs

from windlass.operators.training.hardware.tolerations import Toleration

__all__ = ("Profile",)


@attrs.frozen(kw_only=True)
class Profile:
    """One kind of device.

    - `name`: in the registry, and in `spec.hardware.classes`.
    - `resource`: the extended resource of its device plugin; None for a kind that needs no device, such as `cpu`.
    - `device_class`: the DeviceClass with which a device is claimed (DRA), and the driver's name in ResourceSlices;
      None if there is no driver.
    - `model_label`: the node label that tells the model. The class `nvidia-h100` is the profile `nvidia` on nodes
      where `H100` is one of the words of that label's value.
    - `model_selector`: the CEL expression with which a claim asks for a model, `{model}` standing for it.
    - `alike`: node labels whose values must be equal throughout a gang, unless the job allows a mixture (C4).
    - `tolerations`: the taints by which such nodes are usually kept free for those who need them.
    - `companions`: resources that only Pods with this device want; they are left out for every other class.
    - `faults`: conditions of a node which, when True, say that its devices cannot be used.
    - `env`: set in every container. `env_prefixes`: variables that are removed for every other class.
    - `domains`: the prefixes of whatever belongs to the device in a Pod; `nvidia.com` stands for `nvidia.com/gpu` and
      for its labels, taints and annotations. Removed for every other class (C5).
    - `runtime_classes`: removed for every other class, too.
    """

    name: str
    resource: str | None
    device_class: str | None = None
    model_label: str | None = None
    model_selector: str | None = None
    alike: tuple[str, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    companions: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    env: Mapping[str, str] = attrs.field(factory=dict)
    env_prefixes: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    runtime_classes: tuple[str, ...] = ()
