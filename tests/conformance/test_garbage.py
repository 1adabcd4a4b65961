"""The garbage collector: what happens to dependents when their owners go."""

from conformance.harness import Api, case, config_map, widget

NEW_KIND_SECONDS = 45.0  # the collector looks for new kinds every 30 s
ABSENT = "11111111-0000-4000-8000-000000000000"


def owned(owner, *, block=None, **fields):
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]} | fields
    reference |= {name: owner["metadata"][name] for name in ("name", "uid") if name not in fields}
    return reference if block is None else reference | {"blockOwnerDeletion": block}


def uids(obj):
    return [reference["uid"] for reference in obj["metadata"].get("ownerReferences") or []]


@case("GC-01", "GC-06")
async def test_a_dependent_goes_after_its_owner(api: Api):
    owner = await api.made(api.config_maps, config_map("owner"))
    await api.made(api.config_maps, config_map("child", ownerReferences=[owned(owner)]))
    answer = await api.delete(f"{api.config_maps}/owner")
    assert answer.body["status"] == "Success"
    await api.gone(f"{api.config_maps}/child")


@case("GC-01")
async def test_a_dependent_of_a_custom_object_goes_after_it(api: Api):
    owner = await api.made(api.widgets, widget("owner"))
    await api.made(api.config_maps, config_map("child", ownerReferences=[owned(owner)]))
    await api.delete(f"{api.widgets}/owner")
    await api.gone(f"{api.config_maps}/child", NEW_KIND_SECONDS)


@case("GC-01")
async def test_dependents_of_dependents_go_too(api: Api):
    top = await api.made(api.config_maps, config_map("top"))
    middle = await api.made(api.config_maps, config_map("middle", ownerReferences=[owned(top)]))
    await api.made(api.config_maps, config_map("bottom", ownerReferences=[owned(middle)]))
    await api.delete(f"{api.config_maps}/top")
    await api.gone(f"{api.config_maps}/bottom")


@case("GC-01")
async def test_a_dependent_of_a_namesake_of_its_owner_is_collected(api: Api):
    owner = await api.made(api.config_maps, config_map("owner"))
    await api.made(api.config_maps, config_map("child", ownerReferences=[owned(owner, uid=ABSENT)]))
    await api.gone(f"{api.config_maps}/child")
    assert (await api.get(f"{api.config_maps}/owner")).code == 200


@case("GC-02")
async def test_a_dependent_lives_while_one_owner_does(api: Api):
    first = await api.made(api.config_maps, config_map("first"))
    second = await api.made(api.config_maps, config_map("second"))
    await api.made(api.config_maps, config_map("child", ownerReferences=[owned(first), owned(second)]))
    await api.delete(f"{api.config_maps}/first")

    async def patched():
        answer = await api.get(f"{api.config_maps}/child")
        assert answer.code == 200
        return uids(answer.body) == [second["metadata"]["uid"]]

    await api.until(patched)
    await api.delete(f"{api.config_maps}/second")
    await api.gone(f"{api.config_maps}/child")


@case("GC-03")
async def test_a_foreground_deletion_takes_blocking_dependents_first(api: Api):
    owner = await api.made(api.config_maps, config_map("owner"))
    child = config_map("child", ownerReferences=[owned(owner, block=True)], finalizers=["conformance.dev/hold"])
    await api.made(api.config_maps, child)
    answer = await api.delete(f"{api.config_maps}/owner", {"propagationPolicy": "Foreground"})
    assert answer.body["metadata"]["finalizers"] == ["foregroundDeletion"]

    async def child_goes():
        return "deletionTimestamp" in (await api.get(f"{api.config_maps}/child")).body["metadata"]

    await api.until(child_goes)
    assert (await api.get(f"{api.config_maps}/owner")).code == 200
    await api.merge(f"{api.config_maps}/child", {"metadata": {"finalizers": None}})
    await api.gone(f"{api.config_maps}/owner")


