"""Files as a git revision has them, read with the `git` program.

A folder that the revision does not have is empty there.
"""

import subprocess
from pathlib import Path

import click

__all__ = ("files_at",)

_TIMEOUT_SECONDS = 60.0


def files_at(revision: str, folder: Path) -> dict[str, str]:
    """The name and text of each YAML file that lay in `folder` at `revision`.

    Raises click.BadParameter if there is no such revision, no repository around the folder, or no git.
    """
    # The folder may be new: git runs in the nearest one that exists.
    folder = folder.resolve()
    here = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    commit = _git(here, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", revision=revision).strip()
    top = Path(_git(here, "rev-parse", "--show-toplevel", revision=revision).strip())
    inside = folder.relative_to(top.resolve()).as_posix()
    listed = _git(top, "ls-tree", "-z", "--name-only", commit, f"{inside}/", revision=revision)
    paths = [path for path in listed.split("\0") if path.endswith(".yaml")]
    return {Path(path).name: _git(top, "show", f"{commit}:{path}", revision=revision) for path in paths}


def _git(folder: Path, *arguments: str, revision: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a program with arguments, no shell
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git the user has
            check=False,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",  # whoever reads the text says which file is not UTF-8
            timeout=_TIMEOUT_SECONDS,
        )
    except FileNotFoundError as error:
        raise click.BadParameter("comparing with a revision needs the program git", param_hint="--against") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.split()) or f"there is no revision {revision!r} around {folder}"
        raise click.BadParameter(said, param_hint="--against")
    return done.stdout
