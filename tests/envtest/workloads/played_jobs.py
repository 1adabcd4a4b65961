"""A job under a stand-in's step, on a cluster that obeys at once; its Pods are what a test makes of them."""

from datetime import UTC, datetime, timedelta

import attrs

from windlass.envtest.workloads.jobkinds.behaviour import Behaviour
from windlass.envtest.workloads.jobkinds.plan import Situation

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class PlayedJob:
    def __init__(self, step, spec, *, others=None, name="digits-1"):
        self.step, self.others, self.now = step, others or {}, NOW
        metadata = {"name": name, "namespace": "n", "uid": "u", "generation": 1}
        self.job = {"metadata": metadata | {"creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": spec}
        self.pods = {}
        self.deleted = []
        self.plan = None

    def follow(self, behaviour=None, *, times=1):
        """Perform the step's plan; a status that is new is written, and nothing else done, as in the shell."""
        for _ in range(times):
            situation = Situation(
                job=self.job,
                pods=tuple(self.pods.values()),
                others=self.others,
                behaviour=behaviour or Behaviour(),
                now=self.now,
            )
            plan = self.plan = self.step(situation)
            if plan.status is not None and plan.status != self.job.get("status"):
                self.job["status"] = plan.status
                continue
            for name in plan.delete:
                del self.pods[name]
                self.deleted.append(name)
            for body in plan.create:
                assert body["metadata"]["name"] not in self.pods
                self.pods[body["metadata"]["name"]] = body
        return self

    def settle(self, behaviour=None, *, limit=20):
        """Follow until nothing more comes of it."""
        for _ in range(limit):
            before = repr((self.job, self.pods))
            self.follow(behaviour)
            if repr((self.job, self.pods)) == before:
                return self
        raise AssertionError(f"no rest: {self.job['status']}")

    def after(self, seconds):
        self.now += timedelta(seconds=seconds)
        return self

    def pods_are(self, phase, *names, code=None, reason=None):
        """Every Pod, or those whose names end so, is in this phase."""
        ready = {"type": "Ready", "status": "True" if phase == "Running" else "False"}
        state = {"running": {}} if code is None else {"terminated": {"exitCode": code}}
        status = {"phase": phase, "conditions": [ready], "containerStatuses": [{"restartCount": 0, "state": state}]}
        for name, pod in self.pods.items():
            if not names or name.endswith(names):
                self.pods[name] = pod | {"status": status | ({"reason": reason} if reason else {})}
        return self

    @property
    def status(self):
        return self.job.get("status") or {}

    @property
    def conditions(self):
        return {one["type"]: (one["status"], one["reason"]) for one in self.status.get("conditions") or ()}

    @property
    def true(self):
        return {kind for kind, (status, _) in self.conditions.items() if status == "True"}

    def times(self, kind):
        return next(one["lastTransitionTime"] for one in self.status["conditions"] if one["type"] == kind)

    def env(self, name):
        (container,) = self.pods[name]["spec"]["containers"]
        return {one["name"]: one.get("value") for one in container["env"]}


def scripted(**fields):
    return attrs.evolve(Behaviour(), **fields)
