"""/api/v1/schemas: what documents must look like, for editors and for those who write them by program."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.viewsets import BaseViewSet
from runs.nodes import registry
from runs.workflows.shape import SCHEMA


class SchemaViewSet(BaseViewSet):
    @extend_schema(responses={200: dict})
    def workflow(self, request: Request) -> Response:
        """The JSON Schema (2020-12) of a workflow definition. The rules of its graph are more than it can say."""
        self.no_parameters()
        return self.resource(SCHEMA)

    @extend_schema(responses={200: dict})
    def node_types(self, request: Request) -> Response:
        """The node types that a workflow may name, each with the JSON Schema (2020-12) of its settings (`with`)."""
        self.no_parameters()
        types = [registry.get(name) for name in registry.names()]
        items = [{"name": kind.name, "about": kind.about, "schema": kind.schema} for kind in types]
        return self.resource({"kind": "node_types", "items": items, "next_cursor": None})
