# SPDX-License-Identifier: GPL-2.0-or-later
"""homesim-doctor on a healthy system, and on one for each trouble: its first ✗ is the cause, its cure cures.

A trouble with no cure of its own in the table below has the commands carried out that doctor printed. Where a
cure needs a real system (apt, systemd, udev, a hand at the stick), a line brings about what it would.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import filelock
import pytest

from clinic import Clinic
from doctor.system import PACKAGES, STATION, System, first_bad
from emulators.botapi.server import CHAT_ID, TOKEN, Chat, gateway, honest, portal, redirect, refusal
from emulators.botapi.tls import Tls
from emulators.stick.stick import Cure, Registration, Sim, Trouble
from health.test_health_hilink import TROUBLES
from homesim.health import incident as begun
from homesim.health.faults import FAULTS
from homesim.process import boottime
from homesim.store.spool import Spool
from patience import look_until
from pdus import deliver
from rig import BIN, ROOT, Rig

Change = Callable[[System], object]


@dataclass(frozen=True)
class Broken:
    """How a system comes to have a trouble; `cure` None: the printed commands."""

    trouble: str
    change: Change
    cure: Change | None = None
    needs: str = ""  # "mount": the right to mount
    quick: bool = False


def text(path: str, words: str) -> Change:
    return lambda system: system.write(path, words)


def remove(path: str) -> Change:
    return lambda system: (system.root / path.lstrip("/")).unlink()


def move(path: str, to: str) -> Change:
    return lambda system: (system.root / path.lstrip("/")).rename(system.write(to))


def install(system: System) -> None:
    system.install()


def configure(**tables: str) -> Change:
    return lambda system: system.configure(**tables)


def poll(system: System) -> None:
    assert system.rig.poll().returncode == 0


def hold(system: System, **fields: Any) -> None:
    """A run of homesim-poll is at work."""
    system.ran(sim="READY", **fields)
    lock = filelock.FileLock(system.rig.run_folder / "home.lock")
    lock.acquire()
    system.rig.held = lock  # type: ignore[attr-defined]


def let_go(system: System, **fields: Any) -> None:
    system.rig.held.release()  # type: ignore[attr-defined]
    system.ran(**fields)


def holder(system: System) -> None:
    """A program has the port open: a real one, and the kernel's own view of it."""
    code = "import sys; port = open(sys.argv[1], 'rb'); print('open', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(system.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == b"open\n"
    (system.root / f"proc/{process.pid}").symlink_to(f"/proc/{process.pid}")
    system.rig._processes.append(process)  # type: ignore[arg-type]


def released(system: System) -> None:
    system.carry_out(first_bad(system.findings())["cure"])
    system.rig._processes[-1].wait()


def two_sticks(system: System) -> None:
    system.rig.port.unplug()
    system.plug()
    system.plug(place="1-1.3")


def one_stick(system: System) -> None:
    system.unplug("1-1.3")
    system.rig.port.plug()
    system.plug()


def gone(system: System) -> None:
    system.rig.port.unplug()
    system.unplug()


def back(system: System) -> None:
    if not system.rig.port.path.exists():
        system.rig.port.plug()
    system.plug()


def as_mode(ids: str, interface: str, ttys: int = 0) -> Change:
    def change(system: System) -> None:
        system.rig.port.unplug()
        system.plug(ids, interface=interface, ttys=ttys)

    return change


def dead(system: System) -> None:
    """It answers no control transfer."""
    system.rig.port.unplug()
    system.plug(ttys=0)
    shutil.rmtree(next(system.stick.glob("*:1.0")))


def switched_off(system: System) -> None:
    """By a reset of ours that was killed: it was seen at work before."""
    Spool(system.rig.state).save("stick", {"place": STATION, "ids": "12d1:155e"})
    (system.stick / "authorized").write_text("0\n")


