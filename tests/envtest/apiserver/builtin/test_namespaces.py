from windlass.envtest.apiserver.builtin.namespaces import with_conditions
from windlass.envtest.apiserver.store.storage import Key, versioned

NAMESPACE = {"metadata": {"name": "n"}, "status": {"phase": "Terminating"}}


def thing(name, **metadata):
    obj = {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": name} | metadata}
    return versioned(Key("things", "n", name), obj, 1)


def told(namespace):
    return {one["type"]: (one["status"], one["message"]) for one in namespace["status"]["conditions"]}


def test_what_is_left_is_counted_by_kind_and_by_finalizer():
    found = told(with_conditions(NAMESPACE, [thing("a", finalizers=["x/y"]), thing("b", finalizers=["x/y"])], "now"))
    assert found["NamespaceContentRemaining"][1].endswith("things has 2 resource instances")
    assert found["NamespaceFinalizersRemaining"] == (
        "True",
        "Some content in the namespace has finalizers remaining: x/y in 2 resource instances",
    )


def test_content_without_finalizers_is_on_its_way():
    assert told(with_conditions(NAMESPACE, [thing("a")], "now"))["NamespaceFinalizersRemaining"][0] == "False"


def test_the_phase_stays_and_the_argument_is_not_changed():
    found = with_conditions(NAMESPACE, [thing("a")], "now")
    assert found["status"]["phase"] == "Terminating"
    assert "conditions" not in NAMESPACE["status"]


def test_a_second_look_at_the_same_content_changes_nothing():
    once = with_conditions(NAMESPACE, [thing("a")], "now")
    assert with_conditions(once, [thing("a")], "later") == once
