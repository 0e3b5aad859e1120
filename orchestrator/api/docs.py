"""The schema and its two readers, Swagger UI and ReDoc, from local files under the site's CSP."""

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render

from orchestrator.api import conditional
from orchestrator.api.health import read_only
from orchestrator.api.schema import document


@read_only
def schema(request: HttpRequest) -> HttpResponse:
    """OpenAPI 3.1 as JSON, with a strong ETag."""
    body, etag = document()
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if tag := conditional.matching_tag(request.headers.get("If-None-Match", ""), etag):
        return HttpResponseNotModified(headers={**headers, "ETag": tag})
    return HttpResponse(body, headers=headers, content_type="application/json")


@read_only
def swagger(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html")


# ReDoc writes <style> elements and searches in a worker that it makes from a blob: this page alone allows both.
@csp_update({"style-src": ["'self'", "'unsafe-inline'"], "worker-src": ["'self'", "blob:"]})
@read_only
def redoc(request: HttpRequest) -> HttpResponse:
    return render(request, "api/redoc.html")
