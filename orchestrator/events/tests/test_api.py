from conftest import Person


def test_append_answers_the_event_with_its_etag_and_its_place(alice: Person) -> None:
    body = {"event": "demo", "target": "x", "details": {"k": "v"}}
    answer = alice.client.post("/api/v1/events", body, content_type="application/json")
    assert answer.status_code == 201
    assert answer.json()["details"] == {"k": "v"}
    again = alice.client.get(answer["Location"])
    assert (again.status_code, again["ETag"]) == (200, answer["ETag"])


def test_what_is_no_seq_names_no_event(alice: Person) -> None:
    for seq in ("²", "-1", "1.0", "9" * 19):
        assert alice.client.get(f"/api/v1/events/{seq}").status_code == 404
