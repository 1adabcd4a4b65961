"""Katib as the API server sees it: its definitions, and a stand-in for its controllers that does what a script says.

The schema has the fields that are used, with their real types: numbers are texts. What Katib itself does not check,
such as a trial's manifest, is free here, too.
"""

import asyncio
import contextlib

import attrs

from windlass.envtest.workloads.definitions import serve
from windlass.informers.api import Api
from windlass.informers.builtins import CustomResourceDefinition
from windlass.informers.errors import InformersError, NotFound
from windlass.informers.keys import Key
from windlass.operators.training.gate.katib import EXPERIMENT, EXPERIMENT_LABEL, TRIAL

TEXT, NUMBER, FREE = (
    {"type": "string"},
    {"type": "integer"},
    {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
)


def thing(required=(), **properties):
    return (
        {"type": "object", "properties": properties, "required": list(required)}
        if required
        else {"type": "object", "properties": properties}
    )


def many(item):
    return {"type": "array", "items": item}


CONDITION = thing(
    ("type", "status"), type=TEXT, status=TEXT, reason=TEXT, message=TEXT, lastUpdateTime=TEXT, lastTransitionTime=TEXT
)
ASSIGNMENTS = many(thing(("name", "value"), name=TEXT, value=TEXT))
OBSERVATION = thing(metrics=many(thing(("name",), name=TEXT, min=TEXT, max=TEXT, latest=TEXT)))
OBJECTIVE = thing(
    ("type", "objectiveMetricName"),
    type={"type": "string", "enum": ["minimize", "maximize"]},
    goal={"type": "number"},
    objectiveMetricName=TEXT,
    additionalMetricNames=many(TEXT),
    metricStrategies=many(
        thing(("name", "value"), name=TEXT, value={"type": "string", "enum": ["min", "max", "latest"]})
    ),
)
SPACE = thing(
    min=TEXT,
    max=TEXT,
    step=TEXT,
    list=many(TEXT),
    distribution={"type": "string", "enum": ["uniform", "logUniform", "normal", "logNormal"]},
)
PARAMETER = thing(
    ("name", "parameterType", "feasibleSpace"),
    name=TEXT,
    parameterType={"type": "string", "enum": ["double", "int", "discrete", "categorical"]},
    feasibleSpace=SPACE,
)
TEMPLATE = thing(
    trialSpec={**FREE, "x-kubernetes-embedded-resource": True},
    trialParameters=many(thing(("name", "reference"), name=TEXT, reference=TEXT)),
    primaryContainerName=TEXT,
    primaryPodLabels={"type": "object", "additionalProperties": TEXT},
    successCondition=TEXT,
    failureCondition=TEXT,
    retain={"type": "boolean"},
)
COUNTS = {
    f"trials{name}": NUMBER for name in ("", "Succeeded", "Failed", "Killed", "Pending", "Running", "EarlyStopped")
}
EXPERIMENT_SCHEMA = thing(
    spec=thing(
        ("objective", "algorithm"),
        objective=OBJECTIVE,
        algorithm=thing(("algorithmName",), algorithmName=TEXT, algorithmSettings=ASSIGNMENTS),
        parallelTrialCount=NUMBER,
        maxTrialCount=NUMBER,
        maxFailedTrialCount=NUMBER,
        parameters=many(PARAMETER),
        metricsCollectorSpec=thing(collector=thing(kind=TEXT)),
        trialTemplate=TEMPLATE,
        resumePolicy={"type": "string", "enum": ["Never", "LongRunning", "FromVolume"]},
    ),
    status=thing(conditions=many(CONDITION), trialMetricsUnavailable=NUMBER, **COUNTS),
)
TRIAL_SCHEMA = thing(
    spec=thing(parameterAssignments=ASSIGNMENTS), status=thing(conditions=many(CONDITION), observation=OBSERVATION)
)


def definition(resource, schema):
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": {
                "plural": resource.plural,
                "kind": resource.kind,
                "singular": resource.kind.lower(),
                "listKind": f"{resource.kind}List",
            },
            "versions": [version],
        },
    }


async def install_katib(api: Api) -> None:
    definitions = [definition(EXPERIMENT, EXPERIMENT_SCHEMA), definition(TRIAL, TRIAL_SCHEMA)]
    await serve(api, definitions, [EXPERIMENT, TRIAL])


