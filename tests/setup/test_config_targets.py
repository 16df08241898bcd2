"""Where a signal is sent to, as the specification has it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from otel_kit.errors import SettingError
from otel_kit.setup.config import Settings, read
from otel_kit.setup.values import SIGNALS

BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
INSECURE = "OTEL_EXPORTER_OTLP_INSECURE"


def settings(variables: Mapping[str, str] | None = None, **arguments: Any) -> Settings:
    return read("shop", arguments, environ=variables or {}, start_dir="/")


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "http://localhost:4318/v1/traces"),
        ({BASE: "http://c:1"}, "http://c:1/v1/traces"),
        ({BASE: "http://c:1/"}, "http://c:1/v1/traces"),
        ({BASE: "https://c/otlp/"}, "https://c/otlp/v1/traces"),
        ({BASE: "http://c/otlp?tenant=1"}, "http://c/otlp/v1/traces?tenant=1"),
        ({BASE: "http://[::1]:4318"}, "http://[::1]:4318/v1/traces"),
        ({BASE: "http://c:1", TRACES: "http://d:2/mine"}, "http://d:2/mine"),
        ({TRACES: "http://d:2"}, "http://d:2/"),
    ],
)
def test_http_adds_the_path_to_the_base_only(variables: dict[str, str], url: str) -> None:
    """/v1/traces is missing from the base endpoint, or is added to a signal's own endpoint."""
    [target] = settings(variables).targets("traces")
    assert (target.url, target.protocol) == (url, "http/protobuf")


@pytest.mark.parametrize(
    ("variables", "url", "insecure"),
    [
        ({}, "http://localhost:4317", True),
        ({BASE: "http://c:1/ignored"}, "http://c:1", True),
        ({BASE: "https://c:1"}, "https://c:1", False),
        ({BASE: "https://c:1", INSECURE: "true"}, "https://c:1", False),
        ({BASE: "c:1"}, "https://c:1", False),
        ({BASE: "c:1", INSECURE: "true"}, "http://c:1", True),
        ({BASE: "c:1", "OTEL_EXPORTER_OTLP_TRACES_INSECURE": "true"}, "http://c:1", True),
    ],
)
def test_grpc_takes_tls_from_the_scheme(variables: dict[str, str], url: str, insecure: bool) -> None:
    """The scheme does not decide about TLS, or without one the setting insecure does not."""
    [target] = settings({PROTOCOL: "grpc", **variables}).targets("traces")
    assert (target.url, target.insecure, target.protocol) == (url, insecure, "grpc")


def test_each_signal_may_have_its_own_protocol() -> None:
    """The default port of one signal's protocol is used for another's."""
    found = settings({"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"})
    urls = [target.url for signal in SIGNALS for target in found.targets(signal)]  # type: ignore[arg-type]
    assert urls == [
        "http://localhost:4318/v1/traces",
        "http://localhost:4317",
        "http://localhost:4318/v1/logs",
    ]


def test_several_endpoints_are_several_targets() -> None:
    """Of several endpoints only one gets the signals."""
    assert [t.url for t in settings(endpoint=["http://a", "http://b"]).targets("logs")] == [
        "http://a/v1/logs",
        "http://b/v1/logs",
    ]
    assert len(settings({BASE: "http://a, http://b"}).targets("logs")) == 2


