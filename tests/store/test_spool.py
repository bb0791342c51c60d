# SPDX-License-Identifier: GPL-2.0-or-later
"""The spool under a failing disk: whatever fails and when, no entry is lost, no file is half, and it says TryAgain.

The faults are real ones: for one thread the kernel refuses chosen system calls (a seccomp filter), a file system is
full, files are damaged. Nothing of homesim is replaced.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import platform
import resource
import shutil
import stat
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from homesim.errors import TryAgain
from homesim.store.entry import Entry, content
from homesim.store.spool import SEEN_DAYS, Spool

SETTINGS = settings(deadline=None, derandomize=True, max_examples=50)
DAY = 86400
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None

# A disk that fails, for one thread

# arch of <linux/audit.h> and the numbers of <asm/unistd.h>
_ARCH, _CALLS = {
    "x86_64": (0xC000003E, {"write": (1,), "fsync": (74, 75), "rename": (82, 264, 316), "unlink": (87, 263)}),
    "aarch64": (0xC00000B7, {"write": (64,), "fsync": (82, 83), "rename": (38, 276), "unlink": (35,)}),
}.get(platform.machine(), (0, {}))
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD | BPF_ABS, BPF_JMP | BPF_JEQ, BPF_RET
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000

faults = st.dictionaries(
    st.sampled_from(sorted(_CALLS)), st.sampled_from([errno.ENOSPC, errno.EIO, errno.EROFS]), min_size=1, max_size=2
)
needs_seccomp = pytest.mark.skipif(not _CALLS, reason=f"no table of system calls for {platform.machine()}")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _refuse(calls: dict[str, int]) -> None:
    """From now on these system calls fail in this thread, each with its error number."""
    code = [struct.pack("HBBI", _LOAD, 0, 0, 4), struct.pack("HBBI", _EQUAL, 1, 0, _ARCH)]
    code += [struct.pack("HBBI", _RETURN, 0, 0, _ALLOW), struct.pack("HBBI", _LOAD, 0, 0, 0)]
    for name, error in calls.items():
        for number in _CALLS[name]:
            code.append(struct.pack("HBBI", _EQUAL, 0, 1, number))
            code.append(struct.pack("HBBI", _RETURN, 0, 0, _ERRNO | error))
    code.append(struct.pack("HBBI", _RETURN, 0, 0, _ALLOW))
    filters = ctypes.create_string_buffer(b"".join(code))
    program = _Program(len(code), ctypes.addressof(filters))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(program)):
        raise AssertionError(f"no seccomp filter: {os.strerror(ctypes.get_errno())}")


def on_a_bad_disk(calls: dict[str, int], action: Callable[[], object]) -> BaseException | None:
    """Do it where these system calls fail; what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            _refuse(calls)
            action()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised[0] if raised else None


# Strategies

names = st.builds("2026112{}T123456Z-{:024x}".format, st.integers(0, 9), st.integers(0, 3))
pdus = st.lists(st.text("0123456789ABCDEF", min_size=2, max_size=400), min_size=1, max_size=3).map(tuple)
alerts = st.text(st.characters(), min_size=1, max_size=50)
reasons = st.text(max_size=20)
copies = st.lists(st.text("0123456789", min_size=1, max_size=6), max_size=2).map(tuple)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    received, told = draw(st.floats(0, 2e9)), draw(st.booleans())
    if draw(st.booleans()):
        return Entry(draw(names), pdus=draw(pdus), received=received, told=told)
    return Entry(draw(names), alert=draw(alerts), received=received, told=told, copy=draw(copies))


folders = st.sampled_from(["parts", "new", "failed"])
keys = st.sampled_from(["attempt", "delivered", "not-before", "chat"])
values = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3)
WHOLE = content(Entry("20261122T000000Z-1", ("0791947101670000",), received=1.0)).encode()
NO_ENTRY = [  # it would stop delivery or joining later, in every run
    *(b"", b"\0" * 50, b"{", b"[]", b"null", b"\xff\xfe", *(WHOLE[:end] for end in range(1, len(WHOLE) - 2, 9))),
    *(b'{"pdus": []}', b'{"pdus": [1]}', b'{"pdus": "0791"}', b'{"pdus": {"a": 1}}', b'{"pdus": [5]}'),
    *(b'{"alert": 5}', b'{"alert": ""}', b'{"copy": ["12"]}', b'{"received": 1.0}'),
]


