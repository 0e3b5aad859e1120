"""Icons in pages."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template import Context, Template, TemplateSyntaxError

TEMPLATES = Path(settings.BASE_DIR) / "templates"


def shown(name: str) -> str:
    return Template("{% load icons %}{% icon name %}").render(Context({"name": name}))


def test_an_icon_is_part_of_the_page_and_of_no_reading() -> None:
    svg = shown("play")
    assert svg.startswith('<svg class="icon" aria-hidden="true" focusable="false" viewBox="0 0 24 24"')
    assert svg.endswith("</svg>")
    assert 'stroke="currentColor"' in svg


def test_its_size_is_left_to_the_style_sheet() -> None:
    opening = shown("play").partition(">")[0]
    assert not re.search(r"\b(width|height|style)=", opening.replace("stroke-width=", ""))


@pytest.mark.parametrize("name", ["no-such-icon", "", "../lucide/play", "Play", "play.svg"])
def test_an_unknown_name_is_an_error(name: str) -> None:
    with pytest.raises(TemplateSyntaxError, match="There is no icon"):
        shown(name)


def test_every_icon_that_a_template_names_is_there() -> None:
    tags = (tag for path in TEMPLATES.rglob("*.html") for tag in re.findall(r"{% icon \"([^\"]+)\"", path.read_text()))
    assert all(shown(name) for name in set(tags))
