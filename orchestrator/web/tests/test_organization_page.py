"""/dashboard/settings/organization: what it is called, and founding another one."""

from typing import Any

import pytest

from orchestrator.identity.models import Membership
from orchestrator.web.tests.browser import faults, sign_in

HERE = "/dashboard/settings/organization"


def test_everybody_sees_the_names_and_administrators_the_form(alice: Any, carol: Any) -> None:
    page, plain = (sign_in(person).get(HERE).content.decode() for person in (alice, carol))
    assert "org-of-alice" in plain
    assert "Rename" in page
    assert "Rename" not in plain
    assert "Found an organization" not in plain
    assert faults(page) == faults(plain) == []


def test_it_is_renamed(alice: Any) -> None:
    page = sign_in(alice).post(HERE, {"name": "The Alices", "slug": "alices"}, follow=True).content.decode()
    alice.org.refresh_from_db()
    assert (alice.org.name, alice.org.slug) == ("The Alices", "alices")
    assert "The Alices" in page


@pytest.mark.parametrize(
    ("slug", "told"),
    [
        ("org-of-mallory", "is taken"),
        ("No Spaces", "Use a-z"),
        ("01980a5c-1c2d-7e3f-8a9b-0c1d2e3f4a5b", "not an id"),
    ],
)
def test_a_slug_that_cannot_be_is_refused_at_its_field(alice: Any, mallory: Any, slug: str, told: str) -> None:
    for path in (HERE, f"{HERE}/new"):
        answer = sign_in(alice).post(path, {"name": "x", "slug": slug})
        assert answer.status_code == 422
        assert told in answer.content.decode()
        assert faults(answer.content.decode()) == []


def test_members_cannot_rename_it(alice: Any, bob: Any) -> None:
    assert sign_in(bob).post(HERE, {"name": "Bobs", "slug": "bobs"}).status_code == 403
    alice.org.refresh_from_db()
    assert alice.org.name == "Org of alice"


def test_one_founds_an_org_and_goes_on_in_it(alice: Any, bob: Any) -> None:
    client = sign_in(bob)
    assert faults(client.get(f"{HERE}/new").content.decode()) == []
    answer = client.post(f"{HERE}/new", {"name": "Bob & Co", "slug": ""}, follow=True)
    assert answer.context["visitor"].organization == "Bob & Co"
    assert Membership.objects.get(org__slug="bob-co").user_id == bob.user.pk
    assert "First steps" in answer.content.decode()


def test_viewers_found_nothing(carol: Any) -> None:
    assert sign_in(carol).post(f"{HERE}/new", {"name": "x"}).status_code == 403
