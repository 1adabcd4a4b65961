"""Lists: snapshots, pages, versions."""

import asyncio
import base64
import json

from conformance.harness import Api, case, config_map, names, widget


async def _fill(api: Api, *found: str) -> dict:
    for name in found:
        last = await api.made(api.widgets, widget(name))
    return last


@case("L-01")
async def test_items_come_in_the_order_of_their_names(api: Api):
    await _fill(api, "b", "c", "a", "a-b", "aa")
    assert names(await api.get(api.widgets)) == ["a", "a-b", "aa", "b", "c"]


@case("L-01")
async def test_an_empty_list_is_a_list(api: Api):
    body = (await api.get(api.widgets)).body
    assert (body["kind"], body["apiVersion"], body["items"]) == ("WidgetList", "conformance.dev/v1", [])
    assert int(body["metadata"]["resourceVersion"]) > 0


@case("L-01")
async def test_the_version_of_a_list_is_that_of_the_snapshot(api: Api):
    made = await _fill(api, "a")
    await api.made(api.config_maps, config_map())
    listed = await api.get(api.widgets)
    assert int(listed.version) > int(made["metadata"]["resourceVersion"])


@case("L-01")
async def test_items_of_a_custom_list_carry_their_kind(api: Api):
    await _fill(api, "a")
    (item,) = (await api.get(api.widgets)).body["items"]
    assert (item["kind"], item["apiVersion"]) == ("Widget", "conformance.dev/v1")


@case("L-01")
async def test_items_of_a_core_list_carry_no_kind(api: Api):
    await api.made(api.config_maps, config_map())
    body = (await api.get(api.config_maps, fieldSelector="metadata.name=a")).body
    assert body["kind"] == "ConfigMapList"
    assert not {"kind", "apiVersion"} & body["items"][0].keys()


@case("L-01")
async def test_a_list_of_all_namespaces_comes_in_the_order_of_its_paths(api: Api):
    """`ns-z/a` stands before `ns/z`: the dash is before the slash."""
    other = f"{api.namespace}-z"
    await api.made("/api/v1/namespaces", {"metadata": {"name": other}})
    await _fill(api, "z")
    await api.made(f"/apis/conformance.dev/v1/namespaces/{other}/widgets", widget("a"))
    items = (await api.get("/apis/conformance.dev/v1/widgets")).body["items"]
    pairs = [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in items]
    assert [pair for pair in pairs if pair[0].startswith(api.namespace)] == [(other, "a"), (api.namespace, "z")]


@case("L-01")
async def test_a_list_of_an_absent_namespace_is_empty(api: Api):
    assert names(await api.get("/apis/conformance.dev/v1/namespaces/absent/widgets")) == []


@case("L-02")
async def test_pages_hold_the_snapshot_of_the_first(api: Api):
    await _fill(api, "a", "b", "c", "d", "e")
    first = await api.get(api.widgets, limit="2")
    await api.delete(f"{api.widgets}/c")
    await api.made(api.widgets, widget("cc"))
    second = await api.get(api.widgets, limit="2", **{"continue": first.body["metadata"]["continue"]})
    third = await api.get(api.widgets, limit="2", **{"continue": second.body["metadata"]["continue"]})
    assert [names(page) for page in (first, second, third)] == [["a", "b"], ["c", "d"], ["e"]]
    assert first.version == second.version == third.version
    assert not third.body["metadata"].get("continue")


@case("L-02")
async def test_pages_count_what_remains(api: Api):
    await _fill(api, "a", "b", "c", "d", "e")
    page = await api.get(api.widgets, limit="2")
    assert page.body["metadata"]["remainingItemCount"] == 3
    page = await api.get(api.widgets, limit="2", **{"continue": page.body["metadata"]["continue"]})
    assert page.body["metadata"]["remainingItemCount"] == 1


@case("L-02")
async def test_pages_of_a_selection_do_not_count(api: Api):
    for name in ("a", "b", "c"):
        await api.made(api.widgets, widget(name, labels={"x": "y"}))
    page = await api.get(api.widgets, limit="1", labelSelector="x=y")
    assert names(page) == ["a"]
    assert "remainingItemCount" not in page.body["metadata"]
    assert page.body["metadata"]["continue"]


@case("L-02")
async def test_a_selection_fills_its_pages(api: Api):
    for index in range(6):
        await api.made(api.widgets, widget(f"w{index}", labels={"parity": str(index % 2)}))
    page = await api.get(api.widgets, limit="2", labelSelector="parity=1")
    assert names(page) == ["w1", "w3"]
    page = await api.get(
        api.widgets, limit="2", labelSelector="parity=1", **{"continue": page.body["metadata"]["continue"]}
    )
    assert names(page) == ["w5"]


@case("L-02")
async def test_a_limit_that_is_not_reached_gives_no_token(api: Api):
    await _fill(api, "a", "b")
    metadata = (await api.get(api.widgets, limit="2")).body["metadata"]
    assert not metadata.get("continue")
    assert "remainingItemCount" not in metadata


@case("L-02")
async def test_the_last_page_may_be_taken_without_a_limit(api: Api):
    await _fill(api, "a", "b", "c", "d")
    page = await api.get(api.widgets, limit="1")
    rest = await api.get(api.widgets, **{"continue": page.body["metadata"]["continue"]})
    assert names(rest) == ["b", "c", "d"]


@case("L-02")
async def test_a_limit_of_zero_is_no_limit(api: Api):
    await _fill(api, "a", "b")
    assert names(await api.get(api.widgets, limit="0")) == ["a", "b"]


