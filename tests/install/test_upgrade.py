# SPDX-License-Identifier: GPL-2.0-or-later
"""What 0.1.0 has left goes on: state_0.1.0.json is what its own programs wrote, when the stick had frozen.

One half of a long SMS waits in parts/, one SMS was refused, an alert waits for a Telegram that was away, and the
incident is open.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clinic import Clinic

LEFT = json.loads(Path(__file__).with_name("state_0.1.0.json").read_text())
REFUSED = next(name for name in LEFT["files"] if "/failed/" in name)


@pytest.fixture
def clinic(python: str) -> Iterator[Clinic]:
    with Clinic(python) as clinic:
        for name, text in LEFT["files"].items():
            file = clinic.folder / name
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_text(text)
        yield clinic


def test_what_the_version_before_has_left_goes_on(clinic: Clinic) -> None:
    clinic.stick.deliver(LEFT["again"])  # was forwarded, and its mark must hold
    clinic.stick.deliver(LEFT["rest"])
    run = clinic.poll()
    assert (run.returncode, run.stderr) == (0, "")
    assert clinic.health() == 0
    assert clinic.poll().returncode == 0
    clinic.settle()
    assert clinic.stick.stored() == {}
    frozen, mended = (text for text in clinic.alerts() if "cannot be forwarded" not in text)
    assert frozen == "The stick stopped answering at 01:09. I am trying to bring it back."
    assert mended.startswith("The stick stopped answering")
    assert "All is well again since" in mended
    assert clinic.api.text().count("This long one came in two halves.") == 1
    assert "forwarded before" not in clinic.api.text()
    assert clinic.incident() == {}


def test_what_was_refused_then_is_told_once_and_can_be_tried_again(clinic: Clinic) -> None:
    for _ in range(2):
        assert clinic.poll().returncode == 0
        assert clinic.health() == 0
    assert clinic.poll().returncode == 0
    assert len([text for text in clinic.alerts() if text.startswith("1 SMS cannot be forwarded")]) == 1
    (clinic.folder / REFUSED).rename(clinic.state / "new" / Path(REFUSED).name)
    assert clinic.poll().returncode == 0
    assert clinic.api.text().count("refused by Telegram") == 1
    assert clinic.entries("failed") == []