def strange_off(system: System) -> None:
    system.rig.port.unplug()
    system.plug()
    (system.stick / "authorized").write_text("0\n")


def in_vain(system: System) -> None:
    system.rig.stick.faults.freeze()
    spool = Spool(system.rig.state)
    begun.save(spool, replace(begun.begin(FAULTS["silent"], 7200, 0), rounds=1))


def helped(system: System) -> None:
    assert first_bad(system.findings())["cure"].startswith(HAND)
    system.rig.stick.faults.thaw()
    (system.rig.state / "incident").unlink()


def revived(system: System) -> None:
    assert first_bad(system.findings())["cure"].startswith(HAND)
    back(system)


def no_link(system: System) -> None:
    system.rig.port.path.unlink()


def link(system: System) -> None:
    system.rig.port.unplug()
    system.rig.port.plug()
    system.plug()


def spooled(folder: str, age: float) -> Change:
    """An SMS in the spool as a run leaves it."""

    def change(system: System) -> None:
        file = system.rig.state / folder / "20261122134723-0123456789abcdef.json"
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_text(json.dumps({"pdus": [deliver("+491701234567", "482913 ist Ihre TAN")], "reason": "HTTP 400"}))
        os.utime(file, (time.time() - age, time.time() - age))

    return change


def mount(system: System, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "homesim", system.rig.folder / "state"], check=True)


def tmpfs(options: str) -> Change:
    """The state folder on a file system of its own."""

    def change(system: System) -> None:
        mount(system, "mode=700")
        system.rig.state.mkdir(mode=0o700)
        system.write("/proc/mounts", f"homesim {system.rig.folder}/state tmpfs rw 0 0\n")
        mount(system, f"remount,{options}")

    return change


def wrong_pin(system: System) -> None:
    system.lock("1234")
    system.configure(modem='pin = "9999"')
    assert system.rig.poll().returncode == 78


def last_tries(system: System) -> None:
    """Somebody has spent one, and nothing here knows of it."""
    system.lock("1234")
    system.configure(modem='pin = "1234"')
    said = b"\r\n^CPIN: SIM PIN,2,10,2,10,3\r\n"
    system.rig.stick.faults.on(r"\^CPIN\?", Trouble(answer="OK", before_answer=said))


def in_a_telephone(system: System) -> None:
    assert system.rig.poll().returncode == 78
    system.rig.stick.faults.clear()
    right_pin(system)


def right_pin(system: System) -> None:
    tries = system.rig.stick.pin_tries_left
    system.configure(modem='pin = "1234"')
    assert all(finding["ok"] for finding in system.findings() if finding["station"] in ("SIM", "network"))
    assert system.rig.stick.pin_tries_left == tries  # doctor tries none
    poll(system)


def certificate(system: System) -> None:
    """A TLS server whose certificate nobody has signed."""
    tls = Tls(system.rig.folder, system.rig.api).__enter__()
    system.configure(telegram=f'api_url = "{tls.url}"')


def chat(**fields: object) -> Change:
    def change(system: System) -> None:
        system.rig.api.chats[CHAT_ID] = replace(Chat(CHAT_ID), **fields)  # type: ignore[arg-type]

    return change


def topic(system: System) -> None:
    system.rig.api.chats[-100] = Chat(-100, "supergroup", "Home", topics=frozenset({7}))
    system.configure(telegram="chat_id = -100\ntopic_id = 8")


def no_health(system: System) -> None:
    """An older version's entry, which its owner has changed."""
    system.write(CRON_D, "*/2 * * * * root /usr/local/bin/homesim-poll\n")


def no_health_cure(system: System) -> None:
    system.carry_out(first_bad(system.findings())["cure"])
    move(f"{CRON_D}.dist", CRON_D)(system)


def example(system: System) -> None:
    """What make install leaves."""
    given = (ROOT / "config.toml.example").read_text().split("[paths]")[0]
    paths = system.rig.config.read_text().partition("[paths]")[2]
    system.rig.config.write_text(given.replace("/dev/sms", str(system.port)) + "[paths]" + paths)


