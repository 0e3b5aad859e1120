"""What a page is checked for in the browser: accessibility (axe-core), valid HTML (html-validate) and its width."""

from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from tests.pages.exceptions import Fault

_VENDOR: Final = Path(__file__).resolve().parents[1] / "vendor"
_AXE: Final = (_VENDOR / "axe.min.js").read_text(encoding="utf-8")
_VALIDATOR: Final = (_VENDOR / "html-validate.js").read_text(encoding="utf-8")
_RULES: Final = {
    "root": True,
    "extends": ["html-validate:recommended"],
    "rules": {
        "no-trailing-whitespace": "off",  # a line of a template that only decides something leaves its indentation
        "long-title": "off",  # advice for search engines; a title of ours ends with what may be cut off
        # No native element is a list of suggestions with links in it, as the WAI's pattern of a combobox has it.
        "prefer-native-element": ["error", {"exclude": ["listbox"]}],
    },
}

_RUN_AXE: Final = """async () => {
    // It would fetch the style sheets again, for a rule that it does not run by itself.
    const { violations } = await axe.run(document, { preload: false, resultTypes: ["violations"] });
    return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => [
        id,
        node.target.flat().join(" "),
        [help, ...node.any.map((check) => check.message)].join(" | "),
    ]));
}"""
_START_VALIDATOR: Final = """(rules) => {
    globalThis.validator = new htmlValidate.HtmlValidate(new htmlValidate.StaticConfigLoader(rules));
}"""
_VALIDATE: Final = """async (html) => (await validator.validateString(html)).results.flatMap(({ messages }) =>
    messages.map(({ ruleId, selector, message, line }) => [ruleId, selector || "", `${message} (line ${line})`]))"""
# What sticks out, without what lies in a box that scrolls by itself; and of that, only the outermost.
_TOO_WIDE: Final = """() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const contained = (element) => {
        for (let box = element.parentElement; box && box !== document.body; box = box.parentElement)
            if (getComputedStyle(box).overflowX !== "visible") return true;
        return false;
    };
    const wide = [...document.body.querySelectorAll("*")].filter(
        (element) => element.getBoundingClientRect().right > width + 0.5 && !contained(element));
    const outermost = wide.filter((element) => !wide.includes(element.parentElement)).slice(0, 5);
    const named = (element) => element.tagName.toLowerCase() + (element.id && `#${element.id}`) +
        [...element.classList].map((name) => `.${name}`).join("");
    return [[`${document.documentElement.scrollWidth} px`, outermost.map(named).join(", ")]];
}"""


def accessibility(page: Page) -> list[Fault]:
    """axe-core's violations, by all its rules."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(_AXE)  # by the browser's debugger: the page's policy would not let it in
    return [Fault(*found) for found in page.evaluate(_RUN_AXE)]


def width(page: Page) -> list[Fault]:
    """Whether one has to scroll sideways to read the page."""
    return [Fault("overflow", where, f"the page is {wide} wide") for wide, where in page.evaluate(_TOO_WIDE)]


class Validator:
    """html-validate, in a page of its own: it compiles its schemas with eval, which ours forbid."""

    def __init__(self, page: Page) -> None:
        self._page = page
        page.evaluate(f"{_VALIDATOR}; globalThis.htmlValidate = htmlValidate")
        page.evaluate(_START_VALIDATOR, _RULES)

    def faults(self, html: str) -> list[Fault]:
        found: list[Any] = self._page.evaluate(_VALIDATE, html)
        return [Fault(*fault) for fault in found]