async def remove_katib(api: Api) -> None:
    for resource in (EXPERIMENT, TRIAL):
        with contextlib.suppress(NotFound):
            await api.delete(CustomResourceDefinition, Key("", f"{resource.plural}.{resource.group}"))
    for resource in (EXPERIMENT, TRIAL):
        await _until_gone(api, resource)


async def _until_gone(api, resource):
    with contextlib.suppress(NotFound):
        while True:
            await api.list(resource, limit=1)
            await asyncio.sleep(0.05)


@attrs.define
class Katib:
    """Plays each new Experiment of a namespace once: a trial for each word of `script`, then the Experiment's own end.

    Words: `fails`, `killed`, `stops early`, `unavailable`, `hangs`, or a number, which is the objective. `ends` is a
    condition of the Experiment and its reason, or None: it never ends. `go` holds the trials back until it is set.
    """

    api: Api
    namespace: str
    script: tuple
    ends: tuple[str, str] | None = ("Succeeded", "ExperimentMaxTrialsReached")
    go: asyncio.Event = attrs.field(factory=asyncio.Event)
    played: list[str] = attrs.field(factory=list)
    over: bool = False

    @contextlib.asynccontextmanager
    async def running(self, *, at_once=True):
        if at_once:
            self.go.set()
        task = asyncio.create_task(self._run(), name="katib")
        try:
            yield self
        finally:
            # Not cancelled: it ends between two requests, so that none is left half sent.
            self.over = True
            self.go.set()
            await task

    async def _run(self):
        while not self.over:
            for experiment in (await self.api.list(EXPERIMENT, namespace=self.namespace)).items:
                if experiment.uid not in self.played:
                    self.played.append(experiment.uid)
                    with contextlib.suppress(NotFound):  # deleted while it ran
                        await self._play(experiment.to_dict())
            await asyncio.sleep(0.02)

    async def _play(self, experiment):
        name, objective = experiment["metadata"]["name"], experiment["spec"]["objective"]["objectiveMetricName"]
        await self._status(EXPERIMENT, name, {"conditions": [condition("Created"), condition("Running")]})
        await self.go.wait()
        for index, word in enumerate(self.script):
            await self._trial(experiment, f"{name}-{index:02d}", word, objective)
        if self.ends is not None:
            kind, reason = self.ends
            ended = {
                "conditions": [condition("Created"), condition("Running", "False"), condition(kind, reason=reason)]
            }
            await self._status(EXPERIMENT, name, {"trials": len(self.script), **ended})

    async def _trial(self, experiment, name, word, objective):
        assigned = [
            {"name": one["name"], "value": one["feasibleSpace"]["min"]} for one in experiment["spec"]["parameters"]
        ]
        labels = {EXPERIMENT_LABEL: experiment["metadata"]["name"]}
        body = {
            "apiVersion": TRIAL.api_version,
            "kind": TRIAL.kind,
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
            "spec": {"parameterAssignments": assigned},
        }
        await self.api.create(TRIAL, body)
        await self._status(TRIAL, name, trial_status(word, objective))

    async def _status(self, resource, name, status):
        key = Key(self.namespace, name)
        while True:
            try:
                await self.api.patch(resource, key, {"status": status}, subresource="status")
            except NotFound:
                raise
            except InformersError:
                await asyncio.sleep(0.02)
            else:
                return


def condition(kind, status="True", *, reason=""):
    return {"type": kind, "status": status, "reason": reason or f"Experiment{kind}", "message": f"it is {kind}"}


def trial_status(word, objective):
    """What a trial's status says, by a word of the script."""
    match word:
        case "hangs":
            return {"conditions": [condition("Created"), condition("Running")]}
        case "fails":
            return {"conditions": [condition("Running", "False"), condition("Failed")]}
        case "killed":
            return {"conditions": [condition("Running", "False"), condition("Killed")]}
        case "unavailable":
            metrics = [{"name": objective, "min": "unavailable", "max": "unavailable", "latest": "unavailable"}]
            conditions = [condition("Succeeded", "False"), condition("MetricsUnavailable")]
            return {"conditions": conditions, "observation": {"metrics": metrics}}
        case "stops early":
            metrics = [{"name": objective, "min": "0.1", "max": "0.1", "latest": "0.1"}]
            conditions = [condition("EarlyStopped"), condition("Succeeded")]
            return {"conditions": conditions, "observation": {"metrics": metrics}}
    metrics = [{"name": "loss", "latest": "0.5"}, {"name": objective, "min": "0", "max": "1", "latest": str(word)}]
    return {"conditions": [condition("Running", "False"), condition("Succeeded")], "observation": {"metrics": metrics}}
