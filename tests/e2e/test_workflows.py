"""Writing workflows, alone and two at a time. By the keyboard alone."""

import copy
import json
from typing import Any

from playwright.sync_api import Page, expect

from tests.chromium import Visitor
from tests.e2e import workflows
from tests.e2e.conftest import Enter
from tests.e2e.keys import Keys
from tests.e2e.marks import BROWSED, ONCE
from tests.e2e.people import BEN, OLIVIA, problems
from tests.process.server import Server

pytestmark = [*BROWSED, ONCE]


def written(definition: dict[str, Any]) -> str:
    return json.dumps(definition, indent=2)


def saying(node: str, text: str) -> dict[str, Any]:
    """GREET with another text in one of its nodes."""
    definition = copy.deepcopy(workflows.GREET)
    definition["nodes"][node]["with"]["output"]["text"] = text
    return definition


def texts(server: Server, tag: str) -> dict[str, str]:
    """What the nodes of the head say."""
    nodes = server.get(f"/api/v1/workflows/{tag}").json()["definition"]["nodes"]
    return {name: node["with"]["output"]["text"] for name, node in nodes.items()}


def write_over(page: Page, definition: dict[str, Any], message: str) -> None:
    keys = Keys(page)
    keys.write(page.get_by_label("Definition (JSON)"), written(definition))
    keys.write(page.get_by_label("Message"), message)
    keys.press(page.get_by_role("button", name="Save"))


def test_a_workflow_is_written_run_changed_and_taken_back(server: Server, enter: Enter) -> None:
    visitor = enter(server)
    page = visitor.open("/dashboard/workflows")
    keys = Keys(page)
    keys.press(page.get_by_role("link", name="New workflow").first)
    faulty = written(workflows.GREET).replace('"needs": [\n        "hail"', '"needs": [\n        "hale"')
    keys.write(page.get_by_label("Name"), "greetings")
    keys.write(page.get_by_label("Definition (JSON)"), faulty)
    keys.press(page.get_by_role("button", name="Make the workflow"))
    line = next(number for number, text in enumerate(faulty.split("\n"), 1) if "hale" in text)
    fault = page.get_by_role("alert").get_by_role("link", name=f"Line {line}", exact=True)
    text = page.get_by_label("Definition (JSON)")
    expect(text).to_have_value(faulty)
    expect(page.locator(f"#line-{line} .fault")).to_be_visible()
    keys.press(fault)
    expect(text).to_be_focused()
    marked = text.evaluate("(field) => field.value.slice(field.selectionStart, field.selectionEnd)")
    assert marked == '        "hale"'
    page.keyboard.insert_text('        "hail"')  # the faulty line is marked, so that one writes over it
    keys.press(page.get_by_role("button", name="Make the workflow"))
    expect(page.get_by_role("heading", level=1)).to_have_text("greetings")

    keys.press(page.get_by_role("link", name="Start a run"))
    keys.write(page.get_by_label("Name"), "Ada")
    keys.press(page.get_by_role("button", name="Start the run"))
    expect(page.locator("#run-facts .pill")).to_have_text("succeeded")
    expect(page.locator("#run-output")).to_contain_text("Good day Ada. Farewell")
    keys.press(page.locator(".origin").get_by_role("link", name="greetings"))

    keys.press(page.get_by_role("link", name="Edit"))
    write_over(page, saying("hail", "Hello ${inputs.name}"), "Less stiff")
    expect(page.get_by_text("Saved. Runs that start from now on use this version.")).to_be_visible()
    keys.press(page.get_by_role("link", name="History"))
    keys.press(page.get_by_role("link", name="What changed in move 2"))
    expect(page.locator(".changes li[data-state=changed]")).to_contain_text("hail")
    expect(page.locator(".difflines")).to_contain_text("Hello ${inputs.name}")
    keys.press(page.locator(".crumbs").get_by_role("link", name="greetings"))

    keys.press(page.get_by_role("button", name="Undo"))
    expect(page.locator(".notice")).to_be_visible()
    assert texts(server, "greetings")["hail"] == "Good day ${inputs.name}"
    keys.press(page.get_by_role("button", name="Redo"))
    expect(page.get_by_role("button", name="Redo")).to_be_disabled()
    assert texts(server, "greetings")["hail"] == "Hello ${inputs.name}"
    assert problems(visitor, 422) == []


def test_two_editors_both_get_what_they_wrote(server: Server, enter: Enter) -> None:
    workflows.make(server, "letters", workflows.GREET)
    first, second, page, other = two_editors(server, enter, "letters")
    write_over(other, saying("hail", "Hello ${inputs.name}"), "A friendlier beginning")
    expect(other.locator(".notice")).to_contain_text("Saved.")
    write_over(page, saying("part", "${nodes.hail.text}. So long"), "A friendlier end")

    expect(page.get_by_role("heading", level=1)).to_have_text("letters was changed while you wrote")
    expect(page.locator(".moves")).to_contain_text("Ben")
    expect(page.locator(".moves")).to_contain_text("A friendlier beginning")
    expect(page.get_by_role("region", name="What is saved")).to_contain_text("Hello ${inputs.name}")
    expect(page.get_by_role("region", name="What you wrote")).to_contain_text("So long")
    Keys(page).press(page.get_by_role("button", name="Save the merged version"))
    expect(page.locator(".notice")).to_contain_text("Saved.")
    assert texts(server, "letters") == {"hail": "Hello ${inputs.name}", "part": "${nodes.hail.text}. So long"}
    assert [*problems(first, 409), *problems(second)] == []


def test_two_editors_of_one_line_and_the_second_chooses(server: Server, enter: Enter) -> None:
    workflows.make(server, "cards", workflows.GREET)
    first, second, page, other = two_editors(server, enter, "cards")
    write_over(other, saying("hail", "Hello ${inputs.name}"), "Ben's")
    expect(other.locator(".notice")).to_contain_text("Saved.")
    write_over(page, saying("hail", "Dear ${inputs.name}"), "Olivia's")

    expect(page.get_by_role("group", name="/nodes/hail/with/output/text")).to_contain_text("Hello ${inputs.name}")
    assert texts(server, "cards")["hail"] == "Hello ${inputs.name}"
    keys = Keys(page)
    keys.pick(page.get_by_role("radio", name="What you wrote"))
    keys.press(page.get_by_role("button", name="Save with these choices"))
    expect(page.locator(".notice")).to_contain_text("Saved.")
    assert texts(server, "cards")["hail"] == "Dear ${inputs.name}"
    assert [*problems(first, 409), *problems(second)] == []


def two_editors(server: Server, enter: Enter, tag: str) -> tuple[Visitor, Visitor, Page, Page]:
    """Olivia and Ben, each with the form of the same version before them."""
    olivia, ben = enter(server, OLIVIA), enter(server, BEN)
    return olivia, ben, *(each.open(f"/dashboard/workflows/{tag}/edit") for each in (olivia, ben))
