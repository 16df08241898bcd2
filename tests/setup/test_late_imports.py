"""What otel_kit imports late must not hang a child that is forked at that moment."""

from __future__ import annotations

from tests.conftest import RunProgram


def test_a_child_forked_during_the_first_record_hangs_nowhere(run_program: RunProgram) -> None:
    """A child that is forked while another thread emits the first record, or tells of the first exception, hangs."""
    done = run_program(
        """
        import os, signal, threading, time
        import otel_kit
        otel_kit.init_telemetry("shop", console="off", logs_exporter="none", traces_exporter="none", metrics_exporter="none",
                                files="logs")
        log = otel_kit.get_logger("a")
        def tell():
            log.info("first")
            try:
                raise LookupError("first")
            except LookupError:
                log.exception("told")
        thread = threading.Thread(target=tell)
        thread.start()
        children = []
        while thread.is_alive() and len(children) < 30:
            child = os.fork()
            if not child:
                tell()
                os._exit(0)
            children.append(child)
            time.sleep(0.01)
        thread.join()
        deadline = time.monotonic() + 20
        for child in children:
            while not os.waitpid(child, os.WNOHANG)[0]:
                if time.monotonic() > deadline:
                    for each in children:
                        os.kill(each, signal.SIGKILL)
                    raise SystemExit("a child hangs")
                time.sleep(0.01)
        print(len(children) > 0)
        """
    )
    assert done.stdout == "True\n", done.stderr
