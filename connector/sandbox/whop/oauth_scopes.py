"""The scopes an app may ask for, in the words of the consent page.

The names are the permission strings of the reference. ``developer:manage_webhook``
is missing on purpose: tokens of users do not get it, only API keys do.
"""

from typing import Final

from connector.sandbox.whop.oauth_errors import OAuthError

#: These open the profile, not the API.
IDENTITY: Final = ("openid", "profile", "email")
SCOPES: Final = {
    "openid": "Know which Whop user you are",
    "profile": "See your name, user name and picture",
    "email": "See your e-mail address",
    "company:basic:read": "See your companies",
    "access_pass:basic:read": "See your products",
    "plan:basic:read": "See your plans and prices",
    "member:basic:read": "See your members and their memberships",
    "member:email:read": "See the e-mail addresses of your members",
    "member:phone:read": "See the phone numbers of your members",
    "payment:basic:read": "See payments and refunds",
    "payment:dispute:read": "See disputes",
    "payment:resolution_center_case:read": "See cases of the resolution center",
    "promo_code:basic:read": "See promo codes",
    "shipment:basic:read": "See shipments",
    "support_chat:read": "Read support chats",
    "member:manage": "Change memberships",
    "membership:cancel": "Cancel memberships",
    "member:payment_methods:manage": "Change the payment methods of members",
    "payment:manage": "Refund, retry and void payments",
    "payment:dispute": "Answer disputes",
    "support_chat:create": "Open support chats",
    "support_chat:message:create": "Write in support chats",
}


def parse(text: str) -> tuple[str, ...]:
    """The scopes in a ``scope`` parameter; raises invalid_scope for none and for unknown ones."""
    scopes = tuple(dict.fromkeys(text.split()))
    if not scopes or not SCOPES.keys() >= set(scopes):
        raise OAuthError("invalid_scope", "Unknown scope")
    return scopes


def permissions(scopes: tuple[str, ...]) -> frozenset[str]:
    """What these scopes allow on the API."""
    return frozenset(scopes) - frozenset(IDENTITY)
