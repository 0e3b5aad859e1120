"""The forms of the shell, and how any form takes the faults that a service finds."""

from django import forms

from orchestrator.core.errors import OrchestratorError


class SignInForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        max_length=1024,  # what is hashed must have an end
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


def take_faults(form: forms.Form, error: OrchestratorError) -> None:
    """What the service says, at the fields that it belongs to; the rest above the form, with the name of its place."""
    if not isinstance(error.details, dict) or not all(isinstance(found, list) for found in error.details.values()):
        form.add_error(None, error.message)
        return
    for name, sentences in error.details.items():
        field = name.partition(".")[0]
        place = "" if field == name else f"{name}: "
        told = [f"{place}{sentence}" for sentence in sentences]
        form.add_error(field if field in form.fields else None, told)
