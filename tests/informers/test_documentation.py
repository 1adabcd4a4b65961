"""The page about informers shows the table that runs, and names every metric."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry
from scripted_cluster import ScriptedCluster, informer_of

from windlass.informers.metrics import CallMetrics, InformerMetrics
from windlass.informers.phases import REFLECTOR, Cause
from windlass.statemachine.diagram import mermaid

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "informers.md"


def test_the_diagram_is_drawn_from_the_reflectors_table():
    drawn = re.findall(r"```mermaid\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)

    assert drawn == [mermaid(REFLECTOR)]


def test_every_phase_and_event_is_in_the_drawing():
    text = PAGE.read_text("utf-8")

    assert all(f'"{state}"' in text for state in REFLECTOR.states)
    assert all(row.event in text for row in REFLECTOR.transitions)


def test_every_metric_and_every_cause_is_named():
    registry = CollectorRegistry()
    CallMetrics(registry, host="server")
    InformerMetrics(registry, lambda: [informer_of(ScriptedCluster())])
    text = PAGE.read_text("utf-8")

    families = {one.name + ("_total" if one.type == "counter" else "") for one in registry.collect()}
    assert len(families) == 15
    assert [name for name in sorted(families) if f"`{name}`" not in text] == []
    assert [cause.value for cause in Cause if f"`{cause.value}`" not in text] == []
