"""What tests can turn: faults, counts, records; and the API's own writes."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.serving import make_server
from whop_caller import KINDS, Caller, fixture


@pytest.fixture
def whop() -> Caller:
    return Caller(members=60)


@pytest.fixture
def live(whop: Caller) -> Iterator[str]:
    """The same sandbox on a real socket."""
    server = make_server("127.0.0.1", 0, whop.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/api/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_fault_strikes_after_skipping_and_as_often_as_told(whop: Caller) -> None:
    dial = {"match": "^GET /members$", "skip": 1, "times": 2, "fault": {"status": 500}}
    whop.turn("POST", "/dials", dial)

    codes = [whop.ask("/members").status_code for _ in range(4)]

    assert codes == [200, 500, 500, 200]
    assert whop.turn("GET", "/dials") == {"dials": [{**dial, "met": 4, "struck": 2}]}
    assert whop.ask("/members").get_json() is not None


def test_a_500_has_the_body_of_the_fixture_unless_told(whop: Caller) -> None:
    html = fixture("errors/502.html.json")["body_text"]
    plain = {"match": "/plans", "fault": {"status": 500}}
    proxy = {"match": "/products", "fault": {"status": 502, "body": html, "headers": {"X-Proxy": "yes"}}}
    whop.turn("POST", "/dials", [plain, proxy])

    assert whop.ask("/plans").get_json() == fixture("errors/500.internal.json")["body"]
    answer = whop.ask("/products")
    assert (answer.status_code, answer.text, answer.headers["X-Proxy"]) == (502, html, "yes")
    assert answer.content_type.startswith("text/html")


def test_a_false_401_leaves_the_key_alone(whop: Caller) -> None:
    whop.turn("POST", "/dials", {"match": "GET", "fault": {"status": 401}})

    assert [whop.ask("/members").status_code for _ in range(2)] == [401, 200]


def test_a_cut_connection_gives_no_answer(whop: Caller, live: str) -> None:
    whop.turn("POST", "/dials", {"match": "GET /members$", "fault": {"cut": True}})

    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"{live}/members", headers=whop.headers, timeout=5)

    assert requests.get(f"{live}/members", headers=whop.headers, timeout=5).status_code == 200


def test_a_cut_after_the_work_has_done_it(whop: Caller, live: str) -> None:
    name = whop.read("/memberships", status="active")["data"][0]["id"]
    whop.turn("POST", "/dials", {"match": "^POST", "fault": {"cut": True, "after": True}})

    with pytest.raises(requests.exceptions.ConnectionError):
        requests.post(f"{live}/memberships/{name}/cancel", json={}, headers=whop.headers, timeout=5)

    assert whop.read(f"/memberships/{name}")["status"] == "canceled"


def test_a_truncated_answer_is_no_json(whop: Caller) -> None:
    whop.turn("POST", "/dials", {"match": "GET", "fault": {"truncate": 50}})

    answer = whop.ask("/members")

    assert answer.status_code == 200
    assert len(answer.data) == 50


def test_a_delay_answers_all_the_same(whop: Caller) -> None:
    whop.turn("POST", "/dials", {"match": "GET", "fault": {"delay": 0.01}})

    assert len(whop.read("/members")["data"]) == 20


def test_cleared_dials_strike_no_more(whop: Caller) -> None:
    whop.turn("POST", "/dials", {"match": "GET", "times": None, "fault": {"status": 503}})
    assert {whop.ask("/members").status_code for _ in range(3)} == {503}

    whop.turn("DELETE", "/dials")

    assert whop.ask("/members").status_code == 200


@pytest.mark.parametrize(
    "dial", [{}, {"match": "x"}, {"match": "(", "fault": {"cut": True}}, {"fault": {"boom": 1}}]
)
def test_a_dial_that_makes_no_sense_is_refused(whop: Caller, dial: dict[str, Any]) -> None:
    assert whop.http.post("/sandbox/dials", json=dial).status_code == 400


def test_stats_count_requests_by_operation(whop: Caller) -> None:
    member = whop.read("/members")["data"][0]["id"]
    whop.read(f"/members/{member}")
    whop.ask("/members/unknown")

    stats = whop.turn("GET", "/stats")

    assert stats == {
        "requests": {"GET /members": 1, "GET /members/{id}": 2, "total": 3},
        "statuses": {"200": 2, "404": 1},
        "faults": 0,
    }
    assert whop.turn("DELETE", "/stats")["requests"] == {"total": 0}


@pytest.mark.parametrize("kind", KINDS)
def test_a_removed_record_is_gone_from_lists_and_reads(whop: Caller, kind: str) -> None:
    whop = Caller(members=200, limited=False)
    before = whop.every(kind)

    whop.turn("DELETE", f"/records/{kind}/{before[0]['id']}")

    assert whop.ask(f"/{kind}/{before[0]['id']}").status_code == 404
    assert [record["id"] for record in whop.every(kind)] == [record["id"] for record in before[1:]]
    assert whop.http.delete(f"/sandbox/records/{kind}/{before[0]['id']}").status_code == 404


def test_a_changed_membership_moves_its_updated_at(whop: Caller) -> None:
    before = whop.read("/memberships")["data"][3]

    whop.turn("PATCH", f"/records/memberships/{before['id']}", {"status": "past_due"})

    after = whop.read(f"/memberships/{before['id']}")
    assert after["updated_at"] > before["updated_at"]
    assert after == {**before, "status": "past_due", "updated_at": after["updated_at"]}
    assert whop.read("/memberships")["data"][3] == after


def test_a_renamed_member_is_renamed_wherever_the_user_shows(whop: Caller) -> None:
    payment = next(one for one in whop.every("payments") if one["user"])
    member = payment["member_id"]

    whop.turn("PATCH", f"/records/members/{member}", {"user": {"name": "New Name"}})

    assert whop.read(f"/members/{member}")["display_name"] == "New Name"
    assert whop.read(f"/users/{payment['user']['id']}")["name"] == "New Name"
    assert whop.read(f"/payments/{payment['id']}")["user"]["name"] == "New Name"


def test_a_member_that_acts_comes_first_by_last_action(whop: Caller) -> None:
    member = whop.every("members")[-1]["id"]

    whop.turn("PATCH", f"/records/members/{member}", {"most_recent_action_at": "2026-11-20T12:30:00.000Z"})

    newest = whop.read("/members", order="most_recent_action_at", first=1)
    assert newest["data"][0]["id"] == member


def test_a_renamed_product_is_renamed_in_memberships(whop: Caller) -> None:
    product = whop.read("/memberships")["data"][0]["product_id"]

    whop.turn("PATCH", f"/records/products/{product}", {"title": "New Title"})

    titles = {held["product"]["title"] for held in whop.every("memberships", product_id=product)}
    assert titles == {"New Title"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("accounts", "disputes")])
def test_an_added_record_is_listed_first_and_read(whop: Caller, kind: str) -> None:
    count = len(whop.every(kind))

    made = whop.turn("POST", f"/records/{kind}", {})

    assert whop.read(f"/{kind}", first=1)["data"][0]["id"] == made["id"]
    assert whop.read(f"/{kind}/{made['id']}")["id"] == made["id"]
    assert len(whop.every(kind)) == count + 1


def test_an_added_membership_belongs_to_the_added_member(whop: Caller) -> None:
    member = whop.turn("POST", "/records/members", {"email": "new@example.com"})
    plan = whop.every("plans")[0]

    made = whop.turn("POST", "/records/memberships", {"member_id": member["id"], "plan_id": plan["id"]})

    assert made["user_id"] == member["user"]["id"]
    assert made["product_id"] == plan["product"]["id"]
    assert made.keys() == fixture("current/memberships/ada-monthly.json").keys()
    assert [held["id"] for held in whop.every("memberships", member_id=member["id"])] == [made["id"]]
    assert whop.every("members", user_ids=member["user"]["id"])[0]["email"] == "new@example.com"
    assert whop.read(f"/users/{member['user']['username']}")["id"] == member["user"]["id"]


def test_fields_a_record_has_not_are_refused(whop: Caller) -> None:
    name = whop.read("/members")["data"][0]["id"]

    for body in ({"e_mail": "x"}, {"id": "mber_other"}):
        assert whop.http.patch(f"/sandbox/records/members/{name}", json=body).status_code == 400
    assert whop.http.get("/sandbox/records/invoices").status_code == 404


def test_changes_survive_a_restart_and_a_torn_last_line(tmp_path: Path) -> None:
    whop = Caller(members=60, data_dir=tmp_path)
    first, second, *_ = whop.every("members")
    whop.turn("PATCH", f"/records/members/{first['id']}", {"email": "moved@example.com"})
    whop.turn("DELETE", f"/records/members/{second['id']}")
    made = whop.turn("POST", "/records/members", {})
    (journal,) = tmp_path.glob("changes-*.jsonl")
    with journal.open("ab") as file:
        file.write(b'{"kind": "mem')

    again = Caller(members=60, data_dir=tmp_path)
    again.turn("DELETE", f"/records/members/{made['id']}")
    last = Caller(members=60, data_dir=tmp_path)

    assert again.read(f"/members/{first['id']}")["email"] == "moved@example.com"
    assert last.ask(f"/members/{second['id']}").status_code == 404
    assert len(last.every("members")) == 59


def test_another_seed_does_not_meet_foreign_changes(tmp_path: Path) -> None:
    whop = Caller(members=60, data_dir=tmp_path)
    whop.turn("POST", "/records/members", {})

    assert len(Caller(members=60, seed=2, data_dir=tmp_path).every("members")) == 60


def write(whop: Caller, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    answer = whop.http.open("/api/v1" + path, method=method, json=body, headers=whop.headers)
    return answer.status_code, answer.get_json()


def test_cancelling_at_period_end_keeps_the_access(whop: Caller) -> None:
    held = whop.read("/memberships", status="active")["data"][0]

    _, after = write(whop, "POST", f"/memberships/{held['id']}/cancel", {"cancel_at_period_end": True})

    assert (after["status"], after["cancel_at_period_end"]) == ("canceling", True)
    assert after["most_recent_action_at"] == held["current_period_end"]
    assert after["canceled_at"] is not None


def test_cancelling_with_an_empty_body_ends_the_access_at_once(whop: Caller) -> None:
    held = whop.read("/memberships", status="active")["data"][0]

    _, after = write(whop, "POST", f"/memberships/{held['id']}/cancel")

    assert (after["status"], after["renewal_price"]) == ("canceled", None)
    status, again = write(whop, "POST", f"/memberships/{held['id']}/cancel", {})
    assert {"status": status, "body": again} == {
        key: fixture("errors/422.validation.json")[key] for key in ("status", "body")
    }


def test_a_cancelled_membership_is_uncancelled_by_patch(whop: Caller) -> None:
    held = whop.read("/memberships", status="active")["data"][0]
    write(whop, "POST", f"/memberships/{held['id']}/cancel", {"cancel_at_period_end": True})

    _, after = write(whop, "PATCH", f"/memberships/{held['id']}", {"cancel_at_period_end": False})

    assert after == {**held, "updated_at": after["updated_at"]}


def test_metadata_is_merged_and_an_empty_one_clears(whop: Caller) -> None:
    held = whop.read("/memberships")["data"][1]
    path, before = f"/memberships/{held['id']}", held["metadata"]

    write(whop, "PATCH", path, {"metadata": {"a": "1"}})
    _, both = write(whop, "PATCH", path, {"metadata": {"b": "2"}})
    _, none = write(whop, "PATCH", path, {"metadata": {}})

    assert (both["metadata"], none["metadata"]) == ({**before, "a": "1", "b": "2"}, {})


def test_writes_need_their_permissions_and_known_fields(whop: Caller) -> None:
    path = f"/memberships/{whop.read('/memberships')['data'][0]['id']}"

    assert write(whop, "PATCH", path, {"status": "active"})[0] == 400
    whop.turn("POST", "/keys", {"do": "restrict", "permissions": ["member:basic:read"]})
    assert write(whop, "PATCH", path, {})[0] == 403
    assert write(whop, "POST", f"{path}/cancel", {})[0] == 403
