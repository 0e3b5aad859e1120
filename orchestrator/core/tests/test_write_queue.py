"""SQLite's one writer: who waits comes next, nobody starves, and no error keeps the turn."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, OperationalError, connection, transaction

from orchestrator.core.sqlite.base import FairLock, _lock_for
from orchestrator.events.models import EventHead

sqlite = pytest.mark.skipif(not settings.ON_SQLITE, reason="SQLite alone has the queue")


def _until(condition: Callable[[], Any], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def _waiting(lock: FairLock, count: int) -> None:
    _until(lambda: len(lock._waiters) == count)


def test_a_free_lock_is_had_at_once_and_again() -> None:
    lock = FairLock()
    for _ in range(3):
        assert lock.acquire(0)
        lock.release()


def test_waiters_are_served_in_the_order_in_which_they_came() -> None:
    lock, served = FairLock(), list[int]()
    assert lock.acquire(0)

    def wait(number: int) -> None:
        assert lock.acquire(10)
        served.append(number)
        lock.release()

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(8)]
    for number, thread in enumerate(threads):
        thread.start()
        _waiting(lock, number + 1)
    lock.release()
    for thread in threads:
        thread.join(10)
    assert served == list(range(8))


def test_the_holder_who_comes_again_waits_behind_the_others() -> None:
    lock, order = FairLock(), list[str]()
    assert lock.acquire(0)

    def other() -> None:
        assert lock.acquire(10)
        order.append("other")
        lock.release()

    thread = threading.Thread(target=other)
    thread.start()
    _waiting(lock, 1)
    lock.release()
    assert lock.acquire(10)
    order.append("first again")
    lock.release()
    thread.join(10)
    assert order == ["other", "first again"]


def test_who_waits_too_long_leaves_the_queue_and_does_not_block_it() -> None:
    lock = FairLock()
    assert lock.acquire(0)
    assert not lock.acquire(0.01)
    assert not lock._waiters
    lock.release()
    assert lock.acquire(0)


def test_a_turn_that_comes_as_the_waiter_gives_up_is_not_lost() -> None:
    """Over and over at the edge of the time-out: whoever is told True holds it, and it can always be had again."""
    lock = FairLock()
    for _ in range(50):
        assert lock.acquire(5)
        got: list[bool] = []
        thread = threading.Thread(target=lambda got=got: got.append(lock.acquire(0.002)))
        thread.start()
        time.sleep(0.002)
        lock.release()
        thread.join(5)
        if got[0]:
            lock.release()
    assert lock.acquire(1)


@pytest.fixture
def lock(transactional_db: None) -> Iterator[FairLock]:
    found = _lock_for(str(connection.settings_dict["NAME"]))
    assert not found._held
    yield found
    assert not found._held, "the turn was not given back"


class _Oops(Exception):
    pass


@sqlite
def test_a_transaction_holds_the_turn_from_begin_to_its_end(lock: FairLock) -> None:
    with transaction.atomic():
        assert lock._held
        with transaction.atomic():
            assert lock._held
        assert lock._held
    assert not lock._held


@sqlite
def test_reading_without_a_transaction_takes_no_turn(lock: FairLock) -> None:
    assert lock.acquire(0)
    assert list(EventHead.objects.all()) == []
    lock.release()


@sqlite
@pytest.mark.parametrize("error", [_Oops, KeyboardInterrupt])
def test_an_error_gives_the_turn_back(lock: FairLock, error: type[BaseException]) -> None:
    with pytest.raises(error), transaction.atomic():
        raise error
    assert not lock._held


@sqlite
def test_a_savepoint_that_fails_keeps_the_turn(lock: FairLock) -> None:
    with transaction.atomic():
        with pytest.raises(_Oops), transaction.atomic():
            raise _Oops
        assert lock._held


@sqlite
def test_a_begin_that_fails_gives_the_turn_back(lock: FairLock, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any) -> None:
        raise OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr("django.db.backends.sqlite3.base.DatabaseWrapper._start_transaction_under_autocommit", fail)
        with pytest.raises(OperationalError), transaction.atomic():
            pytest.fail("it has not begun")
    assert not lock._held
    with transaction.atomic():
        assert lock._held


@sqlite
def test_a_commit_that_fails_gives_the_turn_back_with_its_rollback(
    lock: FairLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any) -> None:
        raise DatabaseError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("django.db.backends.base.base.BaseDatabaseWrapper._commit", fail)
        with pytest.raises(DatabaseError), transaction.atomic():
            EventHead.objects.all().delete()
    assert not lock._held
    assert not connection.in_atomic_block


@sqlite
def test_closing_within_a_transaction_gives_the_turn_back(lock: FairLock) -> None:

    def close() -> None:
        with transaction.atomic():
            connection.close()
            raise _Oops

    with pytest.raises(_Oops):
        close()
    assert not lock._held


@sqlite
def test_whose_turn_does_not_come_is_told_that_the_database_is_locked(
    lock: FairLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.01)
    assert lock.acquire(0)
    try:
        with pytest.raises(OperationalError, match="locked"), transaction.atomic():
            pytest.fail("it has not begun")
    finally:
        lock.release()
    with transaction.atomic():
        assert lock._held


@sqlite
def test_another_process_is_still_waited_for(lock: FairLock) -> None:
    """The queue is of this process; against others there is SQLite's busy timeout."""
    other = sqlite3.connect(str(connection.settings_dict["NAME"]), isolation_level=None, check_same_thread=False)
    try:
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.1, other.execute, ["ROLLBACK"]).start()
        with transaction.atomic():
            assert lock._held
    finally:
        other.close()


@pytest.mark.django_db(transaction=True)
def test_eight_threads_write_fifty_times_each_and_nobody_is_locked_out(alice: Any) -> None:
    """On PostgreSQL the row lock does the same."""
    before = EventHead.objects.get(org=alice.org).seq

    def write(_: int) -> None:
        try:
            for _ in range(50):
                with transaction.atomic():
                    head = EventHead.objects.select_for_update().get(org=alice.org)
                    head.seq += 1
                    head.save()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    assert EventHead.objects.get(org=alice.org).seq == before + 400


@sqlite
def test_the_database_is_set_up_as_the_contract_says(transactional_db: None) -> None:
    with connection.cursor() as cursor:
        found = {
            name: cursor.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 5000}
