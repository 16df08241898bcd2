"""The four programs: what is built, out of which Go module, in which version.

docker-compose.yml pins the images of the same versions; tests/test_compose.py compares the two.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent.parent
CHECKOUT = DEPLOY.parent

COLLECTOR_MANIFEST = DEPLOY / "collector" / "builder.yaml"
COLLECTOR_LOCK = (DEPLOY / "collector" / "go.mod", DEPLOY / "collector" / "go.sum")


class StackError(Exception):
    """Something the user can put right; the message says how."""


@dataclass(frozen=True)
class Program:
    """One program and the Go module that holds it."""

    name: str
    version: str
    """As its makers number their releases, and its image's tag."""
    module: str
    """``path@version``: a Go module's number differs from the release's where Go asks for it."""
    package: str
    """The main package, below the module's folder."""
    tags: str = ""
    recipe: tuple[Path, ...] = ()
    """Files beside the version that decide what comes out."""

    @property
    def key(self) -> str:
        """The file name in the cache: another version or recipe is another file."""
        if not self.recipe:
            return f"{self.name}-{self.version}"
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in self.recipe)).hexdigest()
        return f"{self.name}-{self.version}-{digest[:8]}"


# Start order: who is written to comes first.
VICTORIALOGS = Program(
    name="victoria-logs",
    version="1.24.0",
    # The last version of this module that holds the log store.
    module="github.com/VictoriaMetrics/VictoriaMetrics@v1.121.0",
    package="./app/victoria-logs",
)
PROMETHEUS = Program(
    name="prometheus",
    version="3.14.0",
    module="github.com/prometheus/prometheus@v0.314.0",
    package="./cmd/prometheus",
    # No service discovery: nothing is scraped, and the clouds' clients are half of the program.
    tags="netgo,remove_all_sd",
)
JAEGER = Program(
    name="jaeger",
    version="2.13.0",
    # The same release: Jaeger 2.x carries 1.x tags too, and only those resolve as a Go module.
    module="github.com/jaegertracing/jaeger@v1.76.0",
    package="./cmd/jaeger",
)
COLLECTOR = Program(
    name="otelcol",
    version="0.159.0",
    # Not the collector itself but its builder, which makes one of the components that the manifest names.
    module="go.opentelemetry.io/collector/cmd/builder@v0.159.0",
    package=".",
    tags="grpcnotrace",  # or the linker keeps every method of every type: a third more to link and to load
    recipe=(COLLECTOR_MANIFEST, *COLLECTOR_LOCK),
)
PROGRAMS = (VICTORIALOGS, PROMETHEUS, JAEGER, COLLECTOR)