def revoked(really: bool) -> Change:
    return lambda system: setattr(system.rig.api, "revoked", really)


def hidden(system: System) -> None:
    """What the last run of homesim-poll counted and did not get to see."""
    hold(system, registration="home", memories={"SM": {"used": 3, "size": 50}}, hidden=3)


def stuck(system: System) -> None:
    """What the last run could not take off the stick; asked itself, the stick says nothing of it."""
    system.ran(sim="READY", stuck=1)


def incident(system: System) -> None:
    spool = Spool(system.rig.state)
    begun.save(spool, begun.begin(FAULTS["silent"], 7200, 0))


HAND = "pull the stick out, wait ten seconds and put it back"
PROXY = "http://127.0.0.1:9"  # discard: nobody listens there
CRON_D, CRONTAB = "/etc/cron.d/homesim", "/var/spool/cron/crontabs/root"
OLD_LINE = "* * * * * /root/homesim/bin/poll\n"
RULE = "/etc/udev/rules.d/78-homesim.rules"

BROKEN = [
    Broken("release", text("/etc/os-release", 'ID=debian\nVERSION_ID="11"\n'), System._distribution),
    Broken("release", text("/etc/os-release", 'ID=raspbian\nVERSION_ID="9"\n'), System._distribution),
    Broken("release", text("/etc/os-release", 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n'), System._distribution),
    Broken("packages", lambda s: s.packages("cron"), lambda s: s.packages(*PACKAGES), quick=True),
    Broken("no-configuration", remove("/etc/homesim/config.toml"), configure(), quick=True),
    Broken("example", example, configure()),
    Broken("open-configuration", lambda s: s.rig.config.chmod(0o644), quick=True),
    Broken("wrong-configuration", configure(telegram='chat_id = "Anna"'), configure(), quick=True),
    Broken("wrong-configuration", configure(more="[["), configure()),
    Broken("voltage", lambda s: s.voltage(low=True), lambda s: s.voltage(low=False)),
    Broken("voltage-before", text("/dev/kmsg", "4,9,9,-;hwmon: Undervoltage detected!\n"), text("/dev/kmsg", "")),
    Broken("old-service", lambda s: s.process(900, "gammu-smsd", s.port), lambda s: s.end(900), quick=True),
    Broken("old-service", lambda s: s.process(900, "smsd"), lambda s: s.end(900)),
    Broken("old-service", text("/etc/rc3.d/S01smstools", ""), remove("/etc/rc3.d/S01smstools")),
    Broken("old-file", text("/gammu.sh", "curl ...\n"), quick=True),
    Broken("old-file", text("/reset.sh", "usbreset\n")),
    Broken("old-entry", text(CRONTAB, "*/5 * * * * /reset.sh\n"), text(CRONTAB, "")),
    Broken("old-file", text("/etc/udev/999-gsm.rules", 'ATTRS{idVendor}=="12d1", SYMLINK+="gsm"\n')),
    Broken("old-file", text("/etc/udev/rules.d/999-gsm.rules", 'ATTRS{idVendor}=="12d1", SYMLINK+="gsm"\n')),
    Broken("no-switch", remove("/etc/usb_modeswitch.d/12d1:1f01"), install),
    Broken("other-switch", text("/etc/usb_modeswitch.d/12d1:1f01~", "HuaweiNewMode=1\n"), quick=True),
    Broken("other-switch", text("/etc/usb_modeswitch.d/12d1:1f01", "HuaweiNewMode=1\n")),
    Broken("switching-off", text("/etc/usb_modeswitch.conf", "# all\nDisableSwitching=1\n")),
    Broken("no-rule", remove(RULE)),
    Broken("rule-elsewhere", move(RULE, "/etc/udev/78-homesim.rules"), quick=True),
    Broken("rule-elsewhere", move(RULE, "/etc/udev/rules.d/78-homesim.rule")),
    Broken("rule-elsewhere", move(RULE, "/etc/udev/rules.d/10-homesim.rules")),
    Broken("absent", gone, back, quick=True),
    Broken("several", two_sticks, one_stick),
    Broken("off", switched_off),
    Broken("storage", as_mode("12d1:1f01", "08"), back, quick=True),
    Broken("hilink", as_mode("12d1:14db", "02"), back),
    Broken("hilink", as_mode("3566:2001", "e0"), back),
    Broken("no-port", as_mode("3566:2001", "ff"), back),
    Broken("dead", dead, revived),
    Broken("unknown", strange_off, back),
    Broken("no-link", no_link, link),
    Broken("not-a-port", lambda s: s.configure(modem=f'device = "{s.rig.config}"'), configure()),
    Broken("modemmanager", lambda s: s.process(700, "ModemManager", s.port), lambda s: s.end(700)),
    Broken("held", holder, released, quick=True),
    Broken("silent", lambda s: s.rig.stick.faults.freeze(), lambda s: s.rig.stick.faults.thaw()),
    Broken("silent", in_vain, helped),
    Broken("no-sim", lambda s: s.rig.stick.faults.sim(Sim.ABSENT), lambda s: s.rig.stick.faults.sim(None), quick=True),
    Broken("pin", lambda s: s.lock("1234"), right_pin),
    Broken("wrong-pin", wrong_pin, right_pin),
    Broken("last-tries", last_tries, in_a_telephone),
    Broken("puk", lambda s: s.rig.stick.faults.sim(Sim.PUK), lambda s: s.rig.stick.faults.sim(None)),
    Broken("no-sim", lambda s: s.rig.stick.faults.sim(Sim.BUSY), lambda s: s.rig.stick.faults.sim(None)),
    Broken(
        "unregistered",
        lambda s: s.rig.stick.faults.register(Registration.SEARCHING),
        lambda s: s.rig.stick.faults.register(Registration.ROAMING),
    ),
    Broken(
        "unregistered",
        lambda s: s.rig.stick.faults.register(Registration.DENIED),
        lambda s: s.rig.stick.faults.register(Registration.HOME),
    ),
    Broken(
        "weak-signal",
        lambda s: hold(s, registration="home", signal=3, memories={"SM": {"used": 0, "size": 50}}),
        lambda s: let_go(s, signal=60),
    ),
    Broken("call", lambda s: hold(s, registration="home", call=300), lambda s: let_go(s, call=0)),
    Broken("stuck", stuck, lambda s: s.ran(stuck=0), quick=True),
    Broken("hidden", hidden, lambda s: let_go(s, hidden=0)),
    Broken("full", lambda s: s.rig.stick.fill("SM", deliver("+49170", "hello")), quick=True),
    Broken("open-folder", lambda s: s.rig.state.chmod(0o755)),
    Broken("read-only", tmpfs("ro"), needs="mount"),
    Broken("full-disk", tmpfs("size=4m"), lambda s: mount(s, "remount,size=64m"), needs="mount"),
    Broken(
        "overlay",
        text("/proc/mounts", "/dev/mmcblk0p2 /boot vfat rw 0 0\noverlayroot / overlay rw 0 0\n"),
        System.mounted,
    ),
    Broken("no-entry", remove(CRON_D), quick=True),
    Broken("no-entry", no_health, no_health_cure),
    Broken("no-entry", move(CRON_D, "/etc/cron.d/homesim.cron")),
    Broken("no-entry", lambda s: (s.root / CRON_D[1:]).chmod(0o664)),
    Broken("no-entry", lambda s: s.write(CRON_D, (s.root / CRON_D[1:]).read_text().rstrip("\n")),
           no_health_cure),
    Broken("entry-twice", text(CRONTAB, OLD_LINE), text(CRONTAB, f"# {OLD_LINE}")),
    Broken("no-program", remove("/usr/local/bin/homesim-poll")),
    Broken("no-cron", lambda s: s.end(300), lambda s: s.process(300, "cron")),
    Broken("poll", lambda s: s.ran(ago=7200), quick=True),
    Broken("poll", lambda s: shutil.rmtree(s.rig.run_folder)),
    Broken("clock", remove("/run/systemd/timesync/synchronized"), text("/run/systemd/timesync/synchronized", "")),
    Broken("proxy", configure(telegram=f'proxy = "{PROXY}"'), configure()),
    Broken("name", configure(telegram='api_url = "http://nobody.invalid"'), configure()),
    Broken("unreachable", lambda s: s.rig.api.down(), lambda s: s.rig.api.up(), quick=True),
    Broken("certificate", certificate, configure()),
    Broken("portal", lambda s: s.rig.api.order(portal()), lambda _: None),
    Broken("portal", lambda s: s.rig.api.order(redirect()), lambda _: None),
    Broken("token", revoked(True), revoked(False), quick=True),
    Broken("telegram", lambda s: s.rig.api.order(gateway()), lambda _: None),
    Broken("chat", configure(telegram="chat_id = 4711"), lambda s: s.rig.api.user_says(4711, "/start")),
    Broken("write", chat(trouble="blocked"), lambda s: s.rig.api.user_says(CHAT_ID, "/start"), quick=True),
    Broken("write", chat(trouble="not started"), lambda s: s.rig.api.user_says(CHAT_ID, "/start")),
    Broken("topic", topic, configure(telegram="chat_id = -100\ntopic_id = 7")),
    Broken("waiting", spooled("new", 3600)),
    Broken("refused", spooled("failed", 60), lambda s: (s.rig.state / "failed").rename(s.rig.state / "new")),
    Broken("failure", lambda s: s.ran(error="/dev/sms: the stick has gone")),
    Broken("incident", incident, lambda s: (s.rig.state / "incident").unlink()),
]  # fmt: skip


@pytest.fixture
def system(rig: Rig) -> System:
    return System(rig)


def test_a_healthy_system_has_nothing_wrong(system: System) -> None:
    before = snapshot(system.root)
    run = system.doctor()
    assert (run.returncode, run.stderr) == (0, "")
    assert {line[0] for line in run.stdout.splitlines()} == {"✓"}
    assert {finding["station"] for finding in system.findings()} >= {fault.station for fault in FAULTS.values()}
    assert snapshot(system.root) == before
    assert system.rig.texts() == []
    assert {command.text for command in system.rig.stick.commands if "=" in command.text} == {"AT+CMEE=1"}


def snapshot(folder: Path) -> dict[str, tuple[int, float]]:
    return {str(path): (path.lstat().st_mode, path.lstat().st_mtime) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "broken", [pytest.param(b, id=b.trouble, marks=[] if b.quick else [pytest.mark.slow]) for b in BROKEN]
)
def test_the_first_wrong_station_is_the_cause_and_its_cure_cures(broken: Broken, system: System) -> None:
    with prepared(broken, system):
        broken.change(system)
        found = first_bad(system.findings())
        assert found["trouble"] == broken.trouble, found
        if broken.cure:
            broken.cure(system)
        else:
            system.carry_out(found["cure"])
        assert [finding for finding in system.findings() if finding["ok"] is not True] == []


@contextlib.contextmanager
def prepared(broken: Broken, system: System) -> Iterator[None]:
    if broken.needs == "mount" and (os.geteuid() != 0 or not can_mount(system.rig.folder)):
        pytest.skip("mount(8) is not for us here")
    try:
        yield
    finally:
        if broken.needs:
            subprocess.run(["umount", "-q", system.rig.folder / "state"], check=True)


def can_mount(folder: Path) -> bool:
    there = folder / "mount"
    there.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "homesim", there], capture_output=True, check=False).returncode:
        return False
    subprocess.run(["umount", there], check=True)
    return True


