"""Storing documents by content."""

import uuid

from orchestrator.core import sql
from orchestrator.core.canonical import digest
from versioning.models import Blob

_FIND = "SELECT id FROM versioning_blob WHERE org_id = %s AND digest = %s"


def put_blob(*, org_id: uuid.UUID, content: bytes) -> uuid.UUID:
    """The id of the org's blob with this canonical JSON, made when it is not there yet.

    Not an event: a blob is no state that anybody sees; what refers to it records its own.
    """
    address = digest(content)
    if found := sql.row(_FIND, [org_id, address]):
        return uuid.UUID(str(found[0]))
    # get_or_create and not create: two first uses may race, and both must get the one row.
    return Blob.objects.get_or_create(org_id=org_id, digest=address, defaults={"content": content.decode()})[0].pk
