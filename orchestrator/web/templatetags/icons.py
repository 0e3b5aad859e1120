"""Icons of Lucide, written into the page: as a file, an icon could not take the colour of the text."""

import re
from functools import cache
from pathlib import Path
from typing import Final

from django import template
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

_FOLDER: Final = Path(settings.BASE_DIR) / "static" / "vendor" / "lucide"
_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@register.simple_tag
def icon(name: str) -> SafeString:
    """The icon as SVG. Its size is the CSS's. No screen reader speaks of it: what it means stands beside it as text.

    Raises TemplateSyntaxError when there is no such icon: a name in a template is ours, and never a visitor's.
    """
    return _svg(name)


@cache
def _svg(name: str) -> SafeString:
    path = _FOLDER / f"{name}.svg"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise template.TemplateSyntaxError(f"There is no icon {name!r}: add it to tests/vendor/build.mjs, make vendor.")
    _, _, drawn = path.read_text(encoding="utf-8").strip().partition('<svg xmlns="http://www.w3.org/2000/svg"')
    return mark_safe(f'<svg class="icon" aria-hidden="true" focusable="false"{drawn}')  # noqa: S308 - a file of ours
