"""Records that a program sends through a queue of its own are one record each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.receiver import Receiver

THREAD = """
    import logging, logging.handlers, queue, threading
    import otel_kit
    {before}
    events = queue.Queue()
    def listen():
        while (made := events.get()) is not None:
            logging.getLogger(made.name + {suffix!r}).handle(made)
    logging.getLogger("worker").addHandler(logging.handlers.QueueHandler(events))
    logging.getLogger("worker").propagate = False
    {after}
    thread = threading.Thread(target=listen)
    thread.start()
    for number in range(3):
        logging.getLogger("worker").warning("number %d", number)
    events.put(None)
    thread.join()
"""
PROCESSES = """
    import logging, logging.handlers, multiprocessing
    import otel_kit

    def work(events):
        root = logging.getLogger()
        root.handlers[:] = [logging.handlers.QueueHandler(events)]
        logging.getLogger("worker").warning("one", extra={"n": 1})

    if __name__ == "__main__":
        otel_kit.init_telemetry("checkout")
        context = multiprocessing.get_context("fork")
        events = context.Queue()
        worker = context.Process(target=work, args=(events,))
        worker.start()
        made = events.get(timeout=10)
        logging.getLogger(made.name).handle(made)
        worker.join()
        assert not any("otel" in key for key in vars(made)), vars(made)
"""
INIT = 'otel_kit.init_telemetry("checkout")'


def bodies(receiver: Receiver, run: Any) -> list[str]:
    assert run.returncode == 0, run.stderr
    return [item.body.string_value for item in receiver.logs]


def env(receiver: Receiver) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http, "OTEL_KIT_CONSOLE": "off"}


@pytest.mark.parametrize("suffix", ["", ".relayed"])
@pytest.mark.parametrize("first", [True, False])
def test_a_listener_that_logs_once_more_doubles_nothing(
    run_program: Any, receiver: Receiver, suffix: str, first: bool
) -> None:
    """A record that a listener in a thread hands to logging again arrives twice, or not at all."""
    source = THREAD.format(before=INIT if first else "", after="" if first else INIT, suffix=suffix)
    said = bodies(receiver, run_program(source, env=env(receiver)))
    assert said == ["number 0", "number 1", "number 2"]


def test_a_record_of_another_process_is_one(run_program: Any, receiver: Receiver) -> None:
    """A record that a worker process sends to a listener arrives twice, or carries a field of ours on to handlers."""
    assert bodies(receiver, run_program(PROCESSES, env=env(receiver))) == ["one"]