@case("GC-03")
async def test_a_foreground_deletion_does_not_wait_for_other_dependents(api: Api):
    owner = await api.made(api.config_maps, config_map("owner"))
    child = config_map("child", ownerReferences=[owned(owner, block=False)], finalizers=["conformance.dev/hold"])
    await api.made(api.config_maps, child)
    await api.delete(f"{api.config_maps}/owner", {"propagationPolicy": "Foreground"})
    await api.gone(f"{api.config_maps}/owner")
    assert (await api.get(f"{api.config_maps}/child")).code == 200
    await api.merge(f"{api.config_maps}/child", {"metadata": {"finalizers": None}})


@case("GC-03")
async def test_a_foreground_deletion_of_a_childless_owner_ends(api: Api):
    await api.made(api.widgets, widget())
    await api.delete(f"{api.widgets}/a", {"propagationPolicy": "Foreground"})
    await api.gone(f"{api.widgets}/a")


@case("GC-04")
async def test_owners_in_a_cycle_are_unblocked(api: Api):
    first = await api.made(api.config_maps, config_map("first"))
    second = await api.made(api.config_maps, config_map("second", ownerReferences=[owned(first, block=True)]))
    reference = owned(second, block=True)
    await api.merge(f"{api.config_maps}/first", {"metadata": {"ownerReferences": [reference]}})
    await api.delete(f"{api.config_maps}/first", {"propagationPolicy": "Foreground"})
    await api.gone(f"{api.config_maps}/first")
    await api.gone(f"{api.config_maps}/second")


@case("GC-05")
async def test_orphans_lose_their_reference_and_stay(api: Api):
    owner = await api.made(api.config_maps, config_map("owner"))
    await api.made(api.config_maps, config_map("child", ownerReferences=[owned(owner)]))
    await api.delete(f"{api.config_maps}/owner", {"propagationPolicy": "Orphan"})
    await api.gone(f"{api.config_maps}/owner")
    assert uids((await api.get(f"{api.config_maps}/child")).body) == []


@case("GC-01")
async def test_an_owner_of_an_unknown_kind_is_no_reason_to_collect(api: Api):
    reference = {"apiVersion": "absent.dev/v1", "kind": "Absent", "name": "x", "uid": ABSENT}
    await api.made(api.config_maps, config_map("child", ownerReferences=[reference]))
    owner = await api.made(api.config_maps, config_map("owner"))
    await api.made(api.config_maps, config_map("other", ownerReferences=[owned(owner, uid=ABSENT)]))
    await api.gone(f"{api.config_maps}/other")
    assert (await api.get(f"{api.config_maps}/child")).code == 200


@case("GC-01")
async def test_a_namespaced_object_may_have_a_cluster_scoped_owner(api: Api):
    owner = await api.made("/api/v1/nodes", {"metadata": {"name": f"n-{api.namespace}"}})
    await api.made(api.config_maps, config_map("child", ownerReferences=[owned(owner)]))
    await api.delete(f"/api/v1/nodes/n-{api.namespace}")
    await api.gone(f"{api.config_maps}/child")


@case("GC-03")
async def test_dependents_of_a_foreground_deletion_are_deleted_in_the_foreground_too(api: Api):
    top = await api.made(api.config_maps, config_map("top"))
    middle = await api.made(api.config_maps, config_map("middle", ownerReferences=[owned(top, block=True)]))
    bottom = config_map("bottom", ownerReferences=[owned(middle, block=True)], finalizers=["conformance.dev/hold"])
    await api.made(api.config_maps, bottom)
    await api.delete(f"{api.config_maps}/top", {"propagationPolicy": "Foreground"})

    async def middle_waits():
        metadata = (await api.get(f"{api.config_maps}/middle")).body["metadata"]
        return "foregroundDeletion" in (metadata.get("finalizers") or [])

    await api.until(middle_waits)
    await api.merge(f"{api.config_maps}/bottom", {"metadata": {"finalizers": None}})
    await api.gone(f"{api.config_maps}/top")
