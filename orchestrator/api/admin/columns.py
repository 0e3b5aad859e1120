"""How a value is shown: other rows as links to them, JSON for people to read, long text cut in lists."""

import json
from collections.abc import Callable
from typing import Any, Final

from django.contrib.admin import ModelAdmin, site
from django.db import models
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator

_SHORT: Final = 80  # characters of a text in a list
Show = Callable[[Any], Any]


def listed(model: type[models.Model], name: Any) -> Any:
    """What a list shows in place of the column ``name``; most are shown as they are."""
    field = _field(model, name)
    if isinstance(field, models.ForeignKey):
        return _named(_link(field), field)
    if isinstance(field, models.JSONField):
        return _named(lambda row: _cut(_json(getattr(row, name))), field)
    if isinstance(field, models.TextField) or (
        isinstance(field, models.CharField) and (field.max_length or 0) > _SHORT
    ):
        return _named(lambda row: _cut(getattr(row, name)), field, order=name)
    return name


def detailed(model: type[models.Model], name: Any) -> Any:
    """What a row's page shows in place of the field ``name``. Django links other rows there by itself."""
    field = _field(model, name)
    if isinstance(field, models.JSONField):
        return _named(lambda row: _pretty(getattr(row, name)), field)
    return name


def _field(model: type[models.Model], name: Any) -> Any:
    fields = {field.name: field for field in model._meta.concrete_fields}
    return fields.get(name) if isinstance(name, str) else None


def _named(show: Show, field: Any, order: str = "") -> Show:
    """``show`` under the column's own name. Each is a function of its own, so that it may carry it."""
    show.__name__ = field.name
    show.short_description = field.verbose_name  # type: ignore[attr-defined]
    if order:
        show.admin_order_field = order  # type: ignore[attr-defined]
    return show


def _link(field: Any) -> Show:
    options = field.related_model._meta

    def show(row: Any) -> Any:
        key = getattr(row, field.attname)
        if key is None:
            return None
        text = str(getattr(row, field.name)) if field.name in row._state.fields_cache else str(key)
        if not isinstance(site._registry.get(field.related_model), ModelAdmin):
            return _cut(text)
        url = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[key])
        return format_html('<a href="{}">{}</a>', url, _cut(text))

    return show


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _pretty(value: Any) -> Any:
    if value is None:
        return "-"
    return format_html('<pre tabindex="0">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False))


def _cut(text: Any) -> str:
    return Truncator(str(text)).chars(_SHORT) if text not in (None, "") else "-"
