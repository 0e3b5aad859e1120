"""Somebody who has no mouse: they reach things with Tab, in the order of the page, and see where they are."""

from typing import Final

from playwright.sync_api import Locator, Page

MOST_STEPS: Final = 200
_HAS_FOCUS: Final = "element => element === document.activeElement"
_LIES_BEHIND: Final = """element => Boolean(
    element.compareDocumentPosition(document.activeElement) & Node.DOCUMENT_POSITION_FOLLOWING)"""
_IS_AMONG: Final = """element => element.name === document.activeElement.name
    && element.form === document.activeElement.form"""
# An outline, or for a box of a drawing its border: something must show where one is.
_IS_SHOWN: Final = """element => element instanceof SVGElement || element.id === "palette-text"
    || getComputedStyle(element).outlineStyle !== "none" """


class Keys:
    """``page`` by the keyboard alone. Each method waits for its target to be there, as Playwright's own do."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def to(self, target: Locator) -> None:
        """Tab until ``target`` has the focus, backwards when one is past it. Fails when it is never reached, or nothing
        shows that it is.
        """
        target.wait_for()
        key = "Shift+Tab" if target.evaluate(_LIES_BEHIND) else "Tab"
        for _ in range(MOST_STEPS):
            if target.evaluate(_HAS_FOCUS):
                assert target.evaluate(_IS_SHOWN), f"nothing shows that {target} has the focus"
                return
            self._page.keyboard.press(key)
        raise AssertionError(f"{key} never reaches {target}")

    def press(self, target: Locator, key: str = "Enter") -> None:
        """Go to a link, a button or a summary and use it."""
        self.to(target)
        self._page.keyboard.press(key)

    def write(self, target: Locator, text: str) -> None:
        """Go to a field and put ``text`` in place of what it holds."""
        self.to(target)
        self._page.keyboard.press("Control+a")
        self._page.keyboard.insert_text(text)

    def choose(self, target: Locator, label: str) -> None:
        """Go to a list of choices and type the one that is meant, as its users do."""
        self.to(target)
        self._page.keyboard.type(label)

    def pick(self, target: Locator) -> None:
        """Go to a group of radio buttons, which Tab enters at one of them, and on to ``target`` with the arrows."""
        target.wait_for()
        for _ in range(MOST_STEPS):
            if target.evaluate(_IS_AMONG):
                break
            self._page.keyboard.press("Tab")
        else:
            raise AssertionError(f"Tab never reaches the group of {target}")
        if target.evaluate(_HAS_FOCUS):
            self._page.keyboard.press("Space")
        for _ in range(MOST_STEPS):
            if target.is_checked():
                return
            self._page.keyboard.press("ArrowDown")
        raise AssertionError(f"no arrow leads to {target}")
