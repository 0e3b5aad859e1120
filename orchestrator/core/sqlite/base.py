"""DatabaseWrapper that takes its turn before BEGIN IMMEDIATE.

SQLite lets one transaction write at a time; the others poll with growing sleeps (its busy handler), so that under load
a writer may starve and the tail grows to a second. Threads of one process wait here in the order in which they came;
only other processes still meet the busy timeout.
"""

import functools
import sqlite3
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from django.db.backends.sqlite3.base import DatabaseWrapper as SQLiteWrapper, SQLiteCursorWrapper
from django.db.utils import OperationalError


class FairLock:
    """A mutex that serves its waiters first come, first served. Not reentrant."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiters: deque[threading.Lock] = deque()
        self._held = False

    def acquire(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds; False when the turn did not come."""
        with self._mutex:
            if not self._held:
                self._held = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiters.append(turn)
        if turn.acquire(timeout=timeout):
            return True
        with self._mutex:
            if turn in self._waiters:
                self._waiters.remove(turn)
                return False
        return True  # the turn came between the time-out and the removal

    def release(self) -> None:
        """Hand the lock to the longest waiter, if there is one."""
        with self._mutex:
            if self._waiters:
                self._waiters.popleft().release()
            else:
                self._held = False


_LONGEST_REMEMBERED: Final = 16_384  # characters: a few statements with many rows must not fill the memory

_locks: dict[str, FairLock] = {}
_locks_guard = threading.Lock()


def _lock_for(database: str) -> FairLock:
    with _locks_guard:
        return _locks.setdefault(database, FairLock())


class Cursor(SQLiteCursorWrapper):
    """Remembers what a statement with ``%s`` for its values is in SQLite's own writing, with ``?``: making it anew each
    time takes as long as many a statement.
    """

    def execute(self, query: str, params: Any = None) -> Any:
        if not params or isinstance(params, Mapping) or len(query) > _LONGEST_REMEMBERED:
            return super().execute(query, params)
        return sqlite3.Cursor.execute(self, _converted(query), params)


@functools.lru_cache(maxsize=1024)
def _converted(query: str) -> str:
    return str(SQLiteCursorWrapper.convert_query(None, query))  # type: ignore[arg-type]  # it has no use for itself


class DatabaseWrapper(SQLiteWrapper):
    """Holds the process's write turn of its database file from BEGIN to COMMIT, ROLLBACK or close."""

    _turn: FairLock | None = None

    def create_cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(factory=Cursor)

    def _start_transaction_under_autocommit(self) -> None:
        lock = _lock_for(str(self.settings_dict["NAME"]))
        if self._turn is None:
            if not lock.acquire(timeout=self.settings_dict["OPTIONS"].get("timeout", 5)):
                raise OperationalError("database is locked: no turn to write came in time")
            self._turn = lock
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # not in the stubs
        except BaseException:
            self._end_turn()
            raise

    def _end_turn(self) -> None:
        if self._turn is not None:
            turn, self._turn = self._turn, None
            turn.release()

    def _commit(self) -> Any:
        super()._commit()  # type: ignore[misc]  # not in the stubs
        self._end_turn()  # a COMMIT that failed keeps its turn until the ROLLBACK that follows

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]  # not in the stubs
        finally:
            self._end_turn()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]  # not in the stubs
        finally:
            self._end_turn()
