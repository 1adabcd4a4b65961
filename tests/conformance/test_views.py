"""Tables, metadata alone, discovery, health and credentials."""

import json

from conformance.harness import CRDS, Api, case, config_map, pod, widget

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIALS = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


async def _seen(api: Api, path: str, accept: str, **query: str):
    answer = await api.request("GET", path, headers={"Accept": accept}, query=query)
    assert answer.code == 200, answer.body
    return answer.body


@case("T-01")
async def test_a_table_has_the_columns_of_the_definition(api: Api):
    await api.made(api.widgets, widget())
    table = await _seen(api, api.widgets, TABLE)
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    columns = [(one["name"], one["type"], one["priority"]) for one in table["columnDefinitions"]]
    assert columns == [
        ("Name", "string", 0),
        ("Replicas", "integer", 0),
        ("Ready", "string", 0),
        ("Mode", "string", 1),
        ("Age", "date", 0),
    ]
    assert table["columnDefinitions"][0]["format"] == "name"
    assert table["columnDefinitions"][1]["description"] == "How many."


@case("T-01")
async def test_cells_are_typed_and_what_is_missing_is_null(api: Api):
    await api.made(api.widgets, widget())
    (row,) = (await _seen(api, api.widgets, TABLE))["rows"]
    assert row["cells"][:4] == ["a", 3, None, "fast"]
    assert isinstance(row["cells"][4], str)


