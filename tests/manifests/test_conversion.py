"""Every ConversionReview gets an answer that an API server accepts, or is refused with the field named."""

import json

import attrs
import pytest

from windlass.informers import CustomResource
from windlass.manifests import BadReview, Versions, kind
from windlass.manifests.conversion import API_VERSION, answer


@attrs.frozen
class CupSpec:
    volume: int


@attrs.frozen
class NewCupSpec:
    millilitres: int


@kind("conversion.example.com/v1", name="Cup")
@attrs.frozen
class Cup(CustomResource):
    spec: CupSpec


@kind("conversion.example.com/v2", name="Cup")
@attrs.frozen
class NewCup(CustomResource):
    spec: NewCupSpec


def up(cup: Cup) -> NewCup:
    if cup.spec.volume < 0:
        raise ValueError("a cup holds something")
    return NewCup(spec=NewCupSpec(cup.spec.volume * 10))


CUPS = Versions(NewCup).also(Cup, up=up, down=lambda cup: Cup(spec=CupSpec(cup.spec.millilitres // 10)))


def cup(name, volume):
    return {
        "apiVersion": "conversion.example.com/v1",
        "kind": "Cup",
        "metadata": {"name": name, "namespace": "n"},
        "spec": {"volume": volume},
    }


def review(*objects, wanted="conversion.example.com/v2"):
    request = {"uid": "u-1", "desiredAPIVersion": wanted, "objects": list(objects)}
    return {"apiVersion": API_VERSION, "kind": "ConversionReview", "request": request}


def test_objects_come_back_converted_in_their_order():
    response = answer(review(cup("a", 1), cup("b", 2)), [CUPS])["response"]

    assert response["uid"] == "u-1"
    assert response["result"] == {"status": "Success"}
    assert [(one["apiVersion"], one["metadata"]["name"], one["spec"]) for one in response["convertedObjects"]] == [
        ("conversion.example.com/v2", "a", {"millilitres": 10}),
        ("conversion.example.com/v2", "b", {"millilitres": 20}),
    ]
    assert json.loads(json.dumps(response)) == response


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param(review(cup("a", 1), cup("b", -1)), "conversion.example.com/v1 Cup n/b to", id="a function raises"),
        pytest.param(review(cup("a", "x")), '$.spec.volume: expected an integer, found "x"', id="not of its class"),
        pytest.param(review(cup("a", 1), wanted="conversion.example.com/v9"), "v9 is none of", id="unknown version"),
        pytest.param(review({**cup("a", 1), "kind": "Mug"}), "no kind Mug of the group", id="another kind"),
        pytest.param(review({**cup("a", 1), "metadata": []}), "expected an object", id="no metadata"),
    ],
)
def test_one_object_that_cannot_be_converted_makes_a_failure_that_says_which_and_why(asked, said):
    response = answer(asked, [CUPS])["response"]

    assert response["result"]["status"] == "Failure"
    assert said in response["result"]["message"]
    assert "convertedObjects" not in response


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ([], "kind"),
        ({**review(), "kind": "AdmissionReview"}, "kind"),
        ({**review(), "apiVersion": "apiextensions.k8s.io/v1beta1"}, "apiVersion"),
        ({**review(), "request": None}, "request"),
        ({**review(), "request": {"desiredAPIVersion": "a/v1", "objects": []}}, "request.uid"),
        ({**review(), "request": {"uid": "u", "objects": []}}, "request.desiredAPIVersion"),
        (review("text"), "request.objects"),
    ],
)
def test_what_is_no_review_is_refused_with_the_field_named(asked, field):
    with pytest.raises(BadReview) as caught:
        answer(asked, [CUPS])

    assert caught.value.field == field
