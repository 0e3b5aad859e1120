"""Names in place of ids: ``user:0190…`` says nothing to the people who read a page."""

import re
import uuid
from collections.abc import Iterable
from typing import Final

from orchestrator.identity.models import ApiKey, Membership

# How an Actor writes itself (identity/actors.py), wherever it stands in a sentence.
_ACTOR: Final = re.compile(r"\b(user|api_key|agent):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")


class Names:
    """The names of all actors that ``texts`` mention, in two queries at the most. Nobody outside the org is named."""

    def __init__(self, org_id: uuid.UUID, texts: Iterable[str]) -> None:
        wanted: dict[str, set[uuid.UUID]] = {"user": set(), "api_key": set(), "agent": set()}
        for text in texts:
            for kind, actor_id in _ACTOR.findall(text):
                wanted[kind].add(uuid.UUID(actor_id))
        self._names = {**_users(org_id, wanted["user"]), **_api_keys(org_id, wanted["api_key"])}

    def spell(self, text: str) -> str:
        """``text`` with names for the actors in it; ``system`` alone is the platform."""
        return "the platform" if text == "system" else _ACTOR.sub(self._name, text)

    def _name(self, match: re.Match[str]) -> str:
        return self._names.get(match[0]) or f"{match[1].replace('_', ' ')} …{match[2][-6:]}"


def _users(org_id: uuid.UUID, ids: set[uuid.UUID]) -> dict[str, str]:
    members = Membership.objects.for_org(org_id).filter(user_id__in=ids)
    rows = members.values_list("user_id", "user__name", "user__email") if ids else ()
    return {f"user:{user_id}": name or email for user_id, name, email in rows}


def _api_keys(org_id: uuid.UUID, ids: set[uuid.UUID]) -> dict[str, str]:
    keys = ApiKey.objects.for_org(org_id).filter(pk__in=ids)
    rows = keys.values_list("pk", "name") if ids else ()
    return {f"api_key:{key_id}": f"API key {name}" for key_id, name in rows}
