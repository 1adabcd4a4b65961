"""Texts and the formats that an API server checks; the same verdicts by both servers."""

import asyncio

import pytest
from servers import open_server

from windlass.informers import Api, Client, Cluster, Key, Resource
from windlass.informers.builtins import CustomResourceDefinition
from windlass.informers.errors import Invalid, NotFound
from windlass.informers.requests import WriteOptions
from windlass.manifests.formats import FORMATS, fits

# Format: what has it, and what does not.
TEXTS = {
    "byte": (["YQ==", "YWI=", "YWJj"], ["", "YQ", "YQ=", "YWJj\n", "a b=", "-_=="]),
    "cidr": (["10.0.0.0/8", "10.1.2.3/32", "fd00::/8"], ["10.0.0.0", "10.0.0.0/33", "/8", "10.0.0.0/8 "]),
    "date": (["2026-02-28", "2024-02-29"], ["2026-02-30", "2026-2-1", "20260201", "2026-02-01T"]),
    "date-time": (
        ["2026-01-01T00:00:00Z", "2026-01-01T23:59:59.123456+01:00", "2026-01-01t00:00:00z"],
        ["2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-13-01T00:00:00Z", "yesterday"],
    ),
    "ipv4": (["10.0.0.1", "255.255.255.255"], ["10.0.0", "10.0.0.256", "::1", "10.0.0.1 "]),
    "ipv6": (["::1", "fd00::1:2"], ["10.0.0.1", "fd00:::1", ":::"]),
    "uuid": (["0f8fad5b-d9cb-469f-a165-70867728950e"], ["0f8fad5b", "0f8fad5b-d9cb-469f-a165-70867728950e-", ""]),
    "unknown": (["anything", ""], []),
}
CASES = [
    (name, text, good)
    for name, (has, lacks) in TEXTS.items()
    for good, texts in ((True, has), (False, lacks))
    for text in texts
]
WORD = Resource("formats.windlass.example", "v1", "Word", "words")


@pytest.mark.parametrize(("name", "text", "good"), CASES)
def test_a_text_has_a_format_or_does_not(name, text, good):
    """S-19: of a format that nobody knows is every text."""
    assert fits(text, name) is good


def test_every_format_is_tried():
    assert set(FORMATS) <= {*TEXTS, "duration"}


def test_a_duration_is_what_go_reads():
    assert [text for text in ("1h30m", "-1.5s", "0", "1us", ".5s") if not fits(text, "duration")] == []
    assert [text for text in ("", "1", "h", "1h\n") if fits(text, "duration")] == []


@pytest.mark.realtime
@pytest.mark.parametrize("server_kind", ["embedded", "kubernetes"])
async def test_servers_say_the_same_of_every_text(server_kind):
    schema = {"type": "object", "properties": {name: {"type": "string", "format": name} for name in TEXTS}}
    names = {"kind": "Word", "plural": "words", "singular": "word", "listKind": "WordList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "words.formats.windlass.example"},
        "spec": {"group": WORD.group, "names": names, "scope": "Namespaced", "versions": [version]},
    }
    wrong = []
    async with open_server(server_kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        await api.create(CustomResourceDefinition, definition)
        await served(api)
        for name, text, good in CASES:
            body = {"apiVersion": WORD.api_version, "kind": "Word", "metadata": {"name": "x"}, name: text}
            try:
                await api.create(WORD, body, namespace="default", options=WriteOptions(dry_run=True))
            except Invalid as refusal:
                wrong += [(name, text, str(refusal))] if good else []
            else:
                wrong += [] if good else [(name, text, "taken")]
        await api.delete(CustomResourceDefinition, Key("", definition["metadata"]["name"]))

    assert wrong == []


async def served(api):
    async with asyncio.timeout(30):
        while True:
            try:
                await api.list(WORD)
            except NotFound:
                await asyncio.sleep(0.1)
            else:
                return
