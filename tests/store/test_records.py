# SPDX-License-Identifier: GPL-2.0-or-later
"""Small facts survive a file, and whatever stands in a file instead is none, or a default: nothing raises."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homesim.store import records


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    number: int
    name: str = ""


@dataclass(frozen=True)
class Fact:
    what: str
    at: float
    flag: bool = False
    many: tuple[str, ...] = ()
    colour: Colour = Colour.RED
    level: int | None = None
    inner: Inner | None = None
    named: dict[str, Inner] = field(default_factory=dict)


inners = st.builds(Inner, st.integers(), st.text())
facts = st.builds(
    Fact, st.text(), st.floats(-1e17, 1e17), st.booleans(),
    st.lists(st.text()).map(tuple), st.sampled_from(Colour), st.none() | st.integers(), st.none() | inners,
    st.dictionaries(st.text(), inners),
)  # fmt: skip
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text() | st.sampled_from(list(Fact.__annotations__)), inside),
)


@given(facts)
def test_it_comes_back_as_it_was(fact: Fact) -> None:
    assert records.read(Fact, json.dumps(records.to(fact)).encode()) == fact


@given(anything)
def test_anything_else_is_none_or_a_sound_one(value: Any) -> None:
    found = records.of(Fact, value)
    assert found is None or records.of(Fact, records.to(found)) == found


@given(st.binary())
def test_any_octets(octets: bytes) -> None:
    assert records.read(Fact, octets) is None


def test_deep_brackets() -> None:
    assert records.read(Fact, b"[" * 100_000) is None


@pytest.mark.parametrize("damaged", [
    {"flag": 1}, {"flag": "yes"}, {"many": "ab"}, {"many": ["a", 1]}, {"colour": "green"}, {"level": True},
    {"level": 1.5}, {"inner": {}}, {"inner": {"number": "1"}}, {"named": []}, {"named": {"a": {"number": None}}},
])  # fmt: skip
def test_a_damaged_field_has_its_default(damaged: dict[str, Any]) -> None:
    assert records.of(Fact, {"what": "x", "at": 1, **damaged}) == Fact("x", 1)


@pytest.mark.parametrize("damaged", [{"what": None}, {"at": "1"}, {"at": True}, {"at": float("nan")}, {"at": 1e999}])
def test_without_a_default_there_is_none(damaged: dict[str, Any]) -> None:
    assert records.of(Fact, {"what": "x", "at": 1.0, **damaged}) is None
    assert records.of(Fact, {key: 1.0 for key in ("at",) if key not in damaged}) is None


def test_what_another_version_wrote_beside_it_is_left_out() -> None:
    assert records.of(Fact, {"what": "x", "at": 1.0, "of a later version": []}) == Fact("x", 1.0)
