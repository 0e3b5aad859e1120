"""The forms of runs: starting one, forking it, changing it while it goes on, deciding."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, Self

from django import forms

from runs.jobs.models import MAX_PRIORITY
from runs.models import Run
from runs.pages.schema_form import JsonField
from versioning.documents.pointers import same

_FIELD_OF_INPUT: Final = {"budget_usd_cents": "budget", "max_days": "max_days"}


class StartRunForm(forms.Form):
    """The built-in graph's inputs as people write them: the budget in dollars. The limits are the graph's."""

    prompt = forms.CharField(
        label="What should be planned?",
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "Four days in Lisbon in May for food and museums"}),
        help_text="Name a city. Days, month, budget and interests are understood, too.",
    )
    max_days = forms.IntegerField(label="Days at most", min_value=1, max_value=30, required=False)
    budget = forms.DecimalField(
        label="Budget (US$)", min_value=0, max_value=10_000_000, decimal_places=2, required=False
    )

    @classmethod
    def like(cls, run: Run | None) -> Self:
        """An unbound form with the inputs of ``run``, to start it again with changes."""
        inputs = run.inputs if run else {}
        cents = inputs.get("budget_usd_cents")
        budget = (Decimal(cents) / 100).quantize(Decimal("0.01")) if isinstance(cents, int) else None
        return cls(initial={"prompt": inputs.get("prompt"), "max_days": inputs.get("max_days"), "budget": budget})

    def inputs(self) -> dict[str, Any]:
        """The inputs of the run, when the form is valid; fields left empty are not among them."""
        asked = self.cleaned_data
        budget = asked["budget"]
        cents = None if budget is None else int(budget * 100)
        found = {"prompt": asked["prompt"], "max_days": asked["max_days"], "budget_usd_cents": cents}
        return {name: value for name, value in found.items() if value is not None}

    def add_faults(self, faults: dict[str, list[str]]) -> None:
        """What the service found, at the fields that it belongs to."""
        for name, messages in faults.items():
            field = _FIELD_OF_INPUT.get(name, name)
            self.add_error(field if field in self.fields else None, messages)


class PriorityForm(forms.Form):
    """Beside the inputs of any run."""

    priority = forms.IntegerField(
        label="Priority", min_value=0, max_value=MAX_PRIORITY, required=False,
        help_text="Of the runs that wait for a worker the highest goes first. Empty: as the workflow says.",
    )  # fmt: skip


class ForkForm(forms.Form):
    """From which node on, with which inputs, by which version."""

    from_node = forms.ChoiceField(label="Begin at", help_text="This node, and all that follows it, is done anew.")
    version = forms.ChoiceField(
        label="Version", choices=(("same", "The one that this run goes by"), ("head", "The workflow of today")),
        help_text="What is reused must be the same in both.",
    )  # fmt: skip
    inputs = JsonField(label="Inputs", kind=dict)
    patch = JsonField(
        label="Changes to the definition", kind=list, required=False,
        help_text="A JSON Patch (RFC 6902) for the new run alone, as [{\"op\": \"replace\", …}].",
    )  # fmt: skip

    def __init__(self, nodes: Sequence[str], data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.fields["from_node"].choices = [(name, name) for name in nodes]  # type: ignore[attr-defined]

    @classmethod
    def of(cls, run: Run, nodes: Sequence[str], from_node: str) -> Self:
        return cls(nodes, initial={"from_node": from_node, "version": "same", "inputs": run.inputs})

    def asked(self, run: Run) -> dict[str, Any]:
        """The arguments of the service. Inputs that are as they were are not sent."""
        typed = self.cleaned_data
        found: dict[str, Any] = {"from_node": typed["from_node"]}
        if not same(typed["inputs"], run.inputs):
            found["inputs"] = typed["inputs"]
        if typed["patch"]:
            found["patch"] = typed["patch"]
        if typed["version"] == "head":
            found["ref"] = run.workflow
        return found

    def add_refusal(self, details: Any, sentence: str) -> None:
        """At its field what the service says of one, else above the form."""
        at = next((name for name in ("from_node", "patch") if isinstance(details, dict) and name in details), None)
        if isinstance(details, dict) and details.keys() & {"ref", "workflow"}:
            at = "version"
        self.add_error(at, sentence)


class PatchForm(forms.Form):
    """A change to what a live run has not started."""

    operations = JsonField(
        label="Operations", kind=list,
        help_text="A JSON Patch (RFC 6902) on the definition of this run. Nodes that have started stay as they are.",
    )  # fmt: skip
    message = forms.CharField(label="Why", max_length=1000, required=False)
    propose = forms.BooleanField(label="Only propose it: somebody else decides", required=False)


class CommentForm(forms.Form):
    """What goes with a decision."""

    comment = forms.CharField(
        label="Comment", max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )


class RejectForm(forms.Form):
    """A no: for good, or back to an earlier node."""

    comment = forms.CharField(label="Why not", max_length=4000, widget=forms.Textarea(attrs={"rows": 2}))
    to = forms.ChoiceField(
        label="Then", required=False, help_text="Back to a node: it and all that follows is done again."
    )

    def __init__(self, earlier: Sequence[str], data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        back = [(name, f"Push back to {name}") for name in earlier]
        self.fields["to"].choices = [("", "Reject it: the node fails"), *back]  # type: ignore[attr-defined]
