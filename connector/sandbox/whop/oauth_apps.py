"""The apps that may send people here, and what their request for consent must hold."""

import re
from collections.abc import Container, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlencode, urlsplit, urlunsplit

from connector.sandbox.whop import oauth_scopes
from connector.sandbox.whop.oauth_errors import OAuthError, StrangerError, invalid_request

#: The app that is there unless others are named: it takes any local address of a connector.
DEFAULT_CLIENT: Final = "app_sandboxConnector"
_LOCAL: Final = re.compile(r"http://(127\.0\.0\.1|localhost)(:\d{1,5})?(/[\w.-]+)*/oauth/whop/callback")
_S256: Final = re.compile(r"[\w-]{43}", re.ASCII)

#: A query string: each name with all its values.
Args = Mapping[str, Sequence[str]]


class App(NamedTuple):
    """One registered app; ``redirects`` None stands for any local connector."""

    id: str
    name: str
    redirects: tuple[str, ...] | None

    def takes(self, address: str) -> bool:
        """Whether the browser may be sent there: registered to the letter."""
        if self.redirects is None:
            return _LOCAL.fullmatch(address) is not None
        return address in self.redirects


class Sender(NamedTuple):
    """Who sent the browser, and the registered address it goes back to."""

    app: App
    redirect_uri: str
    state: str | None

    def back(self, **told: str) -> str:
        """The address to go back to, with what is told there; the state comes along as it came."""
        parts = urlsplit(self.redirect_uri)
        told |= {} if self.state is None else {"state": self.state}
        query = "&".join(part for part in (parts.query, urlencode(told)) if part)
        return urlunsplit(parts._replace(query=query))

    def origin(self) -> str:
        """Scheme, host and port of that address."""
        parts = urlsplit(self.redirect_uri)
        return f"{parts.scheme}://{parts.netloc}"


class Asked(NamedTuple):
    """What an app asks a person for."""

    sender: Sender
    scopes: tuple[str, ...]
    challenge: str
    nonce: str | None
    company_id: str | None


def registered(clients: Mapping[str, Sequence[str]] | None) -> dict[str, App]:
    """The apps by client id."""
    if clients is None:
        return {DEFAULT_CLIENT: App(DEFAULT_CLIENT, "Sandbox Connector", None)}
    return {name: App(name, name, tuple(redirects)) for name, redirects in clients.items()}


def sender(args: Args, apps: Mapping[str, App]) -> Sender:
    """Who asks. Raises StrangerError unless exactly one known app names exactly one of its addresses."""
    clients, addresses = args.get("client_id", ()), args.get("redirect_uri", ())
    app = apps.get(clients[0]) if len(clients) == 1 else None
    if app is None:
        raise StrangerError("The app that sent you here is not known: its client_id is missing or wrong.")
    if len(addresses) != 1 or not app.takes(addresses[0]):
        raise StrangerError(
            f"{app.name} wants you sent to an address that is not registered for it. The redirect_uri "
            "must be the registered one to the letter, a slash at its end included."
        )
    return Sender(app, addresses[0], (args.get("state") or (None,))[0])


def asked(args: Args, origin: Sender, companies: Container[str]) -> Asked:
    """What is asked; raises the OAuthError that the app is to be told."""
    repeated = [name for name, values in args.items() if len(values) > 1]
    if repeated:
        raise invalid_request(f"{repeated[0]} was given more than once")
    given = {name: values[0] for name, values in args.items() if values}
    if given.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type must be code")
    scopes = oauth_scopes.parse(given.get("scope", ""))
    _check_proof(given)
    if "openid" in scopes and not given.get("nonce"):
        raise invalid_request("nonce is required with the scope openid")
    if "company_id" in given and given["company_id"] not in companies:
        raise invalid_request("company_id is not a company of this user")
    return Asked(origin, scopes, given["code_challenge"], given.get("nonce"), given.get("company_id"))


def _check_proof(given: Mapping[str, str]) -> None:
    """PKCE is required of every app, and by SHA-256 (whose digest has 43 letters)."""
    if given.get("code_challenge_method") != "S256":
        raise invalid_request("code_challenge_method must be S256")
    if not _S256.fullmatch(given.get("code_challenge", "")):
        raise invalid_request("code_challenge is required")
