# SPDX-License-Identifier: GPL-2.0-or-later
"""The one durable writer: a file is there whole or not at all, and what the disk refuses is no bug."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from homesim.errors import TryAgain, reason


def replace(path: Path, text: str, temporary: Path | None = None, *, durable: bool = True) -> None:
    """When this returns the file survives a power cut, if it is to be `durable`; it is 0600, its owner the old one's.

    `temporary` is in the same file system; without one it is in the file's own folder. Raise OSError.
    """
    temporary = temporary or path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            os.fchmod(descriptor, 0o600)  # one that was left may be another's
            with contextlib.suppress(FileNotFoundError):
                os.fchown(descriptor, path.stat().st_uid, path.stat().st_gid)
            file.write(text)
            file.flush()
            if durable:
                os.fsync(descriptor)
        os.rename(temporary, path)
        if durable:
            sync(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """What the spool's disk refuses in here is TryAgain."""
    try:
        yield path
    except OSError as error:
        room = "" if isinstance(error, PermissionError) else "; SMS stay on the stick until there is room to write"
        raise TryAgain(shown(path), f"{reason(error)}{room}") from None


def shown(path: Path) -> str:
    """A path without the hash in it: who sees that in a log can try which of all codes it is of."""
    return re.sub(r"-[0-9a-f]{24}", "-...", str(path))
