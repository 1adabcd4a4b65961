"""An example package of the documentation, installed as its readers would install it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples"


def install(example, folder):
    """The folder with the package in it, as pip leaves it there; the sources stay as they are."""
    ignored = shutil.ignore_patterns("__pycache__", "build")
    sources = shutil.copytree(EXAMPLES / example, folder / "sources", ignore=ignored)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", folder / "installed", sources],
        check=True,
        env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"},
    )
    return folder / "installed"
