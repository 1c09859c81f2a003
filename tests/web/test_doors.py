"""Every route x every role from one table, and the usual attacks: refused with a clear answer."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from fastapi import APIRouter
from sqlalchemy import select, update

from photogenic.web import people as people_module
from photogenic.web.app import create_app, routes_of
from photogenic.web.guard import cookie_name
from photogenic.web.people import hashed
from photogenic.web.registration import ANYBODY, ROLES, Registration
from photogenic.web.serve import local_origins
from photogenic.web.tables import audit, invites, people, sessions

from .office import Office, claim, event, office_at, send


def filled(path: str, queue: str, office: Office) -> str:
    """A route's template with something real in every place."""
    values = {
        "queue_id": queue,
        "digest": next(iter(office.pictures)),
        "size": "thumb",
        "person_id": "0" * 16,
        "invite_id": "0" * 16,
        "path:path": "api.js",
        "suffix": "jsonl",
    }
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, f"the test does not know how to fill {path}"
    return path


def test_every_route_lets_in_exactly_whom_the_table_names(office: Office) -> None:
    queue = office.queue(1)
    clients = {role: office.person(role.title(), role) for role in ROLES}
    stranger = office.client()
    tried = 0
    for method, template in routes_of(office.app):
        roles, path = office.room.permissions[method, template], filled(template, queue, office)
        if template == "/api/sign-out":
            continue  # it would end the sessions of this test; it has one of its own
        answer = stranger.request(method, path, json={})
        assert (answer.status_code == 401) == (roles is not ANYBODY or template == "/api/sign-in"), template
        for role, client in clients.items():
            status = client.request(
                method, path, json={} if method not in ("GET", "DELETE") else None
            ).status_code
            assert status < 500, (method, template, role)
            assert (status == 403) == (roles is not ANYBODY and role not in roles), (method, template, role)
            tried += 1
    assert tried >= 5 * 20


def test_a_route_without_an_entry_stops_the_start(tmp_path: Path) -> None:
    router = APIRouter()

    @router.get("/api/forgotten")
    def forgotten() -> dict[str, str]:
        return {}

    office = office_at(tmp_path)
    with pytest.raises(ValueError, match="/api/forgotten"):
        create_app(office.settings, Registration(name="careless", router=router))


# --- sessions ------------------------------------------------------------------------------------------


def test_an_invite_works_once_and_is_kept_only_as_a_hash(office: Office) -> None:
    token, client = office.link_for("Ada", "generalist"), office.client()
    assert client.post("/api/sign-in", json={"invite": token}).status_code == 204
    again = office.client().post("/api/sign-in", json={"invite": token})
    assert (again.status_code, again.json()["error"]) == (401, "This link is no longer valid.")
    with office.room.database.reading() as connection:
        assert connection.execute(select(invites.c.token_hash)).scalar_one() == hashed(token)
    everything = (office.settings.folder / "room.db").read_bytes()
    everything += (office.settings.folder / "room.db-wal").read_bytes()
    assert token.encode() not in everything
    assert client.cookies[cookie_name(office.settings)].encode() not in everything


@pytest.mark.parametrize("change", [{"expires_at": 1.0}, {"revoked": True}, {"used_at": 1.0}])
def test_an_expired_revoked_or_used_invite_opens_nothing(office: Office, change: dict[str, object]) -> None:
    token = office.link_for("Ada", "generalist")
    with office.room.database.writing() as connection:
        connection.execute(update(invites).values(**change))
    assert office.client().post("/api/sign-in", json={"invite": token}).status_code == 401


def test_a_planted_session_is_not_taken_over(office: Office) -> None:
    name, victim = cookie_name(office.settings), office.client("planted-by-an-attacker")
    assert victim.get("/api/me").status_code == 401
    victim.post("/api/sign-in", json={"invite": office.link_for("Ada", "generalist")})
    fresh = victim.cookies.get(name, domain="testserver.local") or victim.cookies.get(name)
    assert fresh != "planted-by-an-attacker"
    assert office.client("planted-by-an-attacker").get("/api/me").status_code == 401


