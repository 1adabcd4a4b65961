"""An answer that ends after any byte, broken or clean: the copy is the cluster, and every change is told once."""

import asyncio

import pytest
from scripted_cluster import LISTS, ScriptedCluster, contents, encode, informer_of, refusal, running, settle, told

from windlass.informers.errors import ConnectionFailed
from windlass.informers.phases import Policy

ENDINGS = [pytest.param(ConnectionFailed("connection reset"), id="broken"), pytest.param(None, id="clean")]


async def informed(cluster, policy, act):
    """What a handler of a new informer is told until `act` is done; then the copy is compared."""
    informer = informer_of(cluster, policy)
    changes = []
    informer.add_handler(changes.append, name="log")
    async with running(informer):
        await act(informer)
        await asyncio.sleep(120)
        await settle()
        assert contents(informer) == cluster.held()
        assert "malformed" not in informer.statistics().rewatches, "the end of a line of one stream began another"
    return told(changes)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("policy", [LISTS, Policy()], ids=["list", "streaming list"])
async def test_the_first_list_may_end_after_any_byte(policy, ending):
    """R6, R21."""
    size = 1
    after = 0
    while after < size:
        cluster = ScriptedCluster("a", "b")
        size = sum(len(encode(one)) for one in cluster.objects.values()) + 300  # more than the rest of the answer
        cluster.cut = after, ending

        async def act(informer, cluster=cluster):
            await informer.ready(60)
            cluster.put("c")

        assert await informed(cluster, policy, act) == ["++a", "++b", "+c"], f"after byte {after}"
        after += 1


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_watch_may_end_after_any_byte(ending):
    """R18."""
    after = 0
    size = 1
    while after <= size:
        cluster = ScriptedCluster("a", "b")

        async def act(informer, cluster=cluster, after=after):
            await informer.ready(5)
            await asyncio.sleep(10)
            open_streams, cluster.streams = cluster.streams, []  # it says nothing of these changes
            cluster.put("a", spec=1)
            cluster.put("c")
            cluster.delete("b")
            cluster.cut = after, ending
            for stream in open_streams:
                stream.end()

        assert await informed(cluster, LISTS, act) == ["++a", "++b", "~a", "+c", "-b"], f"after byte {after}"
        size = sum(len(encode({"type": kind, "object": one})) + 1 for _, kind, one in cluster.history[-3:])
        after += 1


async def test_the_token_of_page_three_expires_twice_in_a_row():
    """R4, scenario 20: and the whole list that follows is refused as well, once."""
    cluster = ScriptedCluster(server_pages_all=True)
    for index in range(7):
        cluster.put(f"w{index}")
    served, lost = cluster.client._page, []

    def page(query, namespace):
        if query.get("continue", "").endswith(".4") and len(lost) < 2:
            lost.append(query)
            cluster.put(f"late{len(lost)}")
            cluster.compact()
            if len(lost) == 1:
                cluster.fail(refusal(410, "Expired", "too old"))
        return served(query, namespace)

    cluster.client._page = page

    async def act(informer):
        await informer.ready(60)

    names = [f"++{key.name}" for key in sorted(cluster.objects)]
    assert sorted(await informed(cluster, Policy(streaming=False, page_size=2), act)) == [
        "++late1",
        "++late2",
        *names,
    ]
    assert len(lost) == 2
    assert cluster.verbs == ["list"] * 8 + ["watch"]
    assert cluster.asked("limit")[:8] == ["2", "2", "2", None, "2", "2", "2", None]
    assert cluster.asked("resourceVersion")[:8] == ["0", None, None, "0", None, None, None, None]
