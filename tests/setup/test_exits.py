"""However a program ends, what it emitted is delivered."""

from __future__ import annotations

import signal

import pytest

from tests.conftest import RunProgram
from tests.receiver import Receiver

PROGRAM = """
    import os, signal, sys, threading, time
    import otel_kit

    telemetry = otel_kit.init_telemetry("job", console="off")
    log = otel_kit.get_logger("job")

    def work(count=20):
        for number in range(count):
            with telemetry.tracer.start_as_current_span("step"):
                log.info("done", number=number)

    work()
    telemetry.meter.create_counter("steps").add(20)
    way = sys.argv[1]
    if way == "sys.exit":
        sys.exit(3)
    if way == "exception":
        raise RuntimeError("over")
    if way == "thread":
        threading.Thread(target=lambda: (time.sleep(0.2), work())).start()
    if way == "SIGTERM":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(20)
    if way == "fork":
        child = os.fork()
        work()
        if child:
            os.waitpid(child, 0)
"""
WAYS = {
    "end": (0, 20),
    "sys.exit": (3, 20),
    "exception": (1, 20),
    "thread": (0, 40),
    "SIGTERM": (-signal.SIGTERM, 20),
    "fork": (0, 60),
}


@pytest.mark.parametrize(
    ("way", "protocol"),
    [*((way, "http/protobuf") for way in WAYS), ("end", "grpc"), ("SIGTERM", "grpc"), ("fork", "grpc")],
)
def test_everything_is_delivered(
    run_program: RunProgram, receiver: Receiver, way: str, protocol: str
) -> None:
    """This end of a program loses items, or changes its exit code."""
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url(protocol),
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
    }
    done = run_program(PROGRAM, way, env=env)

    code, count = WAYS[way]
    assert done.returncode == code, done.stderr
    assert (len(receiver.spans), len(receiver.logs)) == (count, count), done.stderr
    assert {"steps", "process.cpu.time"} <= receiver.metrics.keys()
    assert "otel_kit" not in done.stderr or way == "exception"


def test_a_handler_of_the_program_for_sigterm_is_left_alone(
    run_program: RunProgram, receiver: Receiver
) -> None:
    """A program that handles SIGTERM itself is ended by us, or its own handler is replaced."""
    done = run_program(
        """
        import os, signal, sys
        import otel_kit
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        telemetry = otel_kit.init_telemetry("job", console="off", process_metrics=False)
        telemetry.logger.info("started")
        os.kill(os.getpid(), signal.SIGTERM)
        """,
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http},
    )
    assert done.returncode == 7, done.stderr
    assert len(receiver.logs) == 1


def test_a_first_item_in_an_exit_handler_arrives(run_program: RunProgram, receiver: Receiver) -> None:
    """An item that is emitted while the interpreter ends is lost, or raises because no thread starts any more."""
    done = run_program(
        """
        import atexit
        import otel_kit
        telemetry = otel_kit.init_telemetry("job", console="off", process_metrics=False)
        atexit.register(lambda: telemetry.logger.info("good bye"))
        """,
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [record.body.string_value for record in receiver.logs] == ["good bye"]


def test_a_worker_that_goes_back_to_the_default_action_delivers(
    run_program: RunProgram, receiver: Receiver
) -> None:
    """A forked worker that puts back the default action of SIGTERM, as uvicorn's under a preloading gunicorn does, loses all."""
    done = run_program(
        """
        import os, signal
        import otel_kit
        telemetry = otel_kit.init_telemetry("job", console="off", logs_batch_delay=60)
        signal.signal(signal.SIGTERM, lambda *_: None)  # the master's own
        worker = os.fork()
        if not worker:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            telemetry.logger.info("at work")
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        print(os.waitpid(worker, 0)[1])
        """,
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http},
        options=(
            "-W",
            "ignore:This process:DeprecationWarning",
        ),  # Python 3.12 and later, of any fork beside threads
    )
    assert (done.stdout.strip(), done.stderr) == (str(int(signal.SIGTERM)), "")
    assert [record.body.string_value for record in receiver.logs] == ["at work"]


