# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages are true: their commands, help texts, options, tables, links."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from homesim.health.faults import FAULTS
from homesim.stick import status
from patience import PATIENCE
from rig import ROOT, Rig

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", *(p for d in ("lib", "udev", "tests") for p in (ROOT / d).rglob("README.md")))
}
README = PAGES["README.md"]
HELP = {
    "poll": README,
    "health": PAGES["lib/homesim/health/README.md"],
    "setup": PAGES["lib/homesim/setup/README.md"],
    "doctor": PAGES["lib/homesim/doctor/README.md"],
}


def commands(page: str) -> list[str]:
    """Each line of its ```sh blocks."""
    blocks = re.findall(r"^( *)```sh\n(.*?)^\1```$", page, re.MULTILINE | re.DOTALL)
    return [line.strip() for _, block in blocks for line in block.splitlines()]


def named(page: str) -> str:
    """Its commands, and what it names in `...`, a line each."""
    return "\n".join([*commands(page), *re.findall(r"`([^`\n]+)`", page)])


def help_of(python: str, program: str) -> str:
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    command = [python, "-B", str(ROOT / "bin" / program), "--help"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 250  # what only some want to know has a page of its own


@pytest.mark.parametrize("program", HELP)
def test_the_help_is_the_program_s(python: str, program: str) -> None:
    [block] = re.findall(rf"^```\n(usage: homesim-{program}.*?)^```$", HELP[program], re.MULTILINE | re.DOTALL)
    assert help_of(python, program).split() == block.split()


@pytest.mark.parametrize("program", HELP)
def test_every_option_they_name_is_there(python: str, program: str) -> None:
    lines = re.findall(rf"homesim-{program} (.*)", "\n".join(map(named, PAGES.values())))
    assert set(re.findall(r"--[a-z-]+", " ".join(lines))) <= set(re.findall(r"--[a-z-]+", help_of(python, program)))


def test_every_make_target_they_name_is_there() -> None:
    rules = re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    assert set(re.findall(r"\bmake ([a-z-]+)", "\n".join(map(named, PAGES.values())))) <= targets


@pytest.mark.parametrize("page", PAGES)
def test_every_file_it_links_is_there(page: str) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", PAGES[page]):
        file, _, heading = link.partition("#")
        path = (ROOT / page).parent / file if file else ROOT / page
        assert path.exists(), link
        assert not heading or heading in _anchors(path.read_text()), link


def _anchors(page: str) -> list[str]:
    """What GitHub makes of its headings."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


def table(mark: str) -> dict[str, list[str]]:
    """The benchmark's in tests/README.md: the rows' names to their cells."""
    [text] = re.findall(rf"<!-- {mark} -->\n(.*?)<!-- /{mark} -->", PAGES["tests/README.md"], re.DOTALL)
    rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in text.splitlines() if line.startswith("|"))
    return {name: cells for name, *cells in rows}


def test_what_the_readme_says_of_its_cost_was_measured_beside_the_others() -> None:
    """Also beside those who know the lines that quicken them: else a comparison says nothing."""
    rows = table("bench")
    assert rows[""] == ["homesim", "gammu-smsd", "gammu-smsd, two lines", "smstools3"]
    for setting in ("`CommTimeout = 1` and `ReceiveFrequency = 1`", "`delaytime = 1`"):
        assert setting in PAGES["tests/README.md"]
    first = rows["the first SMS of its run, p50 / max, s"]
    random = rows["at random over 10 hand-overs, p50 / p90 / max, s"]
    assert "not measured" not in [*first, *random]
    cost = " ".join(README.partition("## What it costs")[2].partition("\n## ")[0].split())
    said = re.search(r"chat ([\d.]+) s .* within ([\d.]+) s .* costs ([\d.]+) s of CPU a minute and (\d+) MiB", cost)
    assert said
    p50, most = float(random[0].split(" / ")[0]), float(random[0].split(" / ")[-1])
    assert float(said[1]) == p50 >= float(first[0].split(" / ")[0])
    assert most <= float(said[2])
    assert float(said[3]) == round(float(rows["CPU while idle, s a minute"][0]), 1)
    assert int(said[4]) == round(float(rows["resident while idle, MiB"][0]))


def test_the_troubles_are_doctor_s() -> None:
    """The table between the marks is FAULTS, {names} in capitals. To renew it, take what this shows."""
    rows = [["at", "what is wrong", "cure"], ["---"] * 3]
    rows += [[fault.station, fault.cause, fault.cure] for fault in FAULTS.values()]
    rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    table = re.sub(r"\{(\w+)\}", lambda name: name[1].upper(), table)
    assert HELP["doctor"].split("<!-- troubles -->\n")[1].split("<!-- /troubles -->")[0] == table


@pytest.mark.slow
def test_the_demo_runs_twice_in_a_row(python: str) -> None:
    command, env = [python, "-B", str(ROOT / "tests" / "demo.py")], {**os.environ, "PYTHONPATH": str(ROOT / "lib")}
    for _ in range(2):
        shown = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert shown.returncode == 0, shown.stderr
        assert "[ Copy 482913 ]" in shown.stdout
        assert "none left on the stick" in shown.stdout


# What needs the Internet, a person, or what others made. tests/install/chroot_install.py does the first for real.
NOT_HERE = {
    "sudo apt update && sudo apt install -y git make",
    "git clone ADDRESS-OF-THIS-PAGE homesim && cd homesim",
    "sudo homesim-setup",
    "sudo nano /etc/homesim/config.toml",
    "sudo systemctl disable --now gammu-smsd",
    "sudo crontab -e",
    "sudo rm -f /gammu.sh /reset.sh /etc/udev/999-*.rules",
}
HELD_ELSEWHERE = {
    "make demo",  # the test above
    "make test",  # this run
    "sudo homesim-doctor",  # doctor/test_doctor.py
    "sudo homesim-health --force-reset",  # health/test_health_runs.py, vm/test_plug.py
    "sudo homesim-setup --token-file token.txt --chat-id 123456789",  # setup/test_setup.py, vm/test_plug.py
    "sudo udevadm control --reload && sudo udevadm trigger -s usb -s tty --action=change",  # what lib/install.sh does
}


def test_every_command_is_run_or_said_not_to_be() -> None:
    """The README's are run below; another page's may be one of these."""
    everywhere = {command for page in PAGES.values() for command in commands(page)}
    assert everywhere - set(commands(README)) <= NOT_HERE | HELD_ELSEWHERE
    assert everywhere >= NOT_HERE | HELD_ELSEWHERE


def test_the_steps_on_the_pi_install_a_copy_that_runs(python: str, tmp_path: Path) -> None:
    """The README's own commands, in a folder instead of /, without sudo."""
    for step in commands(README):
        if step in NOT_HERE | HELD_ELSEWHERE:
            continue
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
    poll, health, called = (line for line in text.splitlines() if line and not line.startswith("#"))
    assert re.fullmatch(r"(\* ){5}/usr/local/bin/homesim-poll 2>&1 \| logger -t homesim", poll)
    assert re.fullmatch(r"\*/5 (\* ){4}/usr/local/bin/homesim-health 2>&1 \| logger -t homesim", health)
    assert called == f"{'* ' * 5}test ! -e {status.ill(Path('/run/homesim'))} || {health.partition('* * * * ')[2]}"
    assert text.endswith("\n")
    if not shutil.which("crontab") or os.geteuid() != 0:
        pytest.skip("no crontab(1) here, or not root")
    checked = subprocess.run(["crontab", "-T", str(ROOT / "crontab.example")], capture_output=True, check=False)
    if b"usage" in checked.stderr:
        pytest.skip("this crontab(1) cannot only test (bookworm's cannot)")
    assert checked.returncode == 0