def test_signing_in_again_ends_the_session_before(office: Office) -> None:
    client = office.person("Ada", "generalist")
    old = client.cookies[cookie_name(office.settings)]
    client.post("/api/sign-in", json={"invite": office.link_for("Ada", "generalist")})
    assert office.client(old).get("/api/me").status_code == 401
    assert client.get("/api/me").status_code == 200


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(office: Office, tmp_path: Path) -> None:
    answer = office.client().post("/api/sign-in", json={"invite": office.link_for("Ada", "rater")})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    from dataclasses import replace

    secure = replace(office.settings, origins=("https://review.example.org",))
    assert cookie_name(secure) == "__Host-photogenic"


def test_two_servers_of_one_machine_do_not_sign_each_other_out(office: Office) -> None:
    """Browsers send cookies to all ports of a host, so only their names keep them apart."""
    from dataclasses import replace

    review, vote = (replace(office.settings, origins=local_origins(port)) for port in (8741, 8742))
    assert cookie_name(review) != cookie_name(vote)


def test_signing_out_ends_the_session_on_the_server(office: Office) -> None:
    client = office.person("Ada", "generalist")
    token = client.cookies[cookie_name(office.settings)]
    assert client.post("/api/sign-out").status_code == 204
    assert office.client(token).get("/api/me").status_code == 401


def test_a_session_ends_by_itself_and_with_its_person(office: Office) -> None:
    lead, ada = office.person("Lea", "lead"), office.person("Ada", "generalist")
    who = next(one for one in lead.get("/api/people").json()["people"] if one["name"] == "Ada")
    assert lead.patch(f"/api/people/{who['id']}", json={"active": False}).status_code == 200
    assert ada.get("/api/me").status_code == 401
    with office.room.database.writing() as connection:
        connection.execute(update(sessions).values(expires_at=time.time() - 1))
    assert lead.get("/api/me").status_code == 401


def test_the_last_lead_cannot_lock_everybody_out(office: Office) -> None:
    lead = office.person("Lea", "lead")
    me = lead.get("/api/me").json()["person"]["id"]
    answer = lead.patch(f"/api/people/{me}", json={"role": "rater"})
    assert (answer.status_code, answer.json()["error"]) == (409, "This is the only lead.")


def test_a_passphrase_signs_in_and_is_kept_as_argon2(office: Office) -> None:
    ada = office.person("Ada", "generalist")
    assert ada.put("/api/me/passphrase", json={"passphrase": "short"}).status_code == 422
    assert ada.put("/api/me/passphrase", json={"passphrase": "heron reed mirror dusk"}).status_code == 204
    with office.room.database.reading() as connection:
        assert connection.execute(select(people.c.passphrase_hash)).scalar_one().startswith("$argon2id$")
    other = office.client()
    for name, words in (("Ada", "wrong wrong wrong"), ("Nobody", "heron reed mirror dusk")):
        answer = other.post("/api/sign-in", json={"name": name, "passphrase": words})
        assert (answer.status_code, answer.json()["error"]) == (
            401,
            "Name and passphrase do not fit together.",
        )
    signed = other.post("/api/sign-in", json={"name": "Ada", "passphrase": "heron reed mirror dusk"})
    assert signed.status_code == 204
    assert other.get("/api/me").json()["person"]["name"] == "Ada"


