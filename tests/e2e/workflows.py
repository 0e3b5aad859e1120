"""Workflows for the journeys, made by the API."""

from typing import Any, Final

from tests.process.server import Server

PAUSE: Final = {"nodes": {"pause": {"type": "wait", "with": {"seconds": 3600}}}}
GREET: Final[dict[str, Any]] = {
    "inputs": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    "nodes": {
        "hail": {"type": "transform", "with": {"output": {"text": "Good day ${inputs.name}"}}},
        "part": {"type": "transform", "needs": ["hail"], "with": {"output": {"text": "${nodes.hail.text}. Farewell"}}},
    },
    "output": "nodes.part",
}
REVIEW: Final = {
    "nodes": {
        "review": {
            "type": "approval",
            "with": {
                "title": "Publish the report?",
                "schema": {
                    "type": "object",
                    "properties": {
                        "headline": {"type": "string", "minLength": 5},
                        "copies": {"type": "integer", "minimum": 1},
                    },
                    "required": ["headline"],
                },
            },
        },
        "publish": {"type": "transform", "needs": ["review"], "with": {"output": "${nodes.review.answer}"}},
    },
    "output": "nodes.publish",
}


def make(server: Server, tag: str, definition: dict[str, Any]) -> None:
    server.post("/api/v1/workflows", {"tag": tag, "definition": definition})


def start(server: Server, tag: str, **inputs: Any) -> str:
    """The id of a new run."""
    return str(server.post("/api/v1/runs", {"workflow": tag, "inputs": inputs})["run_id"])
