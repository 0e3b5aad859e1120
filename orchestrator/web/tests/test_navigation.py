"""The shell around every page: sections, and the switch between organizations."""

from conftest import Person
from orchestrator.identity import services
from orchestrator.web.tests.browser import faults, queries, sign_in


def test_the_section_of_a_page_is_marked(alice: Person) -> None:
    client = sign_in(alice)
    paths = {"": "Home", "/runs": "Runs", "/runs/new": "Runs", "/approvals": "Runs", "/tasks": "Tasks"}
    for path, label in paths.items():
        sections = client.get(f"/dashboard{path}").context["visitor"].sections
        assert [shown["section"].label for shown in sections if shown["current"]] == [label]


def joined(alice: Person, mallory: Person, role: str = "viewer") -> None:
    services.add_member(actor=mallory.actor, email=alice.user.email, role=role)


def test_one_goes_on_in_another_of_ones_orgs(alice: Person, mallory: Person) -> None:
    joined(alice, mallory)
    client = sign_in(alice)
    page = client.get("/dashboard").content.decode()
    assert faults(page) == []
    assert f'value="{mallory.org.pk}"' in page
    switched = client.post("/dashboard/organization", {"organization": str(mallory.org.pk)}, follow=True)
    assert switched.context["visitor"].organization == mallory.org.name
    assert not switched.context["visitor"].may_write
    assert client.get("/dashboard/runs").context["visitor"].organization == mallory.org.name


def test_nobody_gets_into_an_org_that_they_are_not_in(alice: Person, mallory: Person) -> None:
    client = sign_in(alice)
    for wanted in (str(mallory.org.pk), mallory.org.slug, "", "nonsense"):
        assert client.post("/dashboard/organization", {"organization": wanted}).status_code == 404
    assert client.get("/dashboard").context["visitor"].organization == alice.org.name


def test_the_switch_is_offered_to_those_who_have_a_choice(alice: Person) -> None:
    assert 'name="organization"' not in sign_in(alice).get("/dashboard").content.decode()


def test_more_orgs_cost_no_more_queries(alice: Person, mallory: Person) -> None:
    client = sign_in(alice)
    before = queries(lambda: client.get("/dashboard/find"))
    joined(alice, mallory)
    assert queries(lambda: client.get("/dashboard/find")) == before
