"""A kubeconfig is written so that only its owner can read it, from the first byte on: there are credentials in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

__all__ = ("write_kubeconfig",)


def write_kubeconfig(path: Path, config: Mapping[str, Any]) -> None:
    """Write `config` to `path` with mode 0600, whatever was there before. Raises OSError."""
    path.touch(mode=0o600)
    path.chmod(0o600)  # it may have been there before
    path.write_text(yaml.safe_dump(dict(config), sort_keys=False))