def test_too_many_tries_to_sign_in_have_to_wait(tmp_path: Path) -> None:
    office = office_at(tmp_path, sign_ins_per_minute=3)
    client = office.client()
    statuses = [client.post("/api/sign-in", json={"invite": "guess"}).status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    valid = office.link_for("Ada", "generalist")
    assert client.post("/api/sign-in", json={"invite": valid}).status_code == 429


# --- requests from elsewhere, and what they bring --------------------------------------------------------


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null", "http://testserver.evil.example"])
def test_a_write_from_another_site_is_refused(office: Office, origin: str | None) -> None:
    lead = office.person("Lea", "lead")
    del lead.headers["Origin"]
    headers = {} if origin is None else {"Origin": origin}
    answer = lead.post("/api/invites", json={"name": "Eve", "role": "lead"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "This request comes from another site.")


def test_another_host_name_is_refused_so_that_no_dns_trick_reaches_us(office: Office) -> None:
    assert office.client().get("/api/me", headers={"Host": "evil.example"}).status_code == 421


def test_large_bodies_are_refused_with_or_without_a_length(office: Office) -> None:
    ada = office.person("Ada", "generalist")
    large = json.dumps({"events": [], "padding": "x" * (office.settings.max_body_bytes + 1)}).encode()
    headers = {"Content-Type": "application/json"}
    assert ada.post("/api/events", content=large, headers=headers).status_code == 413
    pieces = (large[start : start + 65_536] for start in range(0, len(large), 65_536))
    answer = ada.post("/api/events", content=pieces, headers=headers)
    assert answer.status_code == 413
    assert "not taken at once" in answer.json()["error"]


def test_nonsense_is_refused_with_a_sentence(office: Office) -> None:
    ada, queue = office.person("Ada", "generalist"), office.queue(1)
    many = {"events": [event(queue, "x", verdict="keep") for _ in range(501)]}
    for path, body in (
        ("/api/events", {"events": "all"}),
        ("/api/events", many),
        ("/api/events", {"events": [], "role": "lead"}),
        (f"/api/queues/{queue}/claim", {"count": 61}),
        (f"/api/queues/{queue}/claim", {"count": -1}),
    ):
        answer = ada.post(path, json=body)
        assert answer.status_code == 422
        assert set(answer.json()) == {"error", "fix"}


def test_numbers_and_letters_that_no_database_takes_are_refused(office: Office) -> None:
    lead, queue = office.person("Lea", "lead"), office.queue(1)
    for path in ("audit?before=", f"queues/{queue}/mine?before=", f"queues/{queue}/adjudicate?after=-"):
        assert lead.get(f"/api/{path}{10**20}").status_code == 422
    item = claim(lead, queue, 1)["items"][0]["id"]
    one = event(queue, item, verdict="keep")
    assert lead.post("/api/events", json={"events": [one | {"client_at": "a\0b"}]}).status_code == 422
    back = event(queue, item, "undo", event_id=one["event_id"], words="\ud800")
    body = json.dumps({"events": [one, back]})  # half of a letter, which JSON can hold
    answer = lead.post("/api/events", content=body, headers={"Content-Type": "application/json"}).json()
    assert (answer["accepted"], len(answer["refused"])) == ([one["event_id"]], 1)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2f..%2fcli.py",
        "/static//etc/passwd",
        "/static/%00",
        "/static/..\\app.py",
    ],
)
def test_no_path_leaves_the_folder_of_static_files(office: Office, path: str) -> None:
    answer = office.client().get(path)
    assert answer.status_code == 404
    assert "import" not in answer.text


def test_a_script_is_sent_again_only_when_it_has_changed(office: Office) -> None:
    client = office.client()
    first = client.get("/static/dom.js")
    assert first.headers["cache-control"] == "no-cache"
    assert "javascript" in first.headers["content-type"]
    again = client.get("/static/dom.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/static/dom.js", headers={"If-None-Match": client.get("/").headers["etag"]})
    assert (other.status_code, other.content) == (200, first.content)


def test_pictures_are_only_for_those_whose_queue_shows_them(office: Office) -> None:
    mine = office.queue(1)
    ada, writer = office.person("Ada", "generalist"), office.person("Wu", "writer")
    digest = next(iter(office.pictures))
    office.pictures.clear()
    other = office.queue(0)
    for client, queue, name, size, status in (
        (ada, mine, digest, "thumb", 200),
        (writer, mine, digest, "thumb", 404),
        (ada, other, digest, "thumb", 404),
        (ada, mine, "f" * 32, "thumb", 404),
        (ada, mine, digest, "huge", 404),
        (ada, mine, "..%2f..%2froom.db", "thumb", 404),
        (office.client(), mine, digest, "thumb", 401),
    ):
        if status == 200:
            from .office import picture_bytes

            office.pictures[digest] = picture_bytes(0)
        assert client.get(f"/api/queues/{queue}/images/{name}/{size}").status_code == status


