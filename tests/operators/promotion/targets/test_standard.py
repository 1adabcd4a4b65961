"""What Standard mode's status says, and what each operation asks for, without a server."""

import pytest
from promotions import Cluster, made

from windlass.operators.promotion.decision import decide
from windlass.operators.promotion.facts import Apply, Write


def step(cluster, promotion):
    import attrs
    from promotions import facts

    match decide(promotion, facts(sight=cluster.sight(promotion))):
        case Write(status):
            return attrs.evolve(promotion, status=status)
        case Apply():
            cluster.apply(promotion)
            cluster.follow()
    return promotion


@pytest.fixture
def cluster():
    return Cluster("Standard").follow().follow()


def test_the_canary_is_the_stable_predictor_with_a_name_and_without_what_is_forbidden(cluster):
    cluster.found["spec"]["predictor"] |= {"scaleTarget": 2, "scaleMetric": "cpu", "workerSpec": {}}
    promotion = made()
    for _ in range(2):
        promotion = step(cluster, promotion)

    (canary,) = cluster.found["spec"]["canary"]
    name = canary["predictor"].pop("name")
    assert canary == {
        "trafficPercent": 10,
        "predictor": {
            "minReplicas": 1,
            "model": {**cluster.found["spec"]["predictor"]["model"], "storageUri": "s3://models/digits/2"},
        },
    }
    assert name[0] == "c"
    assert "canaryTrafficPercent" not in cluster.found["spec"]["predictor"]
    assert cluster.found["spec"]["predictor"]["scaleTarget"] == 2


def test_without_the_annotation_that_admission_wants_nothing_begins(cluster):
    del cluster.found["metadata"]["annotations"]
    sight = cluster.sight(made())

    assert (sight.refusal.reason, "serving.kserve.io/deploymentMode" in sight.refusal.message) == (
        "AnnotationMissing",
        True,
    )


def test_a_predictor_with_containers_of_its_own_cannot_have_a_canary(cluster):
    cluster.found["spec"]["predictor"] = {"containers": [{"name": "kserve-container", "image": "m:1"}]}

    assert cluster.sight(made()).refusal.reason == "UnsupportedPredictor"


def test_a_canary_of_somebody_else_makes_it_busy(cluster):
    cluster.found["spec"]["canary"] = [{"trafficPercent": 5, "predictor": {"name": "theirs"}}]

    assert cluster.sight(made()).unsettled == "there are canaries already: theirs"


def test_a_share_that_is_not_yet_given_is_not_reached(cluster):
    promotion = made()
    for _ in range(3):
        promotion = step(cluster, promotion)
    assert cluster.sight(promotion).reached

    cluster.found["status"]["canaryStatuses"][0]["trafficPercent"] = 9
    assert not cluster.sight(promotion).reached
