"""docker-compose.yml beside the files that it names: no Docker engine is needed to find a slip between them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml

from deploy.stack.programs import (
    COLLECTOR,
    COLLECTOR_LOCK,
    COLLECTOR_MANIFEST,
    JAEGER,
    PROMETHEUS,
    VICTORIALOGS,
)
from deploy.stack.services import STANDARD_PORTS, services

ROOT = Path(__file__).resolve().parent.parent
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
FOUR = {"victoria-logs": VICTORIALOGS, "prometheus": PROMETHEUS, "jaeger": JAEGER, "collector": COLLECTOR}

CONFIG_FILES = {"collector": ROOT / "collector-config.yaml", "jaeger": ROOT / "deploy" / "jaeger.yaml"}
CONFIG_TEXTS = {name: path.read_text() for name, path in CONFIG_FILES.items()}
CONFIGS: dict[str, dict[str, Any]] = {name: yaml.safe_load(text) for name, text in CONFIG_TEXTS.items()}
MANIFEST: dict[str, Any] = yaml.safe_load(COLLECTOR_MANIFEST.read_text())

COMPOSE_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
CONFIG_VARIABLE = re.compile(r"\$\{env:(\w+)(?::-([^}]*))?\}")


def with_defaults(text: object) -> str:
    """As compose reads it when the user has set nothing."""
    return COMPOSE_VARIABLE.sub(lambda match: match[2] or "", str(text))


def in_container(service: str, text: object) -> str:
    """As the program reads its configuration file in its container."""
    environment = SERVICES[service].get("environment", {})
    return CONFIG_VARIABLE.sub(lambda match: with_defaults(environment.get(match[1], match[2])), str(text))


def modules() -> dict[str, str]:
    """Every Go module of the manifest with its version."""
    kinds = [value for value in MANIFEST.values() if isinstance(value, list)]
    return dict(entry["gomod"].split() for kind in kinds for entry in kind)


def listens(service: str) -> dict[int, str]:
    """The ports that a program listens on in its container, with the host it binds to."""
    found: dict[int, str] = {}
    text = " ".join(with_defaults(part) for part in SERVICES[service]["command"])
    text += in_container(service, CONFIG_TEXTS.get(service, ""))
    for host, port in re.findall(r"(?:endpoint: |address=|Addr=)([\d.]+):(\d+)", text):
        found[int(port)] = host
    for host, port in re.findall(r"host: ([\d.]+)\n\s+port: (\d+)", text):
        found[int(port)] = host
    return found


def mounts(service: str) -> dict[str, str]:
    """Source of each mount by its target in the container."""
    parts = [mount.split(":") for mount in SERVICES[service].get("volumes", [])]
    return {part[1]: part[0] for part in parts}


def test_follows_the_compose_specification() -> None:
    """docker-compose.yml is valid by the Compose specification's own schema."""
    schema = json.loads((ROOT / "tests" / "schemas" / "compose-spec.json").read_text())
    jsonschema.validate(COMPOSE, schema)


@pytest.mark.parametrize("name", FOUR)
def test_image_is_the_version_that_the_stack_tests_run(name: str) -> None:
    """The image that compose pins is the release that tests/stack builds and runs."""
    tag = with_defaults(SERVICES[name]["image"]).rsplit(":", 1)[1]
    assert tag.removesuffix("-victorialogs").removeprefix("v") == FOUR[name].version


def test_every_image_is_pinned() -> None:
    """No image moves by itself: each has a full version, whole from a variable with a default."""
    for service in SERVICES.values():
        assert re.search(r":v?\$\{[A-Z]+_VERSION:-\d+\.\d+\.\d+\}(-victorialogs)?$", service["image"])


def test_module_versions_belong_to_the_releases() -> None:
    """The Go modules that are built are the releases that the versions name."""
    _, minor, patch = PROMETHEUS.version.split(".")
    assert PROMETHEUS.module.endswith(f"@v0.3{minor}.{patch}")
    _, minor, patch = JAEGER.version.split(".")
    assert JAEGER.module.endswith(f"@v1.{int(minor) + 63}.{patch}")
    assert COLLECTOR.module.endswith(f"@v{COLLECTOR.version}")
    assert MANIFEST["dist"]["version"] == COLLECTOR.version
    unstable = {version for module, version in modules().items() if "/provider/" not in module}
    assert unstable == {f"v{COLLECTOR.version}"}


def test_lock_holds_what_the_manifest_names() -> None:
    """The committed go.mod and go.sum pin the versions that the collector's manifest asks for."""
    go_mod, go_sum = (path.read_text() for path in COLLECTOR_LOCK)
    for module, version in modules().items():
        assert f"\t{module} {version}\n" in go_mod
        assert f"{module} {version} h1:" in go_sum


