"""The road of a request: scripted fault, authentication, rate token, work under the lock, answer."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from connector.sandbox.twenty import graphql, metadata, metadata_graphql, pace, rest, wire
from connector.sandbox.twenty.accounts import FORBIDDEN_RESOURCE
from connector.sandbox.twenty.auth import AuthRefusal
from connector.sandbox.twenty.complaints import SchemaRefusal, ShapeRefusal
from connector.sandbox.twenty.oauth_errors import OAuthError
from connector.sandbox.twenty.refusals import Refusal
from connector.sandbox.twenty.session import Session
from connector.sandbox.twenty.stats import operation
from connector.sandbox.twenty.world import World

Answer = tuple[int, Any]
Door = Callable[[Session, Any], Answer]
#: What the server says without its database (890-895).
NO_DATABASE = "connect ECONNREFUSED 127.0.0.1:5433"
REFUSALS = (Refusal, AuthRefusal, SchemaRefusal, ShapeRefusal, OAuthError)


def cannot(method: str, path: str) -> Response:
    body = {"message": f"Cannot {method} {path}", "error": "Not Found", "statusCode": 404}
    return wire.reply(404, body)


def blueprint(world: World, methods: list[str]) -> Blueprint:
    doors = Blueprint("twenty", __name__)

    @doors.get("/healthz")
    def healthz() -> Response:
        return wire.reply(200, {"status": "ok", "info": {}, "error": {}, "details": {}})

    @doors.get("/client-config")
    def client_config() -> Response:
        many = world.server.multi_workspace
        limits = {"mutationMaximumAffectedRecords": 100}
        return wire.reply(200, {"api": limits, "defaultSubdomain": "app", "isMultiWorkspaceEnabled": many})

    @doors.post("/graphql")
    def graphql_door() -> Response:
        return Road(world, _gql).travel(lambda session, body: _graphql(world, session, body))

    @doors.post("/metadata")
    def metadata_door() -> Response:
        return Road(world, _meta_gql).travel(
            lambda session, body: (200, metadata_graphql.execute(session, body))
        )

    @doors.route("/rest/metadata/<path:rest_path>", methods=methods)
    def rest_metadata(rest_path: str) -> Response:
        plain = world.settings.new_metadata_format
        return Road(world, _rest).travel(
            lambda session, body: metadata.answer(
                session, request.method, rest_path, request.args.to_dict(), body, plain=plain
            )
        )

    @doors.route("/rest/<path:rest_path>", methods=methods)
    def rest_records(rest_path: str) -> Response:
        return Road(world, _rest).travel(lambda session, body: _records(world, session, rest_path, body))

    return doors


def _graphql(world: World, session: Session, body: Any) -> Answer:
    if isinstance(body, list):
        return 400, {"errors": [{"message": "Batching is not supported."}]}
    return 200, graphql.execute(session, body or {}, lambda: _spend(world, session))


def _records(world: World, session: Session, path: str, body: Any) -> Answer:
    """The rate token comes before validation: refused calls cost one too."""
    _spend(world, session)
    return rest.answer(session, request.method, path, request.args.to_dict(), body)


def _spend(world: World, session: Session) -> None:
    """Only API keys are limited; people and their applications are not (605, 1025)."""
    if world.settings.rate_limited and session.caller.kind == "key":
        world.limiter.spend(session.workspace.id)


def _rest(refusal: Any) -> Answer:
    if isinstance(refusal, ShapeRefusal):
        return 400, refusal.body
    if isinstance(refusal, SchemaRefusal):
        return 400, refusal.rest()
    if isinstance(refusal, Refusal) and refusal.error == "TEXT":
        return refusal.status, refusal.message
    return refusal.status, refusal.rest()


def _gql(refusal: Any) -> Answer:
    """Without a token the schema is empty, so the first root field is unknown (010)."""
    if isinstance(refusal, AuthRefusal) and refusal.missing:
        roots = graphql.roots_of(request.get_json(silent=True)) or ("people",)
        error = {"message": f'Cannot query field "{roots[0]}" on type "Query".'}
        return 200, {"errors": [{**error, "locations": [{"line": 1, "column": 7}]}]}
    return 200, refusal.graphql() if isinstance(refusal, AuthRefusal) else {
        "errors": [refusal.graphql()],
        "data": None,
    }


def _meta_gql(refusal: Any) -> Answer:
    if isinstance(refusal, AuthRefusal) and refusal.missing:
        return 200, FORBIDDEN_RESOURCE
    return _gql(refusal)


class Road:
    """One request; `refused` turns a refusal into the answer of the door it came in by."""

    def __init__(self, world: World, refused: Callable[[Any], Answer]) -> None:
        self._world, self._refused = world, refused
        self._seconds = 0.0

    def travel(self, work: Door) -> Response:
        """Answer a request of somebody who has to show a token."""
        return self.pass_by(lambda body: self._work(work, body))

    def pass_by(self, work: Callable[[Any], Answer]) -> Response:
        """Answer a request of anybody."""
        try:
            body = wire.read_body()
        except wire.BadJsonError as error:
            return wire.reply(400, error.body)
        roots = graphql.roots_of(body) if self._refused in (_gql, _meta_gql) else ()
        fault = self._fault(roots)
        if self._world.server.down is not None:
            return self._down(roots)
        if "delay" in fault:
            self._world.settings.sleep(fault["delay"])
        before = _faulty(fault, roots, "before")
        if before is not None:
            return before
        status, answer = self._answer(work, body)
        if self._world.settings.recorded_times:
            self._world.settings.sleep(self._seconds)
        after = _faulty(fault, roots, "after")
        if after is not None:
            return after
        whole = wire.reply(status, answer)
        return wire.truncated(whole, fault["truncate"]) if "truncate" in fault else whole

    def _down(self, roots: tuple[str, ...]) -> Response:
        """Without its database the server says so in as many ways as it has doors; without Redis, nothing."""
        if self._world.wait_for_redis():
            return wire.cut()
        if self._refused in (_gql, _meta_gql):
            error = {"message": NO_DATABASE, "extensions": {"code": "INTERNAL_SERVER_ERROR"}}
            return wire.reply(200, {"data": dict.fromkeys(roots), "errors": [error]})
        if self._refused is _rest and not request.path.startswith("/rest/metadata"):
            return wire.reply(400, {"statusCode": 400, "error": "Error", "messages": [NO_DATABASE]})
        return wire.reply(500, NO_DATABASE)

    def _fault(self, roots: tuple[str, ...]) -> dict[str, Any]:
        line = f"{request.method} {request.full_path.removesuffix('?')}"
        names = roots or (operation(request.method, request.path),)
        with self._world.lock:
            self._world.stats.request(names)
            return self._world.dials.fault(roots, line)

    def _answer(self, work: Callable[[Any], Answer], body: Any) -> Answer:
        world = self._world
        with world.lock:
            refused = world.limiter.refused
            try:
                answer = work(body)
            except REFUSALS as refusal:
                answer = self._refused(refusal)
            finally:
                # Also after a refusal: the updates of a failed upsert stay written.
                world.save()
            world.stats.refused(world.limiter.refused - refused)
            return answer

    def _work(self, work: Door, body: Any) -> Answer:
        world = self._world
        caller = world.gate.let_in(request.headers.get("Authorization"), world.settings.now())
        session = Session(caller, world.settings.batch_cap, world.settings.now, world.grants)
        try:
            return work(session, body)
        finally:
            world.aftermath(session)
            world.stats.rows(session.work)
            self._seconds = pace.seconds(session.work)


def _faulty(fault: dict[str, Any], roots: tuple[str, ...], when: str) -> Response | None:
    """The scripted answer, if it belongs to this moment: before or after the work."""
    if fault.get("cut") == when:
        return wire.cut()
    if fault.get("when", "before") != when:
        return None
    if "graphql_error" in fault:
        data = dict.fromkeys(roots)
        return wire.reply(200, {"data": data or None, "errors": [fault["graphql_error"]]})
    if "status" in fault:
        body = fault.get("body", "")
        answer = wire.reply(fault["status"], body, text=isinstance(body, str))
        answer.headers.update(fault.get("headers") or {})
        return answer
    return None
