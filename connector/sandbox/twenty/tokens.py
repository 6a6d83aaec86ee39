"""Tokens: signed claims (050). HS256 and a secret of the sandbox; the real server signs with ES256.

The key id carries an epoch, so that a dial can end all tokens of a type at once.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Any

import orjson

Claims = dict[str, Any]


class InvalidTokenError(Exception):
    """No token that this server signed."""


def sign(claims: Claims, secret: bytes, epoch: int = 0) -> str:
    """The token of these claims; the same every time."""
    head = _encode(orjson.dumps({"alg": "HS256", "typ": "JWT", "kid": f"sandbox-{epoch}"}))
    signed = f"{head}.{_encode(orjson.dumps(claims))}"
    return f"{signed}.{_mark(signed, secret)}"


def read(token: str, secret: bytes) -> tuple[Claims, int]:
    """The claims of a token and its epoch; raises InvalidTokenError."""
    signed, _, mark = token.rpartition(".")
    if not hmac.compare_digest(_mark(signed, secret).encode(), mark.encode()):
        raise InvalidTokenError
    head, _, body = signed.partition(".")
    return _decode(body), int(_decode(head)["kid"].removeprefix("sandbox-"))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> Claims:
    try:
        read: Claims = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, orjson.JSONDecodeError):
        raise InvalidTokenError from None
    return read


def _mark(text: str, secret: bytes) -> str:
    return _encode(hmac.new(secret, text.encode(), hashlib.sha256).digest())