def test_each_trouble_there_is_has_been_made_and_cured() -> None:
    elsewhere = {"socks", "ipv6", "other-reader"}  # each a test of its own below, or in setup/test_setup.py
    assert {broken.trouble for broken in BROKEN} | elsewhere | set(TROUBLES) == set(FAULTS)


def another_cron(system: System) -> None:
    system.packages(*(name for name in PACKAGES if name != "cron"))
    with (system.root / "var/lib/dpkg/status").open("a") as status:
        status.write("\nPackage: bcron\nStatus: hold ok installed\nProvides: anacron, cron-daemon\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "unseen"),
    [
        (text("/etc/usb_modeswitch.d/12d1:1f01.dpkg-dist", "HuaweiNewMode=1\n"), []),
        (text("/etc/usb_modeswitch.d/12d1:1f01:uMa=other", "HuaweiNewMode=1\n"), []),  # another maker's
        (another_cron, []),
        (text("/etc/os-release", "ID=debian\n"), ["release"]),  # a newer one
        (System.unplug, ["stick"]),  # a port that is not on USB
    ],
    ids=["dpkg's", "another maker's", "another cron", "testing", "no USB"],
)
def test_what_is_no_fault(system: System, change: Change, unseen: list[str]) -> None:
    change(system)
    findings = system.findings()
    assert [finding for finding in findings if finding["ok"] is False] == []
    assert [finding["station"] for finding in findings if finding["ok"] is None] == unseen
    assert system.rig.poll().returncode == 0  # port and lock are free again


