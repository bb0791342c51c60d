# SPDX-License-Identifier: GPL-2.0-or-later
"""The README's table of rooms against the code: who may import whom, who alone touches what, and how big they are."""

from __future__ import annotations

import ast
import re
import sys
import tomllib

import pytest

from rig import ROOT

LIB = ROOT / "lib" / "homesim"
README = (ROOT / "README.md").read_text()
MODULES = sorted(path.stem for path in LIB.glob("*.py") if path.stem != "__init__")
# What only one room may import.
ALONE = {"gammu": "modem", "requests": "telegram", "urllib3": "telegram", "filelock": "run", "tomllib": "config"}


def rooms() -> dict[str, set[str]]:
    """Each room of the README's table with those that it may import."""
    rows = re.findall(r"^\| `(\w+)\.py` \| .*? \| (.*?) \|$", README, re.MULTILINE)
    return {room: set(re.findall(r"\w+", may)) for room, may in rows}


def imported(module: str) -> tuple[set[str], set[str]]:
    """Rooms and other packages that a module imports, anywhere in it."""
    own, other = set(), set()
    for node in ast.walk(ast.parse((LIB / f"{module}.py").read_text())):
        if isinstance(node, ast.Import):
            other |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            first, _, rest = node.module.partition(".")
            if first == "homesim":
                own |= {rest} if rest else {alias.name for alias in node.names} - {"__version__"}
            else:
                other.add(first)
    return own, other


def test_the_table_names_every_room() -> None:
    assert sorted(rooms()) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_room_imports_what_the_table_says(module: str) -> None:
    own, other = imported(module)
    assert own == rooms()[module]
    assert {package for package in other if ALONE.get(package, module) != module} == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_room_can_be_seen_whole(module: str) -> None:
    assert len((LIB / f"{module}.py").read_text().splitlines()) <= 250


def test_nothing_reads_on_from_another_program() -> None:
    """No shell, no other process: SMS text is data everywhere."""
    for module in MODULES:
        text = (LIB / f"{module}.py").read_text()
        assert not re.search(r"\b(subprocess|os\.system|os\.popen|eval\(|exec\(|shell=)", text), module


def test_nobody_else_writes_to_a_terminal() -> None:
    """Which obeys control characters, and names from outside may hold some."""
    for module in MODULES:
        text = (LIB / f"{module}.py").read_text()
        assert module == "terminal" or not re.search(r"\b(print|input)\(|StreamHandler|std...?\.write", text), module


@pytest.mark.parametrize("script", sorted((ROOT / "bin").iterdir()), ids=lambda path: path.name)
def test_a_script_has_no_logic(script: object) -> None:
    lines = (ROOT / "bin" / str(script)).read_text().splitlines()
    assert len(lines) < 10
    assert lines[0] == "#!/usr/bin/python3"


def test_what_it_needs_stands_in_one_place() -> None:
    """pyproject.toml is no package's: it would promise that pip can install it."""
    assert set(tomllib.loads((ROOT / "pyproject.toml").read_text())) == {"tool"}
    others = set().union(*(imported(module)[1] for module in MODULES)) - sys.stdlib_module_names
    assert others == {"gammu", "requests", "urllib3", "filelock", "tomli"}
    installed = re.findall(r"python3-(\w+)", (ROOT / "lib" / "install.sh").read_text())
    assert set(installed) == others - {"urllib3", "tomli"}  # requests brings the one, Python itself the other


def test_every_source_file_says_its_licence() -> None:
    files = [*(ROOT / "lib").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), ROOT / "lib" / "install.sh"]
    files += [*(ROOT / "bin").iterdir(), *(ROOT / "udev").iterdir()]
    assert [file.name for file in files if "SPDX-License-Identifier: GPL-2.0-or-later" not in file.read_text()] == []