# Any interleaving


class Disk(RuleBasedStateMachine):
    """A model of what is kept beside the spool itself. Where a step failed, before and after are both right."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir=FAST)) / "home"
        self.spool = Spool(self.root)
        self.kept: dict[tuple[str, str], set[Entry | None]] = {}  # folder, name: what may be there
        self.seen: dict[str, set[bool]] = {}
        self.state: dict[str, list[dict[str, object]]] = {}
        self.damaged: list[bytes] = []
        self.litter = False  # a disk that let nothing be removed may have left what was begun in tmp/, for sweep

    def teardown(self) -> None:
        shutil.rmtree(self.root.parent)

    def possible(self, now: Entry | None, done: bool, folder: str, name: str) -> set[Entry | None]:
        """What may be there after a step that should have left `now`."""
        return {now} if done else {now, *self.kept.get((folder, name), {None})}

    def do(self, fault: dict[str, int] | None, action: Callable[[], object]) -> bool:
        """Whether it went well. If it did not, it is a TryAgain which names a path of the spool."""
        if not fault:
            action()
            return True
        error = on_a_bad_disk(fault, action)
        if error is None:
            return True
        self.litter |= "unlink" in fault
        assert isinstance(error, TryAgain), repr(error)
        assert str(self.root) in str(error)
        return False

    @rule(folder=folders, entry=entries(), fault=st.none() | faults)
    def put(self, folder: str, entry: Entry, fault: dict[str, int] | None) -> None:
        done = self.do(fault, lambda: self.spool.put(folder, entry))
        self.kept[folder, entry.name] = self.possible(entry, done, folder, entry.name)

    @rule(name=names, fault=st.none() | faults)
    def done(self, name: str, fault: dict[str, int] | None) -> None:
        if fault:
            fault.pop("unlink", None)  # see test_a_removal_that_fails_is_said
        done = self.do(fault, lambda: self.spool.done(name))
        if done or self.spool.sent(name):
            self.seen[name] = {True}
        else:
            self.seen.setdefault(name, {False}).add(True)
        self.kept["new", name] = self.possible(None, done, "new", name)

    @rule(name=names, fault=st.none() | faults)
    def mark(self, name: str, fault: dict[str, int] | None) -> None:
        if self.do(fault, lambda: self.spool.mark(name)):
            self.seen[name] = {True}
        else:
            self.seen.setdefault(name, {False}).add(True)

    @rule(reason=reasons, fault=st.none() | faults, data=st.data())
    def fail(self, reason: str, fault: dict[str, int] | None, data: st.DataObject) -> None:
        waiting = list(self.spool.entries("new"))
        if not waiting:
            return
        if fault:
            fault.pop("unlink", None)
        entry = data.draw(st.sampled_from(waiting))
        failed = replace(entry, reason=reason)
        done = self.do(fault, lambda: self.spool.fail(entry, reason))
        self.kept["failed", entry.name] = self.possible(failed, done, "failed", entry.name)
        self.kept["new", entry.name] = self.possible(None, done, "new", entry.name)
        assert entry in self.spool.entries("new") or failed in self.spool.entries("failed")

    @rule(folder=folders, octets=st.sampled_from(NO_ENTRY) | st.binary(max_size=60), number=st.integers(0, 2))
    def damage(self, folder: str, octets: bytes, number: int) -> None:
        (self.root / folder / f"20261125T{number:06}Z-{len(self.damaged)}.json").write_bytes(octets)
        self.damaged.append(octets)

    @rule(days=st.floats(0, 2))
    def sweep(self, days: float) -> None:
        self.spool.sweep(time.time() + days * DAY)  # nothing here is older than SEEN_DAYS

    @rule(key=keys, value=values, fault=st.none() | faults)
    def set_state(self, key: str, value: dict[str, object], fault: dict[str, int] | None) -> None:
        if fault and not value:
            return  # see test_a_removal_that_fails_is_said
        before = self.state.get(key, [{}])
        self.state[key] = [value] if self.do(fault, lambda: self.spool.save(key, value)) else [value, *before]

    @rule()
    def start_anew(self) -> None:
        self.spool = Spool(self.root)

    @invariant()
    def holds_what_was_put(self) -> None:
        for folder in ("parts", "new", "failed"):
            there = list(self.spool.entries(folder))
            assert [entry.name for entry in there] == sorted(entry.name for entry in there)
            found = {entry.name: entry for entry in there}
            assert all(map(self.spool.known, found))
            for (where, name), possible in self.kept.items():
                if where == folder:
                    assert found.pop(name, None) in possible
            assert not found
        for name, marks in self.seen.items():
            assert self.spool.sent(name) in marks
        for key, possible_values in self.state.items():
            assert (self.spool.load(dict, key) or {}) in possible_values

    @invariant()
    def sets_damaged_files_aside(self) -> None:
        aside = [path.read_bytes() for path in (self.root / "failed").iterdir() if ".damaged-in-" in path.name]
        assert sorted(aside) == sorted(self.damaged)

    @invariant()
    def leaves_no_half_file_and_nothing_for_others_to_read(self) -> None:
        assert self.litter or not any((self.root / "tmp").iterdir())
        for path in [self.root, *self.root.rglob("*")]:
            mode = stat.S_IMODE(path.stat().st_mode)
            if "20261125T" not in path.name:  # written by the test itself
                assert mode == (0o700 if path.is_dir() else 0o600)


@needs_seccomp
def test_any_interleaving_of_faults_loses_nothing() -> None:
    run_state_machine_as_test(Disk, settings=settings(SETTINGS, max_examples=30, stateful_step_count=25))


# One by one


@needs_seccomp
@SETTINGS
@given(entries(), faults)
def test_a_disk_that_fails_says_so_and_keeps_what_was_there(entry: Entry, fault: dict[str, int]) -> None:
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        spool = Spool(Path(folder))
        before = Entry(entry.name, pdus=("00",))
        spool.put("new", before)
        error = on_a_bad_disk(fault, lambda: spool.put("new", entry))
        if set(fault) == {"unlink"}:
            assert error is None
        else:
            assert isinstance(error, TryAgain)
            assert str(Path(folder) / "new" / entry.name[:16]) in str(error)
            assert entry.name[17:] not in str(error)  # the hash, which tells who guesses the text
        durable = set(fault) == {"unlink"}
        assert list(spool.entries("new")) == [entry if durable else before]
        assert spool.count("failed") == 0


@needs_seccomp
@pytest.mark.parametrize("call", ["unlink", "rename", "fsync"])
@pytest.mark.parametrize("step", ["done", "fail", "clear", "entries"])
def test_a_removal_that_fails_is_said(call: str, step: str, tmp_path: Path) -> None:
    """An SD card that the kernel has made read-only: an expected failure, not a bug in homesim."""
    spool = Spool(tmp_path / "home")
    entry = Entry("20261122T123456Z-1", pdus=("00",))
    spool.put("new", entry)
    spool.save("attempt", {"a": 1})
    (spool.root / "new" / "20261122T123456Z-2.json").write_text("damaged")
    steps: dict[str, Callable[[], object]] = {
        "done": lambda: spool.done(entry.name),
        "fail": lambda: spool.fail(entry, "why"),
        "clear": lambda: spool.save("attempt", {}),
        "entries": lambda: list(spool.entries("new")),
    }
    error = on_a_bad_disk({call: errno.EROFS}, steps[step])
    assert error is None or isinstance(error, TryAgain)
    assert entry in spool.entries("new") or spool.sent(entry.name) or entry.name in [
        failed.name for failed in spool.entries("failed")
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a full file system")
def test_a_full_disk(tmp_path: Path) -> None:
    """A message that does not fit is refused whole; there is room again when others are gone."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)], check=True)
    try:
        spool = Spool(tmp_path / "home")
        big = ("AB" * 1000,)
        wanted = [Entry(f"20261122T1234{number:02}Z-1", pdus=big) for number in range(60)]
        with pytest.raises(TryAgain) as raised:
            _put_all(spool, wanted)
        put = list(spool.entries("new"))
        assert str(raised.value).startswith(f"{spool.root}/new/{wanted[len(put)].name}.json: no space left on device;")
        assert put
        assert put == wanted[: len(put)]
        assert spool.count("tmp") == 0
        spool.done(put[0].name)
        spool.put("new", Entry("20261123T000000Z-1", pdus=big))
        assert spool.count("new") == len(put)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def _put_all(spool: Spool, entries: list[Entry]) -> None:
    for entry in entries:
        spool.put("new", entry)


