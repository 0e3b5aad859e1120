"""The forms of the settings."""

from datetime import timedelta
from typing import Any, Final

from django import forms
from django.utils.text import slugify

from orchestrator.core import clock
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import SCOPES, Actor
from orchestrator.identity.api.serializers import SLUG
from orchestrator.identity.models import Role

_FOREVER: Final = ""
_LIFETIMES: Final = (
    (_FOREVER, "Never"),
    ("7", "In 7 days"),
    ("30", "In 30 days"),
    ("90", "In 90 days"),
    ("365", "In a year"),
)
_WHAT_SCOPES_ALLOW: Final = {
    "read": "read: see everything in the organization",
    "write": "write: change tasks, runs, workflows and agents",
    "jobs": "jobs: start runs now, later, or on a schedule",
    "admin": "admin: members, API keys and limits",
}


def roles_for(actor: Actor) -> list[tuple[str, str]]:
    """The roles that the actor may give: only owners make owners."""
    return [choice for choice in Role.choices if choice[0] != Role.OWNER or actor.role == Role.OWNER]


class RoleForm(forms.Form):
    role = forms.ChoiceField(label="Role")

    def __init__(self, actor: Actor, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["role"].choices = roles_for(actor)  # type: ignore[attr-defined]


class AddMemberForm(RoleForm):
    field_order = ("email", "role", "name", "password")
    email = forms.EmailField(label="E-mail address", max_length=254, widget=forms.EmailInput({"autocomplete": "off"}))
    role = forms.ChoiceField(label="Role", initial=Role.MEMBER)
    name = forms.CharField(label="Name", max_length=200, required=False, help_text="Of somebody new.")
    password = forms.CharField(
        label="First password",
        max_length=1024,
        strip=False,
        required=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        help_text="Only for somebody who has no account here yet. Tell them on another way than by e-mail.",
    )


class ApiKeyForm(forms.Form):
    """``scopes`` are those that the actor may give."""

    name = forms.CharField(label="Name", max_length=100, help_text="What uses it: a machine, a script, an agent.")
    scopes = forms.MultipleChoiceField(label="What it may do", widget=forms.CheckboxSelectMultiple)
    lifetime = forms.ChoiceField(label="It expires", choices=_LIFETIMES, required=False, initial="90")
    runtime_agent_id = forms.CharField(
        label="Runtime agent",
        max_length=36,
        required=False,
        help_text="The id of a live one makes the key that agent's own: it reaches what is the agent's, nothing else.",
    )

    def __init__(self, actor: Actor, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        choices = [(scope, _WHAT_SCOPES_ALLOW[scope]) for scope in SCOPES if actor.may(scope)]
        self.fields["scopes"].choices = choices  # type: ignore[attr-defined]

    def clean_runtime_agent_id(self) -> Any:
        written = self.cleaned_data["runtime_agent_id"].strip().lower()
        found = parse_uuid(written)
        if written and found is None:
            raise forms.ValidationError("This is no id. It looks like 01980a5c-1c2d-7e3f-8a9b-0c1d2e3f4a5b.")
        return found

    def wanted(self) -> dict[str, Any]:
        """The arguments of the service, when the form is valid."""
        asked = self.cleaned_data
        days = asked["lifetime"]
        expires_at = clock.now() + timedelta(days=int(days)) if days else None
        return {
            "name": asked["name"], "scopes": asked["scopes"], "expires_at": expires_at,
            "runtime_agent_id": asked["runtime_agent_id"],
        }  # fmt: skip


class OrganizationForm(forms.Form):
    name = forms.CharField(label="Name", max_length=200)
    slug = forms.CharField(
        label="Slug",
        required=False,
        max_length=64,
        validators=[SLUG],
        help_text="What programs and sign-ins call it. Left empty, it is made from the name.",
    )

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        if "slug" in found and "name" in found:
            found["slug"] = found["slug"] or slugify(found["name"])[:64].strip("-_").replace("_", "-")
            if not found["slug"] or parse_uuid(found["slug"]):  # orgs are named by slug or id
                self.add_error("slug", "Give a slug of letters, digits and hyphens that is not an id.")
        return found
