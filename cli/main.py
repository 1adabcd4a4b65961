"""The entry point: every command is found by name and imported only when it is used.

Exit codes: 0 done, 1 the thing asked for failed, 2 wrong usage or configuration, 130 interrupted. A failure that
Windlass foresaw is one line on stderr; a traceback is a bug of ours.
"""

import importlib
import sys
from typing import Final

import click

from windlass.cli.ending import leave_after
from windlass.cli.loop import INTERRUPTED
from windlass.cli.start import collect_again, quiet_ctrl_c
from windlass.statemachine.errors import WindlassError

__all__ = ("main", "windlass")

_FAILED: Final = 1

_COMMANDS: Final = {
    "up": ("windlass.cli.up", "Train, validate and serve a model on this machine."),
    "run": ("windlass.cli.run", "Run operators against a cluster."),
    "serve": ("windlass.cli.serve", "Serve models over HTTP."),
    "job": ("windlass.cli.job.commands", "See and steer training jobs."),
    "crd": ("windlass.cli.crd", "Print, write, check or compare CustomResourceDefinitions."),
    "rbac": ("windlass.cli.rbac", "Print the least that operators must be permitted."),
    "bundle": ("windlass.cli.bundle", "Write what a cluster needs to run operators."),
    "envtest": ("windlass.cli.envtest", "Start an API server to try things on."),
    "journal": ("windlass.cli.journal", "Read back what happened to an object."),
    "bench": ("windlass.cli.bench", "Measure what it costs, beside other libraries."),
    "diagram": ("windlass.cli.diagram", "Draw a state machine."),
}


class _Commands(click.Group):
    """A group whose members are imported when they are asked for: `windlass --help` need not import a web server."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, _ = _COMMANDS[cmd_name]
        with quiet_ctrl_c():
            command: click.Command = importlib.import_module(module).command
        collect_again()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "WINDLASS"},
    epilog="Every option can be given by the environment: that of `windlass serve --port` as WINDLASS_SERVE_PORT.",
)
@click.version_option(package_name="windlass", prog_name="windlass")
def windlass() -> None:
    """Controllers for Kubernetes in asyncio, AI operators, and an inference endpoint."""


def main() -> None:
    """Run the program and exit with its code."""
    try:
        code = windlass.main(args=sys.argv[1:] or ["--help"], prog_name="windlass", standalone_mode=False)
    except click.UsageError as error:
        help_hint = f" (see {error.ctx.command_path} --help)" if error.ctx is not None else ""
        code = _say(f"{error.format_message()}{help_hint}", error.exit_code)
    except click.ClickException as error:
        code = _say(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):  # before the loop runs, or after it
        code = INTERRUPTED
    except WindlassError as error:
        code = _say(str(error), _FAILED)
    except OSError as error:  # a full disk, a folder that may not be written, a reader of our output that is gone
        code = _say(f"{error.filename}: {error.strerror}" if error.filename else str(error), _FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def _say(message: str, code: int) -> int:
    """One line on stderr, whatever line breaks somebody else's message brought along."""
    click.echo(f"windlass: {' '.join(message.split())}", err=True)
    return code


if __name__ == "__main__":
    leave_after(main)
