"""A session of kubectl, recorded on two servers: the commands, and what of their output may differ."""

import itertools
import json
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import attrs

__all__ = ("COMMANDS", "DEFINITION", "Command", "kubectls", "steady")

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: trains.rail.dev}
spec:
  group: rail.dev
  scope: Namespaced
  names: {plural: trains, kind: Train, shortNames: [tr], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.cars, statusReplicasPath: .status.cars}
    additionalPrinterColumns:
    - {name: Cars, type: integer, jsonPath: .spec.cars}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    - {name: Gauge, type: string, jsonPath: .spec.gauge, priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [cars]
            properties:
              cars: {type: integer, minimum: 1, maximum: 10, description: How many cars.}
              gauge: {type: string, enum: [broad, narrow], default: broad}
          status:
            type: object
            properties:
              cars: {type: integer}
              conditions:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [type]
                items:
                  type: object
                  required: [type, status]
                  properties: {type: {type: string}, status: {type: string}, reason: {type: string}}
"""


def kubectls() -> list[Any]:
    """Every kubectl that is on this machine, or one None."""
    places = [
        os.environ.get("KUBECTL"),
        shutil.which("kubectl"),
        Path.home() / ".cache" / "windlass" / "kubectl-1.20.2" / "kubectl",
    ]
    found = {os.path.realpath(place) for place in places if place and Path(place).exists()}
    return sorted(found) or [None]


@attrs.frozen
class Command:
    """What is typed, and what is given on the standard input.

    `since` is the minor version of kubectl that knows it, `before` the first that asks the two versions of the server
    for different things.
    """

    typed: str
    given: Any = None
    since: int = 0
    before: int = 1000

    @property
    def arguments(self) -> list[str]:
        """The words, as a shell reads them."""
        return shlex.split(self.typed)

    @property
    def text(self) -> bytes:
        """The standard input."""
        return b"" if self.given is None else json.dumps(self.given).encode()


def _map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _train(name: str, cars: Any, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "rail.dev/v1", "kind": "Train", "metadata": {"name": name}, "spec": {"cars": cars} | spec}


def _commands(text: str) -> list[Command]:
    return [Command(line.strip()) for line in text.strip().splitlines()]


COMMANDS: tuple[Command, ...] = (
    *_commands(
        """
        create configmap signals --from-literal=red=stop
        create configmap signals --from-literal=red=stop
        create secret generic key --from-literal=pin=1234
        create serviceaccount driver
        create deployment shed --image=one --replicas=2
        create job wash --image=soap -- scrub hard
        create service clusterip shed --tcp=80:8080
        create role reader --verb=get,list --resource=pods,deployments.apps
        create role nobody --verb=get --resource=unheard
        create rolebinding readers --role=reader --user=ann --serviceaccount=yard:driver
        create clusterrole far-NAME --verb=get --non-resource-url=/far
        create clusterrolebinding far-NAME --clusterrole=far-NAME --group=crew-NAME
        run express --image=engine:2 --labels=line=north --restart=Never
        get deployments,statefulsets,service,sa,roles,configmap,secret
        get rolebindings -o wide
        get clusterrole far-NAME
        get clusterrolebinding far-NAME -o wide
        get pods -o wide
        get pods -l 'line in (north, south)' -o name
        get pods -l line!=north
        get pods --field-selector metadata.name=express -o 'jsonpath={.items[*].spec.containers[*].imagePullPolicy}'
        get deployment shed -o 'jsonpath={.spec}'
        get service shed -o 'jsonpath={.spec.ports}'
        get configmap nowhere
        get unheard
        get configmap signals -o 'go-template={{.data.red}}'
        get configmap -o 'custom-columns=NAME:.metadata.name,RED:.data.red'
        describe role,rolebinding
        describe clusterrolebinding far-NAME
        describe deployment shed
        describe service shed
        describe configmap,secret,serviceaccount,pod
        auth can-i get pods --as ann
        auth can-i delete pods --as ann
        auth can-i get pods --as ann -n default
        auth can-i get pods --subresource=log --as ann
        auth can-i list deployments.apps --as system:serviceaccount:NAME:driver
        auth can-i get /far --as x --as-group crew-NAME
        auth can-i get /far --as x
        auth can-i --list --as ann
        auth can-i --list --as x --as-group crew-NAME
        auth can-i create unheard
        get pods --as bob
        get secret key --as ann
        get pods --as ann -o name
        delete pod express --as ann
        scale deployment shed --replicas=3
        scale deployment shed --current-replicas=1 --replicas=5
        get deployment shed -o 'jsonpath={.spec.replicas} {.metadata.generation}'
        patch deployment shed -p '{"spec":{"template":{"metadata":{"labels":{"x":"y"}}}}}'
        patch deployment shed -p '{"spec":{"template":{"metadata":{"labels":{"x":"y"}}}}}'
        patch configmap signals --type merge -p '{"data":{"green":"go"}}'
        patch configmap signals --type json -p '[{"op":"remove","path":"/data/red"}]'
        patch configmap signals --type json -p '[{"op":"test","path":"/data/green","value":"stop"}]'
        get configmap signals -o 'jsonpath={.data}'
        label configmap signals a=b
        label configmap signals a=c
        label configmap signals a=c --overwrite
        label configmap signals a-
        label configmap signals 'a=not fine'
        annotate configmap signals note=here
        set image deployment/shed one=two
        set env deployment/shed COLOUR=red
        get deployment shed -o 'jsonpath={.spec.template.spec.containers[*].image}'
        expose deployment shed --port=80 --name=gate
        rollout pause deployment shed
        rollout resume deployment shed
        wait --for=condition=Available deployment/shed --timeout=1s
        wait --for=delete configmap/nowhere --timeout=1s
        """
    ),
    Command("create token driver --duration=5s", since=24),
    Command("create token nobody", since=24),
    Command("create -f -", _map("Upper")),
    Command("create -f -", {"apiVersion": "v1", "kind": "Unheard", "metadata": {"name": "a"}}),
    Command("apply -f -", _map("table", x="1", y="1")),
    Command("apply -f -", _map("table", x="1", y="1")),
    Command("apply -f -", _map("table", x="2")),
    Command("get configmap table -o 'jsonpath={.data}'"),
    Command("diff -f -", _map("table", x="3")),
    Command("diff -f -", _map("table", x="2")),
    Command("apply --dry-run=server -f -", _map("table", x="4")),
    Command("apply --server-side --field-manager=one -f -", _map("own", x="2")),
    Command("apply --server-side --field-manager=two -f -", _map("own", x="3")),
    Command("apply --server-side --field-manager=two --force-conflicts -f -", _map("own", x="3")),
    Command("apply -f -", _train("express", 3)),
    Command("apply -f -", _train("express", 4)),
    Command("apply -f -", _train("long", 99, gauge="odd")),
    Command("diff -f -", _train("express", 5)),
    Command("apply --server-side -f -", _train("local", 2)),
    Command("replace -f -", _train("local", 1)),
    Command("replace -f -", _train("nowhere", 1)),
    *_commands(
        """
        get trains
        get trains -o wide
        get trains,configmaps -o name
        get train express -o 'jsonpath={.spec}'
        describe train express
        scale train express --replicas=7
        scale train express --replicas=70
        patch train express --type merge -p '{"spec":{"gauge":"narrow"}}'
        patch train express --type json -p '[{"op":"replace","path":"/spec/gauge","value":5}]'
        get train express -o 'jsonpath={.spec} {.metadata.generation}'
        """
    ),
    Command("explain train.spec", before=24),
    Command("explain train.spec.cars", before=24),
    Command("explain train.status --recursive", before=24),
    Command("explain train.spec.wings", before=24),
    *_commands(
        """
        wait --for=condition=Ready train/express --timeout=1s
        auth can-i patch trains
        auth can-i update trains --subresource=scale --as ann
        api-resources --api-group=rail.dev
        api-resources --api-group=rail.dev -o name --verbs=watch,delete
        api-resources --api-group=rbac.authorization.k8s.io
        api-resources --api-group=authorization.k8s.io
        api-resources --api-group=coordination.k8s.io
        get --raw /apis/rail.dev/v1/unheard
        get --raw /healthz
        delete train express
        delete trains --all
        delete configmap nowhere
        delete configmap nowhere --ignore-not-found
        delete configmap -l a=c
        delete job wash --cascade=background
        delete service,role,rolebinding,deployment,configmap --all
        delete clusterrole far-NAME
        delete clusterrolebinding far-NAME
        get all,cm,secret
        """
    ),
)

_CHANGING = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"), "TIME"),
    (re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]+ [+0-9]+"), "TIME"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]+ [+0-9]+"), "TIME"),
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"eyJ[-_0-9A-Za-z.]+"), "TOKEN"),
    (re.compile(r"\b10(?:\.[0-9]{1,3}){3}\b"), "ADDRESS"),
    (re.compile(r"(LIVE|MERGED)-[0-9]+"), r"\1"),
    (re.compile(r"(?:(?<=\s)|^)(?:[0-9]+[smhd])+(?=\s|$)"), "AGE"),
    (re.compile(r'(resourceVersion"?: ?"?|Resource Version: +)[0-9]+'), r"\1VERSION"),
    (re.compile(r'"creationTimestamp":null,?'), ""),
    (re.compile(r"[ \t]+"), " "),
)


# Of a difference: where it is, and a time, which differs only if a second has passed.
_PASSING = re.compile(r"@@ |[-+] *time: ")


def steady(output: str) -> list[str]:
    """The lines of an output without what changes from run to run, and the blanks that it takes."""
    for pattern, text in _CHANGING:
        output = pattern.sub(text, output)
    lines = (line.rstrip() for line in output.splitlines())
    found: list[str] = []
    for causes, group in itertools.groupby((line for line in lines if not _PASSING.match(line)), _is_cause):
        # A real server walks through the properties of a schema in another order each time.
        found += sorted(group) if causes else group  # noqa: B031 - used once, whichever it is
    return found


def _is_cause(line: str) -> bool:
    return line.startswith("* ")
