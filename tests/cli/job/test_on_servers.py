"""`windlass job` against servers: what there is, what is not, and what steering leaves in the spec."""

import asyncio
import json
import re
import sys
from pathlib import Path

import click
import pytest

from windlass.cli.job.access import Jobs, NoSuchJob
from windlass.cli.job.listing import Asked, watch_jobs
from windlass.cli.job.output import NoOutput
from windlass.cli.job.steering import NotSteerable
from windlass.informers.builtins import CustomResourceDefinition, Event
from windlass.informers.errors import ConnectionFailed, InformersError
from windlass.informers.keys import Key
from windlass.manifests import crd
from windlass.operators.promotion.types import Promotion
from windlass.operators.training import TrainingJob

sys.path.insert(0, str(Path(__file__).parent))

from clusters import FAILED, RUNNING, SUCCEEDED, house, invoke

SERVERS = ("embedded", "kubernetes")
pytestmark = pytest.mark.realtime(limit=120)


@pytest.mark.parametrize("kind", SERVERS)
async def test_the_list_has_a_line_a_job_with_what_is_known_of_it(kind, tmp_path):
    async with house(kind, tmp_path) as lab:
        await lab.job("running", RUNNING)
        await lab.promotion(await lab.job("served", SUCCEEDED), phase="Holding", weight=50)
        await lab.job("waiting")
        found = await lab.run("list")
        values = json.loads((await lab.run("list", "served", "--json")).output)

    assert found.return_value == 0
    lines = [re.split(r"\s{2,}", line)[:-1] for line in found.output.splitlines()]
    assert lines == [
        ["NAME", "PHASE", "EPOCH", "LOSS", "ACCURACY", "HELD-OUT", "MODEL", "WEIGHT"],
        ["running", "Running", "3/10", "0.2500", "0.900", "-", "-", "-"],
        ["served", "Succeeded", "3/10", "0.2500", "0.900", "0.950", "m:4", "50 %"],
        ["waiting", "Pending", "-", "-", "-", "-", "-", "-"],
    ]
    (one,) = values
    assert (one["phase"], one["heldOutAccuracy"], one["promotion"], one["weight"]) == ("Succeeded", 0.95, "Holding", 50)
    assert (one["ended"], one["version"], one["created"][-1]) == (True, 4, "Z")


@pytest.mark.parametrize("kind", SERVERS)
async def test_a_description_has_all_that_is_on_record(kind, tmp_path):
    async with house(kind, tmp_path) as lab:
        job = await lab.job("digits", SUCCEEDED)
        await lab.promotion(job, phase="Holding", weight=50)
        reference = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": lab.namespace}}
        about = {"apiVersion": "ai.windlass.dev/v1alpha1", "kind": "TrainingJob", "name": "digits", "uid": job.uid}
        about["namespace"] = lab.namespace
        await lab.api.create(
            Event,
            reference | {"involvedObject": about, "reason": "Trained", "message": "it did", "type": "Normal"},
        )
        found = await lab.run("describe", "digits")
        values = json.loads((await lab.run("describe", "digits", "--json")).output)

    assert found.return_value == 0
    for part in (
        f"{lab.namespace}/digits: Succeeded", "data.uri       /data", "attempt        2", "version        4",
        "digits-1: Holding at 50 %", "Running → Validating  finish", "Succeeded  True", "Trained  it did",
    ):  # fmt: skip
        assert part in found.output
    assert [values["job"]["metadata"]["name"], values["promotion"]["status"]["weight"]] == ["digits", 50]
    assert [event["reason"] for event in values["events"]] == ["Trained"]


@pytest.mark.parametrize("kind", SERVERS)
async def test_watching_ends_with_the_jobs_that_were_named(kind, tmp_path, capsys):
    async with house(kind, tmp_path) as lab:
        job = await lab.job("digits", RUNNING)
        await lab.job("other", RUNNING)
        asked = Asked(("digits",), as_json=True)
        watching = asyncio.create_task(watch_jobs(Jobs(lab.api, lab.namespace), asked))
        await asyncio.sleep(1.0)  # so that it sees the rest happen; what it says in the end does not depend on that
        await lab.promotion(job, phase="Holding", weight=10)
        await lab.status("digits", SUCCEEDED)
        code = await watching

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert {line["name"] for line in lines} == {"digits"}
    assert (lines[-1]["phase"], lines[-1]["weight"]) == ("Succeeded", 10)


async def test_a_definition_that_is_too_old_for_steering_is_named(tmp_path):
    async with house("embedded", tmp_path) as lab:
        name = "trainingjobs.ai.windlass.dev"
        old = crd(TrainingJob)
        for version in old["spec"]["versions"]:
            for field in ("suspend", "cancel"):
                version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].pop(field, None)
        stored = await lab.api.get(CustomResourceDefinition, Key("", name))
        old["metadata"]["resourceVersion"] = stored.resource_version
        await lab.api.replace(CustomResourceDefinition, old)
        await lab.job("digits", RUNNING)
        found = await lab.run("suspend", "digits")

    assert isinstance(found.exception, NotSteerable)
    assert str(found.exception).startswith("this cluster's definition of TrainingJob has no field spec.suspend")