def test_a_signal_follows_the_general_setting_until_it_has_its_own() -> None:
    """The general timeout, headers or compression do not reach a signal, or beat its own."""
    variables = {
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1500",
        "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "2500",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=1",
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "b=2",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    found = settings(variables)
    [traces], [logs] = found.targets("traces"), found.targets("logs")
    assert (traces.timeout, traces.headers, traces.compression) == (1.5, {"a": "1"}, "gzip")
    assert (logs.timeout, logs.headers, logs.compression) == (2.5, {"b": "2"}, "gzip")
    assert found.sources["traces_timeout"] == "as timeout"


def test_user_and_password_become_a_header() -> None:
    """The password stays in the URL, where every error message of a transport shows it."""
    [target] = settings(endpoint="http://me:p%40ss@c:1").targets("traces")
    assert target.url == "http://c:1/v1/traces"
    assert target.headers == {"authorization": "Basic " + base64.b64encode(b"me:p@ss").decode()}
    [given] = settings(endpoint="http://me:p@c:1", headers={"Authorization": "mine"}).targets("traces")
    assert given.headers == {"authorization": "mine"}


@pytest.mark.parametrize(
    "endpoint",
    [
        "localhost",
        "c:0",
        "http://",
        "http://c:65536",
        "http://c:x",
        "//c:1",
        "http://a b",
        "unix:///tmp/x",
        "c:1/path",
    ],
)
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_what_is_no_address_is_refused(endpoint: str, protocol: str) -> None:
    """A wrong address is found out only when nothing arrives."""
    found = settings({BASE: endpoint, PROTOCOL: protocol})
    assert [problem.source for problem in found.problems if isinstance(problem, SettingError)] == [BASE]
    assert found.endpoint == ()
    assert found.targets("traces")[0].url.startswith("http://localhost:431")
    with pytest.raises(SettingError, match="endpoint"):
        settings(endpoint=endpoint, protocol=protocol)


def test_host_and_port_alone_are_refused_for_http() -> None:
    """localhost:4318 without http:// is taken for http, where it can only fail."""
    [problem] = settings({BASE: "localhost:4318"}).problems
    assert "a URL that starts with http:// or https://" in str(problem)
    with pytest.raises(SettingError, match="http://"):
        settings(endpoint="localhost:4318")


def test_json_is_refused_by_name() -> None:
    """http/json, which the specification knows, is refused without a word about it."""
    [problem] = settings({PROTOCOL: "http/json"}).problems
    assert "http/json is not supported" in str(problem)


@pytest.mark.parametrize(
    ("variables", "name", "used", "words"),
    [
        (
            {PROTOCOL: "grpc", "OTEL_EXPORTER_OTLP_COMPRESSION": "deflate"},
            "traces_compression",
            "none",
            "none or gzip",
        ),
        ({"OTEL_EXPORTER_OTLP_CLIENT_KEY": __file__}, "logs_client_key", None, "client_certificate"),
        (
            {"OTEL_BSP_MAX_QUEUE_SIZE": "10", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "20"},
            "traces_batch_size",
            10,
            "at most",
        ),
        ({"OTEL_TRACES_SAMPLER_ARG": "0.5"}, "sampler_arg", 1.0, "sampler"),
    ],
)
def test_settings_must_suit_each_other(
    variables: dict[str, str], name: str, used: object, words: str
) -> None:
    """Two variables that contradict each other are used, or told more than once."""
    found = settings(variables)
    [problem] = found.problems
    assert words in str(problem)
    assert getattr(found, name) == used


@pytest.mark.parametrize(
    "arguments",
    [
        {"protocol": "grpc", "logs_compression": "deflate"},
        {"client_key": __file__},
        {"logs_batch_size": 20, "logs_queue_size": 10},
        {"sampler_arg": 0.5},
    ],
)
def test_arguments_that_do_not_suit_each_other_raise(arguments: dict[str, Any]) -> None:
    """Two arguments that contradict each other are taken without a word."""
    with pytest.raises(SettingError):
        settings(**arguments)


def test_a_small_queue_takes_the_default_batch_with_it() -> None:
    """A queue smaller than the default batch is called wrong, although nobody set the batch."""
    found = settings({"OTEL_BLRP_MAX_QUEUE_SIZE": "100"})
    assert (found.logs_batch_size, found.problems) == (100, ())


def test_limits_of_spans_and_records_follow_the_general_one() -> None:
    """The general attribute limits do not hold for spans and log records."""
    found = settings({"OTEL_ATTRIBUTE_COUNT_LIMIT": "5", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "7"})
    assert (found.span_attribute_count_limit, found.logrecord_attribute_count_limit) == (7, 5)


def test_an_installed_propagator_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A propagator that an installed package provides is refused."""
    package = tmp_path / "some_propagator-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: some-propagator\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[opentelemetry_propagator]\nsome = some:Propagator\n")
    assert settings({"OTEL_PROPAGATORS": "tracecontext,some"}).problems
    monkeypatch.syspath_prepend(str(tmp_path))
    assert settings({"OTEL_PROPAGATORS": "tracecontext,some"}).propagators == ("tracecontext", "some")
