"""The table of all settings; the docs page, ``otel-kit config`` and every check are made from it."""

from __future__ import annotations

import os
import sys
from typing import Any, NamedTuple

from otel_kit import semconv
from otel_kit.instrument import EXCLUDED
from otel_kit.instrument._sql import N_PLUS_ONE, SLOW_QUERY, TRANSACTIONS
from otel_kit.setup.values import (
    ATTRIBUTES,
    BYTES,
    CATEGORIES,
    DAYS,
    DIRECTORY,
    ENDPOINTS,
    FILE,
    FLAG,
    HEADERS,
    HOSTS,
    IDENTITY,
    INSTRUMENT,
    INTERVAL,
    LEVELS,
    LIBRARY_NAMES,
    NAMES,
    PATH,
    PATTERNS,
    PROPAGATORS,
    RATIO,
    RULES,
    SECONDS,
    SIGNALS,
    TEXT,
    TIMEOUT,
    TOOLKIT,
    WRITABLE,
    Headers,
    Kind,
    choice,
    count,
    several,
)


class Setting(NamedTuple):
    """One row of the table.

    Attributes:
        name: the keyword argument, and the key in ``[tool.otel_kit]``.
        kind: what its value may be.
        default: the value when nobody gives one.
        variable: the environment variable, empty where the specification has only a resource attribute.
        doc: one sentence.
        attribute: the resource attribute that it becomes, which ``resource_attributes`` may give too.
        general: the setting whose value it takes when it is not given itself.
    """

    name: str
    kind: Kind
    default: Any
    variable: str
    doc: str
    attribute: str = ""
    general: str = ""


def _per_signal(general: Setting) -> list[Setting]:
    """The same setting for each signal alone."""
    return [
        general._replace(
            name=f"{signal}_{general.name}",
            variable=general.variable.replace("OTLP_", f"OTLP_{signal.upper()}_"),
            doc=f"the same for {signal} alone" + (", used as it is" * (general.kind is ENDPOINTS)),
            general="" if general.kind is ENDPOINTS else general.name,
        )
        for signal in SIGNALS
    ]


# Ten times what the specification has: 2048 are a tenth of a second of a busy program. About 1 kB each, 20 MB in all.
QUEUE = 20_480


def _batch(signal: str, prefix: str, delay: float) -> list[Setting]:
    return [
        Setting(f"{signal}_batch_delay", INTERVAL, delay, f"{prefix}_SCHEDULE_DELAY",
                "longest wait before a batch is sent"),
        Setting(f"{signal}_batch_size", count(1), 512, f"{prefix}_MAX_EXPORT_BATCH_SIZE",
                "most items in a batch"),
        Setting(f"{signal}_queue_size", count(1), QUEUE, f"{prefix}_MAX_QUEUE_SIZE",
                "most items waiting; more are dropped and counted; the specification has 2048"),
        Setting(f"{signal}_export_timeout", TIMEOUT, 30.0, f"{prefix}_EXPORT_TIMEOUT",
                "longest time for the export of a batch"),
    ]  # fmt: skip


EXPORTERS = several("otlp", "console", "none")
OTLP = "OTEL_EXPORTER_OTLP_"
ONE_SIGNAL = "OTLP for one signal"

_SERVICE = [
    Setting("service_name", TEXT, f"unknown_service:{os.path.basename(sys.executable or 'python')}",
            "OTEL_SERVICE_NAME",
            "the name of this program", semconv.SERVICE_NAME),
    Setting("service_version", TEXT, None, "",
            "its version; default: that of the installed distribution of that name",
            semconv.SERVICE_VERSION),
    Setting("service_namespace", TEXT, None, "",
            "the group of services that it belongs to", semconv.SERVICE_NAMESPACE),
    Setting("service_instance_id", TEXT, None, "",
            "which instance of the service this process is; default: a random one",
            semconv.SERVICE_INSTANCE_ID),
    Setting("environment", TEXT, None, "",
            "where it runs, such as production or staging", semconv.DEPLOYMENT_ENVIRONMENT_NAME),
    Setting("resource_attributes", ATTRIBUTES, {}, "OTEL_RESOURCE_ATTRIBUTES",
            "further attributes of the resource; those of all sources are merged"),
]  # fmt: skip

_GENERAL = [
    Setting("disabled", FLAG, False, "OTEL_SDK_DISABLED",
            "emit nothing; context still propagates"),
    Setting("strict", FLAG, False, "OTEL_KIT_STRICT",
            "raise for wrong variables and file entries too"),
    Setting("shutdown_timeout", SECONDS, 5.0, "OTEL_KIT_SHUTDOWN_TIMEOUT",
            "longest time that the exit may take, all signals together"),
]  # fmt: skip

