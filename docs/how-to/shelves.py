"""A Shelf in two versions, one of them converted by a webhook in this process: python shelves.py CERTIFICATE KEY."""

import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs

from windlass.controller import Context, Manager, Request
from windlass.informers import CustomResource
from windlass.manifests import (
    Column,
    ConversionServer,
    ExactlyOneOf,
    Immutable,
    ListMap,
    Maximum,
    MaxItems,
    MaxLength,
    Minimum,
    Pattern,
    Quantity,
    Rest,
    Rule,
    Scale,
    Versions,
    WebhookSettings,
    kind,
    marked,
    needs,
)

Name = Annotated[str, Pattern("^[a-z]+$"), MaxLength(20)]


@attrs.frozen
class Board:
    """One board: told apart from the others by its name."""

    name: Name
    load: Quantity = attrs.field(default=Quantity("10"))


@marked(ExactlyOneOf("wall", "floor"))
@attrs.frozen
class Place:
    """Where it stands: one of the two."""

    wall: Name | None = None
    floor: int | None = None


@marked(Rule("self.height <= 3 * self.depth", message="it would fall over"))
@attrs.frozen
class ShelfSpec:
    place: Place
    material: Annotated[Literal["oak", "steel"], Immutable()] = "oak"
    height: Annotated[int, Minimum(1), Maximum(300)] = 60
    depth: Annotated[int, Minimum(20)] = 30
    boards: Annotated[tuple[Board, ...], ListMap("name"), MaxItems(8)] = ()
    replicas: Annotated[int, Minimum(0)] = 1
    dries: timedelta = timedelta(hours=12)
    notes: Annotated[Mapping[str, Any], Rest()] = attrs.field(factory=dict)


@attrs.frozen
class ShelfStatus:
    built: int = 0


@kind(
    "howto.windlass.dev/v2",
    name="Shelf",
    plural="shelves",
    short_names=("sh",),
    columns=(Column("Material", ".spec.material"), Column("Built", ".status.built", "integer")),
    scale=Scale(status_replicas=".status.built"),
)
@attrs.frozen
class Shelf(CustomResource):
    """A shelf, to be built."""

    spec: ShelfSpec
    status: ShelfStatus = ShelfStatus()


@attrs.frozen
class OldShelfSpec:
    wall: Name
    height_inches: Annotated[int, Minimum(1), Maximum(100)] = 24


@kind(
    "howto.windlass.dev/v1",
    name="Shelf",
    plural="shelves",
    short_names=("sh",),
    deprecated="howto.windlass.dev/v1 Shelf: use v2, which has metres",
)
@attrs.frozen
class OldShelf(CustomResource):
    """A shelf as it was before."""

    spec: OldShelfSpec


def up(old: OldShelf) -> Shelf:
    """From v1 to what is stored."""
    height = round(old.spec.height_inches * 2.54)
    return Shelf(spec=ShelfSpec(Place(wall=old.spec.wall), height=height, depth=max(20, height)))


def down(shelf: Shelf) -> OldShelf:
    """Back to v1, which knows walls alone."""
    wall = shelf.spec.place.wall or "none"
    return OldShelf(spec=OldShelfSpec(wall, height_inches=max(1, min(100, round(shelf.spec.height / 2.54)))))


SHELVES = Versions(Shelf).also(OldShelf, up=up, down=down)


@needs(Shelf, "patch", subresource="status")
async def reconcile(ctx: Context, request: Request) -> None:
    shelf = await ctx.get(Shelf, request.key)
    if shelf is not None:
        await ctx.status(shelf, built=shelf.spec.replicas)
        print(f"{request.key}: {shelf.spec.material}, {shelf.spec.height} cm", flush=True)


def setup(manager: Manager) -> None:
    manager.register(Shelf)
    manager.controller(reconcile, for_=Shelf)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python shelves.py CERTIFICATE KEY [PORT]")
    manager = Manager()
    setup(manager)
    certificate, key = map(Path, sys.argv[1:3])
    settings = WebhookSettings(certificate, key, host="127.0.0.1", port=int((sys.argv[3:] or ["9443"])[0]))
    manager.add(ConversionServer([SHELVES], settings), elected=False)
    manager.run()
