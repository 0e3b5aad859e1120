"""The forms of workflows."""

from typing import Any, Final

from django import forms

from versioning.models import MAX_MESSAGE, MAX_TAG_NAME
from versioning.pages.places import PlacedFault

_TEXT: Final = {"rows": 24, "class": "source", "spellcheck": "false", "autocomplete": "off", "data-source": ""}


class Message(forms.CharField):
    """What somebody says of a change, on one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(label="Message", max_length=MAX_MESSAGE, required=False, **options)


class DefinitionForm(forms.Form):
    """The text of a definition. Faults that have a line are shown beside the text, not above it."""

    text = forms.CharField(
        label="Definition (JSON)",
        strip=False,
        widget=forms.Textarea(attrs=_TEXT),
        help_text="Node names, what each needs, and what it does.",
    )
    message = Message(help_text="What you changed, and why. It stands in the history.")

    def source(self) -> str:
        """The text as it was typed, with the line ends that we count."""
        return str(self.data.get("text", "")).replace("\r\n", "\n").replace("\r", "\n")

    def add_faults(self, faults: list[PlacedFault]) -> None:
        """Say at the text how many there are, and above it what belongs to no line."""
        for fault in faults:
            if not fault.line:
                self.add_error(None, fault.message)
        at_lines = sum(1 for fault in faults if fault.line)
        if at_lines:
            things = "One thing is" if at_lines == 1 else f"{at_lines} things are"
            self.add_error("text", f"{things} wrong. Nothing was saved, and your text is kept.")


class NewWorkflowForm(DefinitionForm):
    tag = forms.CharField(
        label="Name",
        max_length=MAX_TAG_NAME,
        help_text="Letters, digits, dots, dashes, underscores and slashes: team/nightly-report.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    field_order = ("tag", "text", "message")


class EditForm(DefinitionForm):
    """``version`` and ``base``: the state of the tag and the version of the workflow that the text was made from."""

    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    base = forms.UUIDField(widget=forms.HiddenInput)


class MoveForm(forms.Form):
    """Undo, redo, delete: ``version`` is the state of the tag that the visitor saw."""

    version = forms.IntegerField(min_value=1)
    message = Message()
