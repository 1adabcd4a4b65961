"""What one does with a Greeting from outside of the program that looks after it: the tutorial, step by step."""

import asyncio

import yaml

from windlass.informers import Api, ConfigMap, CustomResourceDefinition, Key, Resource
from windlass.informers.errors import NotFound

__all__ = ("GREETING", "create_greeting", "define", "message_becomes")

GREETING = Resource("example.com", "v1", "Greeting", "greetings")


async def define(api: Api, definition: str) -> None:
    """Apply a printed definition, and wait until the server serves the kind."""
    (body,) = (document for document in yaml.safe_load_all(definition) if document)
    await api.apply(CustomResourceDefinition, body, field_manager="tests")
    async with asyncio.timeout(20):
        while True:
            try:
                await api.list(GREETING)
            except NotFound:
                await asyncio.sleep(0.05)
            else:
                return


async def create_greeting(api: Api, key: Key, name: str) -> None:
    """A Greeting for `name`."""
    metadata = {"name": key.name, "namespace": key.namespace}
    body = {"apiVersion": "example.com/v1", "kind": "Greeting", "metadata": metadata, "spec": {"name": name}}
    await api.create(GREETING, body)


async def message_becomes(api: Api, key: Key, wanted: str | None, *, seconds: float = 20.0) -> None:
    """Wait until the ConfigMap says `wanted`; None waits for its end."""
    found: str | None = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    found = (await api.get(ConfigMap, key)).to_dict()["data"]["message"]
                except NotFound:
                    found = None
                if found == wanted:
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{key} says {found!r} after {seconds} s, not {wanted!r}") from None
