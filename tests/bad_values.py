"""Values of a schema: a good one follows from the schema alone, a bad one is a good one with one thing wrong.

Whether it is wrong indeed is for the servers to say: what is drawn here is meant to be near the border.
"""

import copy
import json
import random
import string

__all__ = ("good_value", "mutants", "seeded")

_TEXTS = {
    "date-time": "2026-03-01T12:00:00Z",
    "ipv4": "10.0.0.7",
    "uuid": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "cidr": "10.0.0.0/8",
    "byte": "YWJj",
}
_STRAY = (
    None,
    "",
    "x",
    "UPPER",
    "-",
    0,
    -1,
    1,
    2,
    1.5,
    10**6,
    True,
    [],
    {},
    [None],
    ["a", "a"],
    {"a": None},
    "1h",
    "5Gi",
)


def good_value(schema, draw):
    """A value that is meant to be valid."""
    if "enum" in schema:
        return draw.choice(schema["enum"])
    if "default" in schema and draw.random() < 0.3:
        return copy.deepcopy(schema["default"])
    if schema.get("x-kubernetes-int-or-string"):
        return draw.choice([5, "500m"] if "Ki" in str(schema) or "KMGTPE" in str(schema) else [5, "50%"])
    if schema.get("x-kubernetes-embedded-resource"):
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    build = {"string": _text, "integer": _number, "number": _number, "boolean": lambda *_: draw.random() < 0.5}
    build |= {"array": _list, "object": _object}
    return build[schema["type"]](schema, draw) if "type" in schema else {"any": [1, "a"]}


def _text(schema, draw):
    if schema.get("format") in _TEXTS:
        return _TEXTS[schema["format"]]
    pattern = schema.get("pattern", "")
    if "ns|us" in pattern:
        return draw.choice(["1h30m", "90s", "0", "-1.5ms"])
    if pattern.startswith("^(gs|s3"):
        return "s3://bucket"
    if "allOf" in schema:
        return "/a/b"
    low, high = schema.get("minLength", 1), schema.get("maxLength", 12)
    return "".join(draw.choices(string.ascii_lowercase, k=draw.randint(max(low, 1), min(high, low + 12))))


def _number(schema, draw):
    low, high, step = schema.get("minimum", 0), schema.get("maximum", 50), schema.get("multipleOf", 1)
    if schema["type"] == "number":
        return round(draw.uniform(low + 0.01, high), 3)
    return next(
        n for n in iter(lambda: draw.randint(low, high), None) if n % step == 0 and (n != 2 or "not" not in schema)
    )


def _list(schema, draw):
    low = schema.get("minItems", 0)
    count = draw.randint(low, min(schema.get("maxItems", 3), low + 2))
    found, seen = [], set()
    for _ in range(count):
        item = good_value(schema["items"], draw)
        keys = schema.get("x-kubernetes-list-map-keys")
        defaults = schema["items"].get("properties", {})
        identity = json.dumps([item.get(key, defaults[key].get("default")) for key in keys] if keys else item)
        if identity not in seen or schema.get("x-kubernetes-list-type") is None:
            found.append(item)
        seen.add(identity)
    return found


def _object(schema, draw):
    if "additionalProperties" in schema:
        low = schema.get("minProperties", 0)
        count = draw.randint(low, min(schema.get("maxProperties", 3), low + 2))
        return {f"k{n}": good_value(schema["additionalProperties"], draw) for n in range(count)}
    fields = schema.get("properties", {})
    names = {name for name in fields if name in schema.get("required", ()) or draw.random() < 0.6}
    if "oneOf" in schema:
        cases = [part["required"][0] for part in schema["oneOf"]]
        names = names - set(cases) | {draw.choice(cases)}
    return {name: good_value(fields[name], draw) for name in sorted(names)}


def mutants(value, draw, count):
    """Copies of a JSON object with one thing changed each: another value, something gone, twice, or of a new name."""
    places = list(_places(value, ()))
    for _ in range(count):
        changed = copy.deepcopy(value)
        path = draw.choice(places)
        holder = changed
        for step in path[:-1]:
            holder = holder[step]
        old = holder[path[-1]]
        how = draw.choice(["stray", "stray", "near", "gone", "twice", "other"])
        if how == "gone":
            del holder[path[-1]]
        elif how == "twice" and isinstance(old, list) and old:
            old.append(copy.deepcopy(old[0]))
        elif how == "other" and isinstance(old, dict):
            old[draw.choice(["new", "a", "k0"])] = draw.choice(_STRAY)
        elif how == "near":
            holder[path[-1]] = _near(old, draw)
        else:
            holder[path[-1]] = copy.deepcopy(draw.choice(_STRAY))
        yield changed


def _near(value, draw):
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, (int, float)):
        return draw.choice([value + 0.5, value * 100 + 1, -value - 1, str(value), float(value)])
    if isinstance(value, str):
        return draw.choice([value * 7, value.upper(), value[1:], f" {value}", f"{value}\n", "é" + value, value + "-"])
    if isinstance(value, list):
        return draw.choice([value * 5, {"0": value}, [*value, None], [value]])
    return draw.choice([[value], json.dumps(value), {**value, "k9": None}])


def _places(value, path):
    if path:
        yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from _places(inner, (*path, step))


def seeded(seed):
    """A source of choices that is the same every time."""
    return random.Random(seed)
