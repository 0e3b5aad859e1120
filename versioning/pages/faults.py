"""The errors of services as faults of a form: nothing that was typed is lost to an error page."""

from typing import Final

from django import forms

from orchestrator.core.errors import Conflict, OrchestratorError, PayloadTooLarge, PermissionDenied, ValidationFailed
from versioning.pages.places import PlacedFault, placed

# What a person can mend or wait out; anything else is a page of its own.
_ANSWERED: Final = (Conflict, PayloadTooLarge, PermissionDenied, ValidationFailed)


def add_error(form: forms.Form, error: OrchestratorError, source: str) -> list[PlacedFault]:
    """Says at its fields what is wrong, and gives what is wrong in the text. Raises what no form can answer."""
    if not isinstance(error, _ANSWERED):
        raise error
    details = error.details if isinstance(error.details, dict) else {}
    in_text = {name: told for name, told in details.items() if name.startswith("/")}
    for name in details.keys() - in_text.keys():
        form.add_error(name if name in form.fields else None, details[name])
    if not details:
        field = "tag" if isinstance(error, Conflict) and "tag" in form.fields else None
        form.add_error(field, error.message)
    return placed(source, in_text)
