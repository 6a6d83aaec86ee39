"""What the tests of the sandbox Twenty share: a client with a key, our fields, small builders."""

import json
from typing import Any

from connector.sandbox.twenty import api_keys, create_app

PERSON_FIELDS = (
    {"type": "TEXT", "name": "whopUserId", "label": "Whop user ID", "isUnique": True},
    {"type": "DATE_TIME", "name": "whopJoinedAt", "label": "Whop joined at"},
    {
        "type": "SELECT",
        "name": "whopStatus",
        "label": "Whop status",
        "options": [
            {"label": "Active", "value": "ACTIVE", "color": "green", "position": 0},
            {"label": "Canceled", "value": "CANCELED", "color": "red", "position": 1},
        ],
    },
)
OPPORTUNITY_FIELDS = (
    {"type": "TEXT", "name": "whopMembershipId", "label": "Whop membership ID", "isUnique": True},
)
BOTH = {"or": [{"deletedAt": {"is": "NULL"}}, {"deletedAt": {"is": "NOT_NULL"}}]}


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, at: float = 1_790_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class Twenty:
    """A sandbox and a client that speaks for the Admin key of one of its workspaces."""

    def __init__(self, app: Any = None, which: int = 0, **options: Any) -> None:
        self.app = app or create_app(**{"rate_limited": False, **options})
        self.key = api_keys(self.app)[which]
        self.client = self.app.test_client()

    def send(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        raw = None if body is None else json.dumps(body)
        return self.client.open(
            path, method=method, data=raw, headers=headers, content_type="application/json"
        )

    def rest(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a REST answer."""
        return self.send(method, path, body).get_json()

    def gql(self, query: str, **variables: Any) -> Any:
        """The whole answer of /graphql."""
        return self.send("POST", "/graphql", {"query": query, "variables": variables}).get_json()

    def meta(self, query: str, **variables: Any) -> Any:
        return self.send("POST", "/metadata", {"query": query, "variables": variables}).get_json()

    def object_id(self, singular: str) -> str:
        found = self.rest("GET", "/rest/metadata/objects?limit=200")["data"]
        return next(each["id"] for each in found if each["nameSingular"] == singular)

    def field(self, singular: str, **wanted: Any) -> Any:
        """Make a field; the answer."""
        body = {"objectMetadataId": self.object_id(singular), **wanted}
        return self.rest("POST", "/rest/metadata/fields", body)

    def with_fields(self) -> "Twenty":
        for field in PERSON_FIELDS:
            self.field("person", **field)
        for field in OPPORTUNITY_FIELDS:
            self.field("opportunity", **field)
        return self

    def person(self, **values: Any) -> Any:
        """Create one person by GraphQL; the answer's row."""
        return self.people([values])[0]

    def people(self, data: list[Any], *, upsert: bool = False) -> Any:
        picks = "id createdAt updatedAt deletedAt jobTitle whopUserId"
        made = self.create("People", picks, data, upsert=upsert)
        assert "errors" not in made, made
        return made["data"]["createPeople"]

    def create(self, many: str, picks: str, data: list[Any], *, upsert: bool = False) -> Any:
        query = f"mutation($data:[X!]!,$upsert:Boolean){{create{many}(data:$data,upsert:$upsert){{{picks}}}}}"
        return self.gql(query, data=data, upsert=upsert)

    def stored(self, plural: str = "people") -> list[Any]:
        """All rows, soft-deleted ones too."""
        return self.client.get(f"/sandbox/records/{plural}").get_json()

    def by_id(self, row_id: str, plural: str = "people") -> Any:
        return next((row for row in self.stored(plural) if row["id"] == row_id), None)


def email(text: str, *more: str) -> dict[str, Any]:
    return {"primaryEmail": text, **({"additionalEmails": list(more)} if more else {})}


def error_of(answer: Any) -> Any:
    """The message and extensions of the first error."""
    first = answer["errors"][0]
    return first["message"], first.get("extensions", {})
