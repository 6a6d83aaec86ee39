"""People who are in the CRM already when the connector comes: typed by somebody, without a Whop field."""

from __future__ import annotations

import random

from flask import Flask

_FIRST = ("Ada", "Kenji", "Noor", "Max", "Liv", "Sam", "Pia", "Tom", "Rosa", "Zoë")
_LAST = ("Bergström", "Tanaka", "Al-Sabah", "O'Neil", "Haugen", "Okafor", "Lindqvist", "Nguyen", "Duarte")
_BATCH = 60


def seed_people(app: Flask, key: str, number: int, seed: int) -> None:
    """Add so many invented people through the API, unless the workspace has people already."""
    client, headers = app.test_client(), {"Authorization": f"Bearer {key}"}
    if client.get("/rest/people?limit=0", headers=headers).json["totalCount"]:  # type: ignore[index]
        return
    chance = random.Random(seed)  # noqa: S311 - invented data, the same for the same number
    people = [_person(chance, place) for place in range(number)]
    for start in range(0, number, _BATCH):
        client.post("/rest/batch/people", headers=headers, json=people[start : start + _BATCH])


def _person(chance: random.Random, place: int) -> dict[str, object]:
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    return {
        "name": {"firstName": first, "lastName": last},
        "emails": {"primaryEmail": f"person{place}@crm.example.com"},
        "jobTitle": chance.choice(("Founder", "Designer", "Analyst", "")),
    }
