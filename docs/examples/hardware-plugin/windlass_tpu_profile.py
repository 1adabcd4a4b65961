"""Google's TPUs as a hardware class: `tpu` for any of them, `tpu-v5e` for one generation."""

from typing import Final

from windlass.operators.training.hardware.profile import Profile
from windlass.operators.training.hardware.tolerations import Toleration

__all__ = ("TPU",)

TPU: Final = Profile(
    name="tpu",
    resource="google.com/tpu",
    model_label="example.com/tpu-generation",
    alike=("example.com/tpu-generation",),
    tolerations=(Toleration(key="google.com/tpu", operator="Exists", effect="NoSchedule"),),
    env={"JAX_PLATFORMS": "tpu"},
    env_prefixes=("TPU_", "JAX_PLATFORMS"),
    domains=("google.com",),
)