EARLY_HANDLER = """
    import atexit, time

    def good_bye():
        began = time.monotonic()
        log.info("good bye")
        with telemetry.tracer.start_as_current_span("good bye"):
            log.info("really")
        print(time.monotonic() - began)

    atexit.register(good_bye)
    import otel_kit
    telemetry = otel_kit.init_telemetry("job", console="off", shutdown_timeout=2)
    log = otel_kit.get_logger("job")
"""


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("before", ["", '    log.info("hello")\n'], ids=["nothing", "something"])
def test_what_an_exit_handler_from_before_init_emits_arrives(
    run_program: RunProgram, receiver: Receiver, before: str, protocol: str
) -> None:
    """What is emitted by an exit handler that was registered before ``init_telemetry``, so runs after ours, is lost."""
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url(protocol),
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
    }
    patient = EARLY_HANDLER.replace("shutdown_timeout=2", "shutdown_timeout=20")  # on a busy machine, too
    done = run_program(patient + before, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    bodies = [record.body.string_value for record in receiver.logs]
    assert bodies == [*(["hello"] if before else []), "good bye", "really"]
    assert [span.name for span in receiver.spans] == ["good bye"]


@pytest.mark.parametrize("behaviour", ["down", "hung", "refuses"])
def test_what_an_exit_handler_cannot_deliver_is_said(
    run_program: RunProgram, receiver: Receiver, behaviour: str
) -> None:
    """An exit handler after ours emits into the void, and nothing says so; or it takes longer than the exit may."""
    if behaviour != "down":
        receiver.behave(**{"hung": {"hang": 30}, "refuses": {"status": 401}}[behaviour])
    endpoint = "http://127.0.0.1:9" if behaviour == "down" else receiver.http
    done = run_program(EARLY_HANDLER, env={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 4  # less than the 5 that nobody has set
    assert done.stderr.count("what exit handlers emit from now on") == 1


def test_a_missing_collector_costs_one_sentence_each_and_no_time(run_program: RunProgram) -> None:
    """A program without a collector fails, hangs at its end, or is silent about what was lost."""
    done = run_program(
        """
        import time
        import otel_kit
        telemetry = otel_kit.init_telemetry("job", endpoint="http://localhost:9", console="off", shutdown_timeout=60)
        for _ in range(100):
            telemetry.tracer.start_span("step").end()
        began = time.monotonic()
        telemetry.shutdown()
        assert time.monotonic() - began < 30  # of the 60 that a collector which hangs would take
        """,
    )
    assert done.returncode == 0, done.stderr
    first, last = done.stderr.splitlines()
    assert "cannot deliver to http://localhost:9: connection refused" in first
    assert "docker compose up -d" in first
    assert "not delivered at exit: traces to http://localhost:9: 100 unreachable of 100" in last


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_hung_collector_holds_the_exit_for_the_time_that_is_set(
    run_program: RunProgram, receiver: Receiver, protocol: str
) -> None:
    """A collector that never answers keeps the program from ending."""
    receiver.behave(hang=60)
    done = run_program(
        """
        import atexit, time
        def tell():
            print(time.monotonic() - began)
        atexit.register(tell)
        import otel_kit
        telemetry = otel_kit.init_telemetry("job", console="off", shutdown_timeout=1)
        with telemetry.tracer.start_as_current_span("step"):
            telemetry.logger.info("hello")
        began = time.monotonic()
        """,
        env={
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url(protocol),
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        },
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 4  # less than the 5 that nobody has set
    assert "not delivered at exit" in done.stderr


def test_warnings_as_errors_and_a_home_that_cannot_be_written(
    run_program: RunProgram, receiver: Receiver
) -> None:
    """Under python -W error, with a read-only home, telemetry raises into the program or is not delivered."""
    done = run_program(
        """
        import otel_kit
        telemetry = otel_kit.init_telemetry("job", console="off")
        with telemetry.tracer.start_as_current_span("step"):
            telemetry.logger.info("hello", **{f"key{n}": n for n in range(200)})
        telemetry.meter.create_histogram("size").record(3)
        """,
        options=("-W", "error"),
        env={
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http,
            "HOME": "/proc",
            "XDG_CACHE_HOME": "/proc/none",
            "TMPDIR": "/proc/none",
        },
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (len(receiver.spans), len(receiver.logs)) == (1, 1)
    assert receiver.logs[0].dropped_attributes_count > 0


@pytest.mark.parametrize(
    "logs", ["", 'telemetry.logger.info("one"); telemetry.force_flush(5)'], ids=["first", "later"]
)
def test_a_span_that_ends_as_the_interpreter_clears_up_hangs_nothing(
    run_program: RunProgram, receiver: Receiver, logs: str
) -> None:
    """A program with a generator that is suspended inside of a span's block never ends."""
    done = run_program(
        f"""
        import otel_kit
        telemetry = otel_kit.init_telemetry("job", console="off")
        {logs}
        def steps():
            with otel_kit.span("step"):
                yield 1
        @otel_kit.span
        def more():
            yield 1
        first, second = steps(), more()
        next(first), next(second)
        """,
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http},
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
