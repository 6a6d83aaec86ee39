"""Seals secrets with authenticated encryption, bound to the row they belong to.

A sealed secret is the text ``v1.<key id>.<base64url of nonce, ciphertext and tag>``: AES-256-GCM with
a random nonce. The binding, a name such as ``connection:<id>:api_key``, is authenticated with it, so
that a sealed secret copied to another row or workspace does not open there.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.errors import VaultError

_VERSION = "v1"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")

Random = Callable[[int], bytes]


class Vault:
    """``keys`` are (id, 32 bytes), newest first: the first seals, every one of them opens."""

    def __init__(self, keys: Sequence[tuple[str, bytes]], *, random: Random = os.urandom) -> None:
        for key_id, key in keys:
            if not _KEY_ID.fullmatch(key_id) or len(key) != _KEY_BYTES:
                raise ValueError(f"key {key_id!r} is not an id and {_KEY_BYTES} bytes")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys}
        if not keys or len(self._ciphers) != len(keys):
            raise ValueError("a vault needs at least one key, each with an id of its own")
        self._newest = keys[0][0]
        self._random = random

    def seal(self, plain: str, *, bound_to: str) -> str:
        """The sealed text; two seals of one secret differ."""
        nonce = self._random(_NONCE_BYTES)
        box = self._ciphers[self._newest].encrypt(nonce, plain.encode(), _binding(self._newest, bound_to))
        return f"{_VERSION}.{self._newest}.{_encode(nonce + box)}"

    def open(self, sealed: str, *, bound_to: str) -> str:
        """Raises VaultError where the key is missing, the text was altered or it belongs elsewhere."""
        key_id, box = _parts(sealed)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise VaultError(f"The key {key_id!r}, which sealed this secret, is not among the keys.")
        return _decrypt(cipher, box, _binding(key_id, bound_to))

    def needs_reseal(self, sealed: str) -> bool:
        """Whether an older key than the newest sealed it."""
        return _parts(sealed)[0] != self._newest


def new_key(*, random: Random = os.urandom) -> str:
    """A fresh ``id:key`` pair, as TOKEN_ENCRYPTION_KEYS takes it."""
    return f"k{random(4).hex()}:{_encode(random(_KEY_BYTES))}"


def _decrypt(cipher: AESGCM, box: bytes, binding: bytes) -> str:
    try:
        return cipher.decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], binding).decode()
    except (InvalidTag, ValueError):
        message = "This sealed secret was altered, or it belongs to another row, or another key has this id."
        raise VaultError(message) from None


def _binding(key_id: str, bound_to: str) -> bytes:
    # Neither the version nor a key id can hold a NUL, so no two bindings run together.
    return "\0".join((_VERSION, key_id, bound_to)).encode()


def _parts(sealed: str) -> tuple[str, bytes]:
    version, _, rest = sealed.partition(".")
    key_id, _, encoded = rest.partition(".")
    box = _decode(encoded)
    # Base64 has several spellings of the same bytes; only the one we write is ours.
    if version != _VERSION or not _KEY_ID.fullmatch(key_id) or _encode(box) != encoded:
        raise VaultError("This is not a sealed secret, or it was cut or altered.")
    return key_id, box


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(encoded: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError):
        return b""
