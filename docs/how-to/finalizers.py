"""Keeps a folder outside of the cluster for each Bucket, and removes it before the Bucket goes."""

import os
import shutil
from pathlib import Path

import attrs

from windlass.controller import Context, Manager, Request, Result, with_finalizer
from windlass.informers import CustomResource
from windlass.manifests import kind

ROOT = Path(os.environ.get("BUCKETS", "buckets"))
FINALIZER = "howto.windlass.dev/folder"


@attrs.frozen
class BucketSpec:
    readme: str = ""


@attrs.frozen
class BucketStatus:
    path: str = ""


@kind("howto.windlass.dev/v1")
@attrs.frozen
class Bucket(CustomResource):
    spec: BucketSpec = BucketSpec()
    status: BucketStatus = BucketStatus()


async def reconcile(ctx: Context, request: Request) -> Result | None:
    bucket = await ctx.get(Bucket, request.key)
    if bucket is None:
        return None
    folder = ROOT / bucket.metadata.uid  # a uid is never used twice, a name is

    async def keep() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "README").write_text(bucket.spec.readme)
        await ctx.status(bucket, path=str(folder))

    async def clean_up() -> None:
        shutil.rmtree(folder, ignore_errors=True)  # gone already is as good as removed

    return await with_finalizer(ctx, bucket, FINALIZER, reconcile=keep, clean_up=clean_up)


def setup(manager: Manager) -> None:
    manager.register(Bucket)
    manager.controller(reconcile, for_=Bucket)


if __name__ == "__main__":
    manager = Manager()
    setup(manager)
    manager.run()
