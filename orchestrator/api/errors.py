"""The one mapper from exceptions to the error body of CONTRACT §2, for API views and for everything around them."""

import logging
from typing import Any, Final

from django.core.exceptions import (
    PermissionDenied as DjangoPermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.views import set_rollback

from orchestrator.api.renderers import to_json
from orchestrator.core import context, errors

log = logging.getLogger(__name__)

_FROM_DRF: Final[dict[type[Exception], type[errors.OrchestratorError]]] = {
    drf.NotAuthenticated: errors.NotAuthenticated,
    drf.AuthenticationFailed: errors.NotAuthenticated,
    drf.PermissionDenied: errors.PermissionDenied,
    drf.NotFound: errors.NotFound,
    drf.MethodNotAllowed: errors.MethodNotAllowed,
    drf.NotAcceptable: errors.NotAcceptable,
    drf.UnsupportedMediaType: errors.UnsupportedMediaType,
    drf.ParseError: errors.MalformedRequest,
    Http404: errors.NotFound,
    DjangoPermissionDenied: errors.PermissionDenied,
    RequestDataTooBig: errors.PayloadTooLarge,
    SuspiciousOperation: errors.MalformedRequest,
    OperationalError: errors.Unavailable,
    InterfaceError: errors.Unavailable,
}


def as_product_error(error: Exception) -> errors.OrchestratorError:
    """Whatever went wrong, as an error that a caller may see. Unknown ones are logged and become internal_error."""
    if isinstance(error, errors.OrchestratorError):
        return error
    if isinstance(error, drf.ValidationError):
        return errors.ValidationFailed(details=_with_text_keys(error.detail))
    if isinstance(error, drf.Throttled):
        return errors.RateLimited(headers={"Retry-After": str(max(1, round(getattr(error, "wait", None) or 1)))})
    for kind, product_error in _FROM_DRF.items():
        if isinstance(error, kind):
            if product_error is errors.Unavailable:
                log.warning("The database does not answer.", exc_info=error)
            return product_error()
    log.error("Unhandled exception.", exc_info=error)
    return errors.OrchestratorError()


def _with_text_keys(detail: Any) -> Any:
    """DRF numbers the faulty entries of a list with integers, which JSON cannot have as keys."""
    return {str(key): _with_text_keys(found) for key, found in detail.items()} if isinstance(detail, dict) else detail


def exception_handler(error: Exception, handler_context: dict[str, Any]) -> Response:
    """DRF's hook."""
    set_rollback()
    found = as_product_error(error)
    response = Response(errors.error_body(found, context.request_id.get()), status=found.status, headers=found.headers)
    if isinstance(found, errors.MethodNotAllowed):
        response["Allow"] = ", ".join(handler_context["view"].allowed_methods)
    return response


def error_response(error: errors.OrchestratorError) -> HttpResponse:
    """The same body outside DRF: middleware, streams, unknown URLs."""
    body = to_json(errors.error_body(error, context.request_id.get()))
    return HttpResponse(body, status=error.status, headers=error.headers, content_type="application/json")


def not_found(request: HttpRequest, **_: Any) -> HttpResponse:
    """The last route: whatever no other one knows. (A handler404 would not be asked when DEBUG is on.)"""
    return error_response(errors.NotFound())


def handler500(request: HttpRequest) -> HttpResponse:
    return error_response(errors.OrchestratorError())


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(errors.MalformedRequest())


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(errors.PermissionDenied())
