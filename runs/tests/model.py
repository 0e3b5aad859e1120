"""Random graphs with conditions, fallbacks and failures that are passed over, and a simple model of how they end."""

import functools
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

CONDITIONS: list[dict[str, Any]] = [{}, {}, {}, {"when": "`false`"}, {"when": "`true`"}]


@dataclass(frozen=True)
class Case:
    """A definition, and how often an attempt at each node fails before one does not."""

    nodes: dict[str, dict[str, Any]]
    failures: dict[str, int]

    @property
    def fallback_for(self) -> dict[str, str]:
        found = {name: node.get("on_failure") for name, node in self.nodes.items()}
        return {how["fallback"]: name for name, how in found.items() if isinstance(how, dict)}

    def fails(self, name: str) -> bool:
        """Whether all the attempts that it may have fail."""
        return self.failures[name] >= self.nodes[name].get("retry", {}).get("max_attempts", 1)


@st.composite
def cases(draw: st.DrawFn, most: int = 8, retries: bool = False) -> Case:
    """A node needs some of those before it. Some of them are the fallback of one before them, and need nothing."""
    chance = draw(st.integers(0, 2**32).map(Random))
    names = [f"n{number}" for number in range(draw(st.integers(1, most)))]
    nodes: dict[str, dict[str, Any]] = {}
    for place, name in enumerate(names):
        needs = [need for need in names[:place] if chance.random() < 0.35]
        nodes[name] = {"type": "random", "needs": needs, **chance.choice(CONDITIONS)}
        if chance.random() < 0.3:
            nodes[name]["on_failure"] = "continue"
        free = [other for other in names[:place] if "on_failure" not in nodes[other]]
        if free and chance.random() < 0.35:
            nodes[chance.choice(free)]["on_failure"] = {"fallback": name}
            nodes[name]["needs"] = []
        if retries and chance.random() < 0.5:
            nodes[name]["retry"] = {"max_attempts": chance.randint(1, 3), "delay_seconds": 0}
    failures = {name: chance.choice([0, 0, 0, 1, 2, 3]) for name in names}
    shuffled = list(nodes.items())
    chance.shuffle(shuffled)
    return Case(dict(shuffled), failures)


def model(case: Case) -> dict[str, str]:
    """How each node ends when a fatal failure stops nothing else; those that are never reached are left out."""

    @functools.cache
    def end(name: str) -> str:
        node, helped = case.nodes[name], case.fallback_for.get(name)
        if helped is not None and end(helped) == "unreached":
            return "unreached"
        if helped is not None and end(helped) != "failed":
            return "skipped"
        if not all(passed(need) for need in node["needs"]):
            return "unreached"
        ends = {end(need) for need in node["needs"]}
        if ends == {"skipped"} or node.get("when") == "`false`":
            return "skipped"
        return "failed" if case.fails(name) else "completed"

    def passed(name: str) -> bool:
        how = case.nodes[name].get("on_failure")
        if end(name) == "failed" and isinstance(how, dict):
            return end(how["fallback"]) != "skipped" and passed(how["fallback"])
        return end(name) in ("completed", "skipped") or (end(name) == "failed" and how == "continue")

    return {name: end(name) for name in case.nodes if end(name) != "unreached"}


def fatal(case: Case) -> set[str]:
    """The nodes whose failure ends the run: nothing passes over them, and no fallback begins."""
    ends = model(case)

    def is_fatal(name: str) -> bool:
        how = case.nodes[name].get("on_failure", "fail")
        return how == "fail" or (isinstance(how, dict) and ends.get(how["fallback"]) == "skipped")

    return {name for name, end in ends.items() if end == "failed" and is_fatal(name)}
