"""The id of the container that the program runs in, as far as Linux shows it to the inside."""

from __future__ import annotations

import re

from otel_kit.setup.files import text_of

CGROUP = "/proc/self/cgroup"
MOUNTS = "/proc/self/mountinfo"
LIMIT = 1 << 18

# cgroup v1: .../docker/<id>, .../kubepods/.../<id>, .../cri-containerd-<id>.scope
_IN_CGROUP = re.compile(r"(?:^|[/:\-])([0-9a-f]{64})(?:\.scope)?$", re.MULTILINE)
# cgroup v2 hides the path, but the engine mounts files of the container's own folder (docker, podman, cri-o).
_IN_MOUNTS = re.compile(r"/(?:overlay-)?containers/([0-9a-f]{64})/\S* /etc/(?:hostname|hosts|resolv\.conf) ")


def find_container_id() -> str:
    """64 hexadecimal digits, or empty outside of a container."""
    found = _IN_CGROUP.search(text_of(CGROUP, LIMIT)) or _IN_MOUNTS.search(text_of(MOUNTS, LIMIT))
    return found[1] if found else ""
