"""Whoever emits while telemetry is interrupted in the middle: signal handlers, forks, finalizers."""

from __future__ import annotations

from tests.conftest import RunProgram

NOBODY = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_METRICS_EXPORTER": "none"}


def test_a_signal_handler_may_make_spans(run_program: RunProgram) -> None:
    """A signal handler that makes a span hangs the program, or unbalances the books."""
    done = run_program(
        """
        import signal, time, otel_kit
        telemetry = otel_kit.init_telemetry("shop", console="off", instrument=(), traces_queue_size=200)

        @otel_kit.span
        def handler(*_):
            pass

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)  # slower than the handler, or it interrupts itself
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            with otel_kit.span("work"):
                pass
        signal.setitimer(signal.ITIMER_REAL, 0)
        books = telemetry.stats()["traces"]
        assert books["accepted"] == books["delivered"] + books["waiting"] + sum(books["dropped"].values()), books
        print("done", books["accepted"])
        """,
        env=NOBODY,
    )
    assert done.stdout.startswith("done"), done.stderr


def test_a_signal_handler_may_measure_serve_and_redact(run_program: RunProgram) -> None:
    """A handler that does what the program is just doing hangs it, or something is counted wrongly."""
    done = run_program(
        """
        import itertools, signal
        from opentelemetry import metrics
        from otel_kit import instrument
        from otel_kit.pipeline.redact import counts
        from otel_kit.testing import capture

        def work():
            number = next(numbers)
            histogram.record(1.0)
            counts.count("rule", "log")
            environ = {"REQUEST_METHOD": "GET", "PATH_INFO": f"/{number}"}
            list(app(environ, lambda status, headers: None))

        def interrupt(*_):
            work()
            interrupted.append(1)

        def answer(environ, start_response):
            start_response("200 OK", [])
            return [b""]

        interrupted = []
        numbers = itertools.count()
        with capture(instrument=()) as captured:
            histogram, app = metrics.get_meter("m").create_histogram("m"), instrument.wsgi(answer)
            signal.signal(signal.SIGALRM, interrupt)
            for count in range(300):
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + count * 1e-6)
                while len(interrupted) == count:
                    work()
            [point] = captured.metrics["m"].data.data_points
            [active] = captured.metrics["http.server.active_requests"].data.data_points
            [served] = captured.metrics["http.server.request.duration"].data.data_points
        counted = {point.count, served.count, counts.redaction_counts()["rule", "log"]}
        print(counted == {next(numbers)}, active.value)
        """,
        env=NOBODY,
    )
    assert done.stdout == "True 0\n", done.stderr


def test_a_signal_handler_may_use_a_name_that_is_just_being_imported(run_program: RunProgram) -> None:
    """A signal handler that makes a span while the program uses ``otel_kit.span`` for the first time raises."""
    done = run_program(
        """
        import signal, otel_kit
        calls = []

        def handler(*_):
            with otel_kit.span("interrupted"):
                calls.append(1)

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.02)
        while not calls:
            with otel_kit.span("work"):
                pass
        signal.setitimer(signal.ITIMER_REAL, 0)
        print("done")
        """,
        env=NOBODY,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_a_signal_handler_may_raise_while_an_item_is_queued(run_program: RunProgram) -> None:
    """A handler that raises, as that of Ctrl-C does, leaves items in the books that are nowhere else."""
    done = run_program(
        """
        import signal, sys, time, otel_kit

        class Interrupted(BaseException):
            pass

        def handler(*_):
            raise Interrupted

        signal.signal(signal.SIGALRM, handler)
        telemetry = otel_kit.init_telemetry(
            "shop", endpoint="http://127.0.0.1:9", console="off", instrument=(), traces_queue_size=50
        )
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0003)
                while True:
                    telemetry.tracer.start_span("work").end()
            except Interrupted:
                pass
        books = telemetry.stats()["traces"]
        # One more than the queue holds where the last interruption came before the oldest was dropped.
        print(books["waiting"] <= 51, books["accepted"] - books["waiting"] - sum(books["dropped"].values()))
        telemetry.shutdown(1)
        print(telemetry.stats()["traces"]["waiting"])
        """,
        env=NOBODY,
    )
    assert done.stdout == "True 0\n0\n", done.stderr


def test_a_hook_of_the_program_may_emit_in_a_forked_child(run_program: RunProgram) -> None:
    """A hook that emits in the child hangs it, or a fork waits for an import that waits for the fork."""
    done = run_program(
        """
        import os, threading, time

        def born():
            otel_kit.get_logger("child").info("born")
            with otel_kit.span("born"):
                pass

        os.register_at_fork(after_in_child=born)
        import otel_kit, otel_kit._imports
        otel_kit._imports.FORK_PATIENCE = 1000  # a fork and an import that wait for each other would hide behind it
        otel_kit.init_telemetry("shop", console="off", instrument=())
        log = otel_kit.get_logger("busy")

        def busy():
            while True:
                log.info("at it")
                with otel_kit.span("work"):
                    pass

        for _ in range(4):
            threading.Thread(target=busy, daemon=True).start()
        children = []
        for _ in range(20):
            time.sleep(0.02)  # while names are imported at first use, and the first delivery imports what it needs
            if not (child := os.fork()):
                os._exit(0)
            children.append(child)
        until = time.monotonic() + 15
        while children and time.monotonic() < until:
            children = [child for child in children if not os.waitpid(child, os.WNOHANG)[0]]
            time.sleep(0.02)
        for child in children:
            os.kill(child, 9)
        print("hung", len(children), flush=True)
        os._exit(0)
        """,
        env=NOBODY,
    )
    assert done.stdout.strip() == "hung 0", done.stderr


def test_a_waiting_record_does_not_keep_the_locals_of_its_exception(run_program: RunProgram) -> None:
    """A log record that waits for the collector keeps alive what the frames of its exception held."""
    done = run_program(
        """
        import gc, weakref, otel_kit
        otel_kit.init_telemetry("shop", console="off", instrument=())

        class Large:
            pass

        def fail():
            large = Large()
            kept.append(weakref.ref(large))
            raise ValueError("no")

        kept = []
        try:
            fail()
        except ValueError:
            otel_kit.get_logger("shop").exception("it failed")
        gc.collect()
        print("kept", kept[0]() is not None)
        """,
        env=NOBODY,
    )
    assert done.stdout.strip() == "kept False", done.stderr
