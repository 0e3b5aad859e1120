"""Storing documents by content."""

import uuid
from typing import Any

from orchestrator.core.canonical import canonical_json, digest
from versioning.models import Blob


def put_blob(*, org_id: uuid.UUID, document: Any) -> Blob:
    """The org's blob with this content, made when it is not there yet.

    Not an event: a blob is no state that anybody sees; what refers to it records its own. Raises ValidationFailed for a document
    that has no canonical form.
    """
    content = canonical_json(document)
    address = digest(content)
    found = Blob.objects.for_org(org_id).filter(digest=address).first()
    # get_or_create and not create: two first uses may race, and both must get the one row.
    return found or Blob.objects.get_or_create(org_id=org_id, digest=address, defaults={"content": content.decode()})[0]
