# SPDX-License-Identifier: GPL-2.0-or-later
"""How a password goes to the page of a HiLink stick: never as it is, where the firmware knows better. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac


def plain(password: str) -> str:
    """password_type 0 and 3."""
    return _base64(password.encode())


def hashed(user: str, password: str, token: str) -> str:
    """password_type 4, bound to the token of its request."""
    inner = _base64(hashlib.sha256(password.encode()).hexdigest().encode())
    return _base64(hashlib.sha256(f"{user}{inner}{token}".encode()).hexdigest().encode())


def proof(password: str, salt: bytes, rounds: int, nonces: str) -> str:
    """RFC 5802 3, ClientProof in hex. Huawei has key and data of each HMAC the other way round."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    key = hmac.digest(b"Client Key", salted, "sha256")
    signature = hmac.digest(nonces.encode(), hashlib.sha256(key).digest(), "sha256")
    return bytes(a ^ b for a, b in zip(key, signature, strict=True)).hex()


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