def test_collector_is_built_of_what_its_configuration_names() -> None:
    """The manifest has every component that collector-config.yaml uses, and no other."""
    config = CONFIGS["collector"]
    kinds = {
        "receivers": "receiver",
        "processors": "processor",
        "exporters": "exporter",
        "connectors": "connector",
    }
    used = {
        id.split("/")[0].replace("_", "") + kind
        for kinds_of, kind in kinds.items()
        for id in config[kinds_of]
    }
    used |= {"healthcheckextension", "filestorage"}
    assert set(config["extensions"]) == {"health_check", "file_storage"}
    assert used == {module.rsplit("/", 1)[1] for module in modules() if "/provider/" not in module}


@pytest.mark.parametrize("name", FOUR)
def test_published_ports_are_loopback_and_listened_on(name: str) -> None:
    """A port is published on 127.0.0.1 alone, at the number that the program listens on in its container."""
    for entry in SERVICES[name]["ports"]:
        host, variable, default, inside = re.fullmatch(r"([\d.]+):\$\{(\w+):-(\d+)\}:(\d+)", entry).groups()  # type: ignore[union-attr]
        assert host == "127.0.0.1"
        assert STANDARD_PORTS[variable] == int(default) == int(inside)
        assert listens(name)[int(inside)] == "0.0.0.0", f"{name}: {inside} cannot be reached from outside"


def test_no_two_programs_want_one_port() -> None:
    """As plain processes the four share one host: their ports differ, and are those that `up` checks."""
    ports = [port for name in FOUR for port in listens(name)]
    assert sorted(ports) == sorted(STANDARD_PORTS.values())


@pytest.mark.parametrize("name", SERVICES)
def test_mounts_exist_and_are_used(name: str) -> None:
    """A mounted file exists, is read-only and is named in the container; a mounted folder is where the data go."""
    service = SERVICES[name]
    named = with_defaults([*service["command"], *service.get("environment", {}).values()])
    for target, source in mounts(name).items():
        assert target in named, f"{name}: nothing uses {target}"
        if source.startswith("./"):
            assert (ROOT / source).is_file()
            assert f"{source}:{target}:ro" in service["volumes"]
        else:
            assert source in COMPOSE["volumes"]


def test_every_volume_belongs_to_who_writes_it() -> None:
    """Each named volume gets its owner before its program starts: the user that the program runs as."""
    (_, _, script) = SERVICES["volume-owners"]["command"]
    owner = {
        path.strip("/"): uid
        for uid, paths in re.findall(r"chown -R (\d+):\d+ ([^&]+)", script)
        for path in paths.split()
    }
    assert owner == {"collector": "10001", "jaeger": "10001", "victoria-logs": "10001", "prometheus": "65534"}
    assert set(owner) == set(COMPOSE["volumes"]) == set(mounts("volume-owners").values())
    assert SERVICES["victoria-logs"]["user"] == "10001:10001"
    for name in FOUR:
        assert SERVICES[name]["depends_on"]["volume-owners"] == {
            "condition": "service_completed_successfully"
        }


@pytest.mark.parametrize("name", CONFIGS)
def test_variables_of_a_container_are_read(name: str) -> None:
    """A variable that compose sets is one that the program's configuration reads."""
    read = {match[1] for match in CONFIG_VARIABLE.finditer(CONFIG_TEXTS[name])}
    assert {key for key in SERVICES[name]["environment"] if key.startswith("OTEL_KIT_")} <= read


@pytest.mark.parametrize("name", CONFIGS)
def test_every_variable_has_a_default(name: str) -> None:
    """Each configuration file works with an empty environment, and so does docker-compose.yml."""
    text = CONFIG_TEXTS[name]
    assert text.count("${") == len([match for match in CONFIG_VARIABLE.finditer(text) if match[2]])
    assert all(match[2] for match in COMPOSE_VARIABLE.finditer(COMPOSE_TEXT))


@pytest.mark.parametrize("name", CONFIGS)
def test_addresses_in_a_container_reach_the_other_ones(name: str) -> None:
    """In compose no address of another program is left at loopback: each names a service and a port it listens on."""
    default_urls = {match[1] for match in CONFIG_VARIABLE.finditer(CONFIG_TEXTS[name]) if "http" in match[2]}
    assert default_urls
    for variable in default_urls:
        url = urlsplit(SERVICES[name]["environment"][variable])
        assert listens(str(url.hostname))[int(url.port or 0)] == "0.0.0.0"


@pytest.mark.parametrize("name", CONFIGS)
def test_addresses_of_plain_processes_reach_the_other_ones(name: str) -> None:
    """Without any variable the files speak of loopback, at the standard ports."""
    for match in CONFIG_VARIABLE.finditer(CONFIG_TEXTS[name]):
        variable, default = match.groups()
        if "http" in default:
            url = urlsplit(default)
            assert url.hostname == "127.0.0.1"
            assert url.port in STANDARD_PORTS.values()
        if variable.endswith("_PORT"):
            assert int(default) == STANDARD_PORTS[variable]


