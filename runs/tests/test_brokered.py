"""ENGINE=celery without a broker's process: what is published, what a message does, and that nobody waits for it."""

import time
import uuid
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from celery.exceptions import Reject
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import OperationalError
from kombu import Connection

from conftest import Person
from orchestrator.api import health
from orchestrator.celery import app, transport_options
from orchestrator.core import clock
from runs.engine import brokered, consumer, dispatch, service, sweeper
from runs.engine.brokered import Brokered, level
from runs.models import Run, RunEvent
from runs.nodes.base import NodeContext, NodeResult
from runs.services import executions, submission
from runs.tests.steps import carry, node_type, phases, start, start_graph

RUN = uuid.UUID(int=7)
Sent = list[tuple[str, list[Any]]]


@pytest.fixture
def dispatcher() -> Iterator[Brokered]:
    found = Brokered()
    found.start()
    yield found
    found.stop(10)
    dispatch.use(None)


@pytest.fixture(autouse=True)
def _empty_broker() -> Iterator[None]:
    received("runs", "runs.gpu")
    yield
    received("runs", "runs.gpu")


@pytest.fixture
def worker() -> Iterator[None]:
    """This process as one of Celery's; when the test ends it is none any more."""
    yield
    if consumer._member is not None:
        consumer._member.stop()
        consumer._member = None
    consumer._shared[0] = 0


def received(*queues: str) -> Sent:
    """What waits in the broker, taken out."""
    found: Sent = []
    with Connection("memory://") as connection:
        for name in queues or ("runs",):
            waiting = connection.SimpleQueue(name)
            while waiting.qsize():
                message = waiting.get(timeout=1)
                message.ack()
                found.append((name, message.payload[0]))
            waiting.close()
    return found


def published(dispatcher: Brokered, *queues: str) -> Sent:
    """What it has published so far."""
    dispatcher.stop(10)
    return received(*queues)


class Recorder(Brokered):
    """Offers to a list."""

    def __init__(self) -> None:
        super().__init__()
        self.offers: list[tuple[uuid.UUID, str, int]] = []

    def offer(self, run_id: uuid.UUID, queue: str = "", *, count: int = 1, priority: int = 0) -> None:
        self.offers.append((run_id, queue, count))


def test_each_queue_of_a_workflow_is_one_of_the_brokers(dispatcher: Brokered) -> None:
    dispatcher.offer(RUN)
    dispatcher.offer(RUN, "gpu", count=2)
    assert published(dispatcher, "runs", "runs.gpu") == [
        ("runs", [str(RUN), ""]), ("runs.gpu", [str(RUN), "gpu"]), ("runs.gpu", [str(RUN), "gpu"]),
    ]  # fmt: skip


def test_a_thousand_ready_nodes_are_not_a_thousand_messages(dispatcher: Brokered) -> None:
    dispatcher.offer(RUN, count=1000)
    assert len(published(dispatcher)) == 64


@pytest.mark.parametrize(("priority", "redis", "rabbitmq"), [(0, 9, 0), (3, 6, 3), (9, 0, 9), (100, 0, 9)])
def test_priorities_are_the_brokers(priority: int, redis: int, rabbitmq: int) -> None:
    assert level(priority, of_redis=True) == redis
    assert level(priority, of_redis=False) == rabbitmq


def test_redis_gives_a_message_back_when_its_lease_has_run_out_for_sure() -> None:
    options = transport_options("redis://h", 30)
    assert options["visibility_timeout"] > 30
    assert options["unacked_restore_interval"] < 30
    assert transport_options("amqp://h", 30) == {}, "RabbitMQ knows by itself that a worker is gone"


def test_nobody_waits_for_a_broker_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "connection_for_write", lambda: Connection("redis://127.0.0.1:1", connect_timeout=1))
    monkeypatch.setattr("runs.engine.brokered._MOST_WAITING", 100)
    monkeypatch.setattr("runs.engine.brokered.log.warning", lambda *_, **__: None)
    away = Brokered()
    away.start()
    began = time.monotonic()
    for _ in range(200):
        dispatch.offer(RUN)
    assert time.monotonic() - began < 0.5
    assert away._messages.qsize() <= 100, "what is too much is left to the scheduler"
    away.stop(0.1)
    assert time.monotonic() - began < 2, "nor does the end of the process"
    away._thread.join(10)
    assert not away._thread.is_alive()


