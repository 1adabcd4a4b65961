"""Label and field selectors: their grammar and what they match."""

from conformance.harness import Api, case, config_map, names, pod, widget

SHELF = {
    "bare": {},
    "dev": {"tier": "dev", "level": "1"},
    "empty": {"tier": ""},
    "prod": {"tier": "prod", "level": "20", "conformance.dev/special": "yes"},
}


async def _stock(api: Api) -> None:
    for name, labels in SHELF.items():
        await api.made(api.widgets, widget(name, labels=labels))


@case(
    "L-07",
    rows={
        "equality": ("tier=prod", ["prod"]),
        "double equality": ("tier==prod", ["prod"]),
        "blanks around": (" tier = prod ", ["prod"]),
        "inequality, also of those without the key": ("tier!=prod", ["bare", "dev", "empty"]),
        "a set": ("tier in (prod,dev)", ["dev", "prod"]),
        "a set with blanks": ("tier in ( prod , dev )", ["dev", "prod"]),
        "outside a set, also those without the key": ("tier notin (prod,dev)", ["bare", "empty"]),
        "existence": ("tier", ["dev", "empty", "prod"]),
        "absence": ("!tier", ["bare"]),
        "an empty value": ("tier=", ["empty"]),
        "an empty value in a set": ("tier in (,dev)", ["dev", "empty"]),
        "greater": ("level>5", ["prod"]),
        "less": ("level<5", ["dev"]),
        "two requirements": ("tier in (prod,dev),level<5", ["dev"]),
        "a prefixed key": ("conformance.dev/special=yes", ["prod"]),
        "requirements that exclude each other": ("tier=prod,tier=dev", []),
        "nothing": ("", ["bare", "dev", "empty", "prod"]),
    },
)
async def test_labels_select(api: Api, selector, expected):
    await _stock(api)
    assert names(await api.get(api.widgets, labelSelector=selector)) == expected


@case(
    "L-07",
    rows={
        "an open set": ("a in (b",),
        "a set without parentheses": ("a in b",),
        "an odd key": ("-a=b",),
        "an odd value": ("a=-b-",),
        "two operators": ("a=b=c",),
        "a lone operator": ("=",),
        "a lone negation": ("!",),
        "greater than text": ("a>b",),
        "a comma at the end": ("a=b,",),
    },
)
async def test_a_malformed_label_selector_is_a_bad_request(api: Api, selector):
    answer = await api.get(api.widgets, labelSelector=selector)
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case(
    "L-08",
    rows={
        "a name": ("metadata.name=a", ["a"]),
        "double equality": ("metadata.name==a", ["a"]),
        "another name": ("metadata.name!=a", ["b"]),
        "a name that is not there": ("metadata.name=c", []),
        "nothing": ("", ["a", "b"]),
    },
)
async def test_fields_select(api: Api, selector, expected):
    for name in ("a", "b"):
        await api.made(api.widgets, widget(name))
    assert names(await api.get(api.widgets, fieldSelector=selector)) == expected


@case("L-08")
async def test_the_namespace_is_a_field(api: Api):
    await api.made(api.widgets, widget())
    path = "/apis/conformance.dev/v1/widgets"
    assert names(await api.get(path, fieldSelector=f"metadata.namespace={api.namespace}")) == ["a"]
    assert names(await api.get(api.widgets, fieldSelector="metadata.namespace=other")) == []


@case("L-08", rows={"custom kind": ("widgets", "spec.replicas=3"), "core kind": ("config_maps", "data.a=b")})
async def test_an_unknown_field_is_a_bad_request(api: Api, collection, selector):
    answer = await api.get(getattr(api, collection), fieldSelector=selector)
    assert answer.refusal == {"code": 400, "reason": "BadRequest"}


@case("L-08", rows={"no operator": ("metadata.name",), "no field": ("=a",)})
async def test_a_malformed_field_selector_is_a_bad_request(api: Api, selector):
    assert (await api.get(api.config_maps, fieldSelector=selector)).refusal["code"] == 400


@case("L-08")
async def test_pods_are_selected_by_phase_and_node(api: Api):
    pods = api.core("pods")
    await api.made(pods, pod("bound") | {"spec": pod()["spec"] | {"nodeName": "n1"}})
    await api.made(pods, pod("free"))
    assert names(await api.get(pods, fieldSelector="spec.nodeName=n1")) == ["bound"]
    assert names(await api.get(pods, fieldSelector="spec.nodeName=")) == ["free"]
    assert names(await api.get(pods, fieldSelector="status.phase=Pending")) == ["bound", "free"]
    assert names(await api.get(pods, fieldSelector="status.phase!=Pending")) == []


@case("L-08")
async def test_secrets_are_selected_by_type(api: Api):
    await api.made(api.core("secrets"), {"metadata": {"name": "a"}, "type": "conformance.dev/x"})
    await api.made(api.core("secrets"), {"metadata": {"name": "b"}})
    assert names(await api.get(api.core("secrets"), fieldSelector="type=conformance.dev/x")) == ["a"]


@case("L-08")
async def test_events_are_selected_by_what_they_involve(api: Api):
    for name, kind in (("a", "Pod"), ("b", "Widget")):
        involved = {"kind": kind, "namespace": api.namespace, "name": "x"}
        await api.made(api.core("events"), {"metadata": {"name": name}, "involvedObject": involved, "reason": name})
    assert names(await api.get(api.core("events"), fieldSelector="involvedObject.kind=Widget")) == ["b"]
    assert names(await api.get(api.core("events"), fieldSelector="reason=a")) == ["a"]


@case("L-08")
async def test_label_and_field_selectors_must_both_hold(api: Api):
    await api.made(api.config_maps, config_map("a", labels={"x": "y"}))
    await api.made(api.config_maps, config_map("b", labels={"x": "y"}))
    assert names(await api.get(api.config_maps, labelSelector="x=y", fieldSelector="metadata.name=b")) == ["b"]


@case("L-08")
async def test_a_kind_may_declare_fields_to_select_by(api: Api):
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"color": {"type": "string"}}}},
    }
    kind = await api.define(schema, version={"selectableFields": [{"jsonPath": ".spec.color"}]})
    for name, color in (("a", "red"), ("b", "blue")):
        await api.made(kind.path(), kind.body(name, spec={"color": color}))
    assert names(await api.get(kind.path(), fieldSelector="spec.color=blue")) == ["b"]
