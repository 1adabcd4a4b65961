"""Pod templates as people write them for accelerators: devices in every place where a Pod can mention one."""

from hypothesis import strategies as st

DEVICES = (
    "nvidia.com/gpu",
    "nvidia.com/mig-1g.5gb",
    "nvidia.com/gpu.shared",
    "amd.com/gpu",
    "habana.ai/gaudi",
    "cerebras.net/cs",
)
LABELS = (
    "nvidia.com/gpu.product",
    "nvidia.com/gpu.present",
    "amd.com/gpu.family",
    "feature.nvidia.com/x",
    "habana.ai/x",
)
KEPT = "example.com/kept"

device = st.sampled_from(DEVICES)
label = st.sampled_from((*LABELS, *DEVICES))
key = st.one_of(label, st.just(KEPT))
amount = st.sampled_from(["1", "2"])


def some(strategy):
    return st.lists(strategy, max_size=2)


def keyed(values):
    return st.dictionaries(key, values, max_size=3)


resources = st.builds(
    lambda names, cpu, count: {
        "requests": dict.fromkeys(names, count) | {"cpu": cpu},
        "limits": dict.fromkeys(names, count),
    },
    st.sets(device, max_size=2).map(sorted), amount, amount,
)  # fmt: skip
label_path = st.builds(lambda one: f"metadata.labels['{one}']", label)
variable = st.one_of(
    st.sampled_from([
        {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"},
        {"name": "CUDA_VISIBLE_DEVICES", "value": "0"},
        {"name": "HABANA_VISIBLE_DEVICES", "value": "0"},
        {"name": "KEPT", "value": KEPT},
    ]),
    st.builds(lambda one: {"name": "COUNT", "valueFrom": {"resourceFieldRef": {"resource": f"limits.{one}"}}}, device),
    st.builds(lambda path: {"name": "WHAT", "valueFrom": {"fieldRef": {"fieldPath": path}}}, label_path),
)  # fmt: skip
container = st.fixed_dictionaries({"image": st.just("img")}, optional={"resources": resources, "env": some(variable)})
expression = st.builds(lambda one: {"key": one, "operator": "Exists"}, key)
term = st.builds(lambda found: {"matchExpressions": found}, st.lists(expression, min_size=1, max_size=2))
selector = st.one_of(
    st.builds(lambda found: {"matchLabels": found}, st.dictionaries(label, st.just("x"), max_size=1)),
    st.builds(lambda one: {"matchExpressions": [{"key": one, "operator": "Exists"}]}, label),
)
pod_term = st.builds(lambda one, chosen: {"topologyKey": one, "labelSelector": chosen}, label, selector)
REQUIRED, PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
affinity = st.fixed_dictionaries({}, optional={
    "nodeAffinity": st.fixed_dictionaries({}, optional={
        REQUIRED: st.builds(lambda found: {"nodeSelectorTerms": found}, st.lists(term, min_size=1, max_size=2)),
        PREFERRED: some(st.builds(lambda one: {"weight": 1, "preference": one}, term)),
    }),
    "podAffinity": st.fixed_dictionaries({}, optional={
        REQUIRED: some(pod_term),
        PREFERRED: some(st.builds(lambda one: {"weight": 1, "podAffinityTerm": one}, pod_term)),
    }),
    "podAntiAffinity": st.fixed_dictionaries({}, optional={REQUIRED: some(pod_term)}),
})  # fmt: skip
projection = st.builds(
    lambda found: {"items": found},
    some(st.one_of(
        st.builds(lambda one: {"path": "a", "resourceFieldRef": {"resource": f"limits.{one}"}}, device),
        st.builds(lambda path: {"path": "b", "fieldRef": {"fieldPath": path}}, label_path),
        st.just({"path": "c", "fieldRef": {"fieldPath": "metadata.name"}}),
    )),
)  # fmt: skip
volume = st.one_of(
    st.builds(lambda found: {"name": "v", "downwardAPI": found}, projection),
    st.builds(
        lambda found: {"name": "v", "projected": {"sources": [{"downwardAPI": found}, {"secret": {}}]}}, projection
    ),
    st.just({"name": "v", "emptyDir": {}}),
)


@st.composite
def device_templates(draw):
    """A template with containers, init containers and sidecars, in which anything may speak of a device."""
    kinds = {"containers": draw(st.integers(1, 3)), "initContainers": draw(st.integers(0, 2))}
    spec = {
        kind: [{"name": f"{kind}-{number}", **draw(container)} for number in range(count)]
        for kind, count in kinds.items()
        if count
    }
    for one in spec.get("initContainers", ()):
        if draw(st.booleans()):
            one["restartPolicy"] = "Always"
    spec |= draw(st.fixed_dictionaries({}, optional={
        "nodeSelector": keyed(st.just("x")),
        "overhead": keyed(amount),
        "tolerations": some(st.builds(lambda one: {"key": one, "operator": "Exists"}, key)),
        "affinity": affinity,
        "topologySpreadConstraints": some(st.builds(lambda one: {"topologyKey": one, "maxSkew": 1}, label)),
        "volumes": some(volume),
        "runtimeClassName": st.sampled_from(["nvidia", "habana", "runc"]),
    }))  # fmt: skip
    metadata = draw(
        st.fixed_dictionaries({}, optional={"labels": keyed(st.just("x")), "annotations": keyed(st.just("y"))})
    )
    return {"metadata": metadata, "spec": spec}