@pytest.mark.parametrize("name", ["victoria-logs", "prometheus"])
def test_arguments_are_those_of_the_plain_process(name: str) -> None:
    """What a container is started with is what the tests start: same switches, and same values but for places."""
    (plain,) = [
        service for service in services(STANDARD_PORTS, Path("/data")) if service.program is FOUR[name]
    ]
    places = re.compile(r"(=)(?=/|[\d.]+:\d+).*")

    def comparable(arguments: Any) -> set[str]:
        return {places.sub(r"\1…", with_defaults(argument)) for argument in arguments}

    assert comparable(SERVICES[name]["command"]) == comparable(plain.arguments)


def test_start_order_is_by_health() -> None:
    """Log store, Prometheus, Jaeger, collector: each waits until the ones it writes to are healthy."""
    healthy = {"condition": "service_healthy"}
    waits = {
        name: {other for other, how in SERVICES[name]["depends_on"].items() if how == healthy}
        for name in FOUR
    }
    assert waits == {
        "victoria-logs": set(),
        "prometheus": {"victoria-logs"},
        "jaeger": {"prometheus"},
        "collector": {"victoria-logs", "prometheus", "jaeger"},
    }
    assert all("healthcheck" in SERVICES[name] for names in waits.values() for name in names)


@pytest.mark.parametrize("name", ["victoria-logs", "prometheus", "jaeger"])
def test_health_check_asks_the_right_port(name: str) -> None:
    """A container's health check asks a port that its program listens on."""
    url = re.search(r"http://127\.0\.0\.1:(\d+)", " ".join(SERVICES[name]["healthcheck"]["test"]))
    assert url
    assert int(url[1]) in listens(name)


@pytest.mark.parametrize("name", FOUR)
def test_runs_without_privileges_within_limits_and_comes_back(name: str) -> None:
    """Each program is bounded in memory, cannot gain privileges, and is started again when it dies."""
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    amount, unit = int(service["mem_limit"][:-1]), service["mem_limit"][-1]
    limit = amount * {"m": 1, "g": 1024}[unit]
    environment = service.get("environment", {})
    assert int(environment.get("GOMEMLIMIT", "0MiB").removesuffix("MiB")) < limit
    assert environment.get("OTEL_KIT_COLLECTOR_MEMORY_MIB", 0) < limit


def test_queues_are_bounded_kept_on_disk_and_tried_for_ever() -> None:
    """Each exporter of the collector keeps its queue on disk and never gives up; Prometheus gets samples in order."""
    for name, exporter in CONFIGS["collector"]["exporters"].items():
        queue = exporter["sending_queue"]
        assert queue["storage"] == "file_storage", name
        assert queue["sizer"] == "items"
        assert queue["queue_size"]
        assert exporter["retry_on_failure"]["max_elapsed_time"] == 0
    assert CONFIGS["collector"]["exporters"]["otlp_http/prometheus"]["sending_queue"]["num_consumers"] == 1


def test_what_comes_in_passes_the_limiter_first_and_the_fence() -> None:
    """Every pipeline that receives OTLP starts with the memory limiter and ends with the redaction fence."""
    for name, pipeline in CONFIGS["collector"]["service"]["pipelines"].items():
        if "otlp" in pipeline["receivers"]:
            assert pipeline["processors"][0] == "memory_limiter", name
            assert pipeline["processors"][-1] == "redaction", name


def test_trace_page_links_to_the_log_store() -> None:
    """Jaeger's page has the Monitor tab, and its link to the logs goes to where VictoriaLogs is published."""
    page = json.loads((ROOT / "deploy" / "jaeger-ui.json").read_text())
    assert page["monitor"]["menuEnabled"]
    (link,) = page["linkPatterns"]
    assert link["type"] == "traces"
    assert "#{traceID}" in link["url"]
    assert urlsplit(link["url"]).port == STANDARD_PORTS["OTEL_KIT_VICTORIALOGS_PORT"]


def test_monitor_reads_the_names_that_the_collector_makes() -> None:
    """Jaeger asks Prometheus for the span metrics under the namespace and the unit in which they are made."""
    asked = CONFIGS["jaeger"]["extensions"]["jaeger_storage"]["metric_backends"]["prometheus"]["prometheus"]
    made = CONFIGS["collector"]["connectors"]["span_metrics"]
    assert asked["metric_namespace"] == made.get("namespace", "traces.span.metrics").replace(".", "_")
    assert asked["latency_unit"] == made["histogram"]["unit"]
    assert asked["normalize_calls"]
    assert asked["normalize_duration"]


def test_every_variable_is_documented() -> None:
    """docs/stack.md names each variable that the user can set."""
    text = (ROOT / "docs" / "stack.md").read_text()
    variables = {match[1] for match in COMPOSE_VARIABLE.finditer(COMPOSE_TEXT)} | set(STANDARD_PORTS)
    for config in CONFIG_TEXTS.values():
        variables |= {match[1] for match in CONFIG_VARIABLE.finditer(config)}
    assert [name for name in sorted(variables) if f"`{name}`" not in text] == []
