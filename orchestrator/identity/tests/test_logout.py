from django.test import Client

from conftest import Person
from orchestrator.identity import tokens


def log_out(client: Client, body: object = None):  # type: ignore[no-untyped-def]
    sent = {"data": body, "content_type": "application/json"} if body is not None else {}
    return client.post("/auth/logout", **sent)


def test_it_ends_the_sign_in_of_the_bearer_token(alice: Person) -> None:
    assert log_out(alice.client).status_code == 204
    assert alice.client.get("/auth/me").status_code == 401
    body = {"refresh_token": alice.refresh_token}
    assert Client().post("/auth/refresh", body, content_type="application/json").status_code == 401


def test_the_refresh_token_alone_will_do(alice: Person) -> None:
    assert log_out(Client(), {"refresh_token": alice.refresh_token}).status_code == 204
    assert alice.client.get("/auth/me").status_code == 401


def test_two_tokens_end_two_sign_ins(alice: Person) -> None:
    other = tokens.start_family(user=alice.user, org_id=alice.org.id)
    assert log_out(alice.client, {"refresh_token": other.refresh_token}).status_code == 204
    for token in (alice.access_token, other.access_token):
        assert Client(headers={"Authorization": f"Bearer {token}"}).get("/auth/me").status_code == 401


def test_other_sign_ins_go_on_and_once_more_is_no_error(alice: Person) -> None:
    other = tokens.start_family(user=alice.user, org_id=alice.org.id)
    assert [log_out(alice.client).status_code for _ in range(2)] == [204, 204]
    assert Client(headers={"Authorization": f"Bearer {other.access_token}"}).get("/auth/me").status_code == 200


def test_without_a_token_of_ours_it_is_401(db: None) -> None:
    clients = (Client(), Client(headers={"Authorization": "Bearer x"}), Client(headers={"Authorization": "Basic eDp5"}))
    for client in clients:
        assert log_out(client).status_code == 401
    assert log_out(Client(), {"refresh_token": "x"}).status_code == 401
    assert log_out(Client(), {"nope": "x"}).status_code == 422
