"""The files that pages ask for: all here, all ours, and legible."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from orchestrator.web.tests.browser import sign_in

PAIRS = [
    *(
        (front, back)
        for front in ("text", "soft", "accent", "accent-strong")
        for back in ("ground", "surface", "sunken")
    ),
    *((tone, back) for tone in ("gray", "blue", "amber", "green", "red") for back in (f"{tone}-ground", "surface")),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("text", "blue-ground"),
    ("soft", "blue-ground"),
]


def source(name: str) -> str:
    path = finders.find(name)
    assert path, f"{name} is not there"
    return Path(path).read_text(encoding="utf-8")


def test_every_asset_of_the_pages_is_there(alice: Any) -> None:
    pages = Client().get("/login").content.decode() + sign_in(alice).get("/dashboard").content.decode()
    named = set(re.findall(r'(?:href|src)="/static/([^"]+)"', pages))
    assert {"css/tokens.css", "js/page.js", "js/palette.js", "js/live.js", "img/mark.svg"} <= named
    for name in named:
        assert finders.find(name), name


@pytest.mark.parametrize("name", [f"js/{path.name}" for path in sorted(Path("static/js").glob("*.js"))])
def test_scripts_need_nothing_that_the_policy_forbids(name: str) -> None:
    script = source(name)
    assert not re.search(r"\beval\(|new Function|\.innerHTML\s*=|insertAdjacentHTML|\.style\b|document\.write", script)
    assert "://" not in script


@pytest.mark.parametrize("name", [f"css/{path.name}" for path in sorted(Path("static/css").glob("*.css"))])
def test_style_sheets_ask_nobody_else(name: str) -> None:
    assert not re.search(r"@import|url\(", source(name))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), PAIRS)
def test_text_has_contrast(scheme: str, front: str, back: str) -> None:
    """WCAG 2.2, 1.4.3 (AA): 4.5 to 1."""
    tokens = {"light": {}, "dark": {}}
    light, dark = re.findall(r":root \{(.*?)\}", source("css/tokens.css"), re.DOTALL)[:2]
    tokens["light"] = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light))
    tokens["dark"] = tokens["light"] | dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", dark))
    brighter, darker = sorted((luminance(tokens[scheme][name]) for name in (front, back)), reverse=True)
    assert (brighter + 0.05) / (darker + 0.05) >= 4.5


def luminance(color: str) -> float:
    channels = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
