"""What a user installs: one top-level name, every folder mapped, every type marker present."""

import configparser
from importlib.metadata import distributions
from pathlib import Path

import windlass.statemachine

REPOSITORY = Path(__file__).resolve().parents[1]


def packages_of_the_repository():
    """The top-level folders that hold a package, tests left out."""
    return {path.parent.name for path in REPOSITORY.glob("*/__init__.py")} - {"tests"}


def mapping():
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg")
    lines = parser["options"]["package_dir"].strip().splitlines()
    return dict(line.replace(" ", "").split("=") for line in lines)


def installed_files():
    # Looked up beside the modules under test: a build leaves metadata of its own in the working directory.
    site_packages = Path(windlass.statemachine.__file__).parents[2]
    found = list(distributions(name="windlass", path=[str(site_packages)]))
    assert found, "install the wheel first: make test"
    return found[0].files


def test_every_folder_with_an_init_is_mapped_under_windlass():
    assert {f"windlass.{name}": name for name in packages_of_the_repository()} == mapping()


def test_the_wheel_installs_one_top_level_name():
    tops = {file.parts[0] for file in installed_files() if not file.parts[0].endswith(".dist-info")}

    assert tops - {".."} == {"windlass"}
    assert {file.name for file in installed_files() if file.parts[0] == ".."} == {"windlass"}


def test_no_init_makes_windlass_a_regular_package():
    assert "windlass/__init__.py" not in {str(file) for file in installed_files()}


def test_each_package_tells_type_checkers_that_it_is_typed():
    markers = {file.parts[1] for file in installed_files() if file.name == "py.typed"}

    assert packages_of_the_repository() <= markers


def test_every_source_file_is_in_the_wheel():
    shipped = {str(file) for file in installed_files()}
    missing = [
        str(path.relative_to(REPOSITORY))
        for name in packages_of_the_repository()
        for path in (REPOSITORY / name).rglob("*")
        if path.is_file() and path.suffix in {".py", ".yaml", ".gz", ".html", ".typed"}
        if f"windlass/{path.relative_to(REPOSITORY)}" not in shipped
    ]

    assert missing == []
