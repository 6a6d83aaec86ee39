"""Accounts on /metadata: who I am, roles, keys, consent (recordings 001-006, 037-042, 065-090, 870-886)."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

from connector.sandbox.twenty import auth, clock, oauth_clients, people, roles
from connector.sandbox.twenty.refusals import Refusal, forbidden, not_found
from connector.sandbox.twenty.roles import Role
from connector.sandbox.twenty.session import Session
from connector.sandbox.twenty.workspace import Workspace, new_id

Args = dict[str, Any]
Resolve = Callable[[Session, Args], Any]


class ForbiddenResource(Exception):
    """What this door says to nobody, and to a key that asks for a person's things (014, 042, 067, 886)."""


#: The whole answer then.
FORBIDDEN_RESOURCE: Args = {
    "errors": [
        {
            "message": "Forbidden resource",
            "extensions": {"code": "FORBIDDEN", "userFriendlyMessage": "An error occurred."},
        }
    ],
    "data": None,
}


def _person(resolve: Resolve) -> Resolve:
    """For people and for applications that act for them."""

    def guarded(session: Session, args: Args) -> Any:
        if session.caller.user is None:
            raise ForbiddenResource
        return resolve(session, args)

    return guarded


def _at_browser(flag: str | None, resolve: Resolve) -> Resolve:
    """Only for a person's own session: an application is sent away even if the person may (090)."""

    def guarded(session: Session, args: Args) -> Any:
        if flag is not None:
            session.need(flag)
        if session.caller.kind != "user":
            raise forbidden("This endpoint requires a session access token")
        return resolve(session, args)

    return _person(guarded)


def workspace(session: Session, _args: Args) -> Args:
    found = session.workspace
    return {
        "id": found.id,
        "displayName": found.name,
        "subdomain": found.name.lower(),
        "activationStatus": "ACTIVE",
        "metadataVersion": found.version,
        "databaseSchema": f"workspace_{found.id.replace('-', '')[:25]}",
    }


def _current_user(session: Session, args: Args) -> Args:
    user, role = session.caller.user or {}, session.caller.role or {}
    names = {"firstName": user["firstName"], "lastName": user["lastName"]}
    member = {"id": user["member"], "name": names, "userEmail": user["email"], "roles": [_told(role)]}
    return {
        "id": user["id"],
        "email": user["email"],
        **names,
        "canAccessFullAdminPanel": user["runsServer"],
        "canImpersonate": user["runsServer"],
        "currentWorkspace": workspace(session, args),
        "currentUserWorkspace": {
            "permissionFlags": roles.flags(role),
            "objectsPermissions": [_on_object(role, each) for each in session.workspace.objects],
        },
        "workspaceMember": member,
    }


def _on_object(role: Role, object_id: str) -> Args:
    allowed = {f"can{act}ObjectRecords": roles.may(role, object_id, act) for act in roles.ACTS}
    return {"objectMetadataId": object_id, **allowed}


def _told(role: Role) -> Args:
    return {name: value for name, value in role.items() if name not in ("flags", "objects", "fields")}


def _get_roles(session: Session, _args: Args) -> list[Args]:
    session.need("ROLES")
    for name in ("member", "admin"):
        roles.find(session.workspace, name)
    return [_told(role) for role in session.workspace.roles.values()]


def _role(found: Workspace, which: Any) -> Role:
    try:
        return roles.find(found, str(which))
    except KeyError:
        raise not_found("Role not found") from None


def _create_role(session: Session, args: Args) -> Args:
    given = args["createRoleInput"]
    settable = {name: given[name] for name in roles.SETTABLE if name in given}
    role = roles.make(new_id(), isEditable=True, **settable)
    session.workspace.roles[role["id"]] = role
    session.workspace.changed = True
    return _told(role)


def _permit(part: str, listed: str, key: str) -> Resolve:
    """Keep what a role may do to single objects or fields (870, 871)."""

    def resolve(session: Session, args: Args) -> list[Args]:
        given = next(iter(args.values()))
        role = _role(session.workspace, given["roleId"])
        role[part] |= {each[key]: each for each in given[listed]}
        session.workspace.changed = True
        return list(given[listed])

    return resolve


