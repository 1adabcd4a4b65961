"""What Knative mode's status says, and what each operation asks for, without a server."""

import attrs
import pytest
from promotions import Cluster, facts, made

from windlass.envtest.workloads.kserve import Behaviour
from windlass.operators.promotion.decision import decide
from windlass.operators.promotion.facts import Apply, Wait, Write

FIRST, SECOND = "digits-predictor-00001", "digits-predictor-00002"


def step(cluster, promotion, **seen):
    """One decision, carried out."""
    decision = decide(promotion, facts(sight=cluster.sight(promotion), **seen))
    match decision:
        case Write(status):
            return attrs.evolve(promotion, status=status)
        case Apply():
            cluster.apply(promotion)
            cluster.follow()
    return promotion


def introduced(cluster, promotion):
    cluster.follow().follow()
    for _ in range(3):
        promotion = step(cluster, promotion)
    return promotion


def test_a_status_that_lags_is_not_taken_for_the_split_that_was_asked_for():
    """A16: KServe has not acted yet, so the old revision still has everything."""
    cluster, promotion = Cluster().follow().follow(), made()
    promotion = step(cluster, promotion)
    cluster.apply(promotion)
    promotion = step(cluster, promotion)
    assert promotion.status.operation.finished_at is not None

    sight = cluster.sight(promotion)
    assert (sight.shown, sight.reached, sight.candidate, dict(sight.split)) == (True, False, "", {FIRST: 100})
    cluster.follow()
    sight = cluster.sight(promotion)
    assert (sight.reached, sight.candidate, dict(sight.split)) == (True, SECOND, {SECOND: 10, FIRST: 90})


def test_a_split_that_leaks_to_a_third_revision_is_not_the_one_asked_for():
    """kserve#2130."""
    cluster, promotion = Cluster(), made()
    promotion = introduced(cluster, promotion)
    traffic = cluster.found["status"]["components"]["predictor"]["traffic"]
    traffic[1]["percent"] -= 5
    traffic.append({"revisionName": "digits-predictor-00000", "percent": 5})

    assert not cluster.sight(promotion).reached


def test_withdrawn_is_reached_only_when_the_previous_release_has_a_ready_revision():
    cluster, promotion = Cluster(script={"digits/1": Behaviour(ready_seconds=0)}), made()
    promotion = introduced(cluster, promotion)
    promotion = step(cluster, promotion)  # the candidate is seen
    promotion = attrs.evolve(promotion, spec=attrs.evolve(promotion.spec, mode="Aborted"))
    promotion = step(cluster, promotion)
    assert promotion.status.operation.name == "withdraw"
    cluster.script["digits/1"] = Behaviour(ready_seconds=60)
    promotion = step(cluster, step(cluster, promotion))

    sight = cluster.sight(promotion)
    assert (sight.reached, sight.restored, sight.split[FIRST]) == (False, False, 100)


def test_a_candidate_that_still_is_the_latest_revision_is_not_taken_for_what_came_back():
    """KServe has not yet followed, so the latest ready revision is the candidate's."""
    cluster, promotion = Cluster(), made()
    promotion = step(cluster, introduced(cluster, promotion))
    promotion = attrs.evolve(promotion, spec=attrs.evolve(promotion.spec, mode="Aborted"))
    promotion = step(cluster, promotion)
    cluster.apply(promotion)
    promotion = step(cluster, promotion)
    sight = cluster.sight(promotion)
    assert (promotion.status.operation.name, sight.shown, sight.reached) == ("withdraw", True, False)

    cluster.follow()
    assert cluster.sight(promotion).reached


@pytest.mark.parametrize("field", ["minReplicas", "maxReplicas"])
def test_another_field_is_no_part_of_what_is_owned(field):
    cluster, promotion = Cluster().follow().follow(), made()
    before = cluster.sight(promotion).others
    cluster.found["spec"]["predictor"][field] = 9

    assert cluster.sight(promotion).others != before


def test_release_and_percent_are_what_is_owned():
    cluster, promotion = Cluster().follow().follow(), made()
    before = cluster.sight(promotion).others
    cluster.found["spec"]["predictor"]["canaryTrafficPercent"] = 9
    cluster.found["spec"]["predictor"]["model"]["storageUri"] = "elsewhere"

    assert cluster.sight(promotion).others == before


def test_a_custom_predictor_is_promoted_by_the_image_of_its_container():
    cluster = Cluster()
    predictor = cluster.found["spec"]["predictor"]
    del predictor["model"]
    predictor["containers"] = [{"name": "proxy", "image": "p:1"}, {"name": "kserve-container", "image": "m:1"}]
    promotion = made(release={"image": "m:2", "modelSha256": "a" * 64})
    introduced(cluster, promotion)

    assert [one["image"] for one in cluster.found["spec"]["predictor"]["containers"]] == ["p:1", "m:2"]


def test_waiting_is_said_once():
    cluster, promotion = Cluster(script={"digits/2": Behaviour(ready_seconds=60)}), made()
    promotion = introduced(cluster, promotion)
    promotion = step(cluster, step(cluster, promotion))

    assert isinstance(decide(promotion, facts(sight=cluster.sight(promotion))), Wait)