@case("L-02")
async def test_pages_of_all_namespaces_go_on_in_the_next(api: Api):
    kind = await api.define()
    other = f"{api.namespace}-z"
    await api.made("/api/v1/namespaces", {"metadata": {"name": other}})
    await api.made(kind.path(), kind.body("b"))
    await api.made(kind.path().replace(api.namespace, other), kind.body("a"))
    path = f"/apis/{kind.group}/v1/{kind.plural}"
    first = await api.get(path, limit="1")
    second = await api.get(path, limit="1", **{"continue": first.body["metadata"]["continue"]})
    assert (names(first), names(second)) == (["a"], ["b"])


@case(
    "L-04",
    rows={
        "no base64": ("%%%",),
        "no JSON": (base64.urlsafe_b64encode(b"nothing").decode().rstrip("="),),
        "another version": (base64.urlsafe_b64encode(json.dumps({"v": "x", "rv": 1}).encode()).decode().rstrip("="),),
        "no start": (
            base64.urlsafe_b64encode(json.dumps({"v": "meta.k8s.io/v1", "rv": 5}).encode()).decode().rstrip("="),
        ),
        "a start that climbs": (
            base64.urlsafe_b64encode(json.dumps({"v": "meta.k8s.io/v1", "rv": 5, "start": "../x"}).encode())
            .decode()
            .rstrip("="),
        ),
    },
)
async def test_a_malformed_token_is_a_bad_request(api: Api, token):
    answer = await api.get(api.widgets, limit="1", **{"continue": token})
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case("L-04", "L-05")
async def test_a_token_goes_with_no_version(api: Api):
    await _fill(api, "a", "b")
    page = await api.get(api.widgets, limit="1")
    answer = await api.get(
        api.widgets, limit="1", resourceVersion=page.version, **{"continue": page.body["metadata"]["continue"]}
    )
    assert answer.refusal["code"] == 400


@case("L-05", rows={"any": ("0",), "the latest": ("",)})
async def test_a_list_may_ask_for_any_or_the_latest_state(api: Api, version):
    kind = await api.define()
    await api.made(kind.path(), kind.body())

    async def listed():
        return names(await api.get(kind.path(), resourceVersion=version)) == ["a"]

    await api.until(listed)


@case("L-05")
async def test_a_list_may_ask_for_an_exact_version(api: Api):
    first = await _fill(api, "a")
    await _fill(api, "b")
    version = first["metadata"]["resourceVersion"]
    answer = await api.get(api.widgets, resourceVersion=version, resourceVersionMatch="Exact")
    assert (names(answer), answer.version) == (["a"], version)


@case("L-05")
async def test_a_list_may_ask_for_a_version_or_newer(api: Api):
    made = await _fill(api, "a", "b")
    version = made["metadata"]["resourceVersion"]
    answer = await api.get(api.widgets, resourceVersion=version, resourceVersionMatch="NotOlderThan")
    assert sorted(names(answer)) == ["a", "b"], "lists from the cache of 1.20 are in no order"
    assert int(answer.version) >= int(version)


@case(
    "L-05",
    rows={
        "a match without a version": ({"resourceVersionMatch": "Exact"}, "FieldValueForbidden"),
        "exactly any": ({"resourceVersion": "0", "resourceVersionMatch": "Exact"}, "FieldValueForbidden"),
        "an unknown match": ({"resourceVersion": "1", "resourceVersionMatch": "Near"}, "FieldValueNotSupported"),
    },
)
async def test_odd_matches_are_invalid(api: Api, query, reason):
    answer = await api.get(api.widgets, **query)
    assert (answer.code, answer.causes[-1]) == (422, (reason, "resourceVersionMatch"))


@case("L-05", rows={"text": ("abc",), "a negative number": ("-1",)})
async def test_a_version_that_is_no_number_is_refused(api: Api, version):
    answer = await api.get(api.widgets, resourceVersion=version)
    assert answer.code in api.since(21, (400, 422), (500,))


@case("L-06")
async def test_a_version_of_the_future_is_waited_for_and_then_refused(api: Api):
    await _fill(api, "a")
    paths = (api.widgets, f"{api.widgets}/a")
    for answer in await asyncio.gather(*(api.get(path, resourceVersion="900000000") for path in paths)):
        assert (answer.code, answer.body["reason"]) == (504, "Timeout")
        assert answer.causes == [("ResourceVersionTooLarge", "")]
        assert answer.body["details"]["retryAfterSeconds"] == 1
        assert answer.headers["Retry-After"] == "1"


@case("L-05")
async def test_an_object_may_be_read_from_any_state(api: Api):
    await _fill(api, "a")

    async def found():
        return (await api.get(f"{api.widgets}/a", resourceVersion="0")).code == 200

    await api.until(found)


@case("L-09")
async def test_a_large_list_is_compressed_for_those_who_can_read_it(api: Api):
    for index in range(3):
        await api.made(api.config_maps, config_map(f"m{index}", {"x": "y" * 60_000}))
    async with api.open("GET", api.config_maps, headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] == "gzip"


@case("L-09")
async def test_a_small_list_is_not_compressed(api: Api):
    async with api.open("GET", api.config_maps, headers={"Accept-Encoding": "gzip"}) as response:
        assert "Content-Encoding" not in response.headers


@case("L-02", rows={"text": ("many",)})
async def test_a_limit_that_is_no_number_is_a_bad_request(api: Api, limit):
    assert (await api.get(api.widgets, limit=limit)).refusal["code"] == 400
