# SPDX-License-Identifier: GPL-2.0-or-later
"""The README is true: its commands, its help text, its messages, its files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from homesim.doctor.troubles import TROUBLES
from patience import PATIENCE
from rig import ROOT, Rig

README = (ROOT / "README.md").read_text()
SHELL = re.findall(r"^( *)```sh\n(.*?)^ *```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [line.strip() for _, block in SHELL for line in block.splitlines()]


@pytest.mark.parametrize("program", ["poll", "health"])
def test_the_help_is_the_program_s(python: str, program: str) -> None:
    [block] = re.findall(rf"^```\n(usage: homesim-{program}.*?)^```$", README, re.MULTILINE | re.DOTALL)
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    command = [python, "-B", str(ROOT / "bin" / program), "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    assert shown.split() == block.split()


def test_every_make_target_it_names_is_there() -> None:
    rules = re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    named = set(re.findall(r"make ([a-z]+(?:-[a-z]+)*)", README))
    assert named - {"a"} <= targets


def test_every_file_it_links_is_there() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_its_troubles_are_doctor_s() -> None:
    """The table between the marks is TROUBLES, {names} in capitals. To renew it, take what this shows."""
    rows = [["at", "what is wrong", "cure"], ["---"] * 3, *TROUBLES.values()]
    rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    table = re.sub(r"\{(\w+)\}", lambda name: name[1].upper(), table)
    assert README.split("<!-- troubles -->\n")[1].split("<!-- /troubles -->")[0] == table


@pytest.mark.slow
def test_the_demo_runs_twice_in_a_row(python: str) -> None:
    for _ in range(2):
        command = [python, "-B", str(ROOT / "tests" / "demo.py")]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert shown.returncode == 0, shown.stderr
        assert "[ Copy 482913 ]" in shown.stdout
        assert "none left on the stick" in shown.stdout


# What needs the Internet, a person or a stick. tests/install/chroot_install.py does the first for real.
NOT_HERE = (
    "sudo apt update && sudo apt install -y git make",
    "git clone ADDRESS-OF-THIS-PAGE homesim && cd homesim",
    "sudo homesim-setup",
    "sudo nano /etc/homesim/config.toml",
)
HELD_ELSEWHERE = (
    "make demo",  # the test above
    "make test",  # this run
    "make test-vm",  # its own run
    "make test-vm SUITE=trixie",
    "sudo homesim-doctor",  # test_doctor.py
)


def test_the_steps_on_the_pi_install_a_copy_that_runs(python: str, tmp_path: Path) -> None:
    """The README's own commands, in a folder instead of /, without sudo."""
    steps = [command for command in COMMANDS if command not in (*NOT_HERE, *HELD_ELSEWHERE)]
    assert len(COMMANDS) == len(steps) + len(NOT_HERE) + len(HELD_ELSEWHERE)
    for step in steps:
        command = step.removeprefix("git pull && ").removeprefix("sudo ")
        if command.startswith("make "):
            command += f" -s DESTDIR={tmp_path} CONFIRM=yes"
            subprocess.run(command.split(), cwd=ROOT, check=True, capture_output=True)
        else:
            name, *arguments = command.split()
            installed = str(tmp_path / "usr/local/bin" / name)
            with Rig(python) as rig:
                arguments += ["--config", str(rig.config)]
                subprocess.run([python, "-B", installed, *arguments], check=True, capture_output=True)
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []  # its last step is make purge


def test_the_crontab_lines_are_some_that_cron_takes() -> None:
    text = (ROOT / "crontab.example").read_text()
    poll, health = (line for line in text.splitlines() if line and not line.startswith("#"))
    assert re.fullmatch(r"(\* ){5}/usr/local/bin/homesim-poll 2>&1 \| logger -t homesim", poll)
    assert re.fullmatch(r"\*/5 (\* ){4}/usr/local/bin/homesim-health 2>&1 \| logger -t homesim", health)
    assert text.endswith("\n")
    if not shutil.which("crontab") or os.geteuid() != 0:
        pytest.skip("no crontab(1) here, or not root")
    checked = subprocess.run(["crontab", "-T", str(ROOT / "crontab.example")], capture_output=True, check=False)
    if b"usage" in checked.stderr:
        pytest.skip("this crontab(1) cannot only test (bookworm's cannot)")
    assert checked.returncode == 0
