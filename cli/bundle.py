"""`windlass bundle`: everything that a cluster is given to run operators, as files."""

from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import click
import yaml

from windlass.cli.declared import declared_manager, operator_options
from windlass.cli.options import FILE, FOLDER, NAME, SERVICE
from windlass.controller.permissions import permissions_of
from windlass.manifests import Webhook
from windlass.manifests.bundle import BUNDLE_HEADER, Bundle, render_bundle
from windlass.manifests.deployment import Program
from windlass.manifests.files import stale, tree_drift, write_tree
from windlass.operators.promotion import sample_promotion
from windlass.operators.training import sample_job

__all__ = ("command",)

_FOLDERS: Final = ("--state=/var/lib/windlass/state", "--models=/var/lib/windlass/models")
_DESCRIPTION: Final = "Operators in asyncio: from a verified version of the data to a served model, as one object."


@click.command()
@operator_options
@click.option("--folder", type=FOLDER, default=Path("manifests/deploy"), show_default=True, help="Where the files lie.")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; fail if the files are out of step.")
@click.option("--name", type=NAME, default="windlass", show_default=True, help="Name of the program and its account.")
@click.option("--namespace", type=NAME, default="windlass-system", show_default=True, help="Where it runs.")
@click.option("--image", help="The container image, with a tag. Default: the name, with our version.")
@click.option("--webhook", type=SERVICE, metavar="NAMESPACE/SERVICE", help="Service of the conversion webhook.")
@click.option("--sample", "samples", type=FILE, multiple=True, help="A YAML file with an example object; repeatable.")
def command(folder: Path, name: str, namespace: str, **given: Any) -> int:
    """Write definitions, a kustomize base, overlays, samples and an OLM bundle to a folder.

    Files there that an earlier bundle wrote and this one has not are removed.

    `kubectl apply -k FOLDER/crds`, then `kubectl apply -k FOLDER` or one of FOLDER/overlays.
    """
    texts = render_bundle(_bundle(name, namespace, given))
    if given["only_check"]:
        differences = tree_drift(texts, folder, header=BUNDLE_HEADER)
        for difference in differences:
            click.echo(difference, err=True)
        return 1 if differences else 0
    for path in write_tree(texts, folder):
        click.echo(f"wrote {path}")
    for path in stale(texts, folder, header=BUNDLE_HEADER):
        path.unlink()
        click.echo(f"removed {path}")
    return 0


def _bundle(name: str, namespace: str, given: dict[str, Any]) -> Bundle:
    references, training = given["references"], given["training"]
    promotion = training if given["promotion"] is None else given["promotion"]
    manager = declared_manager(
        references,
        training=training,
        promotion=promotion,
        leader_election=given["leader_election"],
        katib=given["katib"],
    )
    found = permissions_of(manager)
    operators = [f"--operator={reference}" for reference in references]
    built_in = (*(_FOLDERS if training else ("--no-training",)), *(("--promotion",) if promotion else ()))
    built_in += ("--katib",) if given["katib"] and training else ()
    arguments = ("run", "--log-format=json", *operators, *built_in)
    image = given["image"] or f"{name}:{version('windlass')}"
    if ":" not in image.rpartition("/")[2]:
        raise click.BadParameter(f"expected a tag, as in {image}:1.0.0", param_hint="--image")
    program = Program(
        name,
        namespace,
        image=image,
        version=version("windlass"),
        everywhere=found.everywhere,
        at_home=found.at_home,
        arguments=arguments,
    )
    samples = {"trainingjob": sample_job("/var/lib/windlass/data/digits")} if training else {}
    samples |= {"promotion": sample_promotion()} if promotion else {}
    samples |= {path.stem: _sample(path) for path in given["samples"]}
    webhook = None if given["webhook"] is None else Webhook(service=given["webhook"])
    return Bundle(program, manager.scheme.classes, samples, _DESCRIPTION, webhook)


def _sample(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_bytes().decode())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise click.BadParameter(f"{path}: {' '.join(str(error).split())}", param_hint="--sample") from error
    if not isinstance(found, dict) or not {"apiVersion", "kind", "metadata"} <= set(found):
        raise click.BadParameter(
            f"{path}: expected one object with apiVersion, kind and metadata", param_hint="--sample"
        )
    return found