@pytest.mark.parametrize("kind", SERVERS)
async def test_steering_writes_one_field_and_says_so(kind, tmp_path):
    async with house(kind, tmp_path) as lab:
        await lab.job("digits", RUNNING)
        verbs = ("suspend", "suspend", "resume", "resume", "cancel", "cancel")
        said = [(await lab.run(verb, "digits")).output.partition("digits ")[2] for verb in verbs]
        spec = (await lab.api.get(TrainingJob, Key(lab.namespace, "digits"))).to_dict()["spec"]
        refused = await lab.run("resume", "digits")

    assert said == [
        "is to be suspended\n", "is suspended already\n", "is to go on\n", "is not suspended\n",
        "is to be cancelled\n", "is cancelled already\n",
    ]  # fmt: skip
    assert (spec["suspend"], spec["cancel"], spec["data"]["uri"]) == (False, True, "/data")
    assert refused.output.endswith("is not suspended\n")


@pytest.mark.parametrize("kind", SERVERS)
async def test_what_is_not_there_or_has_ended_is_said_in_a_sentence(kind, tmp_path, capsys):
    async with house(kind, tmp_path) as lab:
        await lab.job("digits", FAILED)
        absent = (await lab.run("describe", "digit")).exception
        ended = (await lab.run("suspend", "digits")).exception
        nothing = (await lab.run("logs", "digits", "--state", str(tmp_path))).exception
        code = await watch_jobs(Jobs(lab.api, lab.namespace), Asked(("digits",)))

    assert isinstance(absent, NoSuchJob)
    assert str(absent) == f"there is no TrainingJob {lab.namespace}/digit; there are digits"
    assert isinstance(ended, NotSteerable)
    assert str(ended) == f"{lab.namespace}/digits has ended: it is Failed"
    assert isinstance(nothing, NoOutput)
    assert "name the folder of the operator that trains it with --state" in str(nothing)
    assert code == 1
    assert "TrainerFailed: it said \ufffd[31mno" in capsys.readouterr().out, (
        "no word of a job reaches the terminal as a command"
    )


async def test_the_promotion_of_an_earlier_life_is_not_that_of_the_present_one(tmp_path):
    async with house("embedded", tmp_path) as lab:
        job = await lab.job("digits", FAILED)
        await lab.promotion(job, phase="Complete", weight=100, recorded=False)
        (listed,) = json.loads((await lab.run("list", "digits", "--json")).output)
        described = json.loads((await lab.run("describe", "digits", "--json")).output)
        drawn = (await lab.run("timeline", "digits")).output

    assert (listed["phase"], listed["promotion"], listed["weight"]) == ("Failed", None, None)
    assert described["promotion"] is None
    assert "digits-1" not in drawn


async def test_names_that_no_job_has_are_wrong_usage(tmp_path):
    async with house("embedded", tmp_path) as lab:
        await lab.job("digits.v2", RUNNING)
        empty = (await lab.run("describe", "")).exception
        upper = (await lab.run("logs", "Digits")).exception
        good = await lab.run("describe", "digits.v2")

    assert isinstance(empty, click.UsageError)
    assert empty.message.endswith("expected the name of an object (DNS-1123), found ''")
    assert isinstance(upper, click.UsageError)
    assert good.return_value == 0


async def test_a_job_that_is_deleted_while_it_is_watched_is_told_as_gone(tmp_path, capsys):
    async with house("embedded", tmp_path) as lab:
        await lab.job("digits", RUNNING)
        jobs = Jobs(lab.api, lab.namespace)
        watching = asyncio.create_task(watch_jobs(jobs, Asked(("digits",), as_json=True)))
        said = ""
        while not said:
            await asyncio.sleep(0.05)
            said = capsys.readouterr().out
        await lab.api.delete(TrainingJob, Key(lab.namespace, "digits"))
        code = await watching

    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (code, last["name"], last["phase"], last["ended"]) == (1, "digits", "Deleted", True)


async def test_a_cluster_without_promotions_has_jobs_without_weights(tmp_path):
    async with house("embedded", tmp_path, TrainingJob) as lab:
        await lab.job("digits", RUNNING)
        found = await lab.run("list")
        described = await lab.run("describe", "digits")

    assert (found.return_value, described.return_value) == (0, 0)
    assert "digits" in found.output


async def test_a_cluster_without_the_kind_says_how_to_get_it(tmp_path):
    async with house("embedded", tmp_path, Promotion) as lab:
        found = await lab.run("list")

    assert isinstance(found.exception, NoSuchJob)
    assert str(found.exception).startswith("this cluster has no TrainingJobs: `windlass crd generate")


async def test_a_server_that_cannot_be_reached_is_a_failure_and_no_traceback(tmp_path):
    async with house("embedded", tmp_path) as lab:
        pass
    found = await lab.run("list")

    assert isinstance(found.exception, ConnectionFailed)
    assert isinstance(found.exception, InformersError)


def test_names_and_all_namespaces_do_not_go_together():
    assert "names are of one namespace" in str(invoke("list", "a", "-A").exception)
