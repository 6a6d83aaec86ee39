"""What the tests of the Twenty adapter share: a running server, a writer to it, honest small records."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from connector.core.mapping import Mapping
from connector.core.outcomes import WriteResult
from connector.core.plan import Action, Found, PlannedWrite
from connector.core.records import Ref
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.crms.twenty.schema import TwentySchema
from connector.crms.twenty.writer import TwentyWriter
from connector.mapping_files import load_all, load_texts
from connector.outbound import AllowList, Door
from connector.ports import Seek
from connector.sandbox.twenty import api_keys, create_app
from connector.sources.whop import CATALOGUE as WHOP

MAPPINGS = load_all(Path(__file__).parents[2] / "mappings", WHOP, CRM)
BY_KIND = {mapping.kind: mapping for mapping in MAPPINGS}
PERSON, OPPORTUNITY, PRODUCT = BY_KIND["member"], BY_KIND["membership"], BY_KIND["product"]
KINDS = {"person": "member", "opportunity": "membership", "whopProduct": "product"}

HEAD = "version: 1\nsource: {kind: membership}\ntarget: {object: opportunity}\n"


def a_file(fields: str, head: str = HEAD) -> Mapping:
    """A mapping from the lines of its fields."""
    return load_texts({"m.yaml": f"{head}fields:\n{fields}"}, WHOP, CRM)["membership"]


def an_id() -> str:
    return str(uuid.uuid4())


def a_create(object_: str, source_id: str, crm_id: str | None = None, /, **values: Any) -> PlannedWrite:
    ref = Ref("whop", KINDS[object_], source_id)
    return PlannedWrite(ref, Action.CREATE, object_, crm_id or an_id(), values)


def a_person(mark: str, crm_id: str | None = None, /, **values: Any) -> PlannedWrite:
    return a_create("person", mark, crm_id, **{"whopUserId": f"user_{mark}", **values})


def an_opportunity(mark: str, crm_id: str | None = None, /, **values: Any) -> PlannedWrite:
    return a_create("opportunity", mark, crm_id, **{"whopMembershipId": f"mem_{mark}", **values})


def an_update(of: PlannedWrite, done: WriteResult, raw: Any = None, **values: Any) -> PlannedWrite:
    """A change of a record that was created before."""
    return PlannedWrite(
        of.ref,
        Action.UPDATE,
        of.object,
        of.crm_id,
        values,
        raw=raw or {},
        created_at=done.created_at,
    )


def email(address: str) -> dict[str, str]:
    return {"primaryEmail": address}


def codes(results: list[WriteResult]) -> list[str | None]:
    return [result.error and result.error.code for result in results]


def left_out(results: list[WriteResult]) -> list[tuple[str, ...]]:
    return [result.left_out for result in results]


class Quiet(WSGIRequestHandler):
    """Keeps connections open as Twenty does, and writes no log."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


class Twenty:
    """A server, a key to it, and what a test does behind the connector's back."""

    def __init__(self, url: str, key: str, door: Door) -> None:
        self.url, self.key = url, key
        self.door = door
        self.pauses: list[float] = []
        self.client = self.client_with(key)
        self.writer = TwentyWriter(self.client)
        self.schema = TwentySchema(self.client)

    def client_with(self, key: str) -> TwentyClient:
        session = self.door.session(self.url, headers={"Authorization": f"Bearer {key}"})
        return TwentyClient(session, pause=self.pause)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def apply(self, mapping: Mapping, *writes: PlannedWrite) -> list[WriteResult]:
        return self.writer.apply(mapping, writes)

    def look(self, mapping: Mapping, *ids: str, **keys: str) -> list[Found]:
        """By ids, and by one seek with keys if there are any."""
        seeks = [Seek(Ref("whop", mapping.kind, id_), id_, ()) for id_ in ids]
        if keys:
            seeks.append(Seek(Ref("whop", mapping.kind, "keys"), an_id(), tuple(keys.items())))
        return list(self.writer.look(mapping, seeks).values())

    def values(self, mapping: Mapping, id_: str) -> dict[str, Any]:
        row = self.look(mapping, id_)[0].by_id
        assert row is not None
        return row.values

    def rest(self, method: str, path: str, json: Any = None) -> Any:
        return self.client.rest(method, f"/rest/{path}", json)

    def trash(self, plural: str, id_: str) -> None:
        self.rest("DELETE", f"{plural}/{id_}?soft_delete=true")

    def destroy(self, plural: str, id_: str) -> None:
        self.rest("DELETE", f"{plural}/{id_}")

    def objects(self) -> dict[str, Any]:
        """The data model, as this server shows it."""
        data = self.rest("GET", "metadata/objects?limit=200")["data"]
        listed = data["objects"] if isinstance(data, dict) else data
        return {
            each["nameSingular"]: {**each, "fields": {f["name"]: f for f in each["fields"]}}
            for each in listed
        }


class Sandbox(Twenty):
    """A sandbox of ours, with its dials."""

    def fault(self, match: str, fault: dict[str, Any], **more: Any) -> None:
        self.control("POST", "dials", {"match": match, "fault": fault, **more})

    def control(self, method: str, path: str, json: Any = None) -> Any:
        return self.client.rest(method, f"/sandbox/{path}", json)

    def fresh(self) -> None:
        """No faults, no counts."""
        self.control("DELETE", "dials")
        self.control("DELETE", "stats")
        self.pauses.clear()

    def requests(self) -> dict[str, int]:
        counts: dict[str, int] = self.control("GET", "stats")["requests"]
        return counts

    def stored(self, plural: str = "people") -> dict[str, Any]:
        return {row["id"]: row for row in self.control("GET", f"records/{plural}")}


def a_door() -> Door:
    return Door(
        connect_timeout=5,
        read_timeout=10,
        allowed_private=AllowList.of(["127.0.0.1"]),
        allow_http=True,
        user_agent="tests",
        sleep=lambda _seconds: None,
    )


@contextmanager
def a_sandbox(**options: Any) -> Iterator[Sandbox]:
    """A sandbox behind real HTTP."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = create_app(**{"rate_limited": False, **options})
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    door = a_door()
    try:
        yield Sandbox(f"http://127.0.0.1:{server.server_port}", api_keys(app)[0], door)
    finally:
        door.close()
        server.shutdown()
        thread.join()
        server.server_close()
