"""The form that starts a run."""

from decimal import Decimal
from typing import Any, Final, Self

from django import forms

from runs.models import Run

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
