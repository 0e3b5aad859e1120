"""The schemas of the settings of http, llm and command."""

from typing import Any

import jsonschema_rs
import pytest

from runs.nodes import registry

HTTP = {"url": "https://a.org"}
LLM = {"prompt": "x"}
COMMAND = {"program": "/bin/true"}
SECRET = {"env": "NODE_SECRET_A", "prefix": "Bearer "}
USER = [{"role": "user", "content": "x"}]
RIGHT: list[tuple[str, dict[str, Any]]] = [
    ("http", HTTP),
    ("http", HTTP | {"method": "POST", "headers": {"A-b": "c", "D": SECRET}, "query": {"a": [1, "b"]}, "json": None}),
    ("http", HTTP | {"text": "x", "timeout_seconds": 0.5, "max_bytes": 1, "expect": [200, 404]}),
    ("llm", LLM),
    ("llm", LLM | {"system": "x", "temperature": 2, "max_tokens": 1, "response_format": "json", "stream": False}),
    ("llm", {"messages": USER, "model": "m", "extra": {"top_p": 1}, "api_key": SECRET}),
    ("llm", LLM | {"price": {"input_usd_per_million": 0, "output_usd_per_million": 1.5}}),
    ("command", COMMAND),
    (
        "command",
        COMMAND | {"args": ["a", ""], "stdin": "", "env": {"A": "b", "C": SECRET}, "max_bytes": 16 * 1024 * 1024},
    ),
]
WRONG: list[tuple[str, dict[str, Any]]] = [
    ("http", {}),
    ("http", HTTP | {"method": "get"}),
    ("http", HTTP | {"method": "CONNECT"}),
    ("http", HTTP | {"json": 1, "text": "x"}),
    ("http", HTTP | {"headers": {"A b": "c"}}),
    ("http", HTTP | {"headers": {"A": 1}}),
    ("http", HTTP | {"headers": {"A": {"env": "SECRET_KEY"}}}),
    ("http", HTTP | {"max_bytes": 17 * 1024 * 1024}),
    ("http", HTTP | {"timeout_seconds": 0}),
    ("http", HTTP | {"expect": []}),
    ("http", HTTP | {"verify": False}),
    ("llm", {}),
    ("llm", LLM | {"messages": USER}),
    ("llm", {"messages": USER, "system": "x"}),
    ("llm", {"messages": []}),
    ("llm", LLM | {"extra": {"stream": False}}),
    ("llm", LLM | {"api_key": "sk-plain"}),
    ("llm", LLM | {"price": {"input_usd_per_million": 1}}),
    ("command", {"program": "git"}),
    ("command", COMMAND | {"args": "a b"}),
    ("command", COMMAND | {"args": ["a\0"]}),
    ("command", COMMAND | {"env": {"A=B": "c"}}),
    ("command", COMMAND | {"shell": True}),
]


@pytest.mark.parametrize("name", ["http", "llm", "command"])
def test_the_schema_is_one_and_says_what_the_type_does(name: str) -> None:
    node_type = registry.get(name)
    jsonschema_rs.meta.validate(dict(node_type.schema))
    assert node_type.about.endswith(".")


@pytest.mark.parametrize(("name", "config"), RIGHT)
def test_right_settings(name: str, config: dict[str, Any]) -> None:
    jsonschema_rs.validate(dict(registry.get(name).schema), config)


@pytest.mark.parametrize(("name", "config"), WRONG)
def test_wrong_settings(name: str, config: dict[str, Any]) -> None:
    assert not jsonschema_rs.is_valid(dict(registry.get(name).schema), config)
