"""Signing in and out, keys, members, organizations, and the way to anything. By the keyboard alone."""

import httpx
from playwright.sync_api import Page, expect

from tests.e2e import workflows
from tests.e2e.conftest import Enter
from tests.e2e.keys import Keys
from tests.e2e.marks import BROWSED, ONCE
from tests.e2e.people import OLIVIA, OTHER_ORG, PASSWORD, problems
from tests.process.server import Server

pytestmark = [*BROWSED, ONCE]


def status_with(server: Server, secret: str) -> int:
    url = f"http://127.0.0.1:{server.port}/api/v1/auth/me"
    return httpx.get(url, headers={"X-API-Key": secret}).status_code


def test_one_signs_out_and_is_asked_who_one_is(server: Server, enter: Enter) -> None:
    visitor = enter(server)
    page = visitor.open("/dashboard")
    keys = Keys(page)
    keys.press(page.locator("details.who summary"))
    keys.press(page.get_by_role("button", name="Sign out"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    keys.write(page.get_by_label("E-mail address"), OLIVIA)
    keys.write(page.get_by_label("Password"), "not it")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("E-mail address")).to_have_value(OLIVIA)
    keys.write(page.get_by_label("Password"), PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    assert problems(visitor, 401, 422) == []


def test_an_api_key_is_shown_once_works_and_is_revoked(server: Server, enter: Enter) -> None:
    visitor = enter(server)
    page = visitor.open("/dashboard")
    keys = Keys(page)
    keys.press(page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings"))
    keys.press(page.get_by_role("link", name="API keys"))
    keys.press(page.get_by_role("link", name="Make an API key"))
    keys.write(page.get_by_label("Name", exact=True), "night shift")
    keys.press(page.get_by_label("write: change tasks"), "Space")  # ticked, and not wanted
    keys.press(page.get_by_role("button", name="Make the key"))
    secret = page.get_by_label("The secret of night shift").input_value()
    assert status_with(server, secret) == 200

    keys.press(page.get_by_role("link", name="I have copied it"))
    expect(page.get_by_role("heading", level=1)).to_have_text("API keys")
    assert secret not in page.content()
    keys.press(page.get_by_role("link", name="night shift"))
    expect(page.get_by_role("heading", level=1)).to_have_text("night shift")
    expect(page.locator(".pill", has_text="active")).to_be_visible()
    assert secret not in page.content()
    keys.press(page.get_by_role("button", name="Revoke night shift"))
    expect(page.locator(".pill", has_text="revoked")).to_be_visible()
    assert status_with(server, secret) == 401
    assert problems(visitor) == []


def test_a_member_is_added_and_the_organization_switched(server: Server, enter: Enter) -> None:
    visitor = enter(server)
    page = visitor.open("/dashboard/settings/members")
    keys = Keys(page)
    add = page.locator("form", has=page.get_by_role("button", name="Add the member"))
    keys.write(add.get_by_label("E-mail address"), "carla@example.com")
    keys.choose(add.get_by_label("Role"), "Viewer")
    keys.press(add.get_by_role("button", name="Add the member"))
    expect(page.locator(".faulty .errorlist, [role=alert]").first).to_be_visible()  # somebody new needs a password
    expect(add.get_by_label("Role")).to_have_value("viewer")
    keys.write(add.get_by_label("First password"), "a first password of hers")
    keys.press(add.get_by_role("button", name="Add the member"))
    expect(page.locator(".notice")).to_contain_text("carla@example.com is a member now: viewer.")

    switch(page, OTHER_ORG)
    keys.press(page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings"))
    expect(page.get_by_role("table")).not_to_contain_text("carla@example.com")
    switch(page, "default")
    keys.press(page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings"))
    expect(page.get_by_role("table")).to_contain_text("carla@example.com")
    assert problems(visitor, 422) == []


def switch(page: Page, organization: str) -> None:
    keys = Keys(page)
    keys.press(page.locator("details.who summary"))
    keys.press(page.locator("details.who").get_by_role("button", name=organization))
    expect(page.locator("details.who .org")).to_have_text(organization, ignore_case=True)


def test_the_palette_leads_anywhere(server: Server, enter: Enter) -> None:
    run = workflows.start(server, "agent-graph", prompt="Five days in Kyoto")
    visitor = enter(server)
    page = visitor.open("/dashboard")
    palette = page.locator("#palette")
    for opens in ("/", "Control+k"):
        page.keyboard.press(opens)
        expect(palette.get_by_role("combobox")).to_be_focused()
        page.keyboard.type("Five days in Ky")
        expect(palette.get_by_role("option").first).to_contain_text("Five days in Kyoto")
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{visitor.home}/dashboard/runs/{run}")
        page.wait_for_load_state()  # until then no script listens to keys
        page.keyboard.press("/")
        expect(palette.get_by_role("combobox")).to_be_focused()
        page.keyboard.press("Escape")
        expect(palette.get_by_role("combobox")).to_be_hidden()
        page.keyboard.press("/")
        expect(palette.get_by_role("combobox")).to_be_focused()
        page.keyboard.type("Settings")
        expect(palette.get_by_role("option").first).to_contain_text("Settings")
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{visitor.home}/dashboard/settings/members")
        page.wait_for_load_state()
    assert problems(visitor) == []
