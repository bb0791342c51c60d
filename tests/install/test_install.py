# SPDX-License-Identifier: GPL-2.0-or-later
"""make install, uninstall and purge into a folder (DESTDIR). chroot_install.py does the same to whole systems."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rig import ROOT

PROGRAMS = sorted(path.name for path in (ROOT / "bin").iterdir() if path.is_file())
# What an owner may change, with the name that a new version is laid beside it under, which nobody reads: cron takes no
# dot in a name, udev only .rules, and usb_modeswitch's dispatcher not what matches \.(dpkg|rpm), but others than that.
SETTINGS = {
    "etc/cron.d/homesim": "etc/cron.d/homesim.dist",
    "etc/udev/rules.d/78-homesim.rules": "etc/udev/rules.d/78-homesim.rules.dist",
    "etc/usb_modeswitch.d/12d1:157d": "etc/usb_modeswitch.d/12d1:157d.dpkg-dist",
    "etc/usb_modeswitch.d/12d1:1f01": "etc/usb_modeswitch.d/12d1:1f01.dpkg-dist",
}


class Pi:
    """A folder to install into, and a source to install from."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "pi with a blank"
        self.source = folder / "source"
        self.source.mkdir()
        for name in ("bin", "lib", "udev"):
            shutil.copytree(ROOT / name, self.source / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("Makefile", "config.toml.example", "crontab.example"):
            shutil.copy(ROOT / name, self.source)

    def make(self, target: str, *variables: str, code: int = 0, **options: str) -> str:
        """What make says."""
        run = subprocess.run(
            ["make", "-s", target, f"DESTDIR={self.root}", *variables],
            cwd=self.source,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **options,  # type: ignore[call-overload]
        )
        said = str(run.stdout + run.stderr)
        assert (run.returncode, said) == (code and 2, said)
        assert not code or f"Error {code}" in said
        return said

    def files(self) -> dict[str, str]:
        """Every file and link under the root: its mode and what is in it."""
        found = {}
        for path in self.root.rglob("*"):
            if path.is_symlink() or not path.is_dir():
                content = os.readlink(path) if path.is_symlink() else path.read_text()
                found[str(path.relative_to(self.root))] = f"{path.lstat().st_mode & 0o777:o} {content}"
        return found

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


@pytest.fixture
def pi(tmp_path: Path) -> Pi:
    return Pi(tmp_path)


def test_what_is_installed_and_with_which_rights(pi: Pi) -> None:
    assert "sudo homesim-setup" in pi.make("install")
    modes = {name: content.split(" ")[0] for name, content in pi.files().items()}
    outside = {name: mode for name, mode in modes.items() if not name.startswith("usr/local/lib/homesim/")}
    links = {f"usr/local/bin/homesim-{name}": "777" for name in PROGRAMS}
    assert outside == dict.fromkeys(SETTINGS, "644") | links | {"etc/homesim/config.toml": "600"}
    home = pi.root / "usr/local/lib/homesim"
    assert sorted(os.listdir(home)) == ["bin", "config.toml.example", "etc", "lib"]
    assert {modes[f"usr/local/lib/homesim/bin/{name}"] for name in PROGRAMS} == {"755"}
    assert (pi.root / "var/lib/homesim").stat().st_mode & 0o777 == 0o700


def test_rights_do_not_come_from_who_installs(pi: Pi) -> None:
    """Neither from a umask nor from a checkout that nobody else could read."""
    for path in (pi.source / "lib").rglob("*.py"):
        path.chmod(0o600)
    before = os.umask(0o077)
    try:
        pi.make("install")
    finally:
        os.umask(before)
    for path in (pi.root / "usr").rglob("*"):
        assert path.stat().st_mode & 0o444 == 0o444, path


def test_an_installed_program_runs(pi: Pi, python: str) -> None:
    pi.make("install", "PREFIX=/opt/sms")
    program = pi.root / "opt/sms/bin/homesim-poll"
    run = subprocess.run([python, "-B", str(program), "--version"], cwd="/", capture_output=True, check=True)
    assert b"homesim" in run.stdout
    assert "/opt/sms/bin/homesim-poll" in (pi.root / "etc/cron.d/homesim").read_text()
    assert "/usr/local/bin/homesim" not in (pi.root / "etc/cron.d/homesim").read_text()


def test_an_upgrade_takes_what_is_new_and_leaves_nothing_of_the_old(pi: Pi) -> None:
    latest = {path: path.read_text() for path in (pi.source / "udev").iterdir()}
    for path, text in latest.items():
        path.write_text(text + "# older\n")
    (pi.source / "udev/12d1-9999").write_text("# given up since\n")
    (pi.source / "lib/homesim/gone.py").write_text("")
    (pi.source / "bin/gone").write_text("#!/usr/bin/python3\n")
    pi.make("install")
    assert (pi.root / "usr/local/bin/homesim-gone").exists()
    # Bytecode that a run has left.
    pi.write("usr/local/lib/homesim/lib/homesim/__pycache__/gone.cpython-311.pyc", "")
    for name in ("udev/12d1-9999", "lib/homesim/gone.py", "bin/gone"):
        (pi.source / name).unlink()
    for path, text in latest.items():
        path.write_text(text)
    pi.make("install")
    upgraded = pi.files()
    shutil.rmtree(pi.root)
    pi.make("install")
    assert upgraded == pi.files()


@pytest.mark.parametrize("name", SETTINGS)
def test_a_file_that_its_owner_changed_is_kept_and_the_new_one_laid_beside(pi: Pi, name: str) -> None:
    pi.make("install")
    new = (pi.root / name).read_text()
    pi.write(name, "mine\n")
    said = pi.make("install")
    assert (pi.root / name).read_text() == "mine\n"
    assert (pi.root / SETTINGS[name]).read_text() == new
    assert SETTINGS[name] in said
    pi.make("install")  # what lies beside does not make it ours
    assert (pi.root / name).read_text() == "mine\n"
    pi.write(name, new)  # the owner comes round
    pi.make("install")
    assert not (pi.root / SETTINGS[name]).exists()


def test_the_configuration_is_never_touched(pi: Pi) -> None:
    config = pi.write("etc/homesim/config.toml", "mine")
    config.chmod(0o640)  # a run complains about that; not ours to change
    before = pi.files()["etc/homesim/config.toml"]
    assert "homesim-setup" not in pi.make("install")  # it has been set up
    pi.make("uninstall")
    assert pi.files() == {"etc/homesim/config.toml": before}


def test_a_program_of_the_owner_s_is_not_overwritten(pi: Pi) -> None:
    own = pi.write("usr/local/bin/homesim-poll", "mine")
    other = pi.write("usr/local/bin/homesim-backup", "mine too")
    assert "homesim-poll is not ours" in pi.make("install")
    pi.make("uninstall")
    assert own.read_text() + other.read_text() == "minemine too"


def test_uninstall_leaves_what_is_the_owner_s_and_says_where(pi: Pi) -> None:
    strange = {"etc/cron.d/other": "x", "etc/usb_modeswitch.d/12d1:9999": "x", "usr/local/lib/other/bin/poll": "x"}
    for name, text in strange.items():
        pi.write(name, text)
    pi.make("install")
    for name in ("new/20261122T120000-a", "failed/20261122T120000-b", "seen/20261122T120000-c"):
        pi.write(f"var/lib/homesim/home/{name}", "an SMS")
    said = pi.make("uninstall")
    stays = {name for name in pi.files() if name not in strange}
    assert stays == {
        "etc/homesim/config.toml",
        "var/lib/homesim/home/new/20261122T120000-a",
        "var/lib/homesim/home/failed/20261122T120000-b",
        "var/lib/homesim/home/seen/20261122T120000-c",
    }
    assert set(strange) <= set(pi.files())
    assert f"{pi.root}/etc/homesim stays" in said
    assert f"{pi.root}/var/lib/homesim stays, with 2 SMS" in said


def test_uninstall_keeps_a_changed_file_where_nothing_reads_it(pi: Pi) -> None:
    pi.make("install")
    for name in SETTINGS:
        pi.write(name, f"mine, {name}")
    pi.make("install")
    pi.make("uninstall")
    kept = {f"etc/homesim/removed/{Path(name).name}": f"644 mine, {name}" for name in SETTINGS}
    files = pi.files()
    del files["etc/homesim/config.toml"]
    assert files == kept


@pytest.mark.parametrize("before", [(), ("uninstall", "uninstall")])
def test_purge_leaves_nothing(pi: Pi, before: tuple[str, ...]) -> None:
    pi.make("install")
    pi.write("var/lib/homesim/home/new/20261122T120000-a", "an SMS")
    for name in SETTINGS:
        pi.write(name, "mine")
    for target in ("install", *before):
        pi.make(target)
    pi.make("purge", "CONFIRM=yes")
    assert pi.files() == {}
    assert list(pi.root.rglob("*homesim*")) == []


def test_purge_asks_first_and_without_a_terminal_does_nothing(pi: Pi) -> None:
    pi.make("install")
    before = pi.files()
    assert "CONFIRM=yes" in pi.make("purge", code=2)
    assert pi.files() == before


@pytest.mark.parametrize(("answer", "gone"), [("y", True), ("yes", True), ("n", False), ("", False), ("nyet", False)])
def test_purge_does_as_it_is_told_on_a_terminal(pi: Pi, answer: str, gone: bool) -> None:
    pi.make("install")
    before = pi.files()
    ours, its = os.openpty()
    os.write(ours, f"{answer}\n".encode())
    command = ["make", "-s", "purge", f"DESTDIR={pi.root}"]
    run = subprocess.run(command, cwd=pi.source, stdin=its, capture_output=True, text=True, check=False)
    os.close(ours)
    os.close(its)
    assert "with 0 SMS that have not been forwarded?" in run.stdout
    assert pi.files() == ({} if gone else before)


def test_purge_says_when_the_sms_are_elsewhere(pi: Pi) -> None:
    pi.make("install")
    (pi.root / "etc/homesim/config.toml").write_text('[paths]\nstate = "/mnt/sms"  # a disk\n')
    assert "/mnt/sms, the configuration's state folder, stays" in pi.make("purge", "CONFIRM=yes")


def test_the_cron_file_is_the_example_with_a_user(pi: Pi) -> None:
    pi.make("install")
    cron = (pi.root / "etc/cron.d/homesim").read_text()
    example = (ROOT / "crontab.example").read_text()

    def jobs(text: str) -> list[str]:
        return [line for line in text.splitlines() if re.match(r"[^#A-Z]", line)]

    assert len(jobs(example)) == example.count("\n* ") + example.count("\n*/")
    schedule = [re.fullmatch(r"((?:\S+ ){5})root (.+)", line) for line in jobs(cron)]
    assert ["".join(job.groups()) for job in schedule if job] == jobs(example)
    assert re.findall(r"^[A-Z].*$", cron, re.MULTILINE) == [
        "SHELL=/bin/sh",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        'MAILTO=""',
    ]
    assert cron.endswith("\n")
    assert "%" not in "".join(jobs(cron))
    assert "crontab -e" not in cron


def test_a_line_in_root_s_own_crontab_is_named(pi: Pi) -> None:
    assert "crontab" not in pi.make("install")
    own = "var/spool/cron/crontabs/root"
    pi.write(own, "#* * * * * /usr/local/bin/homesim-poll\n* * * * * /usr/bin/other\n")
    assert "crontab" not in pi.make("install")
    pi.write(own, "* * * * * /usr/local/bin/homesim-poll 2>&1 | logger -t homesim\n")
    for target in ("install", "uninstall"):
        assert "take that line out (sudo crontab -e)" in pi.make(target)


@pytest.mark.parametrize(
    ("release", "said", "code"),
    [
        ('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm', "", 0),
        ('ID=raspbian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nID_LIKE=debian', "", 0),
        ('ID=debian\nVERSION_ID="14"\nVERSION_CODENAME=forky', "This one is newer", 0),
        ("ID=debian\nVERSION_CODENAME=forky", "This one is newer", 0),
        ('ID=debian\nVERSION_ID="11"', "This one is not supported", 1),
        ('ID=ubuntu\nVERSION_ID="24.04"', "This one is not supported", 1),
        ("ID=alpine", "This one is not supported", 1),
        ("", "This one is not supported", 1),
    ],
)
def test_a_release_will_do_or_is_left_alone(pi: Pi, release: str, said: str, code: int) -> None:
    pi.write("etc/os-release", f'{release}\nPRETTY_NAME="This one"')
    told = pi.make("install", code=code)
    assert (said in told, "This one" in told) == (True, bool(said))
    assert not code or list(pi.files()) == ["etc/os-release"]


@pytest.mark.parametrize("variable", ["PREFIX=usr/local", "PREFIX=/a b", "PREFIX=/a%b", "PREFIX=/"])
def test_a_prefix_that_cannot_be(pi: Pi, variable: str) -> None:
    assert "PREFIX=" in pi.make("install", variable, code=2)
    assert pi.files() == {}


def test_what_is_gone_cut_off_or_open_to_others_is_put_right_by_the_next(pi: Pi) -> None:
    pi.make("install")
    installed = pi.files()
    pi.make("install")
    assert pi.files() == installed
    home = pi.root / "usr/local/lib/homesim"
    (home / "old").mkdir()
    (home / "bin").rename(home / "old/bin")
    for rest in ("new/bin/gone", "old/lib/gone"):
        (home / rest).parent.mkdir(parents=True, exist_ok=True)
        (home / rest).write_text("")
    cron, *others = SETTINGS
    (pi.root / cron).chmod(0o666)  # which cron would refuse
    for name in (*others, f"usr/local/bin/homesim-{PROGRAMS[0]}"):
        (pi.root / name).unlink()
    (pi.root / "var/lib/homesim").chmod(0o755)
    pi.make("install")
    assert pi.files() == installed
    assert (pi.root / "var/lib/homesim").stat().st_mode & 0o777 == 0o700


def test_uninstall_needs_no_checkout(pi: Pi) -> None:
    pi.make("install")
    script = pi.root / "usr/local/lib/homesim/lib/install.sh"
    shutil.rmtree(pi.source)
    environment = {**os.environ, "DESTDIR": str(pi.root), "CONFIRM": "yes"}
    subprocess.run(["sh", str(script), "purge"], env=environment, cwd="/", check=True, capture_output=True)
    assert pi.files() == {}


def test_it_needs_only_a_plain_environment(pi: Pi) -> None:
    """As `env -i sudo` gives it: a short PATH, no HOME."""
    command = ["/usr/bin/env", "-i", "PATH=/bin", "/usr/bin/make", "-s", "install", f"DESTDIR={pi.root}"]
    subprocess.run(command, cwd=pi.source, check=True, capture_output=True)
    assert (pi.root / "etc/cron.d/homesim").exists()


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="no shellcheck here")
def test_shellcheck_finds_nothing() -> None:
    run = subprocess.run(["shellcheck", str(ROOT / "lib/install.sh")], capture_output=True, text=True, check=False)
    assert run.stdout == ""