_EXPORT = [
    Setting("traces_exporter", EXPORTERS, ("otlp",), "OTEL_TRACES_EXPORTER",
            "where spans go"),
    Setting("metrics_exporter", EXPORTERS, ("otlp",), "OTEL_METRICS_EXPORTER",
            "where metrics go"),
    Setting("logs_exporter", EXPORTERS, ("otlp",), "OTEL_LOGS_EXPORTER",
            "where log records go; what the console shows besides is the setting console"),
]  # fmt: skip

_OTLP_GENERAL = [
    Setting("endpoint", ENDPOINTS, (), f"{OTLP}ENDPOINT",
            "the collector's base URL, or several; for http, /v1/<signal> is added to it; "
            "default: http://localhost:4318, for grpc http://localhost:4317"),
    Setting("protocol", choice("http/protobuf", "grpc", remark=" (http/json is not supported)"),
            "http/protobuf", f"{OTLP}PROTOCOL",
            "the transport"),
    Setting("headers", HEADERS, Headers(), f"{OTLP}HEADERS",
            "sent with each request; never shown"),
    Setting("timeout", TIMEOUT, 10.0, f"{OTLP}TIMEOUT",
            "longest time for one request"),
    Setting("compression", choice("none", "gzip", "deflate", remark=" (deflate with http/protobuf only)"),
            "none", f"{OTLP}COMPRESSION",
            "compression of requests"),
    Setting("certificate", FILE, None, f"{OTLP}CERTIFICATE",
            "PEM file of the authorities that the server's certificate is checked by"),
    Setting("client_key", FILE, None, f"{OTLP}CLIENT_KEY",
            "PEM file of the client's private key"),
    Setting("client_certificate", FILE, None, f"{OTLP}CLIENT_CERTIFICATE",
            "PEM file of the client's certificate"),
    Setting("insecure", FLAG, False, f"{OTLP}INSECURE",
            "for grpc and an endpoint without http:// or https://: no TLS"),
]  # fmt: skip

_TRACES = [
    Setting("sampler",
            choice("always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off",
                   "parentbased_traceidratio"),
            "parentbased_always_on", "OTEL_TRACES_SAMPLER",
            "which traces are recorded"),
    Setting("sampler_arg", RATIO, 1.0, "OTEL_TRACES_SAMPLER_ARG",
            "the share of traces, for the samplers named traceidratio"),
    Setting("propagators", PROPAGATORS, ("tracecontext", "baggage"), "OTEL_PROPAGATORS",
            "how context travels between services"),
    *_batch("traces", "OTEL_BSP", 5.0),
    Setting("exception_logs", FLAG, True, "OTEL_KIT_EXCEPTION_LOGS",
            "an exception that leaves a span is a log record too, once"),
]  # fmt: skip

