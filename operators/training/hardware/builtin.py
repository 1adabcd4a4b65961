"""The profiles that come with Windlass. A new one is one more value like these, in a package of its own.

Resource names and labels are those of the vendors' device plugins and feature discovery. For CS-2 nobody publishes a
device plugin: the resource's name is a convention, which an operator's owner can replace by registering another value.
"""

from typing import Final

from windlass.operators.training.hardware.profile import Profile
from windlass.operators.training.hardware.tolerations import Toleration

__all__ = ("AMD", "BUILT_IN", "CPU", "CS2", "GAUDI", "NVIDIA")

_FAULTS: Final = (  # as NVSentinel names them; True is a fault
    "GpuDriverWatch",
    "GpuMemWatch",
    "GpuNvlinkWatch",
    "GpuPcieWatch",
    "GpuThermalWatch",
    "GpuInforomWatch",
    "SysLogsXIDError",
    "SysLogsGPUFallenOff",
    "GpuDcgmUnresponsive",
    "GpuDcgmConnectivityFailure",
)


def _kept_for(key: str) -> tuple[Toleration, ...]:
    return (Toleration(key=key, operator="Exists", effect="NoSchedule"),)


CPU: Final = Profile(
    name="cpu",
    resource=None,
    alike=("kubernetes.io/arch",),
    # Empty, so that a library which finds a device that the node has anyway leaves it alone.
    env={
        "CUDA_VISIBLE_DEVICES": "",
        "HIP_VISIBLE_DEVICES": "",
        "NVIDIA_VISIBLE_DEVICES": "void",  # or a container runtime reads it from the image, which says all
        "ROCR_VISIBLE_DEVICES": "",
    },
)

NVIDIA: Final = Profile(
    name="nvidia",
    resource="nvidia.com/gpu",
    device_class="gpu.nvidia.com",
    model_label="nvidia.com/gpu.product",
    model_selector='device.attributes["gpu.nvidia.com"].productName.lowerAscii().contains("{model}")',
    alike=("nvidia.com/gpu.product",),
    tolerations=_kept_for("nvidia.com/gpu"),
    faults=_FAULTS,
    env_prefixes=("CUDA_", "NCCL_", "NVIDIA_"),
    domains=("nvidia.com",),
    runtime_classes=("nvidia",),
)

AMD: Final = Profile(
    name="amd",
    resource="amd.com/gpu",
    device_class="gpu.amd.com",
    model_label="amd.com/gpu.product-name",
    model_selector='device.attributes["gpu.amd.com"].productName.lowerAscii().contains("{model}")',
    alike=("amd.com/gpu.product-name",),
    tolerations=_kept_for("amd.com/gpu"),
    env_prefixes=("HIP_", "ROCR_", "RCCL_"),
    domains=("amd.com",),
)

GAUDI: Final = Profile(
    name="gaudi",
    resource="habana.ai/gaudi",
    device_class="gaudi.intel.com",
    tolerations=_kept_for("habana.ai/gaudi"),
    companions=("hugepages-2Mi",),
    env_prefixes=("HABANA_",),
    domains=("habana.ai",),
    runtime_classes=("habana",),
)

CS2: Final = Profile(
    name="cs2",
    resource="cerebras.net/cs",
    tolerations=_kept_for("cerebras.net/cs"),
    domains=("cerebras.net", "cerebras.com"),
)

BUILT_IN: Final = (AMD, CPU, CS2, GAUDI, NVIDIA)
