"""The organization that ``manage.py seed --load N`` fills. With what, each app's ``seeds`` says."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from orchestrator.core import clock
from orchestrator.core.errors import Conflict, ValidationFailed
from orchestrator.identity import seeds, services
from orchestrator.identity.actors import ROLE_SCOPES, Actor
from orchestrator.identity.models import Membership, Organization, Role

FEWEST: Final = 1_000
DAYS: Final = 10  # that the log tells of


def fill(owner: Membership, slug: str, events: int) -> Iterator[str]:
    """Make the org with ``owner``, and fill it; says how far it has come.

    What is there after an interruption is whole, but for its amount. Raises Conflict when the slug is taken, as it is
    after the first time, and ValidationFailed for fewer events than make sense.
    """
    if events < FEWEST:
        raise ValidationFailed(f"--load takes {FEWEST:,} events at the least.")
    if Organization.objects.filter(slug=slug).exists():
        raise Conflict(f"The organization {slug!r} is there already, and is not filled again. Name another with --org.")
    with clock.in_the_past(clock.now() - timedelta(days=DAYS, minutes=1)):
        org = services.create_organization(slug=slug, name=f"Load ({events:,} events)", owner=owner.user)
    actor = Actor("user", owner.user_id, org.id, ROLE_SCOPES[Role.OWNER], Role.OWNER)
    yield f"Made organization {slug} ({org.id}), {Role.OWNER} {owner.user.email}."
    yield from seeds.fill(actor, events)