_METRICS = [
    Setting("metric_interval", INTERVAL, 60.0, "OTEL_METRIC_EXPORT_INTERVAL",
            "time between two collections"),
    Setting("metric_timeout", TIMEOUT, 30.0, "OTEL_METRIC_EXPORT_TIMEOUT",
            "longest time for one collection's export"),
    Setting("exemplar_filter", choice("trace_based", "always_on", "always_off"), "trace_based",
            "OTEL_METRICS_EXEMPLAR_FILTER",
            "which measurements may become exemplars"),
    Setting("temporality", choice("cumulative", "delta", "lowmemory"), "cumulative",
            f"{OTLP}METRICS_TEMPORALITY_PREFERENCE",
            "sums since the start or since the last collection"),
    Setting("histogram_aggregation",
            choice("explicit_bucket_histogram", "base2_exponential_bucket_histogram"),
            "explicit_bucket_histogram", f"{OTLP}METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            "how histograms are kept"),
    Setting("series_limit", count(2), 2000, "OTEL_KIT_SERIES_LIMIT",
            "most series of one instrument; more go to the overflow series"),
    Setting("metric_ids", NAMES, (), "OTEL_KIT_METRIC_IDS",
            "context ids that metrics get as attributes; each value makes a series"),
    Setting("process_metrics", FLAG, True, "OTEL_KIT_PROCESS_METRICS",
            "metrics of the process and of the Python runtime"),
]  # fmt: skip

_LOGS = [
    Setting("log_level", LEVELS, "info", "OTEL_KIT_LOG_LEVEL",
            "the lowest level that is recorded, overall and per logger"),
    Setting("console", choice("auto", "pretty", "json", "off"), "auto", "OTEL_KIT_CONSOLE",
            "how log records show on the console; auto: pretty on a terminal, json elsewhere"),
    Setting("capture_warnings", FLAG, False, "OTEL_KIT_CAPTURE_WARNINGS",
            "Python warnings become log records"),
    Setting("capture_uncaught", FLAG, False, "OTEL_KIT_CAPTURE_UNCAUGHT",
            "uncaught exceptions become log records"),
    *_batch("logs", "OTEL_BLRP", 1.0),
]  # fmt: skip

_CONTEXT = [
    Setting("baggage_ids", NAMES, (), "OTEL_KIT_BAGGAGE_IDS",
            "context ids that travel to other services as baggage"),
    Setting("carry_threads", FLAG, True, "OTEL_KIT_CARRY_THREADS",
            "context follows into new threads and executors by itself"),
]  # fmt: skip

_REDACTION = [
    Setting("redact", choice("secrets", "secrets+personal", "off"), "secrets", "OTEL_KIT_REDACT",
            "what is taken out of everything that leaves the process"),
    Setting("redact_rules", RULES, {}, "",
            "your own rules: keys, patterns, exempt_values, hash_key; see docs/redaction.md"),
]  # fmt: skip

_LIBRARIES = [
    Setting("instrument", INSTRUMENT, "auto", "OTEL_KIT_INSTRUMENT",
            "which libraries emit: all that the program imports, none, or those named"),
    Setting("disabled_instrumentations", LIBRARY_NAMES, (), "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
            "libraries left out; * for all"),
    Setting("slow_callback", SECONDS, 0.1, "OTEL_KIT_SLOW_CALLBACK",
            "how long a callback may hold asyncio's event loop up before a log record says so; 0 for never"),
]  # fmt: skip

_FILES = [
    Setting("files", PATH, None, "OTEL_KIT_FILES",
            "a directory for log files, made if need be"),
    Setting("files_layout", choice("tiered", "dated"), "tiered", "OTEL_KIT_FILES_LAYOUT",
            "which files: app.log and its like, or one for each day and purpose"),
    Setting("files_max_size", BYTES, 50 << 20, "OTEL_KIT_FILES_MAX_SIZE",
            "bytes from which on a file is rotated; 0 for by day only"),
    Setting("files_keep", count(), 20, "OTEL_KIT_FILES_KEEP",
            "how many rotated files of each are kept"),
    Setting("files_max_age", DAYS, 30, "OTEL_KIT_FILES_MAX_AGE",
            "days after which a rotated file is removed"),
    Setting("files_total_size", BYTES, 1 << 30, "OTEL_KIT_FILES_TOTAL_SIZE",
            "bytes that the directory may hold before the oldest rotated files are removed"),
    Setting("files_compress", FLAG, True, "OTEL_KIT_FILES_COMPRESS",
            "rotated files are compressed"),
    Setting("files_categories", CATEGORIES, {}, "OTEL_KIT_FILES_CATEGORIES",
            "files of your own, by beginnings of logger and event names"),
]  # fmt: skip

_TOOLKIT = [
    Setting("disabled_toolkit", TOOLKIT, (), "OTEL_KIT_DISABLED_TOOLKIT",
            "parts of the toolkit that emit nothing; * for all"),
    Setting("error_news", FLAG, True, "OTEL_KIT_ERROR_NEWS",
            "errors that are new, come back in another version, or jump in rate are log records of their own"),
    Setting("exception_locals", FLAG, False, "OTEL_KIT_EXCEPTION_LOCALS",
            "exceptions that become log records carry the local variables of the program's frames"),
    Setting("debug", NAMES, (), "OTEL_KIT_DEBUG",
            "packages of which debug_everything tells; not in production"),
    Setting("state_directory", DIRECTORY, None, "OTEL_KIT_STATE_DIRECTORY",
            "where to remember, over restarts, which errors were seen; made where it is missing"),
    Setting("audit_file", WRITABLE, None, "OTEL_KIT_AUDIT_FILE",
            "the file of the audit trail, written also where telemetry is off"),
]  # fmt: skip

_WEB = [
    Setting("access_log", FLAG, True, "OTEL_KIT_ACCESS_LOG",
            "one log record for each request to this program"),
    Setting("excluded_urls", PATTERNS, EXCLUDED, "OTEL_PYTHON_EXCLUDED_URLS",
            "paths in which one of these is found have no spans, but are counted"),
    Setting("capture_request_headers", PATTERNS, (), "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST",
            "headers of requests to this program that are recorded"),
    Setting("capture_response_headers", PATTERNS, (), "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE",
            "headers of its responses that are recorded"),
    Setting("capture_body", BYTES, 0, "OTEL_KIT_CAPTURE_BODY",
            "bytes of text bodies, of requests and responses, that are recorded"),
    Setting("user_id_from", IDENTITY, None, "OTEL_KIT_USER_ID_FROM",
            "the header that names the user, or a function that is given the request"),
    Setting("session_id_from", IDENTITY, None, "OTEL_KIT_SESSION_ID_FROM",
            "the same for the session"),
]  # fmt: skip

_CLIENTS = [
    Setting("propagate_to", HOSTS, ("*",), "OTEL_KIT_PROPAGATE_TO",
            "hosts that calls of this program take the trace and the ids to"),
    Setting("capture_client_request_headers", PATTERNS, (),
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST",
            "headers of calls to other services that are recorded"),
    Setting("capture_client_response_headers", PATTERNS, (),
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE",
            "headers of their answers that are recorded"),
]  # fmt: skip

_SQL = [
    Setting("sql_slow_query", SECONDS, SLOW_QUERY, "OTEL_KIT_SQL_SLOW_QUERY",
            "from how long on a statement is a log record as well; 0 for none"),
    Setting("sql_n_plus_one", count(), N_PLUS_ONE, "OTEL_KIT_SQL_N_PLUS_ONE",
            "how often one line may run the same statement within one span; more is a log record; 0 for none"),
    Setting("sql_transactions", choice(*TRANSACTIONS), "events", "OTEL_KIT_SQL_TRANSACTIONS",
            "transactions are events of the current span, or spans around their statements"),
    Setting("sql_parameters", FLAG, False, "OTEL_KIT_SQL_PARAMETERS",
            "bound values of statements are recorded, except those of batches"),
    Setting("sql_commenter", FLAG, False, "OTEL_KIT_SQL_COMMENTER",
            "the trace's id is a comment behind each statement"),
]  # fmt: skip

_ATTRIBUTES = ("attribute_count_limit", "attribute_value_length_limit")
_LIMITS = [
    Setting("attribute_count_limit", count(), 128, "OTEL_ATTRIBUTE_COUNT_LIMIT",
            "most attributes of an item"),
    Setting("attribute_value_length_limit", count(), None, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "longest text as value; default: no limit"),
    Setting("span_attribute_count_limit", count(), 128, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
            "the same for spans alone", general=_ATTRIBUTES[0]),
    Setting("span_attribute_value_length_limit", count(), None, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "the same for spans alone", general=_ATTRIBUTES[1]),
    Setting("span_event_count_limit", count(), 128, "OTEL_SPAN_EVENT_COUNT_LIMIT",
            "most events of a span"),
    Setting("span_link_count_limit", count(), 128, "OTEL_SPAN_LINK_COUNT_LIMIT",
            "most links of a span"),
    Setting("event_attribute_count_limit", count(), 128, "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
            "most attributes of a span's event"),
    Setting("link_attribute_count_limit", count(), 128, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
            "most attributes of a span's link"),
    Setting("logrecord_attribute_count_limit", count(), 128, "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
            "the same for log records alone", general=_ATTRIBUTES[0]),
    Setting("logrecord_attribute_value_length_limit", count(), None,
            "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "the same for log records alone", general=_ATTRIBUTES[1]),
]  # fmt: skip

GROUPS: dict[str, list[Setting]] = {
    "Service": _SERVICE,
    "General": _GENERAL,
    "Exporters": _EXPORT,
    "OTLP": _OTLP_GENERAL,
    ONE_SIGNAL: [row for general in _OTLP_GENERAL for row in _per_signal(general)],
    "Traces": _TRACES,
    "Metrics": _METRICS,
    "Logs": _LOGS,
    "Context": _CONTEXT,
    "Redaction": _REDACTION,
    "Libraries": _LIBRARIES,
    "Web servers": _WEB,
    "Databases": _SQL,
    "HTTP clients": _CLIENTS,
    "Log files": _FILES,
    "Toolkit": _TOOLKIT,
    "Limits": _LIMITS,
}
TABLE: tuple[Setting, ...] = tuple(row for rows in GROUPS.values() for row in rows)
BY_NAME: dict[str, Setting] = {row.name: row for row in TABLE}
VARIABLES: dict[str, Setting] = {row.variable: row for row in TABLE if row.variable}
DEDICATED: dict[str, Setting] = {row.attribute: row for row in TABLE if row.attribute}
