"""Write the pages of this folder that follow from the code: python docs/reference/generate.py [--check].

`library/ROOM.md` tells what a package's `__all__` names, with signatures and docstrings; `run.md` gets the table of
`windlass run`'s options. `--check` writes nothing and exits 1, naming the pages that differ from the code.
"""

import ast
import enum
import importlib
import inspect
import itertools
import re
import sys
from pathlib import Path

import attrs
import click

from windlass.cli.run import command
from windlass.informers.resources import Resource
from windlass.operators.training.hardware.builtin import BUILT_IN

HERE = Path(__file__).resolve().parent
ROOMS = {
    "statemachine": "States, conditions, journals, and checks of them",
    "informers": "The API server, and copies of what it holds",
    "manifests": "Kinds and their definitions, roles and bundles",
    "controller": "Controllers, the manager, and what reconcilers use",
    "serving": "The inference endpoint",
    "serving.data": "CSV tables and images as numpy batches",
    "serving.traffic": "Routes between models, and experiments",
    "envtest.kit": "The test kit for operators",
    "envtest.workloads": "What makes Pods run beside an API server",
    "envtest.workloads.kserve": "What stands in for KServe beside an API server",
    "envtest.workloads.ray": "What stands in for KubeRay beside an API server",
    "envtest.workloads.trainer": "What stands in for Kubeflow Trainer beside an API server",
    "envtest.workloads.trainingoperator": "What stands in for the Training Operator beside an API server",
    "operators.promotion": "Promotions",
}
PROFILES = re.compile(r"(?<=<!-- profiles -->\n).*?(?=<!-- end -->)", re.DOTALL)
OPTIONS = re.compile(r"(?<=<!-- options -->\n).*?(?=<!-- end -->)", re.DOTALL)
MADE = "<!-- Written by docs/reference/generate.py from the docstrings. -->"


def main():
    pages = {HERE / "library" / f"{room}.md": room_page(room, title) for room, title in ROOMS.items()}
    run = HERE / "run.md"
    pages[run] = OPTIONS.sub(lambda _: options_table(), run.read_text())
    hardware = HERE / "hardware.md"
    pages[hardware] = PROFILES.sub(lambda _: profiles_table(), hardware.read_text())
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(HERE.parents[1])} is not what the code says: python docs/reference/generate.py")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(pages[path])
        print(f"wrote {path}")
    return 0


# Hardware.


def profiles_table():
    rows = [
        "| class | resource | DeviceClass (DRA) | models by the label | variables | tolerates |",
        "|---|---|---|---|---|---|",
    ]
    for one in sorted(BUILT_IN, key=lambda one: one.name):
        variables = ", ".join(f"`{name}={value}`" for name, value in sorted(one.env.items()))
        tolerated = ", ".join(f"`{each.key}`" for each in one.tolerations)
        cells = (
            f"`{one.name}`",
            *(f"`{each}`" if each else "" for each in (one.resource, one.device_class, one.model_label)),
        )
        rows.append(f"| {' | '.join((*cells, variables, tolerated))} |".replace("|  |", "| |").replace("|  |", "| |"))
    return "\n".join(rows) + "\n"


# The library.


def room_page(room, title):
    package = importlib.import_module(f"windlass.{room}")
    parts = [f"# `windlass.{room}`", MADE, f"{title}. {paragraphs(package.__doc__)}"]
    objects = {name: getattr(package, name) for name in package.__all__}
    classes = {name for name, value in objects.items() if inspect.isclass(value)}
    errors = {name for name in classes if issubclass(objects[name], BaseException)}
    functions = {name for name, value in objects.items() if inspect.isroutine(value)}
    for heading, names in (
        ("Classes", classes - errors),
        ("Functions", functions),
        ("Values", set(objects) - classes - functions),
        ("Errors", errors),
    ):
        if names:
            parts += [f"## {heading}", *(entry(package, name, objects[name]) for name in sorted(names))]
    return "\n\n".join(parts) + "\n"


def entry(package, name, value):
    if inspect.isclass(value):
        return class_entry(name, value)
    if inspect.isroutine(value):
        return f"### `{name}{signature(value)}`\n\n{paragraphs(inspect.getdoc(value))}"
    if isinstance(value, Resource):
        return f"### `{name}`\n\nThe kind `{value}`, {'namespaced' if value.namespaced else 'cluster-scoped'}."
    return f"### `{name}`\n\n{paragraphs(documented_value(package, name))}"


