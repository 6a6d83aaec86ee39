"""Which server stands behind an address that a person typed, and where it signs people in.

What a document says of other addresses is believed only as far as it cannot be used against anybody:
codes and tokens go to the server that names itself as the issuer, at that very origin; the page on which
people approve may stand on a neighbour of it, never on a stranger's host. Otherwise a made-up CRM could send
people to approve at a real one, and be handed what they approved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import orjson

from connector.errors import RefusedError, TryLaterError
from connector.ports.crm_sign_in import CrmServer

WELL_KNOWN: Final = "/.well-known/oauth-authorization-server"
#: Twenty's own cloud: its pages stand on app.twenty.com and <workspace>.twenty.com, its API here.
_CLOUD, _CLOUD_API = ".twenty.com", "https://api.twenty.com"
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_SHOWN: Final = re.compile(r"https?://[a-z0-9.:-]{1,200}")


class Answer(Protocol):
    """What is needed of an HTTP answer; ``headers`` ignores case."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def body(self) -> bytes: ...


class Session(Protocol):
    """What is needed of the door out: requests to one origin."""

    def request(
        self, method: str, path: str, /, *, json: Any = None, retry: bool | None = None
    ) -> Answer: ...


Open = Callable[[str], Session]


def find(origin: str, open_session: Open) -> CrmServer:
    """The server behind an origin.

    Raises RefusedError: ``crm_moved`` (it sends on to another address), ``crm_not_twenty``,
    ``crm_discovery`` (what it says of itself does not fit together); AddressError; TryLaterError.
    """
    if f".{urlsplit(origin).hostname}".endswith(_CLOUD):
        origin = _CLOUD_API
    document = _document(origin, open_session)
    if document is None:
        return CrmServer(origin)
    issuer = origin_of(document.get("issuer"))
    if issuer != origin:
        # The address of its pages. What counts is what the issuer says of itself.
        document = _document(issuer, open_session)
        if document is None or origin_of(document.get("issuer")) != issuer:
            raise _unfit(f"{_shown(origin)} names {_shown(issuer)}, which does not say the same of itself")
    return _server(issuer, document)


def origin_of(url: object) -> str:
    """Scheme, host and port of an address, as browsers compare them. Raises RefusedError for none."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _unfit("one of its addresses cannot be read") from None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise _unfit("one of its addresses is none of the web")
    shown = f"[{host}]" if ":" in host else host
    usual = port is None or port == (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{shown}" if usual else f"{parts.scheme}://{shown}:{port}"


def host_of(origin: str, subdomain: object) -> str:
    """The host of a workspace's own pages, as its server tells; empty where it does not."""
    if not isinstance(subdomain, str) or not re.fullmatch(r"[a-z0-9-]{1,63}", subdomain):
        return ""
    host = urlsplit(origin).hostname or ""
    return f"{subdomain}{_CLOUD}" if origin == _CLOUD_API else f"{subdomain}.{host}"


def _document(origin: str, open_session: Open) -> dict[str, Any] | None:
    """What the server says of its OAuth; None where it is a Twenty that has none."""
    answer = _asked(origin, open_session, WELL_KNOWN)
    if answer.status in _REDIRECTS:
        raise _moved(origin, answer)
    if answer.status >= 500 or answer.status == 429:
        raise TryLaterError(f"{_shown(origin)} cannot answer now ({answer.status}).", code="crm_unavailable")
    found = _json(answer)
    if answer.status == 200 and isinstance(found, dict) and "issuer" in found:
        return found
    # An older Twenty answers 404, or the page that it shows for every address that it does not know.
    if _is_twenty(_asked(origin, open_session, "/rest/people")):
        return None
    raise RefusedError(
        f"{_shown(origin)} answers, but not as Twenty does.",
        code="crm_not_twenty",
        remedy="Type the address that stands in your browser when you look at Twenty.",
    )


def _asked(origin: str, open_session: Open, path: str) -> Answer:
    """Somebody waits for this answer, so what is in the way is theirs to look at."""
    try:
        return open_session(origin).request("GET", path)
    except TryLaterError as error:
        if error.code == "certificate":  # the address is right, and http would be no way around it
            raise
        remedy = "Look at the address once more, http or https too; then try again."
        raise TryLaterError(str(error).replace(path, ""), code=error.code, remedy=remedy) from error


def _is_twenty(answer: Answer) -> bool:
    """Whether records are asked for as Twenty has it: without a token it says so in a shape of its own."""
    found = _json(answer)
    return isinstance(found, dict) and isinstance(found.get("messages"), list) and "statusCode" in found


def _json(answer: Answer) -> Any:
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None


def _server(issuer: str, document: dict[str, Any]) -> CrmServer:
    token_url, register_url = (document.get(f"{name}_endpoint") for name in ("token", "registration"))
    authorize_url = document.get("authorization_endpoint")
    for url in (token_url, register_url):
        if origin_of(url) != issuer:
            raise _unfit("it would have us send what people approve to another server")
    if not _are_neighbours(issuer, origin_of(authorize_url)):
        raise _unfit("it would have people approve on a page of somebody else")
    return CrmServer(issuer, str(authorize_url), str(token_url), str(register_url))


def _are_neighbours(issuer: str, page: str) -> bool:
    """The same host, one below it, or one below the same parent (api.example.com, app.example.com).

    Never a page without https for a server that has it.
    """
    ours, theirs = urlsplit(issuer), urlsplit(page)
    host, other = ours.hostname or "", theirs.hostname or ""
    if ours.scheme == "https" and theirs.scheme != "https":
        return False
    parent = host.partition(".")[2]
    named = re.search(r"[a-z]", host) is not None  # an address of digits has no neighbours
    below = [host, *([parent] if named and "." in parent else [])]
    return other == host or (named and any(other == one or other.endswith(f".{one}") for one in below))


def _moved(origin: str, answer: Answer) -> RefusedError:
    try:
        there = origin_of(answer.headers.get("Location"))
    except RefusedError:
        there = ""
    told = f" to {there}" if there and there != origin and _SHOWN.fullmatch(there) else ""
    return RefusedError(
        f"{_shown(origin)} sends on{told}. We follow nobody's redirects.",
        code="crm_moved",
        remedy="Type the address at which Twenty itself answers.",
    )


def _unfit(why: str) -> RefusedError:
    return RefusedError(
        f"What this server says of its sign-in does not fit together: {why}.",
        code="crm_discovery",
        remedy="If it is your Twenty, look at its setting SERVER_URL; until then an API key connects it.",
    )


def _shown(origin: str) -> str:
    return origin if _SHOWN.fullmatch(origin) else "This address"
