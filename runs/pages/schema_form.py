"""A form made of a JSON Schema: of what a person answers, and of what a run is started with.

An object's properties become fields: text, numbers, yes or no, choices, and lists of plain values with one in a line.
What is more than that is asked for as JSON. The form only reads what was typed; whether it suits the schema the service
says, whose faults are shown at the fields.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from django import forms

from orchestrator.api.parsers import parse_json
from orchestrator.core.canonical import is_exact
from orchestrator.core.errors import OrchestratorError

Schema = Mapping[str, Any]
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_YES_OR_NO: Final = (("", "-"), ("yes", "Yes"), ("no", "No"))
_INPUTS: Final = {"email": "email", "uri": "url", "date": "date"}
_LONG: Final = 200
_MOST: Final = 100_000


def fault_of(value: Any) -> str | None:
    """Why a value cannot be kept, or None: what a form has read must pass what the API's bodies pass. An integer beyond
    2^53 would be kept, and then no page and no list with it in it could be written.
    """
    try:
        parse_json(json.dumps(value).encode())
    except OrchestratorError as error:
        details = error.details if isinstance(error.details, dict) else {}
        return " ".join(sentence for said in details.values() for sentence in said) or error.message
    return None if is_exact(value) else "A number is beyond 2^53 - 1; write it as a string."


class JsonField(forms.CharField):
    """JSON as text; ``kind`` is what it must be."""

    widget = forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false"})

    def __init__(self, *, kind: type | None = None, **options: Any) -> None:
        super().__init__(max_length=_MOST * 10, strip=True, **options)
        self.kind = kind

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            found = parse_json(text.encode())
        except OrchestratorError as error:
            raise forms.ValidationError(f"This is no JSON: {error.message}") from error
        if self.kind is not None and not isinstance(found, self.kind):
            what = "an object, as {…}" if self.kind is dict else "a list, as […]"
            raise forms.ValidationError(f"This must be {what}.")
        if fault := fault_of(found):
            raise forms.ValidationError(fault)
        return found

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) or value is None else json.dumps(value, indent=2, ensure_ascii=False)


class _LinesField(forms.CharField):
    """A list of plain values, one in a line."""

    def __init__(self, read: Callable[[str], Any], **options: Any) -> None:
        super().__init__(widget=forms.Textarea(attrs={"rows": 4}), max_length=_MOST, **options)
        self._read = read

    def clean(self, value: Any) -> Any:
        lines = [line.strip() for line in super().clean(value).splitlines() if line.strip()]
        try:
            return [self._read(line) for line in lines]
        except ValueError as error:
            raise forms.ValidationError("Write one number in a line.") from error

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value


class SchemaForm(forms.Form):
    """The fields of ``schema``. ``whole`` is the name under which all of it is asked for, where it has no fields."""

    def __init__(self, schema: Schema | None, data: Any = None, *, whole: str, initial: Any = None) -> None:
        super().__init__(data)
        self.whole = whole
        self._named: dict[str, str] = {}  # the property of each field
        self._schema: Schema = schema or {}
        known = initial if isinstance(initial, dict) else {}
        for number, (name, inner) in enumerate(self._properties()):
            place = f"{whole}-{name}" if _PLAIN.fullmatch(name) else f"{whole}.{number}"  # no plain name has a dot
            self._named[place] = name
            self.fields[place] = self._field(name, self._resolved(inner))
            if name in known:
                self.fields[place].initial = self._shown(self.fields[place], known[name])
        if not self._named:
            label = str(self._schema.get("title") or f"{whole.capitalize()} (JSON)")
            self.fields[whole] = JsonField(kind=dict, label=label, required=False, initial=known or None)

    def clean(self) -> dict[str, Any]:
        for place, value in list(self.cleaned_data.items()):
            if fault := fault_of(value):
                self.add_error(place, fault)
        return self.cleaned_data

    def value(self) -> dict[str, Any] | None:
        """What was answered, when the form is valid; what was left empty is not in it."""
        if not self._named:
            found: dict[str, Any] | None = self.cleaned_data[self.whole]
            return found
        asked = {name: self._read(self.fields[place], self.cleaned_data[place]) for place, name in self._named.items()}
        return {name: value for name, value in asked.items() if value is not None}

    def add_faults(self, faults: Any, otherwise: str) -> None:
        """What the service found, at the fields that it belongs to."""
        places = {name: place for place, name in self._named.items()}
        for path, said in (faults if isinstance(faults, dict) else {"": [otherwise]}).items():
            parts = [part for part in str(path).split("/") if part]
            name = next((part for part in parts if part in places), "")
            rest = "" if name else f"{path}: " if path and path != self.whole else ""
            at = places.get(name) or (self.whole if self.whole in self.fields else None)
            self.add_error(at, [f"{rest}{sentence}" for sentence in (said if isinstance(said, list) else [said])])

    def _properties(self) -> list[tuple[str, Any]]:
        """What is required first, in its order: the members of a definition are sorted by name when it is kept."""
        found, required = self._schema.get("properties"), self._schema.get("required")
        if not isinstance(found, dict):
            return []
        first = [name for name in required if name in found] if isinstance(required, list) else []
        return [(name, found[name]) for name in dict.fromkeys([*first, *found])]

    # --- one property -------------------------------------------------------------------------------------------------

    def _resolved(self, inner: Any) -> Schema:
        """The schema itself, or the one of ``$defs`` that it names."""
        if not isinstance(inner, dict):
            return {}
        name = str(inner.get("$ref", "")).removeprefix("#/$defs/")
        found = self._schema.get("$defs", {}).get(name) if "$ref" in inner else None
        return {**found, **inner} if isinstance(found, dict) else inner

    def _field(self, name: str, inner: Schema) -> forms.Field:
        required = name in self._schema.get("required", ())
        about = {
            "label": str(inner.get("title") or name.replace("_", " ").capitalize()),
            "help_text": str(inner.get("description", "")),
            "required": required,
        }
        if "default" in inner:
            about["initial"] = inner["default"]
        field = self._made(inner, about, required=required)
        if "default" in inner:
            field.initial = self._shown(field, inner["default"])
        return field

    def _made(self, inner: Schema, about: dict[str, Any], *, required: bool) -> forms.Field:
        kind = _kind(inner)
        options = inner.get("enum")
        if isinstance(options, list) and options and all(isinstance(each, str | int | float) for each in options):
            choices = [(json.dumps(each), str(each)) for each in options]
            return forms.ChoiceField(choices=choices if required else [("", "-"), *choices], **about)
        if kind == "boolean":
            if required or "default" in inner:
                return forms.BooleanField(**{**about, "required": False})
            return forms.ChoiceField(choices=_YES_OR_NO, **about)
        if kind in ("integer", "number"):
            limits: dict[str, Any] = {"min_value": inner.get("minimum"), "max_value": inner.get("maximum")}
            return (forms.IntegerField if kind == "integer" else forms.FloatField)(**limits, **about)
        if kind == "array" and (read := _readers.get(_kind(self._resolved(inner.get("items"))))):
            about["help_text"] = f"{about['help_text']} One in a line.".strip()
            return _LinesField(read, **about)
        if kind == "string":
            return _text(inner, about)
        about["help_text"] = f"{about['help_text']} As JSON.".strip()
        return JsonField(kind={"array": list, "object": dict}.get(kind), **about)

    def _read(self, field: forms.Field, value: Any) -> Any:
        """From what the form understood to what the schema speaks of; None for what was left empty."""
        if isinstance(field, forms.ChoiceField):
            return None if value == "" else value == "yes" if field.choices == list(_YES_OR_NO) else json.loads(value)
        if value in ("", []) and not field.required:
            return None
        return value

    def _shown(self, field: forms.Field, value: Any) -> Any:
        if isinstance(field, forms.ChoiceField):
            return ("yes" if value else "no") if field.choices == list(_YES_OR_NO) else json.dumps(value)
        return value


def _kind(inner: Schema) -> str:
    """The type; of several the first that is not null."""
    found = inner.get("type", "")
    kinds = [kind for kind in (found if isinstance(found, list) else [found]) if kind != "null"]
    return str(kinds[0]) if len(kinds) == 1 else ""


def _text(inner: Schema, about: dict[str, Any]) -> forms.Field:
    longest = inner.get("maxLength")
    if isinstance(longest, int) and longest > _LONG:
        widget: forms.Widget = forms.Textarea(attrs={"rows": 3})
    else:
        widget = forms.TextInput(attrs={"type": _INPUTS.get(str(inner.get("format")), "text")})
    most = min(longest, _MOST) if isinstance(longest, int) else _MOST
    return forms.CharField(widget=widget, max_length=most, strip=False, **about)


_readers: Final[dict[str, Callable[[str], Any]]] = {"string": str, "integer": int, "number": float}