def _create_key(session: Session, args: Args) -> Args:
    given = args["input"]
    role = _role(session.workspace, given["roleId"])
    if not role["canBeAssignedToApiKeys"]:
        text = "Multiple validation errors occurred while creating role targets"
        raise Refusal(text, gql="INTERNAL_SERVER_ERROR", friendly="An error occurred.")
    until = int(datetime.fromisoformat(given["expiresAt"]).timestamp())
    key = auth.new_key(session.workspace, role["id"], given["name"], int(session.seconds()), until)
    return {**_key(session, key), "role": _told(role)}


def _key(session: Session, key: Args) -> Args:
    revoked = session.now() if key["state"] == "revoked" else None
    return {
        "id": key["id"],
        "name": key["name"],
        "expiresAt": clock.iso(key["exp"] * 1000),
        "revokedAt": revoked,
    }


def _found_key(session: Session, which: Any) -> Args:
    key: Args | None = session.workspace.keys.get(str(which))
    if key is None:
        raise not_found("API Key not found")
    return key


def _key_token(session: Session, args: Args) -> Args:
    key = _found_key(session, args["apiKeyId"])
    return {"token": auth.token_of(session.workspace, key, session.grants.secret)}


def _revoke_key(session: Session, args: Args) -> Args:
    key = _found_key(session, args["input"]["id"])
    key["state"] = "revoked"
    session.workspace.changed = True
    return _key(session, key)


def _assign_role(session: Session, args: Args) -> bool:
    _found_key(session, args["apiKeyId"])["role"] = _role(session.workspace, args["roleId"])["id"]
    session.workspace.changed = True
    return True


def _remove_user(session: Session, args: Args) -> Args:
    try:
        user = people.named(session.workspace, str(args["workspaceMemberIdToDelete"]))
    except KeyError:
        raise not_found("Workspace member not found") from None
    people.remove(session, user)
    return {"id": user["seat"]}


def _authorize(session: Session, args: Args) -> Args:
    return {"redirectUrl": session.grants.allow(session.workspace, session.caller.user or {}, args)}


def _register(session: Session, args: Args) -> Args:
    given, secret = args["input"], secrets.token_hex(32)
    addresses, scopes = given["oAuthRedirectUris"], given["oAuthScopes"]
    clients = session.grants.clients
    client = oauth_clients.register_confidential(clients, given["name"], addresses, scopes, secret)
    session.grants.changed = True
    told = {"id": new_id(), "oAuthClientId": client["client_id"], "name": given["name"]}
    told |= {"oAuthRedirectUris": addresses, "oAuthScopes": scopes}
    return {"clientSecret": secret, "applicationRegistration": told}


KEYS, ROLES = "API_KEYS_AND_WEBHOOKS", "ROLES"
ROOTS: dict[str, Resolve] = {
    "currentWorkspace": workspace,
    "currentUser": _person(_current_user),
    "getRoles": _get_roles,
    "createOneRole": _at_browser(ROLES, _create_role),
    "upsertObjectPermissions": _at_browser(
        ROLES, _permit("objects", "objectPermissions", "objectMetadataId")
    ),
    "upsertFieldPermissions": _at_browser(ROLES, _permit("fields", "fieldPermissions", "fieldMetadataId")),
    "createApiKey": _at_browser(KEYS, _create_key),
    "generateApiKeyToken": _at_browser(KEYS, _key_token),
    "revokeApiKey": _at_browser(KEYS, _revoke_key),
    "assignRoleToApiKey": _at_browser(ROLES, _assign_role),
    "deleteUserFromWorkspace": _at_browser("WORKSPACE_MEMBERS", _remove_user),
    "authorizeApp": _at_browser(None, _authorize),
    "createApplicationRegistration": _at_browser("APPLICATIONS", _register),
}
