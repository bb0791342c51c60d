# SPDX-License-Identifier: GPL-2.0-or-later
"""Small facts on disk: a frozen dataclass to JSON and back. What is damaged is none, and never raises.

What a dataclass may hold: str, bool, int, float, None, Enum (as its value), tuple[X, ...] (as a list), dict[str, X],
unions of these, and such dataclasses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_DAMAGED: Any = object()
_LARGE = 1e18  # no number of ours comes near; NaN and the infinities, which JSON takes, are not below it either


def read(kind: type[T], octets: bytes) -> T | None:
    """The record in a file; None when there is none in it."""
    try:
        return of(kind, json.loads(octets))
    except (ValueError, RecursionError):
        return None


def load(kind: type[T], path: Path) -> T | None:
    """The same of a file that may be missing, or that the disk does not give."""
    try:
        return read(kind, path.read_bytes())
    except OSError:
        return None


def of(kind: type[T], value: object) -> T | None:
    """The record, or what else a field of one may be, in what JSON gives.

    A field that is missing or damaged has its default; without one there is no record.
    Keys that are not known are left out: another version may have written them.
    """
    found = _value(kind, value)
    return None if found is _DAMAGED else found


def to(value: object) -> Any:
    """What JSON gives back of it."""
    return json.loads(json.dumps(value, default=lambda one: one.value if isinstance(one, Enum) else asdict(one)))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _record(kind: Any, value: object) -> Any:
    if not isinstance(value, dict):
        return _DAMAGED
    found = {}
    for field in fields(kind):
        item = _value(_hints(kind)[field.name], value[field.name]) if field.name in value else _DAMAGED
        if item is _DAMAGED and field.default is MISSING and field.default_factory is MISSING:
            return _DAMAGED
        if item is not _DAMAGED:
            found[field.name] = item
    return kind(**found)


def _value(kind: Any, value: Any) -> Any:
    """`value` as a `kind`, _DAMAGED when it is none."""
    if (origin := get_origin(kind)) in (Union, UnionType):
        tried = (_value(option, value) for option in get_args(kind))
        return next((item for item in tried if item is not _DAMAGED), _DAMAGED)
    if origin is tuple:
        items = [_value(get_args(kind)[0], item) for item in value] if isinstance(value, list) else [_DAMAGED]
        return _DAMAGED if _DAMAGED in items else tuple(items)
    if origin in (dict, Mapping):
        pairs = value.items() if isinstance(value, dict) else [("", _DAMAGED)]
        named = {key: _value(get_args(kind)[1], item) for key, item in pairs}
        return _DAMAGED if _DAMAGED in named.values() else named
    if is_dataclass(kind):
        return _record(kind, value)
    if kind is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return value if number and abs(value) < _LARGE else _DAMAGED
    if kind is None or kind is NoneType:
        return None if value is None else _DAMAGED
    if issubclass(kind, Enum):
        return next((member for member in kind if member.value == value), _DAMAGED)
    return value if type(value) is kind else _DAMAGED