def class_entry(name, cls):
    parts = [f"### `{name}`"]
    bases = [base.__name__ for base in cls.__bases__ if base is not object and base.__module__.startswith("windlass")]
    if bases:
        parts.append("A " + ", ".join(f"`{base}`" for base in bases) + ".")
    parts.append(paragraphs(inspect.cleandoc(cls.__dict__.get("__doc__") or "")))
    if enum.Enum in cls.__mro__:
        parts.append("Members: " + ", ".join(f"`{member.name}`" for member in cls) + ".")
    elif not issubclass(cls, BaseException) and callable(getattr(cls, "__init__", None)):
        parts.append(fields_or_signature(name, cls))
    for method, value in public_members(cls):
        shown = value.fget if isinstance(value, property) else value
        shown = shown.__func__ if isinstance(shown, classmethod | staticmethod) else shown
        given = "" if isinstance(value, property) else signature(shown)
        prefix = "await " if inspect.iscoroutinefunction(shown) else ""
        parts.append(f"- `{prefix}{method}{given}`: {one_paragraph(inspect.getdoc(shown))}")
    return "\n\n".join(part for part in parts if part)


def fields_or_signature(name, cls):
    if not attrs.has(cls):
        return "" if getattr(cls, "_is_protocol", False) else f"    {name}{signature(cls)}"
    told = field_docstrings(cls)
    rows = [
        f"| `{field.name}` | {default(field)} | {cell(told.get(field.name, ''))} |"
        for field in attrs.fields(cls)
        if field.init and not field.name.startswith("_")
    ]
    return "\n".join(["| field | default | |", "|---|---|---|", *rows]) if rows else ""


def default(field):
    if field.default is attrs.NOTHING:
        return "required"
    if isinstance(field.default, attrs.Factory):
        return f"`{getattr(field.default.factory, '__name__', 'made')}()`"
    return f"`{plain(repr(field.default))}`"


def public_members(cls):
    for name, value in cls.__dict__.items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if not name.startswith("_") and inspect.isfunction(function) and inspect.getdoc(function):
            yield name, value


def field_docstrings(cls):
    """The strings that stand after fields: Python keeps them in the source alone."""
    tree = ast.parse(inspect.cleandoc(inspect.getsource(cls)))
    body = tree.body[0].body
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text(text)
    }


def documented_value(package, name):
    """The string after a value's assignment, in whichever module defines it."""
    home = next(
        (
            node.module
            for node in ast.parse(inspect.getsource(package)).body
            if isinstance(node, ast.ImportFrom) and any((one.asname or one.name) == name for one in node.names)
        ),
        package.__name__,
    )
    body = ast.parse(inspect.getsource(importlib.import_module(home))).body
    for node, text in itertools.pairwise(body):
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        if any(isinstance(target, ast.Name) and target.id == name for target in targets) and is_text(text):
            return inspect.cleandoc(text.value.value)
    return ""


def is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def signature(function):
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):
        return "(…)"
    parameters = [one for one in found.parameters.values() if one.name not in ("self", "cls")]
    bare = [one.replace(annotation=one.empty) for one in parameters]
    return plain(str(found.replace(parameters=bare, return_annotation=found.empty)))


def plain(text):
    """Without addresses of this process."""
    return re.sub(r"<(?:function|class|bound method) ?'?([\w.<>]+)'?[^>]*>", r"\1", text)


def paragraphs(text):
    """A docstring as Markdown: its headings of arguments and errors stand as they are."""
    return "\n".join(line.rstrip() for line in (text or "").splitlines()).strip()


def one_paragraph(text):
    return " ".join((text or "").split())


def cell(text):
    return one_paragraph(text).replace("|", "\\|")


# The program.


def options_table():
    rows = ["| option | environment | default | |", "|---|---|---|---|"]
    for option in command.params:
        if not isinstance(option, click.Option):
            continue
        names = " / ".join((*option.opts, *option.secondary_opts))
        value = option.default
        if isinstance(value, bool):
            value = "on" if value else "off"
        value = "" if value is None or value == () or "UNSET" in str(value).upper() else f"`{value}`"
        variable = f"WINDLASS_RUN_{option.name.upper()}"
        rows.append(f"| `{names}` | `{variable}` | {value} | {cell(option.help)} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