# What needs more than a line.


def test_nothing_is_asked_of_a_port_that_another_program_has(system: System) -> None:
    """Two readers would take each other's answers. cat(1) takes no lock, and would be let in."""
    holder(system)
    assert first_bad(system.findings())["trouble"] == "held"
    assert system.rig.stick.commands == []


def test_a_socks_proxy_wants_its_package(system: System) -> None:
    has_socks = subprocess.run([system.rig.python, "-c", "import socks"], capture_output=True, check=False)
    if has_socks.returncode == 0:
        pytest.skip("python3-socks is there")
    system.configure(telegram=f'proxy = "{system.rig.api.url.replace("http", "socks5h")}"')
    assert first_bad(system.findings())["trouble"] == "socks"


@pytest.mark.slow
def test_an_ipv6_that_leads_nowhere(system: System) -> None:
    """A name with both addresses, and behind the IPv6 one a listener that takes nobody any more."""
    port = int(system.rig.api.url.rpartition(":")[2])
    hosts = system.write("/hosts", "127.0.0.1 both\n::1 both\n")
    inside = ("unshare", "-m", "sh", "-ec", f'mount --bind {hosts} /etc/hosts; exec "$@"', "sh")
    if os.geteuid() != 0 or not can_mount(system.rig.folder) or not Path("/proc/net/if_inet6").exists():
        pytest.skip("no right to mount, or no IPv6")
    with socket.socket(socket.AF_INET6) as listener, contextlib.ExitStack() as waiting:
        listener.bind(("::1", port))
        listener.listen(0)
        for _ in range(2):  # the queue is full
            client = waiting.enter_context(socket.socket(socket.AF_INET6))
            client.setblocking(False)
            client.connect_ex(("::1", port))
        system.configure(telegram=f'api_url = "http://both:{port}"')
        assert first_bad(system.findings(wrap=inside))["trouble"] == "ipv6"
        system.configure(telegram=f'api_url = "http://both:{port}"\nforce_ipv4 = true')
        assert [finding for finding in system.findings(wrap=inside) if not finding["ok"]] == []


