"""The organization of ``manage.py seed --demo``: who is in it. What they do there, each app's ``seeds`` tells."""

import uuid
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction

from orchestrator.core import clock
from orchestrator.identity import seeds, services
from orchestrator.identity.actors import ROLE_SCOPES, Actor
from orchestrator.identity.models import Membership, Organization, Role, User
from orchestrator.identity.seeds import Stage

SECOND_ORG: Final = uuid.UUID(int=3)  # the ids below are the development org's and its owner's
HOURS: Final = 48
_PEOPLE: Final = {
    "mina": ("Mina Park", Role.ADMIN),
    "leo": ("Leo Brandt", Role.MEMBER),
    "ines": ("Ines Duarte", Role.VIEWER),
}


def is_there() -> bool:
    """Whether the demonstration was planted before. Its second org is the mark: nothing takes an org away."""
    return Organization.objects.filter(pk=SECOND_ORG).exists()


def at_its_beginning() -> AbstractContextManager[object]:
    """The time for an organization that is made for the demonstration: it is as old as that."""
    if Organization.objects.filter(pk=services.DEVELOPMENT_ORG).exists():
        return nullcontext()
    return clock.in_the_past(clock.now() - timedelta(hours=HOURS, minutes=1))


@transaction.atomic
def plant(owner: Membership) -> None:
    """Tell the last two days of the owner's organization, all or nothing. Raises Conflict when the slug of the second
    org is taken.
    """
    with clock.in_the_past(clock.now() - timedelta(hours=HOURS)) as past:
        services.create_organization(slug="demo-lab", name="Research lab", owner=owner.user, org_id=SECOND_ORG)
        people = {"owner": _actor(owner)} | {name: _joined(owner, name) for name in _PEOPLE}
        seeds.play(Stage(owner.org_id, past, people))


def _joined(owner: Membership, name: str) -> Actor:
    full_name, role = _PEOPLE[name]
    email = f"{name}@example.com"
    if not User.objects.filter(email=email).exists():
        # Not by add_member, which refuses the password that everybody knows. Outside DEBUG they cannot sign in.
        User.objects.create_user(email, settings.DEV_USER_PASSWORD if settings.DEBUG else None, name=full_name)
    found = Membership.objects.for_org(owner.org_id).filter(user__email=email).first()
    return _actor(found or services.add_member(actor=_actor(owner), email=email, role=role))


def _actor(member: Membership) -> Actor:
    return Actor("user", member.user_id, member.org_id, ROLE_SCOPES[member.role], member.role)


def _give_keys(stage: Stage) -> None:
    key, _ = services.create_api_key(
        actor=stage.people["owner"], name="deploy-pipeline", scopes=("read", "write", "jobs")
    )
    stage.people["pipeline"] = Actor("api_key", key.id, stage.org_id, frozenset(key.scopes))


seeds.register_scenes((HOURS, _give_keys))
