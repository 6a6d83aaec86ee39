"""Addresses of Whop's own pages, for links: the dashboard of a company, and what it shows by id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit

_DASHBOARDS: Final[Mapping[str, str]] = {
    "api.whop.com": "https://whop.com/dashboard",
    "sandbox-api.whop.com": "https://sandbox.whop.com/dashboard",
}
_BY_ID: Final[Mapping[str, str]] = {"product": "products", "payment": "payments"}


def page(api_url: str, company_id: str, kind: str, id_: str) -> str:
    """The page of a record, or of its company where it has none of its own; empty for a stand-in of Whop."""
    dashboard = _DASHBOARDS.get(urlsplit(api_url).hostname or "")
    if dashboard is None:
        return ""
    of = f"{_BY_ID[kind]}/{quote(id_, '')}/" if kind in _BY_ID else ""
    return f"{dashboard}/{quote(company_id, '')}/{of}"