@pytest.mark.slow
def test_a_run_that_is_at_work_is_not_disturbed(system: System) -> None:
    """What it saw is taken, and said so; when it has heard nothing for minutes, that is the trouble."""
    with system.rig.lingering() as run:
        (system.root / f"proc/{run.pid}").symlink_to(f"/proc/{run.pid}")  # it has the port open, as is right
        system.rig.stick.wait_for(lambda stick: any("COPS" in command.text for command in stick.commands))
        look_until(lambda: system.rig.status()["registration"] != "unknown")
        findings = {finding["station"]: finding for finding in system.findings()}
    assert "homesim-poll" in findings["answer"]["says"]
    assert "registered at home" in findings["network"]["says"]
    assert all(finding["ok"] for finding in findings.values())


@pytest.mark.slow
def test_a_run_at_work_that_hears_nothing(system: System) -> None:
    hold(system, registration="home")
    system.ran(ago=3600)
    status = json.loads((system.rig.run_folder / "home.json").read_text())
    (system.rig.run_folder / "home.json").write_text(json.dumps(status | {"updated_boottime": boottime()}))
    found = first_bad(system.findings())
    assert (found["trouble"], "60 minutes" in found["says"]) == ("silent", True)


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["gammu", "requests", "filelock"])
def test_it_starts_without_what_it_names_as_missing(system: System, missing: str) -> None:
    absent = system.rig.folder / "absent"
    absent.mkdir()
    (absent / f"{missing}.py").write_text(f"raise ModuleNotFoundError('No module named {missing}')\n")
    system.packages(*(name for name in PACKAGES if name != f"python3-{missing}"))
    found = first_bad(system.findings(env={**os.environ, "PYTHONPATH": str(absent)}))
    assert (found["trouble"], found["cure"]) == ("packages", f"`sudo apt install -y python3-{missing}`")