def test_what_waited_is_published_when_the_broker_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[None] = []
    real = app.connection_for_write

    def connect() -> Any:
        tries.append(None)
        if len(tries) == 1:
            raise OSError("no route to the broker")
        return real()

    monkeypatch.setattr(app, "connection_for_write", connect)
    monkeypatch.setattr("runs.engine.brokered._PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("runs.engine.brokered.log.warning", lambda *_, **__: None)
    back = Brokered()
    back.start()
    back.offer(RUN)
    assert len(published(back)) == 1


def test_a_connection_that_broke_costs_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[None] = []
    real = app.send_task

    def send_task(*arguments: Any, **options: Any) -> Any:
        if not failed:
            failed.append(None)
            raise ConnectionResetError
        return real(*arguments, **options)

    monkeypatch.setattr(app, "send_task", send_task)
    monkeypatch.setattr("runs.engine.brokered.log.warning", lambda *_, **__: None)
    dispatcher = Brokered()
    dispatcher.start()
    dispatcher.offer(RUN)
    assert len(published(dispatcher)) == 1


def test_what_nobody_takes_is_reminded_of_once_a_lease(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> None:
    now, offered = 1000.0, Recorder()
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    for _ in range(10):
        offered.remind(RUN, place=3, count=2)
    assert offered.offers == [(RUN, "", 2)]
    offered.remind(RUN, "gpu", place=3)
    offered.remind(RUN, place=4, count=2)
    offered.remind(RUN, place=4, count=3)
    assert len(offered.offers) == 4, "another queue, another place in the log, another number of nodes"
    now += settings.LEASE_SECONDS
    offered.remind(RUN, place=4, count=3)
    assert len(offered.offers) == 5


@pytest.mark.django_db
def test_the_sweeper_reminds_of_what_is_queued_and_of_what_is_ready(alice: Person) -> None:
    queued = start(alice)
    ready = start_graph(alice, {"train": {"type": "quick", "queue": "gpu"}})
    consumer.worker.execute(ready.id, "elsewhere:1:me")  # it begins, and is left to the workers of gpu
    recorder = Recorder()
    dispatch.use(recorder)
    try:
        sweeper.offer_ready()
        sweeper.offer_ready()
    finally:
        dispatch.use(None)
    assert sorted(recorder.offers) == sorted([(queued.id, "", 1), (ready.id, "gpu", 1)])


@pytest.mark.django_db(transaction=True)
def test_an_accepted_run_is_on_its_way(alice: Person, dispatcher: Brokered) -> None:
    run = submission.start_run(actor=alice.actor, inputs={"prompt": "Plan a trip to Paris"})
    assert published(dispatcher) == [("runs", [str(run.id), ""])]


@pytest.mark.django_db(transaction=True)
def test_a_message_carries_a_run_to_its_end_and_its_doubles_change_nothing(alice: Person, worker: None) -> None:
    run = start(alice)
    consumer.advance(str(run.id))
    before = RunEvent.objects.filter(run=run).count()
    run.refresh_from_db()
    assert run.status == "succeeded"
    for message in ((str(run.id), ""), (str(run.id), "gpu"), (str(uuid.uuid4()), "")):
        consumer.advance(*message)
    assert RunEvent.objects.filter(run=run).count() == before


@pytest.mark.django_db(transaction=True)
def test_a_doubled_message_costs_one_query(alice: Person, django_assert_num_queries: Any) -> None:
    run = carry(start(alice))
    with django_assert_num_queries(1):
        consumer.advance(str(run.id))


@pytest.mark.django_db(transaction=True)
def test_a_worker_of_another_queue_leaves_the_node_alone(alice: Person, worker: None) -> None:
    with node_type("quick", lambda _: NodeResult({}, "Done.")):
        run = start_graph(
            alice, {"train": {"type": "quick", "queue": "gpu"}, "tell": {"type": "quick", "needs": ["train"]}}
        )
        consumer.advance(str(run.id))
        assert phases(run) == []
        executions.forget()  # another process
        consumer.advance(str(run.id), "gpu")
        assert phases(run) == [("train", "started"), ("train", "completed")]
        consumer.advance(str(run.id))
    assert Run.objects.get(pk=run.pk).status == "succeeded"


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_stops_finishes_the_node_in_hand_and_gives_the_rest_back(alice: Person, worker: None) -> None:
    def last(_: NodeContext) -> NodeResult:
        consumer.drain()
        return NodeResult({}, "Done.")

    with node_type("last", last):
        run = start_graph(alice, {"first": {"type": "last"}, "second": {"type": "last", "needs": ["first"]}})
        consumer.advance(str(run.id))
        assert phases(run) == [("first", "started"), ("first", "completed")]
        with pytest.raises(Reject) as given_back:
            consumer.advance(str(run.id))
    assert given_back.value.requeue
    assert phases(run)[2:] == []


def test_a_message_goes_back_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> bool:
        raise OperationalError("no route to the database")

    monkeypatch.setattr(consumer, "is_worth_it", away)
    monkeypatch.setattr(consumer, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(consumer.connection, "close", lambda: None)
    monkeypatch.setattr("runs.engine.consumer.log.warning", lambda *_, **__: None)
    with pytest.raises(Reject) as given_back:
        consumer.advance(str(RUN))
    assert given_back.value.requeue


def test_a_process_whose_node_does_not_stop_ends_unless_it_is_shared(
    monkeypatch: pytest.MonkeyPatch, worker: None
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(consumer.os, "_exit", ended.append)
    monkeypatch.setattr(consumer.attempts, "stuck", lambda: 1)
    monkeypatch.setattr("runs.engine.consumer.log.error", lambda *_, **__: None)
    member = consumer.member()
    member._end_if_stuck()
    assert not ended, "this process is the one that was started"
    member.pid += 1
    member._end_if_stuck()
    assert ended == [70]


def test_celery_keeps_its_hands_off_the_logs_and_wants_no_results() -> None:
    assert app.conf.result_backend is None
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
    assert not app.conf.worker_hijack_root_logger


def test_the_scheduler_is_for_celery_alone() -> None:
    with pytest.raises(CommandError, match="ENGINE must be celery"):
        call_command("scheduler", stdout=StringIO())


@pytest.mark.django_db
def test_health_tells_of_runs_that_nobody_takes(alice: Person, settings: LazySettings) -> None:
    settings.ENGINE = "celery"
    run = start(alice)
    service.check()
    Run.objects.filter(pk=run.pk).update(created_at=clock.now() - service._PATIENCE * 2)
    with pytest.raises(health.Unhealthy):
        service.check()


def test_a_web_process_offers_while_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    brokered.start()
    dispatch.offer(RUN)
    brokered.stop()
    brokered.stop()
    dispatch.offer(RUN)
    assert len(received("runs")) == 1
