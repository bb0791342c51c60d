# SPDX-License-Identifier: GPL-2.0-or-later
"""The house against its page: which rooms there are, who may import whom, who alone touches what, how big they are."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from homesim.chat import telegram
from homesim.health.faults import FAULTS
from rig import ROOT
from vm import broken

LIB = ROOT / "lib" / "homesim"
PAGE = (LIB / "README.md").read_text()
ROOMS = {path.relative_to(LIB).with_suffix("").as_posix(): path for path in sorted(LIB.rglob("*.py"))}
MODULES = [name for name in ROOMS if not name.endswith("__init__")]
WINGS = sorted({name.partition("/")[0] for name in MODULES if "/" in name})
# What only these rooms may import.
WEB = ("chat/telegram", "stick/page")
ALONE = {"gammu": ["stick/serial"], "requests": WEB, "urllib3": WEB, "filelock": ["process"], "tomllib": ["config"]}


def table(name: str) -> list[list[str]]:
    """The rows of a table of the page, without its head."""
    [rows] = re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", PAGE, re.DOTALL)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows.splitlines()][2:]


def imported(module: str, *, types: bool = True) -> tuple[set[str], set[str]]:
    """Rooms of ours, and other packages, that a room imports, anywhere in it, and for its `types`."""
    text = ROOMS[module].read_text()
    text = text if types else re.sub(r"^if TYPE_CHECKING:\n( .*\n)+", "", text, flags=re.MULTILINE)
    own, other = set(), set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            other |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            first, *rest = node.module.split(".")
            names = {"/".join([*rest, alias.name]) for alias in node.names} | {"/".join(rest)}
            own |= names & set(MODULES) if first == "homesim" else set()
            other |= {first} - {"homesim"}
    return own, other


def test_the_page_names_every_room() -> None:
    assert sorted(room.strip("`") for room, _ in table("rooms") if not room.startswith("**")) == MODULES
    assert sorted(wing.strip("*") for wing, _ in table("rooms") if wing.startswith("**")) == WINGS


def test_a_wing_imports_what_the_page_says() -> None:
    may = {wing: set(re.findall(r"\b(?:" + "|".join(WINGS) + r")\b", words)) for wing, words in table("imports")}
    assert may.keys() == {"the shelf", *WINGS}
    wrong = []
    for module in MODULES:
        wing = _wing(module)
        shelf = set() if wing == "sms" else {"the shelf"}
        wrong += [(module, other) for other in imported(module)[0] if _wing(other) not in {wing} | shelf | may[wing]]
    assert wrong == []


def _wing(module: str) -> str:
    return module.partition("/")[0] if "/" in module else "the shelf"


@pytest.mark.parametrize("module", MODULES)
def test_each_thing_outside_has_one_door(module: str) -> None:
    assert {package for package in imported(module)[1] if module not in ALONE.get(package, [module])} == set()


def test_all_but_the_driver_and_who_makes_it_runs_without_libgammu() -> None:
    free = (name for name in MODULES if name not in ("stick/serial", "poll/main"))
    rooms = ", ".join(f"homesim.{name.replace('/', '.')}" for name in free)
    code = f"import sys; sys.path.insert(0, {str(LIB.parent)!r}); sys.modules['gammu'] = None; import {rooms}"
    subprocess.run([sys.executable, "-B", "-c", code], check=True)


def test_there_is_no_circle() -> None:
    """A room that needs itself, by way of others, cannot be read alone."""
    needs = {module: imported(module, types=False)[0] for module in MODULES}
    while free := [module for module, others in needs.items() if not others & needs.keys()]:
        for module in free:
            del needs[module]
    assert needs == {}


@pytest.mark.parametrize("module", MODULES)
def test_a_room_can_be_seen_whole(module: str) -> None:
    assert len(ROOMS[module].read_text().splitlines()) <= 250


def test_an_error_carries_the_key_of_a_fault_that_there_is() -> None:
    """A key that nobody knows would be a silent stick to health."""
    others = {"", "not-root", "other-reader"}  # what no person is told as a fault: who asks says it in his own words
    text = "".join(path.read_text() for path in ROOMS.values())
    keys = set(re.findall(r'fault(?:: str)? ?= ?"([\w-]*)"', text)) | set(telegram.FAULTS.values())
    assert len(keys) > len(others)
    assert keys - others <= FAULTS.keys()


def test_nothing_reads_on_from_another_program() -> None:
    """No shell, no other process: SMS text is data everywhere."""
    for module in MODULES:
        text = ROOMS[module].read_text()
        assert not re.search(r"\b(subprocess|os\.system|os\.popen|eval\(|exec\(|shell=)", text), module


def test_nobody_else_writes_to_a_terminal() -> None:
    """Which obeys control characters, and names from outside may hold some."""
    for module in MODULES:
        text = ROOMS[module].read_text()
        assert module == "program" or not re.search(r"\b(print|input)\(|StreamHandler|std...?\.write", text), module


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
    files += [*(ROOT / "bin").iterdir(), *(path for path in (ROOT / "udev").iterdir() if path.suffix != ".md")]
    assert [file.name for file in files if "SPDX-License-Identifier: GPL-2.0-or-later" not in file.read_text()] == []


@pytest.mark.parametrize("case", broken.BROKEN)
def test_what_breaks_a_case_of_the_vm_changes_a_line(case: str) -> None:
    """`make break-vm` is seldom run, and what it breaks is renamed in between."""
    file, change = broken.BROKEN[case]
    homes = {broken.LIB: LIB, broken.RULE: ROOT / "udev/78-homesim.rules", broken.SWITCH: ROOT / "udev/12d1-1f01"}
    [path] = [file.replace(home, str(here)) for home, here in homes.items() if file.startswith(home)]
    changed = subprocess.run(["sed", change, path], capture_output=True, text=True, check=True).stdout
    assert changed != Path(path).read_text()