SECRETS = (TOKEN, TOKEN.partition(":")[2], str(CHAT_ID), "4917012345678", "262011234567890", "482913", "TAN", "5678")


@pytest.mark.parametrize("json_too", [(), ("--json",)], ids=["text", "json"])
def test_nothing_secret_is_printed(system: System, json_too: tuple[str, ...]) -> None:
    """Not in health, and not when Telegram, the configuration or a run before it say it to us."""
    system.rig.stick.store("SM", None, deliver("+4917012345678", "482913 ist Ihre TAN"))
    spooled("new", 3600)(system)
    spooled("failed", 3600)(system)
    (system.rig.state / "incident").write_text(json.dumps({"since": 1, "text": "482913", "token": TOKEN}))
    said = f"bot{TOKEN} may not write to {CHAT_ID}, nor +4917012345678"
    system.ran(error=f"Telegram: {said}; IMSI 262011234567890", operator="262011234567890")
    system.configure(modem='pin = "5678"')
    shown = [system.doctor(*json_too)]
    for order in (refusal(404, said), refusal(500, said)):
        system.rig.api.order(order)
        shown.append(system.doctor(*json_too))
    system.rig.api.order(honest(), honest(), refusal(403, said))
    shown.append(system.doctor(*json_too))
    system.rig.config.write_text(f'[telegram]\n"{TOKEN}" = 1\nchat_id = "{CHAT_ID}"\n+4917012345678 = ""')
    shown.append(system.doctor(*json_too))
    system.rig.config.write_text(f'[telegram]\n"{TOKEN}" = 1\n4917012345678 = ""\n')
    shown.append(system.doctor(*json_too))
    assert [run.returncode for run in shown] == [75] * 6
    for run in shown:
        assert [secret for secret in SECRETS if secret in run.stdout + run.stderr] == []


@pytest.mark.slow
def test_a_proxy_s_password_is_not_printed(system: System) -> None:
    system.configure(telegram='proxy = "http://anna:geheim@127.0.0.1:9"')
    system.ran(error="Telegram: http://anna:geheim@127.0.0.1:9 does not answer")
    shown = system.doctor()
    assert "geheim" not in shown.stdout + shown.stderr


