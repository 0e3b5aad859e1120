"""Who may call what: one scope for reading a viewset, one for writing it, and what runtime agents may do with keys of
their own, all declared on it. What says nothing is closed to these keys.
"""

from typing import Any, cast

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from orchestrator.core.errors import NotAuthenticated
from orchestrator.identity.actors import Actor


class HasScope(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        """Raises NotAuthenticated for anonymous callers (public views aside), PermissionDenied without the scope, and
        for a runtime agent's own key outside ``for_agents``.
        """
        action = getattr(view, "action", None)
        if action is None:  # a method that this route does not have: 405 says so, to everybody
            return True
        if request.auth is None:
            if action in getattr(view, "public_actions", ()):
                return True
            raise NotAuthenticated
        actor = cast(Actor, request.auth)
        if scope := view.read_scope if request.method in SAFE_METHODS else view.write_scope:
            actor.require(scope)
        if action not in getattr(view, "for_agents", ()):
            actor.require_whole_org()
        return True
