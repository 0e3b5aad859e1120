"""/dashboard/agents: the grid, the page of an agent, its prompts and its logs, for whom and at what cost."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from agents.models import AgentLog, Prompt, RuntimeAgent
from agents.pages import grid, holdings, journal, lines
from agents.pages.holdings import Holding
from agents.services import definitions, instances, logs, prompts
from agents.states import RuntimeStatus
from orchestrator.core import clock
from orchestrator.events.services import head
from orchestrator.web.tests.browser import faults, queries, sign_in

GRID = "/dashboard/agents"


def define(person: Any, name: str = "Builder") -> Any:
    found = definitions.Agent.objects.filter(org=person.org, name=name).first()
    return found or definitions.create_agent(actor=person.actor, name=name)


def register(person: Any, name: str = "Builder one", session: str = "s1", **fields: Any) -> RuntimeAgent:
    agent = define(person, fields.pop("definition", "Builder"))
    return instances.create_instance(actor=person.actor, agent_id=agent.pk, session_id=session, name=name, **fields)


def ask(person: Any, agent: RuntimeAgent, text: str = "Build it.", **fields: Any) -> Prompt:
    return prompts.create_prompt(
        actor=person.actor, runtime_agent_id=agent.pk, prompt_type="command", prompt_text=text, **fields
    )


def report(person: Any, agent: RuntimeAgent, *messages: str, level: str = "INFO") -> list[Any]:
    rows = [{"runtime_agent_id": agent.pk, "level": level, "message": message} for message in messages]
    return logs.append_logs(actor=person.actor, lines=rows)


def page_at(client: Client, path: str, status: int = 200) -> str:
    """The page, which must be sound."""
    answer = client.get(path)
    html: str = answer.content.decode()
    assert answer.status_code == status, html
    assert faults(html) == []
    return html


def of(agent: RuntimeAgent) -> str:
    return f"{GRID}/{agent.pk}"


def names(client: Client, query: str = "") -> list[list[str]]:
    return [[card.agent.name for card in group.cards] for group in client.get(GRID + query).context["groups"]]


def fresh(agent: RuntimeAgent) -> RuntimeAgent:
    return RuntimeAgent.objects.get(pk=agent.pk)


# --- the grid ---------------------------------------------------------------------------------------------------------


def test_an_empty_grid_says_how_agents_come(alice: Any) -> None:
    assert "registers itself through the API" in page_at(sign_in(alice), GRID)


def test_the_grid_parts_the_living_from_those_that_have_ended(alice: Any) -> None:
    kept, gone, lost = (register(alice, name) for name in ("Kept", "Gone", "Lost"))
    instances.stop_instance(actor=alice.actor, instance_id=gone.pk)
    instances.mark_lost(actor=alice.actor, instance_id=lost.pk)
    assert names(sign_in(alice)) == [[lost.name, kept.name], [gone.name]]


def test_the_grid_is_bounded_and_leads_on(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "LIVE_SHOWN", 2)
    monkeypatch.setattr(grid, "ENDED_SHOWN", 1)
    for number in range(5):
        agent = register(alice, str(number))
        if number < 2:
            instances.stop_instance(actor=alice.actor, instance_id=agent.pk)
    client = sign_in(alice)
    assert names(client) == [["4", "3"], ["1"]]
    html = page_at(client, GRID)
    assert "All that have ended" in html
    assert "?status=cancelled&amp;status=completed&amp;status=failed" in html


def test_a_chosen_status_is_shown_page_by_page(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "PAGE_SHOWN", 2)
    for number in range(3):
        register(alice, str(number))
    client = sign_in(alice)
    first = client.get(f"{GRID}?status=initializing")
    assert [card.agent.name for card in first.context["cards"]] == ["2", "1"]
    older = f"{GRID}?status=initializing&before={first.context['page'].older}"
    assert [card.agent.name for card in client.get(older).context["cards"]] == ["0"]
    assert "agents.js" not in page_at(client, older)
    assert "No agent goes by these filters" in page_at(client, f"{GRID}?status=lost")


def test_session_and_definition_narrow_the_grid_and_its_socket(alice: Any) -> None:
    register(alice, "One", "s 1&x")
    other = register(alice, "Two", "s2", definition="Tester")
    client = sign_in(alice)
    assert names(client, "?session_id=s2&status=&agent_id=")[0] == ["Two"]
    assert names(client, f"?agent_id={other.agent_id}")[0] == ["Two"]
    html = page_at(client, f"{GRID}?session_id=s+1%26x")
    assert 'data-socket="/ws/agent-status?session_id=s%201%26x"' in html
    assert 'data-fragment="/dashboard/agents/live?session_id=s+1%26x"' in html


@pytest.mark.parametrize("query", ["status=asleep", "agent_id=x", "session_id=%00", "session_id=" + 201 * "x"])
def test_filters_that_make_no_sense_are_refused(alice: Any, query: str) -> None:
    page_at(sign_in(alice), f"{GRID}?{query}", 422)


def test_a_card_tells_the_work_in_hand_and_what_it_cost(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = register(alice)
    done, _, current = ask(alice, agent, "First."), ask(alice, agent, "Second."), ask(alice, agent, "Third.")
    usage = {"input_tokens": 1200, "output_tokens": 34, "cost_usd": Decimal("0.0421")}
    prompts.answer_prompt(actor=alice.actor, prompt_id=done.pk, status="completed", **usage)  # type: ignore[arg-type]
    prompts.answer_prompt(actor=alice.actor, prompt_id=current.pk, status="streaming")
    held = {agent.pk: [Holding("Paint the fence", "/dashboard/tasks/x", clock.now())]}
    monkeypatch.setattr(holdings, "_finders", [lambda *_: held])
    html = page_at(sign_in(alice), GRID)
    for text in ("Third.", "and 1 more", "Paint the fence", "1,234 tokens", "$0.0421", "data-ago"):
        assert text in html, text
    assert "First." not in html


def test_the_live_part_has_the_same_cards(alice: Any) -> None:
    agent = register(alice)
    html = sign_in(alice).get(f"{GRID}/live?session_id=s1").content.decode()
    assert f'id="agent-{agent.pk}"' in html
    assert f'data-last="{head(alice.org.id)}"' in html
    assert "<html" not in html


@pytest.mark.parametrize("path", [GRID, f"{GRID}/live", f"{GRID}?status=idle&status=initializing"])
def test_the_number_of_queries_does_not_grow(alice: Any, path: str) -> None:
    client = sign_in(alice)

    def fill() -> None:
        for number in range(3):
            agent = register(alice, str(number), definition=f"{number}")
            ask(alice, agent)

    fill()
    few = queries(lambda: client.get(path))
    fill()
    assert queries(lambda: client.get(path)) == few <= 14


# --- one agent --------------------------------------------------------------------------------------------------------


def test_the_page_of_an_agent_tells_all_of_it(alice: Any) -> None:
    parent = register(alice, "Foreman")
    agent = register(alice, parent_id=parent.pk, metadata={"host": "h-1"})
    child = register(alice, "Helper", parent_id=agent.pk)
    ask(alice, agent, "Long. " * 2000)
    report(alice, agent, "It begins.", "x" * 600)
    html = page_at(sign_in(alice), of(agent))
    for text in (of(parent), of(child), "h-1", "It begins.", "The first 5,000 of its 12000 characters", "Stop it"):
        assert text in html, text
    assert "Long. " * 2000 not in html


def test_an_agent_that_has_ended_takes_nothing_any_more(alice: Any) -> None:
    agent = register(alice)
    instances.stop_instance(actor=alice.actor, instance_id=agent.pk)
    html = page_at(sign_in(alice), of(agent))
    assert "agents.js" not in html
    for text in ("Stop it", "Mark as lost", "Ask it something"):
        assert text not in html


def test_who_may_do_what_is_what_the_page_offers(alice: Any, bob: Any, carol: Any) -> None:
    agent = register(alice)
    prompt = ask(alice, agent)
    owner, member, viewer = (page_at(sign_in(person), of(agent)) for person in (alice, bob, carol))
    assert "Mark as lost" in owner
    assert "Mark as lost" not in member
    assert "Stop it" in member
    assert "<button" not in viewer.partition("<main")[2].partition("</main")[0]
    client = sign_in(carol)
    for path in ("ask", "stop", "lost", f"prompts/{prompt.pk}/cancel"):
        assert client.post(f"{of(agent)}/{path}").status_code == 403
    assert sign_in(bob).post(f"{of(agent)}/lost").status_code == 403
    assert fresh(agent).status == RuntimeStatus.INITIALIZING


def test_stopping_and_losing_go_through_the_services(alice: Any) -> None:
    client, agent = sign_in(alice), register(alice)
    assert "counts as lost" in page_at(client, client.post(f"{of(agent)}/lost")["Location"])
    assert fresh(agent).status == RuntimeStatus.LOST
    assert "cannot become lost" in page_at(client, client.post(f"{of(agent)}/lost")["Location"])
    assert "is cancelled" in page_at(client, client.post(f"{of(agent)}/stop")["Location"])
    assert fresh(agent).status == RuntimeStatus.CANCELLED


def test_a_prompt_is_sent_by_the_form(alice: Any) -> None:
    client, agent = sign_in(alice), register(alice)
    typed = {"prompt_text": "Build it.\r\nNow.", "prompt_type": "followup", "prompt_name": ""}
    assert client.post(f"{of(agent)}/ask", typed).status_code == 302
    prompt = Prompt.objects.get()
    assert (prompt.prompt_text, prompt.prompt_type, prompt.created_by) == (
        "Build it.\nNow.", "followup", str(alice.actor),
    )  # fmt: skip


@pytest.mark.parametrize("typed", [{"prompt_text": " "}, {"prompt_type": "shout"}, {"prompt_text": "a\x00"}])
def test_a_faulty_prompt_comes_back_with_the_page(alice: Any, typed: dict[str, str]) -> None:
    agent = register(alice)
    answer = sign_in(alice).post(f"{of(agent)}/ask", {"prompt_text": "x", "prompt_type": "command"} | typed)
    assert answer.status_code == 422
    assert faults(answer.content.decode()) == []
    assert not Prompt.objects.exists()


def test_what_has_ended_cannot_be_asked(alice: Any) -> None:
    agent = register(alice)
    instances.stop_instance(actor=alice.actor, instance_id=agent.pk)
    answer = sign_in(alice).post(f"{of(agent)}/ask", {"prompt_text": "x", "prompt_type": "command"})
    assert answer.status_code == 422
    assert "nothing can be asked of it" in answer.content.decode()


def test_a_prompt_is_cancelled_once(alice: Any) -> None:
    client, agent = sign_in(alice), register(alice)
    path = f"{of(agent)}/prompts/{ask(alice, agent).pk}/cancel"
    assert "The prompt is cancelled." in page_at(client, client.post(path)["Location"])
    assert client.post(path).status_code == 302
    assert Prompt.objects.get().status == "cancelled"
    assert client.post(f"{of(register(alice))}/prompts/{Prompt.objects.get().pk}/cancel").status_code == 404


def test_all_prompts_are_there_page_by_page(alice: Any) -> None:
    client, agent = sign_in(alice), register(alice)
    for number in range(30):
        ask(alice, agent, f"Number {number}.")
    first = page_at(client, f"{of(agent)}/prompts")
    older = client.get(f"{of(agent)}/prompts").context["page"].older
    assert "Number 29." in first
    assert "Number 0." not in first
    assert "Number 0." in page_at(client, f"{of(agent)}/prompts?before={older}")


def test_the_page_of_an_agent_has_a_fixed_number_of_queries(alice: Any) -> None:
    client, lonely, busy = sign_in(alice), register(alice), register(alice)
    for _ in range(4):
        ask(alice, busy)
        report(alice, busy, "a", "b")
        register(alice, parent_id=busy.pk)
    for path in ("", "/live", "/prompts", "/logs"):
        few = queries(lambda path=path: client.get(of(lonely) + path))
        assert queries(lambda path=path: client.get(of(busy) + path)) == few <= 15


def test_another_orgs_agents_are_not_there(alice: Any, mallory: Any) -> None:
    agent = register(alice, "Secret one", "secret")
    prompt = ask(alice, agent)
    client = sign_in(mallory)
    assert "Secret" not in page_at(client, GRID) + page_at(client, f"{GRID}/definitions")
    for path in ("", "/live", "/prompts", "/logs", "/logs/live", "/logs/download"):
        assert client.get(of(agent) + path).status_code == 404, path
    for path in ("/ask", "/stop", "/lost", f"/prompts/{prompt.pk}/cancel"):
        assert client.post(of(agent) + path).status_code == 404, path
    assert fresh(agent).version == agent.version


# --- logs -------------------------------------------------------------------------------------------------------------


def shown(client: Client, path: str) -> list[str]:
    return [line.message for line in client.get(path).context["lines"]]


def test_the_log_has_its_newest_line_at_the_end_and_older_pages(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PAGE_LINES", 3)
    client, agent = sign_in(alice), register(alice)
    report(alice, agent, *"abcde")
    path = f"{of(agent)}/logs"
    assert shown(client, path) == ["c", "d", "e"]
    page_at(client, path)
    older = client.get(path).context["shown"].older
    assert shown(client, f"{path}?before={older}") == ["a", "b"]
    assert "agents.js" not in page_at(client, f"{path}?before={older}")


def test_level_and_text_narrow_the_log(alice: Any) -> None:
    client, agent = sign_in(alice), register(alice)
    report(alice, agent, "quiet")
    report(alice, agent, "LOUD 100%", level="ERROR")
    path = f"{of(agent)}/logs"
    assert shown(client, f"{path}?level=WARNING") == ["LOUD 100%"]
    assert shown(client, f"{path}?q=loud+100%25&level=") == ["LOUD 100%"]
    assert shown(client, f"{path}?q=.") == []
    for query in ("level=LOUD", "q=" + 201 * "x", "q=%00"):
        page_at(client, f"{path}?{query}", 422)
    assert client.get(f"{path}?before=x").status_code == 404


def test_a_search_ends_and_says_where_to_go_on(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "SEARCHED", 2)
    client, agent = sign_in(alice), register(alice)
    report(alice, agent, "needle", "hay", "hay")
    path = f"{of(agent)}/logs?q=needle"
    assert shown(client, path) == []
    assert "Search further back" in page_at(client, path)
    further = client.get(path).context["shown"].searched_to
    assert shown(client, f"{path}&before={further}") == ["needle"]


def test_the_live_log_goes_on_after_the_last_line(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PAGE_LINES", 2)
    client, agent = sign_in(alice), register(alice)
    first, *_ = report(alice, agent, *"abcd")
    path = f"{of(agent)}/logs/live?line={first}"
    assert shown(client, path) == ["b", "c"]
    assert "data-more" in client.get(path).content.decode()
    assert shown(client, f"{path}&level=ERROR") == []
    assert client.get(f"{of(agent)}/logs/live?line=x").status_code == 404


def test_the_download_is_text_in_order(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, agent = sign_in(alice), register(alice)
    report(alice, agent, "one", "two", "three")
    path = f"{of(agent)}/logs/download"
    answer = client.get(path)
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Disposition"].startswith("attachment")
    assert [line.split()[-1] for line in answer.content.decode().splitlines()] == ["one", "two", "three"]
    assert client.get(f"{path}?q=two").content.decode().endswith("INFO     two\n")
    monkeypatch.setattr(journal, "DOWNLOADED_BYTES", 90)
    assert client.get(path).content.decode().splitlines()[-1].endswith("three")
    assert len(client.get(path).content) <= 90


def test_the_system_log_is_narrowed_and_ones_own(alice: Any, mallory: Any) -> None:
    for component, level in (("sweeper", "WARNING"), ("server", "INFO")):
        logs.report(org_id=alice.org.id, component=component, level=level, message=f"from the {component}")
    client, path = sign_in(alice), f"{GRID}/system-log"
    assert shown(client, path) == ["from the server", "from the sweeper"]
    assert shown(client, f"{path}?level=WARNING") == shown(client, f"{path}?component=sweeper") == ["from the sweeper"]
    assert "No line goes by these filters" in page_at(client, f"{path}?q=nothing")
    page_at(client, f"{path}?component={41 * 'x'}", 422)
    assert "Nothing to report" in page_at(sign_in(mallory), path)


def test_no_line_can_break_the_page(alice: Any) -> None:
    agent = register(alice, "<b>Bold</b>")
    report(alice, agent, "<script>alert(1)</script>")
    html = page_at(sign_in(alice), of(agent))
    assert "<script>alert" not in html
    assert AgentLog.objects.count() == 1
