"""A CRM that has people before the connector comes."""

from __future__ import annotations

from connector.sandbox.twenty import api_keys, create_app
from connector.sandbox.twenty.seeding import seed_people


def people(app):
    return app.test_client().get("/sandbox/records/people").json


def names(app):
    return {row["emails"]["primaryEmail"]: row["name"] for row in people(app)}


def test_the_people_asked_for_are_there_once():
    app = create_app(rate_limited=False)

    for _ in range(2):
        seed_people(app, api_keys(app)[0], 130, seed=3)

    emails = {row["emails"]["primaryEmail"] for row in people(app)}
    assert len(emails) == len(people(app)) == 130


def test_the_same_number_gives_the_same_people():
    first, second = create_app(rate_limited=False), create_app(rate_limited=False)

    for app in (first, second):
        seed_people(app, api_keys(app)[0], 20, seed=3)

    assert names(first) == names(second)
