"""The forms of definitions and of prompts."""

from typing import Any, Final, cast

import orjson
from django import forms

from agents.api.fields import document_fault
from agents.models import MAX_LINE, MAX_NAME, MAX_TEXT, Agent
from agents.services.definitions import AgentFields
from agents.states import AgentType, PromptType
from orchestrator.api.parsers import parse_json
from orchestrator.core.errors import MalformedRequest, ValidationFailed
from orchestrator.web.conflicts import unix

_MAX_CAPABILITIES: Final = 100
_MAX_CAPABILITY: Final = 100


class AgentForm(forms.Form):
    """All that people may write of a definition. Capabilities and the configuration are texts."""

    name = forms.CharField(max_length=MAX_NAME)
    description = forms.CharField(
        required=False, strip=False, max_length=MAX_LINE, widget=forms.Textarea(attrs={"rows": 3})
    )
    agent_type = forms.ChoiceField(label="Type", choices=AgentType.choices, initial=AgentType.UTILITY)
    default_model = forms.CharField(required=False, max_length=MAX_NAME)
    capabilities = forms.CharField(required=False, max_length=12_000, help_text="Separate them with commas.")
    system_prompt = forms.CharField(
        required=False, strip=False, max_length=MAX_TEXT, widget=forms.Textarea(attrs={"rows": 8})
    )
    config = forms.CharField(
        label="Configuration", required=False, max_length=200_000, help_text="A JSON object.",
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false"}),
    )  # fmt: skip

    def clean_description(self) -> str:
        return unix(self.cleaned_data["description"])

    def clean_system_prompt(self) -> str:
        return unix(self.cleaned_data["system_prompt"])

    def clean_capabilities(self) -> list[str]:
        names = [name.strip() for name in self.cleaned_data["capabilities"].split(",")]
        found = [name for name in dict.fromkeys(names) if name]
        if len(found) > _MAX_CAPABILITIES or any(len(name) > _MAX_CAPABILITY for name in found):
            raise forms.ValidationError(
                f"At most {_MAX_CAPABILITIES} capabilities of at most {_MAX_CAPABILITY} characters."
            )
        return found

    def clean_config(self) -> dict[str, Any]:
        try:
            found = parse_json((self.cleaned_data["config"] or "{}").encode())
        except MalformedRequest as error:
            raise forms.ValidationError(f"This is not JSON. {error.message}") from error
        except ValidationFailed as error:
            raise forms.ValidationError([text for texts in error.details.values() for text in texts]) from error
        if not isinstance(found, dict):
            raise forms.ValidationError("Write a JSON object, such as {}.")
        if fault := document_fault(found):
            raise forms.ValidationError(fault)
        return found

    def fields_of_agent(self) -> AgentFields:
        """All fields, when the form is valid."""
        return cast(AgentFields, {name: self.cleaned_data[name] for name in self.base_fields})

    def changes(self, agent: Agent) -> AgentFields:
        """The fields in which the valid form differs from ``agent``."""
        now = self.fields_of_agent().items()
        return cast(AgentFields, {name: value for name, value in now if value != getattr(agent, name)})


class PromptForm(forms.Form):
    """What is asked of a runtime agent by hand."""

    prompt_text = forms.CharField(
        label="What should it do?", max_length=MAX_TEXT, widget=forms.Textarea(attrs={"rows": 3})
    )
    prompt_type = forms.ChoiceField(label="Type", choices=PromptType.choices, initial=PromptType.COMMAND)
    prompt_name = forms.CharField(label="Name", required=False, max_length=MAX_NAME)

    def clean_prompt_text(self) -> str:
        return unix(self.cleaned_data["prompt_text"])


def written(agent: Agent) -> dict[str, str]:
    """The definition as the form's texts."""
    return {
        "name": agent.name,
        "description": unix(agent.description),
        "agent_type": agent.agent_type,
        "default_model": agent.default_model,
        "capabilities": ", ".join(agent.capabilities),
        "system_prompt": unix(agent.system_prompt),
        "config": orjson.dumps(agent.config, option=orjson.OPT_INDENT_2).decode(),
    }
