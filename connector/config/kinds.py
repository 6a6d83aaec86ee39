"""The kinds of value a setting may hold: how the text is read, and how the value may be shown."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import SplitResult, urlsplit

T = TypeVar("T")
NamedKeys = tuple[tuple[str, bytes], ...]

_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class UnfitError(ValueError):
    """The text is not of this kind. The message says what was found and never holds a secret."""


def _plain(value: object) -> str:
    return str(value)


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """``read`` raises UnfitError; ``empty`` is the value of an optional setting that is not set."""

    expected: str
    read: Callable[[str], T]
    empty: T
    show: Callable[[Any], str] = _plain
    #: Whether a value may carry a password, so that it is not printed as it stands.
    carries_password: bool = False


def text(minimum: int = 1) -> Kind[str]:
    def read(found: str) -> str:
        if len(found) < minimum:
            raise UnfitError(f"{len(found)} characters")
        if not found.isprintable():
            raise UnfitError("a line break or another character that cannot be printed")
        return found

    expected = "text" if minimum == 1 else f"at least {minimum} characters"
    return Kind(expected, read, "")


def whole(least: int, most: int) -> Kind[int]:
    def read(found: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", found) or not least <= int(found) <= most:
            raise UnfitError(repr(found))
        return int(found)

    return Kind(f"a whole number from {least} to {most}", read, least)


def seconds(most: int) -> Kind[float]:
    def read(found: str) -> float:
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", found) or not 0 < float(found) <= most:
            raise UnfitError(repr(found))
        return float(found)

    return Kind(f"a number of seconds above 0, up to {most}", read, 0.0, show="{:g}".format)


def one_of(*names: str) -> Kind[str]:
    def read(found: str) -> str:
        if found.lower() not in names:
            raise UnfitError(repr(found))
        return found.lower()

    return Kind("one of " + ", ".join(names), read, names[0])


def _read_switch(found: str) -> bool:
    if found.lower() in ("true", "1", "yes", "on"):
        return True
    if found.lower() in ("false", "0", "no", "off"):
        return False
    raise UnfitError(repr(found))


SWITCH = Kind(
    "true or false (also 1/0, yes/no, on/off)",
    _read_switch,
    False,
    show=lambda value: "true" if value else "false",
)


def mask_url(url: str) -> str:
    """The address with its password and query hidden, whatever else is wrong with it."""
    without_password = re.sub(r"(://[^:@/]*):.*@", r"\1:***@", url, flags=re.DOTALL)
    return re.sub(r"\?.*", "?***", without_password, flags=re.DOTALL)


def _split(found: str) -> SplitResult:
    try:
        parts = urlsplit(found)
        parts.port  # noqa: B018 - reading it is what raises on a port that is no number
    except ValueError as err:
        raise UnfitError("an address that cannot be read") from err
    return parts


def _is_web_address(parts: SplitResult) -> bool:
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return bool(secure and parts.hostname and "@" not in parts.netloc and not parts.query)


def _read_origin(found: str) -> str:
    parts = _split(found)
    if not _is_web_address(parts) or parts.path not in ("", "/") or parts.fragment:
        raise UnfitError(repr(mask_url(found)))
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _read_web_address(found: str) -> str:
    parts = _split(found)
    fits = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    if not fits or parts.query or parts.fragment:
        raise UnfitError(repr(mask_url(found)))
    return found.rstrip("/")


def _read_database(found: str) -> str:
    scheme, mark, rest = found.partition("://")
    if not mark or not rest:
        raise UnfitError("no database address")
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return found
    if scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        return f"postgresql+psycopg://{rest}"
    raise UnfitError(repr(mask_url(found)))


def _read_redis(found: str) -> str:
    if found.startswith(("redis://", "rediss://", "unix://")):
        return found
    raise UnfitError(repr(mask_url(found)))


ORIGIN = Kind(
    "https://host (http only for localhost), without a path",
    _read_origin,
    "",
)
WEB_ADDRESS = Kind("an http or https address without query", _read_web_address, "")
DATABASE = Kind(
    "sqlite:///path or postgresql://user:password@host/name",
    _read_database,
    "",
    show=mask_url,
    carries_password=True,
)
REDIS = Kind(
    "redis://, rediss:// or unix:// and an address",
    _read_redis,
    "",
    show=mask_url,
    carries_password=True,
)


def _entries(found: str) -> list[str]:
    return [entry for entry in (part.strip() for part in found.split(",")) if entry]


def _is_host(entry: str) -> bool:
    return bool(_HOST.fullmatch(entry)) or _is_network(entry.strip("[]"), single=True)


def _is_network(entry: str, *, single: bool = False) -> bool:
    try:
        network = ipaddress.ip_network(entry)
    except ValueError:
        return False
    return network.num_addresses == 1 or not single


def _is_private_entry(entry: str) -> bool:
    host, colon, port = entry.rpartition(":")
    if colon and port.isascii() and port.isdigit() and _is_host(host):
        return 0 < int(port) < 65536
    return _is_host(entry) or _is_network(entry)


def _listed(fits: Callable[[str], bool]) -> Callable[[str], tuple[str, ...]]:
    def read(found: str) -> tuple[str, ...]:
        entries = _entries(found)
        for entry in entries:
            if not fits(entry):
                raise UnfitError(repr(entry))
        return tuple(entry.lower() for entry in entries)

    return read


HOSTS: Kind[tuple[str, ...]] = Kind("host names, comma separated", _listed(_is_host), (), show=", ".join)
NAMES: Kind[tuple[str, ...]] = Kind(
    "names, comma separated", _listed(lambda entry: bool(_NAME.fullmatch(entry))), (), show=", ".join
)
PRIVATE_HOSTS: Kind[tuple[str, ...]] = Kind(
    "hosts, host:port or networks such as 10.0.0.0/8, comma separated",
    _listed(_is_private_entry),
    (),
    show=", ".join,
)


def _read_key(place: int, entry: str) -> tuple[str, bytes]:
    key_id, colon, encoded = entry.partition(":")
    if not colon or not _KEY_ID.fullmatch(key_id):
        raise UnfitError(f"no id and colon before key number {place}")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise UnfitError(f"key {key_id!r}, which is not base64url") from None
    if len(key) != 32:
        raise UnfitError(f"key {key_id!r} of {len(key)} bytes")
    return key_id, key


def _read_keys(found: str) -> NamedKeys:
    keys = tuple(_read_key(place, entry) for place, entry in enumerate(_entries(found), start=1))
    ids = [key_id for key_id, _ in keys]
    for key_id in ids:
        if ids.count(key_id) > 1:
            raise UnfitError(f"the id {key_id!r} twice")
    if not keys:
        raise UnfitError("no key")
    return keys


KEYS: Kind[NamedKeys] = Kind(
    "id:key pairs, comma separated, newest first, each key 32 bytes in base64url", _read_keys, ()
)