def test_markup_in_names_and_texts_stays_text(office: Office) -> None:
    lead = office.person("Lea", "lead")
    name = "<script>alert(1)</script>"
    link = lead.post("/api/invites", json={"name": name, "role": "generalist"}).json()["link"]
    client = office.client()
    client.post("/api/sign-in", json={"invite": link.split("=")[1]})
    answer = client.get("/api/me")
    assert answer.json()["person"]["name"] == name
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    for page in ("/", "/api/docs"):
        policy = lead.get(page).headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
    assert "<script" not in lead.get("/api/docs").text


def test_an_invite_for_somebody_known_lends_no_other_role(office: Office) -> None:
    lead, ada = office.person("Lea", "lead"), office.person("Ada", "generalist")
    who = ada.get("/api/me").json()["person"]["id"]
    body = {"name": "Ada", "role": "lead", "person_id": who}
    link = lead.post("/api/invites", json=body).json()["link"]
    other = office.client()
    other.post("/api/sign-in", json={"invite": link.split("=")[1]})
    assert other.get("/api/me").json()["person"] == {"id": who, "name": "Ada", "role": "generalist"}


def test_what_the_lead_does_is_in_the_audit_log(office: Office) -> None:
    lead, queue = office.person("Lea", "lead"), office.queue(1)
    made = lead.post("/api/invites", json={"name": "Bo", "role": "rater"}).json()
    lead.delete(f"/api/invites/{made['id']}")
    lead.patch(f"/api/queues/{queue}", json={"state": "closed"})
    actions = [entry["action"] for entry in lead.get("/api/audit").json()["entries"]]
    assert actions == ["queue closed", "revoke invite", "invite", "sign-in"]
    with office.room.database.reading() as connection:
        assert made["link"].split("=")[1] not in str(connection.execute(select(audit)).all())


def test_a_closed_queue_takes_nothing(office: Office) -> None:
    lead, ada, queue = office.person("Lea", "lead"), office.person("Ada", "generalist"), office.queue(2)
    item = claim(ada, queue, 1)["items"][0]["id"]
    lead.patch(f"/api/queues/{queue}", json={"state": "closed"})
    assert send(ada, event(queue, item, verdict="keep"))["refused"][0]["error"] == "This queue is closed."
    got = claim(ada, queue, 1)
    assert (got["items"], got["reason"]) == ([], None) or got["reason"] == "done"


def test_a_bug_is_a_sentence_without_a_trace(office: Office) -> None:
    ada, queue = office.person("Ada", "generalist"), office.queue(1)
    office.pictures.clear()  # the reader raises KeyError
    digest = claim(ada, queue, 1)["items"][0]["images"][0]["digest"]
    answer = ada.get(f"/api/queues/{queue}/images/{digest}/thumb")
    assert (answer.status_code, answer.json()["error"]) == (500, "The server met an error of its own.")


def test_a_lead_who_is_shut_out_does_not_come_back_by_a_link_of_their_own(office: Office) -> None:
    lead, other = office.person("Lea", "lead"), office.person("Leo", "lead")
    links = [
        client.post("/api/invites", json={"name": name, "role": "lead"}).json()["link"].split("=")[1]
        for client, name in ((other, "Eve"), (lead, "Ada"))
    ]
    who = other.get("/api/me").json()["person"]["id"]
    assert lead.patch(f"/api/people/{who}", json={"active": False}).status_code == 200
    statuses = [office.client().post("/api/sign-in", json={"invite": link}).status_code for link in links]
    assert statuses == [401, 204]


def test_nobody_waits_for_a_passphrase_to_be_checked(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """argon2 takes a tenth of a second on purpose; SQLite has one writer."""
    ada, database = office.person("Ada", "generalist"), office.room.database
    real, free = people_module._hasher(), []

    class Hasher:
        def hash(self, words: str) -> str:
            free.append(not database._turn.locked())  # type: ignore[attr-defined]
            return real.hash(words)

        def verify(self, known: str, words: str) -> bool:
            free.append(not database._turn.locked())  # type: ignore[attr-defined]
            return real.verify(known, words)

    monkeypatch.setattr(people_module, "_hasher", Hasher)
    words = {"passphrase": "heron reed mirror dusk"}
    assert ada.put("/api/me/passphrase", json=words).status_code == 204
    assert office.client().post("/api/sign-in", json={"name": "Ada", **words}).status_code == 204
    assert free == [True, True]