@case("T-01")
async def test_a_cell_may_be_found_by_a_filter(api: Api):
    await api.made(api.widgets, widget())
    await api.merge(f"{api.widgets}/a/status", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    (row,) = (await _seen(api, api.widgets, TABLE))["rows"]
    assert row["cells"][2] == "True"


@case("T-01")
async def test_a_row_holds_the_metadata_of_its_object(api: Api):
    made = await api.made(api.widgets, widget(labels={"a": "b"}))
    (row,) = (await _seen(api, api.widgets, TABLE))["rows"]
    assert (row["object"]["kind"], row["object"]["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert row["object"]["metadata"]["uid"] == made["metadata"]["uid"]
    assert row["object"]["metadata"]["labels"] == {"a": "b"}


@case("T-01")
async def test_a_row_may_hold_the_whole_object(api: Api):
    made = await api.made(api.widgets, widget())
    (row,) = (await _seen(api, api.widgets, TABLE, includeObject="Object"))["rows"]
    assert row["object"] == made


@case("T-01")
async def test_a_row_may_hold_no_object(api: Api):
    await api.made(api.widgets, widget())
    (row,) = (await _seen(api, api.widgets, TABLE, includeObject="None"))["rows"]
    assert not row.get("object")


@case("T-01")
async def test_one_object_is_a_table_of_one_row(api: Api):
    made = await api.made(api.widgets, widget())
    table = await _seen(api, f"{api.widgets}/a", TABLE)
    assert [row["cells"][0] for row in table["rows"]] == ["a"]
    assert table["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


@case("T-01")
async def test_a_table_without_columns_has_name_and_age(api: Api):
    kind = await api.define()
    table = await _seen(api, kind.path(), TABLE)
    assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Age"]
    assert table["rows"] == []


@case("T-01", "L-02")
async def test_a_table_comes_in_pages(api: Api):
    for name in ("a", "b", "c"):
        await api.made(api.widgets, widget(name))
    first = await _seen(api, api.widgets, TABLE, limit="2")
    assert [row["cells"][0] for row in first["rows"]] == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 1
    second = await _seen(api, api.widgets, TABLE, **{"continue": first["metadata"]["continue"]})
    assert [row["cells"][0] for row in second["rows"]] == ["c"]


@case("T-01")
async def test_config_maps_are_counted_by_their_data(api: Api):
    await api.made(api.config_maps, config_map(data={"a": "1", "b": "2"}))
    table = await _seen(api, f"{api.config_maps}/a", TABLE)
    assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", 2]


@case("T-01")
async def test_pods_are_shown_by_readiness_and_phase(api: Api):
    await api.made(api.core("pods"), pod())
    table = await _seen(api, f"{api.core('pods')}/a", TABLE)
    columns = [one["name"] for one in table["columnDefinitions"] if not one["priority"]]
    assert columns == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert table["rows"][0]["cells"][:3] == ["a", "0/1", "Pending"]


@case("T-02")
async def test_metadata_alone_of_one_object(api: Api):
    made = await api.made(api.widgets, widget(labels={"a": "b"}))
    found = await _seen(api, f"{api.widgets}/a", PARTIAL)
    assert found == {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": made["metadata"]}


@case("T-02")
async def test_metadata_alone_of_a_list(api: Api):
    made = await api.made(api.widgets, widget())
    found = await _seen(api, api.widgets, PARTIALS)
    assert (found["kind"], found["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert [item["metadata"] for item in found["items"]] == [made["metadata"]]
    assert "spec" not in found["items"][0]


@case("T-02")
async def test_metadata_alone_of_a_core_object(api: Api):
    made = await api.made(api.config_maps, config_map(data={"a": "b"}))
    found = await _seen(api, f"{api.config_maps}/a", PARTIAL)
    assert (found["metadata"], "data" in found) == (made["metadata"], False)


@case("T-03")
async def test_the_core_group_has_version_one(api: Api):
    body = (await api.get("/api")).body
    assert (body["kind"], body["versions"]) == ("APIVersions", ["v1"])


@case("T-03")
async def test_groups_are_listed_with_their_versions(api: Api):
    async def listed():
        body = (await api.get("/apis")).body
        assert body["kind"] == "APIGroupList"
        return {group["name"]: group for group in body["groups"]}.get("conformance.dev")

    version = {"groupVersion": "conformance.dev/v1", "version": "v1"}
    assert await api.until(listed) == {"name": "conformance.dev", "versions": [version], "preferredVersion": version}


@case("T-03")
async def test_a_group_describes_itself(api: Api):
    async def described():
        answer = await api.get("/apis/conformance.dev")
        return answer.code == 200 and answer.body

    body = await api.until(described)
    assert (body["kind"], body["apiVersion"], body["name"]) == ("APIGroup", "v1", "conformance.dev")


@case("T-03")
async def test_a_version_lists_its_kinds_and_their_subresources(api: Api):
    async def described():
        answer = await api.get("/apis/conformance.dev/v1")
        return answer.code == 200 and answer.body

    body = await api.until(described)
    assert (body["kind"], body["groupVersion"]) == ("APIResourceList", "conformance.dev/v1")
    found = {one["name"]: one for one in body["resources"]}
    whole = found["widgets"]
    assert (whole["kind"], whole["singularName"], whole["namespaced"]) == ("Widget", "widget", True)
    assert (whole["shortNames"], whole["categories"]) == (["wd"], ["all", "conformance"])
    every = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
    assert set(whole["verbs"]) == every
    assert set(found["widgets/status"]["verbs"]) == {"get", "patch", "update"}
    scale = found["widgets/scale"]
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")


@case("T-03")
async def test_the_preferred_version_is_the_most_stable_one(api: Api):
    one = {"served": True, "schema": {"openAPIV3Schema": {"type": "object"}}, "storage": False}
    versions = [one | {"name": name} for name in ("v1alpha1", "v2beta1", "v1", "v10", "v2")]
    versions[0] = versions[0] | {"storage": True}
    group = f"{api.namespace}.dev"
    await api.define(group=group, versions=versions)

    async def described():
        answer = await api.get(f"/apis/{group}")
        return answer.code == 200 and answer.body

    body = await api.until(described)
    assert [found["version"] for found in body["versions"]] == ["v10", "v2", "v1", "v2beta1", "v1alpha1"]
    assert body["preferredVersion"]["version"] == "v10"


@case("T-03")
async def test_core_kinds_are_described(api: Api):
    found = {one["name"]: one for one in (await api.get("/api/v1")).body["resources"]}
    for name, kind, namespaced, short in (
        ("configmaps", "ConfigMap", True, ["cm"]),
        ("namespaces", "Namespace", False, ["ns"]),
        ("pods", "Pod", True, ["po"]),
        ("nodes", "Node", False, ["no"]),
        ("services", "Service", True, ["svc"]),
    ):
        assert (found[name]["kind"], found[name]["namespaced"], found[name]["shortNames"]) == (kind, namespaced, short)
    assert found["namespaces/finalize"]["verbs"] == ["update"]
    assert "pods/status" in found


@case("T-03")
async def test_a_definition_that_goes_leaves_discovery(api: Api):
    group = f"{api.namespace}.dev"
    kind = await api.define(group=group)

    async def served():
        return (await api.get(f"/apis/{group}/v1")).code == 200

    await api.until(served)
    await api.delete(kind.crd)
    await api.gone(f"/apis/{group}")


@case("T-03")
async def test_the_version_is_told(api: Api):
    body = (await api.get("/version")).body
    assert body["major"] == "1"
    assert {"minor", "gitVersion", "platform", "goVersion"} <= body.keys()


@case("T-03", rows={name: (name,) for name in ("healthz", "livez", "readyz")})
async def test_health_is_told_in_one_word(api: Api, name):
    answer = await api.get(f"/{name}")
    assert (answer.code, answer.body) == (200, "ok")


@case("T-03", rows={name: (name,) for name in ("healthz", "livez", "readyz")})
async def test_health_is_told_at_length(api: Api, name):
    answer = await api.get(f"/{name}", verbose="1")
    assert answer.code == 200
    assert "[+]ping ok" in answer.body.splitlines()
    assert answer.body.splitlines()[-1] == f"{name} check passed"


@case("A-01", rows={name: (name,) for name in ("healthz", "livez", "readyz", "version")})
async def test_health_and_version_need_no_credentials(api: Api, name):
    assert (await api.request("GET", f"/{name}", headers={"Authorization": ""})).code == 200


@case("E-08", rows={"a made-up token": ("Bearer made-up",), "an empty token": ("Bearer ",)})
async def test_odd_credentials_get_in_nowhere(api: Api, header):
    answer = await api.request("GET", CRDS, headers={"Authorization": header})
    assert answer.code in (401, 403)


@case("A-03")
async def test_the_administrator_may_do_everything(api: Api):
    attributes = {"namespace": api.namespace, "verb": "delete", "group": "conformance.dev", "resource": "widgets"}
    body = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1"}
    answer = await api.create(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body | {"spec": {"resourceAttributes": attributes}}
    )
    assert (answer.code, answer.body["status"]["allowed"]) == (201, True)
    assert answer.body["spec"] == {"resourceAttributes": attributes}


@case("A-03")
async def test_a_token_is_reviewed(api: Api):
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    body = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1"}
    good = (await api.create(path, body | {"spec": {"token": api.token}})).body
    assert good["status"]["authenticated"] is True
    assert good["status"]["user"]["username"]
    assert "system:authenticated" in good["status"]["user"]["groups"]
    bad = (await api.create(path, body | {"spec": {"token": "wrong"}})).body
    assert bad["status"].get("authenticated", False) is False


@case("T-03")
async def test_openapi_names_the_kinds_of_definitions(api: Api):
    async def described():
        body = (await api.get("/openapi/v2")).body
        found = json.loads(body) if isinstance(body, str) else body
        return found["definitions"].get("dev.conformance.v1.Widget")

    found = await api.until(described, 20)
    kind = {"group": "conformance.dev", "kind": "Widget", "version": "v1"}
    assert found["x-kubernetes-group-version-kind"] == [kind]
    assert found["properties"]["spec"]["properties"]["replicas"]["type"] == "integer"


DISCOVERY = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"


@case("T-03", rows={version: (version,) for version in ("v2", "v2beta1")})
async def test_discovery_is_aggregated_for_whom_asks(api: Api, version: str):
    accept = f"{DISCOVERY.format(version)},application/json"
    answer = await api.request("GET", "/apis", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == DISCOVERY.format(version)
    assert answer.body["kind"] == "APIGroupDiscoveryList"
    groups = {item["metadata"]["name"]: item["versions"] for item in answer.body["items"]}
    (found,) = groups["apps"]
    assert (found["version"], found["freshness"]) == ("v1", "Current")
    (deployments,) = (one for one in found["resources"] if one["resource"] == "deployments")
    assert deployments["scope"] == "Namespaced"
    assert deployments["responseKind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert {one["subresource"] for one in deployments["subresources"]} == {"scale", "status"}


@case("T-03")
async def test_discovery_is_plain_for_whom_does_not_ask(api: Api):
    accept = "application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json"
    answer = await api.request("GET", "/apis", headers={"Accept": accept})
    assert (answer.code, answer.body["kind"]) == (200, "APIGroupList")
