"""The check of markup finds what it is there to find."""

import pytest

from orchestrator.web.tests.browser import faults

PAGE = "<!DOCTYPE html><html><head><title>T</title></head><body><main><h1>T</h1>{}</main></body></html>"


def test_a_sound_page_has_no_faults() -> None:
    assert faults(PAGE.format('<p id="a">A <br> <b>c</b></p><script src="/static/js/page.js"></script>')) == []


@pytest.mark.parametrize(
    "part",
    [
        "<p>",
        "</p>",
        "<p><div></div></p>",
        '<p style="color: red"></p>',
        "<style></style>",
        "<script>1</script>",
        '<a onclick="go()">x</a>',
        '<a href="https://elsewhere.example/">x</a>',
        '<script src="//elsewhere.example/x.js"></script>',
        '<p id="a"></p><p id="a"></p>',
        '<label for="nothing">x</label>',
        '<img src="/x.png">',
        "<button>x</button>",
        "<h1>Two</h1>",
        '<p class="a" class="b"></p>',
    ],
)
def test_a_fault_is_found(part: str) -> None:
    assert faults(PAGE.format(part))
