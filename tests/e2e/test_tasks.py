"""The board of tasks: by the keyboard, by the mouse, and with somebody else at it."""

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Enter
from tests.e2e.keys import Keys
from tests.e2e.marks import BROWSED, ONCE
from tests.e2e.people import BEN, OLIVIA, problems
from tests.process.server import Server

pytestmark = [*BROWSED, ONCE]


def make(server: Server, title: str) -> dict[str, Any]:
    task: dict[str, Any] = server.post("/api/v1/collab/tasks", {"title": title})
    return task


def column(page: Page, status: str) -> Locator:
    return page.locator(f"#column-{status}")


def move(page: Page, title: str, to: str) -> None:
    keys = Keys(page)
    keys.press(page.locator("summary", has_text=title))
    keys.press(page.locator("li", has_text=title).get_by_role("button", name=to))


def follows(page: Page) -> Page:
    expect(page.locator("[data-badge]")).to_have_text("Live")
    return page


def test_a_task_is_made_and_moved_by_the_keyboard_and_the_other_sees_it(server: Server, enter: Enter) -> None:
    olivia, ben = enter(server, OLIVIA), enter(server, BEN)
    page, others = follows(olivia.open("/dashboard/tasks")), follows(ben.open("/dashboard/tasks"))
    keys = Keys(page)
    keys.press(page.get_by_role("link", name="New task"))
    keys.write(page.get_by_label("Title"), "Paint the door")
    keys.press(page.get_by_role("button", name="Make the task"))
    expect(page.get_by_text("The task is made.")).to_be_visible()
    expect(column(others, "todo")).to_contain_text("Paint the door")

    keys.press(page.locator(".crumbs").get_by_role("link", name="Tasks"))
    move(follows(page), "Paint the door", "In progress")
    expect(page.locator("#board-notice")).to_have_text("“Paint the door” is moved to in progress.")
    expect(column(page, "in_progress")).to_contain_text("Paint the door")
    expect(page.locator("summary", has_text="Paint the door")).to_be_focused()  # where one was, in its new column
    expect(column(others, "in_progress")).to_contain_text("Paint the door")
    assert [*problems(olivia), *problems(ben)] == []


def test_a_task_is_dragged_where_it_may_go(server: Server, enter: Enter) -> None:
    make(server, "Oil the hinge")
    visitor = enter(server)
    page = follows(visitor.open("/dashboard/tasks"))
    card = page.locator("li[data-task]", has_text="Oil the hinge")
    card.drag_to(column(page, "review"))  # todo leads to no review
    expect(column(page, "todo")).to_contain_text("Oil the hinge")
    card.drag_to(column(page, "in_progress"))
    expect(page.locator("#board-notice")).to_have_text("“Oil the hinge” is moved to in progress.")
    expect(column(page, "in_progress")).to_contain_text("Oil the hinge")
    assert problems(visitor) == []


def test_who_drags_what_somebody_else_has_moved_is_told(server: Server, enter: Enter) -> None:
    make(server, "Fix the lock")
    olivia, ben = enter(server, OLIVIA), enter(server, BEN)
    page, others = follows(olivia.open("/dashboard/tasks")), follows(ben.open("/dashboard/tasks"))
    page.locator("li[data-task]", has_text="Fix the lock").hover()
    page.mouse.down()
    column(page, "in_progress").hover(position={"x": 20, "y": 20})
    column(page, "in_progress").hover(position={"x": 30, "y": 30})  # two moves: the first one begins to drag
    move(others, "Fix the lock", "Blocked")
    expect(column(page, "blocked")).to_contain_text("Fix the lock")  # under the hand of who drags it
    page.mouse.up()
    expect(page.locator("#board-notice")).to_contain_text("“Fix the lock” was not moved. Ben")
    expect(column(page, "blocked")).to_contain_text("Fix the lock")
    assert [*problems(olivia), *problems(ben)] == []


def test_two_who_edit_one_task_lose_nothing(server: Server, enter: Enter) -> None:
    task = make(server, "Call the plumber")
    olivia, ben = enter(server, OLIVIA), enter(server, BEN)
    page, others = (each.open(f"/dashboard/tasks/{task['id']}/edit") for each in (olivia, ben))
    for who, title, description in ((others, "Call a plumber", "Not the old one"), (page, "Ring the plumber", "")):
        Keys(who).write(who.get_by_label("Title"), title)
        Keys(who).write(who.get_by_label("Description"), description)
        Keys(who).press(who.get_by_role("button", name="Save"))
        expect(who.get_by_role("heading", level=1)).not_to_contain_text("Edit")
    expect(page.get_by_role("heading", level=1)).to_have_text("Somebody was faster")
    keys = Keys(page)
    keys.pick(page.get_by_role("group", name="Title").get_by_role("radio", name="Yours"))
    keys.press(page.get_by_role("button", name="Save what I chose"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Ring the plumber")
    expect(page.locator("#task-description")).to_contain_text("Not the old one")
    assert [*problems(olivia, 409), *problems(ben)] == []
