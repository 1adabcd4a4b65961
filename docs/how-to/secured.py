"""An endpoint that knows its callers, and lets those outside of the group `writers` only look: python secured.py."""

import asyncio
import sys
from pathlib import Path

from windlass.serving import Access, Endpoint, EndpointOptions, LinearModel, ModelRepository, TlsFiles, TokenFile
from windlass.serving.access import Caller


class Rules:
    """An Authorizer: anything that has this method."""

    async def permits(self, caller: Caller, *, verb: str, path: str) -> bool:
        return verb == "get" or path == "/predict" or "writers" in caller.groups


async def main(port: int) -> None:
    here = Path.cwd()
    options = EndpointOptions(
        tls=TlsFiles(here / "tls.crt", here / "tls.key"), access=Access(TokenFile(here / "tokens"), Rules())
    )
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    async with Endpoint(repository, port=port, options=options) as endpoint:
        print(endpoint.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 8443))
