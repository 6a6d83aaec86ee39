"""The shipped mappings on recorded Whop records, through the reader's own normalising."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connector.core.mapping import map_record
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.mapping_files import load_all
from connector.sources.whop.catalogue import CATALOGUE as SOURCE
from connector.sources.whop.normalise import normalise

ROOT = Path(__file__).parents[2]
WHOP = ROOT / "tests" / "fixtures" / "whop"
MAPPINGS = load_all(ROOT / "mappings", SOURCE, CRM)
FILES = [
    (kind, path) for kind in MAPPINGS.kinds for path in sorted((WHOP / "current" / f"{kind}s").glob("*.json"))
]


def mapped(kind: str, path: Path):
    return map_record(normalise(kind, json.loads(path.read_text(encoding="utf-8"))), MAPPINGS[kind])


@pytest.mark.parametrize(("kind", "path"), FILES, ids=lambda one: one.stem if isinstance(one, Path) else one)
def test_every_recorded_record_can_be_mapped(kind, path):
    made = mapped(kind, path)

    assert made is None or made.values
    assert made is None or made.unknown_choices == ()


def test_a_member_becomes_a_person():
    made = mapped("member", WHOP / "current" / "members" / "ada.json")

    assert made.values == {
        "name": {"firstName": "Ada", "lastName": "Bergström"},
        "emails": {"primaryEmail": "ada.bergstrom@example.com"},
        "phones": {"primaryPhoneNumber": "+46701740605"},
        "whopUserId": "user_dNEZMZhbh8x8gD",
        "whopMemberId": "mber_rktBLuGJADW5W6",
        "whopUsername": "adaberg",
        "whopProfilePicUrl": "https://assets.example.com/avatars/adaberg.png",
        "whopCreatedAt": "2025-11-03T09:14:22.105Z",
    }
    assert made.keys == (
        ("whopUserId", "user_dNEZMZhbh8x8gD"),
        ("emails", "ada.bergstrom@example.com"),
        ("whopMemberId", "mber_rktBLuGJADW5W6"),
    )
    assert made.title == "Ada Bergström"
