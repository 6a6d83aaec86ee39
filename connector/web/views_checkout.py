"""The checkout links of a company: what somebody is sent, because Whop has no call to make memberships."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from flask import Blueprint, render_template

from connector.core.records import SourceRecord
from connector.errors import ConnectorError
from connector.store.connections import Connection
from connector.web import access, act_scopes, error_registry, present, shell
from connector.web.views_connections import found_or_404

blueprint = access.protect(Blueprint("checkout", __name__))

_MOST: Final = 500
_ONCE: Final = {"one_time": "once", "renewal": "again and again"}


class Offer(NamedTuple):
    """A plan as somebody is sent to it. ``link`` is empty where Whop names none that can be opened."""

    id: str
    title: str
    price: str
    paid: str
    hidden: bool
    link: str


@blueprint.get("/connections/<id_>/checkout")
def show(id_: str) -> str:
    """Every plan with its link, as Whop has them now."""
    one, offers, trouble = found_or_404(id_), list[Offer](), None
    try:
        offers = _offers(one)
    except ConnectorError as error:
        trouble = error_registry.entry(error.code)
    return render_template(
        "pages/checkout.html",
        one=one,
        title=present.company(one),
        offers=sorted(offers, key=lambda offer: (offer.hidden, offer.title.casefold())),
        most=_MOST,
        trouble=trouble,
        lacks=act_scopes.PLANS if trouble and trouble.code == "whop_scope" else None,
        again=act_scopes.CHECKOUT,
    )


def _offers(one: Connection) -> list[Offer]:
    found: list[Offer] = []
    for page in shell.parts().tools.open_reader(one, "incremental").pages("plan", None):
        found += [_offer(item) for item in page.items if isinstance(item, SourceRecord)]
        if len(found) >= _MOST:
            break
    return found[:_MOST]


def _offer(plan: SourceRecord) -> Offer:
    fields = plan.fields
    own = _text(fields.get("title")) or plan.ref.id
    product = _text((fields.get("product") or {}).get("title"))
    return Offer(
        plan.ref.id,
        f"{product}: {own}" if product else own,
        _text(fields.get("formatted_price")),
        _ONCE.get(_text(fields.get("plan_type")), ""),
        fields.get("visibility") in ("hidden", "archived"),
        _link(fields.get("purchase_url")),
    )


def _link(value: Any) -> str:
    """What is shown as a link is one of the web: a plan cannot make it anything else."""
    address = _text(value)
    return address if urlsplit(address).scheme == "https" else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
