"""What is installed is pinned, and no file of ours says where it comes from: that is each machine's own business."""

import json
import re
import tomllib

import pytest

from support import tree

REQUIREMENTS = tree.files("requirements", suffixes=(".txt",))
NODE_PACKAGES = ("web", "tests/timescale")
PIN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*==[0-9][\w.+]*(?: ; .+)?")


def test_every_requirement_is_a_pin_without_an_address() -> None:
    assert REQUIREMENTS, "nothing is pinned"
    lines = ((path, line) for path in REQUIREMENTS for line in tree.source(path).splitlines())
    assert [f"{tree.relative(path)}: {line}" for path, line in lines if not PIN.fullmatch(line)] == []


def test_the_layers_of_requirements_agree_on_every_version() -> None:
    everything = set(tree.source(tree.ROOT / "requirements/dev.txt").splitlines())
    for name in ("base", "build"):
        assert set(tree.source(tree.ROOT / f"requirements/{name}.txt").splitlines()) <= everything


def test_every_dependency_of_the_project_is_pinned() -> None:
    project = tomllib.loads(tree.source(tree.ROOT / "pyproject.toml"))["project"]
    wanted = {re.split(r"[\[<>=;]", each)[0].strip().lower() for each in project["dependencies"]}
    pinned = {line.partition("==")[0] for line in tree.source(tree.ROOT / "requirements/base.txt").splitlines()}
    assert wanted - pinned == set()


@pytest.mark.parametrize("folder", NODE_PACKAGES)
def test_a_lock_of_node_packages_holds_no_address(folder: str) -> None:
    lock = json.loads(tree.source(tree.ROOT / folder / "package-lock.json"))
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []


@pytest.mark.parametrize("folder", NODE_PACKAGES)
def test_node_packages_are_pinned(folder: str) -> None:
    package = json.loads(tree.source(tree.ROOT / folder / "package.json"))
    versions = {**package["dependencies"], **package.get("devDependencies", {})}
    assert {name: version for name, version in versions.items() if not version[0].isdecimal()} == {}


def test_the_script_and_ci_run_the_same_command() -> None:
    assert "exec ./dev test" in tree.source(tree.ROOT / ".ci/run")
