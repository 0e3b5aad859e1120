"""Documents by their content, once an org."""

import json

import pytest
from django.db import IntegrityError, transaction
from django.db.models import RestrictedError

from conftest import Person
from orchestrator.core.canonical import canonical_json, digest
from runs.tests.steps import carry, start
from versioning.models import Blob


def test_a_blob_is_the_canonical_form_under_its_own_digest(alice: Person) -> None:
    blob = start(alice).snapshot.blob
    content = blob.content.encode()
    assert blob.digest == digest(content)
    assert canonical_json(json.loads(content)) == content


def test_the_same_content_is_kept_once_an_org(alice: Person) -> None:
    first, second = start(alice), start(alice)
    assert first.snapshot_id == second.snapshot_id
    twin = Blob.objects.get()  # the root version and the runs' snapshot say the same
    twin.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save(force_insert=True)


def test_orgs_do_not_share_a_blob(alice: Person, mallory: Person) -> None:
    ours, theirs = start(alice).snapshot.blob, start(mallory).snapshot.blob
    assert (ours.digest, ours.content) == (theirs.digest, theirs.content)
    assert ours.pk != theirs.pk


def test_a_blob_outlives_an_attempt_to_delete_it_under_a_run(alice: Person) -> None:
    run = carry(start(alice))
    with pytest.raises(RestrictedError):
        run.snapshot.blob.delete()