def test_not_as_root_it_says_what_it_could_not_see(system: System) -> None:
    if os.geteuid() != 0:
        pytest.skip("we are nobody already")
    for path in (system.rig.folder, *system.rig.folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    private = ("dev/kmsg", "proc/300/fd", "var/spool/cron/crontabs", "run/homesim", "var/lib/homesim")
    for name in private:
        if not (system.root / name).exists():
            (system.root / name).mkdir(parents=True)
        (system.root / name).chmod(0o700)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if subprocess.run([*nobody, system.rig.python, "-c", f"open('{ROOT}/bin/doctor')"], check=False).returncode:
        pytest.skip("nobody may not read the program here")
    findings = system.findings(wrap=nobody)
    unseen = {finding["station"] for finding in findings if finding["ok"] is None}
    assert unseen >= {"configuration", "power", "port", "last run", "Telegram", "spool", "alerts"}
    assert [finding for finding in findings if finding["ok"] is False] == []
    shown = system.doctor(wrap=nobody)
    assert (shown.returncode, "sudo homesim-doctor" in shown.stdout) == (0, True)


def test_no_name_of_a_process_is_obeyed_by_a_terminal(system: System) -> None:
    """Anybody can give his own any (prctl(2), PR_SET_NAME); root's terminal showed it as it was."""
    system.process(700, "\033]0;x\a\033[2J\u202e", system.port)
    shown = system.doctor().stdout
    assert "(pid 700) holds" in shown
    assert [character for character in shown if not (character.isprintable() or character == "\n")] == []


def test_several_modems_are_told_apart(system: System) -> None:
    system.configure(more='[modem.away]\ndevice = "/dev/none"\n')
    found = first_bad(findings := system.findings())
    assert (found["modem"], found["trouble"]) == ("away", "absent")
    assert {finding["modem"] for finding in findings} == {"", "home", "away"}
    assert "✗ away: stick" in system.doctor().stdout
    assert all(finding["ok"] for finding in system.findings("--modem", "home"))
    assert system.doctor("--modem", "nobody").returncode == 2


@pytest.mark.slow
def test_another_modem_s_stick_is_not_taken_for_ours(system: System) -> None:
    """The one whose port is gone may only be the stick that is nobody else's."""
    system.plug("12d1:1f01", "1-1.3", interface="08", ttys=0)
    system.configure(more='[modem.away]\ndevice = "/dev/none"\n')
    found = first_bad(system.findings())
    assert (found["modem"], found["trouble"]) == ("away", "storage")


def test_the_script_runs(python: str) -> None:
    shown = subprocess.run([python, "-B", str(BIN / "doctor"), "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("homesim-doctor ")
    looked = subprocess.run([python, "-B", str(BIN / "doctor")], capture_output=True, text=True, check=False)
    assert (looked.returncode in (0, 75), looked.stderr) == (True, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        (lambda c: c.stick.faults.freeze(Cure.AUTHORIZE), "silent"),
        (lambda c: c.stick.faults.register(Registration.SEARCHING, Cure.RADIO), "unregistered"),
    ],
    ids=["silent", "unregistered"],
)
def test_a_reset_asked_for_by_hand_is_a_cure(python: str, fault: Callable[[Clinic], object], trouble: str) -> None:
    """The command as it is printed, with the real homesim-health on a bus that behaves."""
    with Clinic(python) as clinic:
        system = System(clinic)
        clinic.configure()
        fault(clinic)
        found = next(finding for finding in system.findings() if finding["trouble"] == trouble)
        assert "`sudo homesim-health --force-reset`" in found["cure"]
        assert clinic.health("--force-reset") == 0
        assert trouble not in [finding["trouble"] for finding in system.findings()]


def test_a_terminal_without_these_letters_is_no_trouble(system: System) -> None:
    shown = system.doctor(env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (shown.returncode, shown.stderr) == (0, "")
