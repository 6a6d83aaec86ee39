"""Links to Whop's own pages."""

from __future__ import annotations

import pytest

from connector.sources.whop import front

API = "https://api.whop.com/api/v1"


@pytest.mark.parametrize(
    ("api", "kind", "id_", "address"),
    [
        (API, "product", "prod_1", "https://whop.com/dashboard/biz_1/products/prod_1/"),
        (API, "payment", "pay_1", "https://whop.com/dashboard/biz_1/payments/pay_1/"),
        (API, "member", "mber_1", "https://whop.com/dashboard/biz_1/"),
        (
            "https://sandbox-api.whop.com/api/v1",
            "plan",
            "plan_1",
            "https://sandbox.whop.com/dashboard/biz_1/",
        ),
        (API, "product", "a/../b", "https://whop.com/dashboard/biz_1/products/a%2F..%2Fb/"),
        ("http://localhost:9101/api/v1", "product", "prod_1", ""),
    ],
)
def test_a_record_leads_to_its_page_or_to_its_companys(api: str, kind: str, id_: str, address: str) -> None:
    assert front.page(api, "biz_1", kind, id_) == address
