"""/dashboard/agents/definitions: list, new, change with a conflict, archive."""

from typing import Any

import pytest

from agents.models import Agent
from agents.services import definitions, instances
from agents.tests.test_agents_pages import GRID, define, page_at, register
from orchestrator.web.tests.browser import faults, queries, sign_in

LIST = f"{GRID}/definitions"
TYPED = {
    "name": "Builder", "agent_type": "builder", "capabilities": "code, tests,code", "config": '{"a": 1}',
    "system_prompt": "Be\r\nbrief.", "description": "", "default_model": "small",
}  # fmt: skip


def of(agent: Agent) -> str:
    return f"{LIST}/{agent.pk}"


def test_a_definition_has_what_the_form_says(alice: Any) -> None:
    client = sign_in(alice)
    assert "Define the first one" in page_at(client, LIST)
    page_at(client, f"{LIST}/new")
    answer = client.post(f"{LIST}/new", TYPED)
    agent = Agent.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, of(agent))
    assert (agent.capabilities, agent.config, agent.system_prompt) == (["code", "tests"], {"a": 1}, "Be\nbrief.")
    html = page_at(client, of(agent))
    for text in ("code, tests", "Be\nbrief.", "Alice", "No instance yet"):
        assert text in html
    assert of(agent) in page_at(client, LIST)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("agent_type", "boss"), ("config", "[]"), ("config", "{"), ("config", '{"a": 1, "a": 2}'),
     ("config", '{"a": NaN}'), ("capabilities", "x" * 101), ("name", "Taken")],
)  # fmt: skip
def test_a_faulty_field_is_named(alice: Any, field: str, value: str) -> None:
    define(alice, "Taken")
    answer = sign_in(alice).post(f"{LIST}/new", TYPED | {field: value})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in html
    assert faults(html) == []
    assert Agent.objects.count() == 1


def test_who_was_slower_sees_both_sides(alice: Any, bob: Any) -> None:
    client, agent = sign_in(alice), define(alice)
    page = client.get(f"{of(agent)}/edit")
    mine = page.context["form"].initial | {"version": "1", "base": page.context["opened"].base_json}
    definitions.update_agent(actor=bob.actor, agent_id=agent.pk, version=None, description="Bob's.")
    answer = client.post(f"{of(agent)}/edit", mine | {"description": "Alice's.", "default_model": "big"})
    html = answer.content.decode()
    assert answer.status_code == 409
    assert faults(html) == []
    assert "Bob changed its description" in html
    found = {each.name: each.choice for each in answer.context["differences"]}
    assert found == {"description": "", "default_model": "yours"}
    chosen = mine | {"description": "Alice's.", "default_model": "big", "version": "2", "pick-description": "now"}
    assert client.post(f"{of(agent)}/edit", chosen).status_code == 302
    agent.refresh_from_db()
    assert (agent.description, agent.default_model) == ("Bob's.", "big")


def test_a_name_that_is_taken_is_told_at_its_field(alice: Any) -> None:
    define(alice, "Taken")
    agent = define(alice)
    answer = sign_in(alice).post(f"{of(agent)}/edit", TYPED | {"name": "Taken", "version": "1"})
    assert answer.status_code == 422
    assert "There is an agent" in answer.content.decode()


def test_a_definition_is_archived_unless_it_lives_or_has_changed(alice: Any, bob: Any) -> None:
    client, instance = sign_in(alice), register(alice)
    agent = instance.agent
    archive = f"{of(agent)}/archive?version=1"
    assert "Stop them first" in page_at(client, client.post(archive)["Location"])
    instances.stop_instance(actor=alice.actor, instance_id=instance.pk)
    definitions.update_agent(actor=bob.actor, agent_id=agent.pk, version=None, description="New.")
    assert "somebody has just changed it" in page_at(client, client.post(archive)["Location"])
    assert "is archived" in page_at(client, client.post(f"{of(agent)}/archive?version=2")["Location"])
    assert "is archived already" in page_at(client, client.post(f"{of(agent)}/archive?version=3")["Location"])
    assert of(agent) not in page_at(client, LIST)
    assert of(agent) in page_at(client, f"{LIST}?archived=true")
    assert client.get(f"{of(agent)}/edit").status_code == 302
    assert client.post(f"{of(agent)}/archive").status_code == 422


def test_viewers_and_strangers_write_nothing(alice: Any, carol: Any, mallory: Any) -> None:
    agent = define(alice)
    for person, status in ((carol, 403), (mallory, 404)):
        client = sign_in(person)
        for path in (f"{of(agent)}/edit", f"{of(agent)}/archive?version=1"):
            assert client.post(path, TYPED).status_code == status
    assert sign_in(carol).post(f"{LIST}/new", TYPED).status_code == 403
    assert sign_in(mallory).get(of(agent)).status_code == 404
    html = page_at(sign_in(carol), of(agent))
    assert "/edit" not in html
    assert "Archive" not in html
    assert Agent.objects.get().version == 1


def test_the_list_is_searched_and_costs_the_same_for_many(alice: Any) -> None:
    client = sign_in(alice)
    define(alice, "Painter")
    few = queries(lambda: client.get(LIST))
    for number in range(30):
        define(alice, f"Builder {number}")
    assert queries(lambda: client.get(LIST)) == few <= 8
    assert [each.name for each in client.get(f"{LIST}?q=PAINT").context["definitions"]] == ["Painter"]
    page_at(client, f"{LIST}?q={201 * 'x'}", 422)
    older = client.get(LIST).context["page"].older
    assert "Painter" in page_at(client, f"{LIST}?before={older}")
