import contextlib
import re

import pytest
from django.test import Client

from conftest import Person


@pytest.fixture
def browser(alice: Person) -> Client:
    client = Client(headers={"Accept": "text/html,*/*;q=0.8"})
    client.force_login(alice.user)
    return client


@pytest.mark.parametrize(
    "path", ["/api/v1/events", "/api/v1/members", "/api/v1/events/1", "/api/v1/nothing-by-that-id/x"]
)
def test_a_page_has_no_inline_script_and_only_local_assets(browser: Client, path: str) -> None:
    answer = browser.get(path)
    page = answer.content.decode()
    if answer["Content-Type"] == "application/json":  # no route, no page
        assert answer.status_code == 404
        return
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page) == []
    for asset in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        with contextlib.closing(Client().get(asset)) as file:
            assert file.status_code == 200, asset


def test_it_shows_the_json_and_forms_for_it(browser: Client) -> None:
    page = browser.get("/api/v1/events").content.decode()
    assert "organization_created" in page
    assert "textarea" in page
    assert 'action="/logout"' in page
    assert "alice@example.com" in page


def test_it_shows_the_etag_but_does_not_carry_it(browser: Client, alice: Person) -> None:
    etag = alice.client.get("/api/v1/events/1")["ETag"]
    answer = browser.get("/api/v1/events/1")
    assert etag.strip('"') in answer.content.decode()
    assert not answer.has_header("ETag")


def test_a_stranger_is_sent_to_the_login_page_and_back(db: None) -> None:
    answer = Client(headers={"Accept": "text/html"}).get("/api/v1/events?limit=1")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert "/login?next=/api/v1/events%3Flimit%3D1" in answer.content.decode()


def test_what_people_wrote_is_escaped(browser: Client, alice: Person) -> None:
    body = {"event": "x", "target": "<script>alert(1)</script>"}
    made = alice.client.post("/api/v1/events", body, content_type="application/json")
    assert "<script>alert" not in browser.get(made["Location"]).content.decode()


def test_everybody_else_gets_json(alice: Person) -> None:
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json, text/html"}):
        assert alice.client.get("/api/v1/events", headers=headers)["Content-Type"] == "application/json"
    assert alice.client.get("/api/v1/events", headers={"Accept": "image/png"}).status_code == 406
