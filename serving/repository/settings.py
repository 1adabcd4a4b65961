"""`ROOT/<model>/serving.json` says which versions of a model serve; a model without one serves its latest.

    {"versions": {"latest": 2}, "pinned": true}

`versions` is `{"latest": N}` (the N highest that load), `"all"`, or a list of version numbers. Without a version in its
path a request gets the highest of those that serve. A `pinned` model is never evicted to make room for another. The
file is read at each scan, and a bad one leaves the settings before it in force.
"""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

from windlass.serving.errors import BadRequest, ModelError
from windlass.serving.repository.reading import read_regular
from windlass.serving.tensors import parse_json

__all__ = ("SETTINGS_FILE", "Latest", "ModelSettings", "Versions", "read_settings")

SETTINGS_FILE = "serving.json"

_Number: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]


class Latest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `latest` highest versions that load serve side by side."""

    latest: _Number = 1


Versions: TypeAlias = Latest | Literal["all"] | tuple[_Number, ...]


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of a model rather than of one of its versions."""

    versions: Versions = Latest()
    pinned: bool = False


_SETTINGS = msgspec.json.Decoder(ModelSettings)


def read_settings(folder: Path) -> ModelSettings | None:
    """The settings of the model in `folder`, None when it has none.

    Raises ModelError naming the field that is wrong, OSError when the file cannot be read.
    """
    try:
        content = read_regular(folder / SETTINGS_FILE)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        settings: ModelSettings = parse_json(content, _SETTINGS, "")
    except BadRequest as error:
        raise ModelError(f"{SETTINGS_FILE}: {error}") from error
    return settings