def test_a_file_too_large(tmp_path: Path) -> None:
    """What needs no root to be refused by the kernel in the middle of a write."""
    spool = Spool(tmp_path / "home")
    before = Entry("20261122T123456Z-1", pdus=("00",))
    spool.put("new", before)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(TryAgain, match=str(spool.root / "new" / before.name)):
            spool.put("new", Entry(before.name, pdus=("AB" * 1000,)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(spool.entries("new")) == [before]
    assert spool.count("tmp") == 0


ODD = [
    {"pdus": ["00"], "received": "yesterday"},
    {"pdus": ["00"], "told": "x"},
    {"pdus": ["00"], "copy": "12"},
    {"pdus": ["00"], "copy": [12]},
    {"pdus": ["00"], "name": "other"},
    {"pdus": ["00"], "more": 1},
]


@pytest.mark.parametrize("octets", NO_ENTRY)
def test_what_is_no_entry_is_set_aside_as_it_is(octets: bytes, tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    good = Entry("20261122T000000Z-2", pdus=("00",))
    spool.put("new", good)
    (tmp_path / "new" / "20261122T000000Z-1.json").write_bytes(octets)
    assert list(spool.entries("new")) == [good]
    (aside,) = (tmp_path / "failed").iterdir()
    assert aside.name.startswith("20261122T000000Z-1.json.damaged-in-new-")
    assert aside.read_bytes() == octets


@pytest.mark.parametrize("fields", ODD, ids=json.dumps)
def test_a_message_is_read_whatever_stands_beside_it(fields: dict[str, object], tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    (tmp_path / "new" / "20261122T000000Z-1.json").write_text(json.dumps(fields))
    assert list(spool.entries("new")) == [Entry("20261122T000000Z-1", ("00",))]


@pytest.mark.parametrize("bad", ["/proc/self/mem", "folder"])
def test_a_file_that_cannot_be_read_stops_nothing(bad: str, tmp_path: Path) -> None:
    """What a worn SD card answers: EIO. /proc/self/mem does, at 0; a folder with a file's name says EISDIR."""
    spool = Spool(tmp_path / "home")
    (tmp_path / "folder").mkdir()
    (spool.root / "new" / "20261122T000000Z-1.json").symlink_to(tmp_path / bad)
    good = Entry("20261122T000000Z-2", pdus=("00",))
    spool.put("new", good)
    assert list(spool.entries("new")) == [good]


def test_two_damaged_files_of_one_name_are_both_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for folder in ("parts", "new"):
        (tmp_path / folder / "20261122T000000Z-1.json").write_text(folder)
        assert not list(spool.entries(folder))
    assert sorted(path.read_text() for path in (tmp_path / "failed").iterdir()) == ["new", "parts"]


@SETTINGS
@given(st.lists(st.tuples(names, st.floats(0, 60)), max_size=6, unique_by=lambda pair: pair[0]))
def test_marks_are_kept_for_their_days(marks: list[tuple[str, float]]) -> None:
    now = 1.8e9
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        spool = Spool(Path(folder))
        for name, age in marks:
            spool.mark(name)
            for where in ("seen", "tmp"):
                (spool.root / where / name).touch()
                os.utime(spool.root / where / name, (now - age * DAY, now - age * DAY))
        spool.sweep(now)
        for name, age in marks:
            assert spool.sent(name) == (age <= SEEN_DAYS)
            assert (spool.root / "tmp" / name).exists() == (age <= 1)


def test_nothing_is_written_read_only(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "home", read_only=True)
    assert not list(spool.entries("new"))
    assert spool.count("new") == 0
    assert not (tmp_path / "home").exists()
    Spool(tmp_path / "home")
    (tmp_path / "home" / "new" / "20261122T000000Z-1.json").write_text("damaged")
    with contextlib.suppress(StopIteration):
        next(spool.entries("new"))
    assert (tmp_path / "home" / "new" / "20261122T000000Z-1.json").exists()
