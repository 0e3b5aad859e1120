"""Every state change of tasks and of leases on them. Each records its events in the same transaction.

Locks are taken in one order, so that no two writers wait for each other: graph of the org, task, lease, head of the
log.
"""

from tasks.services.claims import acquire_lease
from tasks.services.leases import (
    complete_lease,
    fail_lease,
    heartbeat_lease,
    reclaim_expired,
    release_lease,
    revoke_lease,
)
from tasks.services.tasks import create_task, delete_task, transition_task, update_task

__all__ = [
    "acquire_lease",
    "complete_lease",
    "create_task",
    "delete_task",
    "fail_lease",
    "heartbeat_lease",
    "reclaim_expired",
    "release_lease",
    "revoke_lease",
    "transition_task",
    "update_task",
]
