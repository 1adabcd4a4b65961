"""Traffic: which model answers for a public name, by weight, header and unit, with shadows and experiments.

The endpoint does this by itself when it is given `TrafficOptions`; the values here make the routes, in code or as the
document of a file or of the API.
"""

from windlass.serving.errors import NoPrecondition, RouteError, RoutesChanged, RoutesFixed
from windlass.serving.experiments.plan import Experiment, Fuse, Goal, Guardrail
from windlass.serving.traffic.assignment import arm_for
from windlass.serving.traffic.client import Remote, TrafficClient
from windlass.serving.traffic.document import parse_document, read_route, read_routes, route_to_dict, routes_to_dict
from windlass.serving.traffic.options import TrafficOptions
from windlass.serving.traffic.route import HEADER, Arm, Match, Route, Routes, Shadow

__all__ = (
    "HEADER",
    "Arm",
    "Experiment",
    "Fuse",
    "Goal",
    "Guardrail",
    "Match",
    "NoPrecondition",
    "Remote",
    "Route",
    "RouteError",
    "Routes",
    "RoutesChanged",
    "RoutesFixed",
    "Shadow",
    "TrafficClient",
    "TrafficOptions",
    "arm_for",
    "parse_document",
    "read_route",
    "read_routes",
    "route_to_dict",
    "routes_to_dict",
)
