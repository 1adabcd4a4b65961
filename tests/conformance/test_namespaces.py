"""Namespaces: how they begin, and how they are emptied before they end."""

from conformance.harness import Api, case, config_map, widget

HOLD = {"finalizers": ["conformance.dev/hold"]}


async def _namespace(api: Api) -> str:
    name = f"{api.namespace}-own"
    await api.made("/api/v1/namespaces", {"metadata": {"name": name}})
    return f"/api/v1/namespaces/{name}"


async def _held(api: Api) -> str:
    """A namespace that terminates and cannot end."""
    path = await _namespace(api)
    await api.made(f"{path}/configmaps", config_map(**HOLD))
    assert (await api.delete(path)).code == 200
    return path


@case("N-04")
async def test_a_namespace_begins_active(api: Api):
    found = (await api.get(await _namespace(api))).body
    assert found["status"]["phase"] == "Active"
    assert found["spec"]["finalizers"] == ["kubernetes"]


@case("N-04")
async def test_a_namespace_is_labelled_with_its_name(api: Api):
    found = (await api.get(await _namespace(api))).body
    assert found["metadata"]["labels"]["kubernetes.io/metadata.name"] == found["metadata"]["name"]


@case("N-01")
async def test_a_deleted_namespace_terminates(api: Api):
    path = await _namespace(api)
    await api.made(f"{path}/configmaps", config_map(**HOLD))
    answer = await api.delete(path)
    assert (answer.code, answer.body["kind"]) == (200, "Namespace")
    assert answer.body["status"]["phase"] == "Terminating"
    assert answer.body["metadata"]["deletionTimestamp"]
    await api.merge(f"{path}/configmaps/a", {"metadata": {"finalizers": None}})


@case("N-01")
async def test_a_namespace_takes_its_content_along(api: Api):
    path = await _namespace(api)
    await api.made(f"{path}/configmaps", config_map())
    await api.made(f"/apis/conformance.dev/v1{path.removeprefix('/api/v1')}/widgets", widget())
    await api.delete(path)
    await api.gone(path)
    assert (await api.get(f"{path}/configmaps/a")).code == 404
    assert (await api.get(f"/apis/conformance.dev/v1{path.removeprefix('/api/v1')}/widgets/a")).code == 404


@case("N-01")
async def test_a_terminating_namespace_says_what_remains(api: Api):
    path = await _held(api)

    async def remains():
        conditions = (await api.get(path)).body["status"].get("conditions") or []
        found = {one["type"]: (one["status"], one["reason"]) for one in conditions}
        return found if found.get("NamespaceContentRemaining", ("",))[0] == "True" else None

    assert await api.until(remains) == {
        "NamespaceDeletionDiscoveryFailure": ("False", "ResourcesDiscovered"),
        "NamespaceDeletionGroupVersionParsingFailure": ("False", "ParsedGroupVersions"),
        "NamespaceDeletionContentFailure": ("False", "ContentDeleted"),
        "NamespaceContentRemaining": ("True", "SomeResourcesRemain"),
        "NamespaceFinalizersRemaining": ("True", "SomeFinalizersRemain"),
    }
    assert "deletionTimestamp" in (await api.get(f"{path}/configmaps/a")).body["metadata"]
    await api.merge(f"{path}/configmaps/a", {"metadata": {"finalizers": None}})


@case("N-02", "CR-05")
async def test_nothing_is_created_in_a_terminating_namespace(api: Api):
    path = await _held(api)

    async def refused():
        answer = await api.create(f"{path}/configmaps", config_map("late"))
        return answer.code != 201 and answer

    answer = await api.until(refused)
    assert (answer.code, answer.body["reason"]) == (403, "Forbidden")
    assert answer.causes == [("NamespaceTerminating", "metadata.namespace")]
    await api.merge(f"{path}/configmaps/a", {"metadata": {"finalizers": None}})


@case("N-02")
async def test_what_is_in_a_terminating_namespace_may_change(api: Api):
    path = await _held(api)
    answer = await api.merge(f"{path}/configmaps/a", {"data": {"x": "y"}})
    assert (answer.code, answer.body["data"]) == (200, {"x": "y"})
    await api.merge(f"{path}/configmaps/a", {"metadata": {"finalizers": None}})


@case("N-03", rows={name: (name,) for name in ("default", "kube-system", "kube-public")})
async def test_the_servers_own_namespaces_stay(api: Api, name):
    answer = await api.delete(f"/api/v1/namespaces/{name}")
    assert (answer.code, answer.body["reason"]) == (403, "Forbidden")


@case("N-01")
async def test_a_namespace_may_be_finalized_by_hand(api: Api):
    path = await _namespace(api)
    body = (await api.get(path)).body
    body["spec"]["finalizers"] = ["kubernetes", "conformance.dev/hold"]
    answer = await api.put(f"{path}/finalize", body)
    assert sorted(answer.body["spec"]["finalizers"]) == ["conformance.dev/hold", "kubernetes"]
    await api.delete(path)

    async def mine_alone():
        found = (await api.get(path)).body
        return found["spec"].get("finalizers") == ["conformance.dev/hold"] and found

    body = await api.until(mine_alone)
    body["spec"]["finalizers"] = []
    assert (await api.put(f"{path}/finalize", body)).code == 200
    await api.gone(path)


@case("N-04", rows={"upper case": ("Upper",), "a dot": ("a.b",), "64 characters": ("a" * 64,)})
async def test_a_name_of_a_namespace_is_a_label(api: Api, name):
    answer = await api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    assert answer.code == 422
    assert ("FieldValueInvalid", "metadata.name") in answer.causes


@case("N-04")
async def test_a_namespace_may_be_labelled_and_found_by_it(api: Api):
    path = await _namespace(api)
    await api.merge(path, {"metadata": {"labels": {"own": api.namespace}}})
    items = (await api.get("/api/v1/namespaces", labelSelector=f"own={api.namespace}")).body["items"]
    assert [item["metadata"]["name"] for item in items] == [path.split("/")[-1]]


@case("N-01", "D-05")
async def test_a_namespace_is_deleted_under_preconditions(api: Api):
    path = await _namespace(api)
    answer = await api.delete(path, {"preconditions": {"uid": "1-2-3"}})
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert (await api.get(path)).body["status"]["phase"] == "Active"
