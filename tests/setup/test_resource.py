"""What the resource says about the process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.semconv.schemas import Schemas

from otel_kit import __version__
from otel_kit.setup import container, resource, revision
from otel_kit.setup.config import read
from otel_kit.setup.distribution import installed_version
from otel_kit.setup.files import text_of
from otel_kit.setup.resource import build_resource, instance_id, process_attributes

HASH = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
CONTAINER = "ab12" * 16


def attributes(
    *, environ: dict[str, str] | None = None, name: str = "shop", **arguments: Any
) -> dict[str, Any]:
    return dict(build_resource(read(name, arguments, environ=environ or {}, start_dir="/")).attributes)


def test_it_tells_service_host_process_runtime_and_distribution() -> None:
    """Something that a backend groups by is missing from the resource, or is wrong."""
    found = attributes(service_version="1.2", service_namespace="store", environment="staging")
    expected = {
        "service.name": "shop",
        "service.version": "1.2",
        "service.namespace": "store",
        "service.instance.id": instance_id(),
        "deployment.environment.name": "staging",
        "host.name": os.uname().nodename,
        "os.type": sys.platform,
        "process.pid": os.getpid(),
        "process.executable.name": Path(sys.executable).name,
        "process.runtime.name": "cpython",
        "process.runtime.version": ".".join(map(str, sys.version_info[:3])),
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.distro.name": "otel-kit",
        "telemetry.distro.version": __version__,
    }
    assert found | expected == found


def test_the_schema_is_the_newest_that_the_conventions_know() -> None:
    """The schema URL names another version than the names that are used."""
    assert list(Schemas)[-1].value == resource.SCHEMA_URL


def test_what_the_user_says_beats_what_was_detected() -> None:
    """A detected attribute overwrites one that the user gave."""
    found = attributes(resource_attributes={"host.name": "mine", "service.version": "7", "team": ["a", "b"]})
    assert (found["host.name"], found["service.version"], found["team"]) == ("mine", "7", ("a", "b"))


def test_the_version_is_that_of_the_installed_distribution() -> None:
    """A service that is an installed distribution has no version, or one that is not has."""
    assert attributes(name="pytest")["service.version"] == pytest.__version__
    assert "service.version" not in attributes(name="no-such-distribution")
    assert "service.version" not in attributes(name="../x y")


@pytest.mark.parametrize(
    "distribution", ["pytest", "typing-extensions", "Typing.Extensions", "opentelemetry-sdk"]
)
def test_the_version_is_what_the_standard_library_tells(distribution: str) -> None:
    """The short way to an installed version finds another one than importlib.metadata."""
    assert installed_version(distribution) == metadata.version(distribution)


def test_the_command_line_is_not_told(run_program: Callable[..., Any]) -> None:
    """An argument of the command line, which may be a password, is in the resource."""
    done = run_program(
        """
        from otel_kit.setup.config import read
        from otel_kit.setup.resource import build_resource
        print(build_resource(read("shop", {})).to_json())
        """,
        "--password=open-sesame",
    )
    assert "open-sesame" not in done.stdout
    assert '"process.command": "program.py"' in done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_another_instance() -> None:
    """Two workers of one server share an instance id, so that their metrics overwrite each other."""
    settings = read("shop", {}, environ={}, start_dir="/")
    mine = process_attributes(settings)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, repr(process_attributes(settings)).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    theirs = os.read(reader, 4096).decode()
    os.close(reader)
    os.close(writer)
    assert mine == process_attributes(settings)
    assert str(pid) in theirs
    assert mine["service.instance.id"] not in theirs


def test_the_instance_id_can_be_given() -> None:
    """The instance id that the user gives is replaced by a random one."""
    assert attributes(service_instance_id="pod-3")["service.instance.id"] == "pod-3"


def test_a_part_that_fails_costs_that_part_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector that raises takes the program or the other attributes with it."""
    from otel_kit import _guard

    _guard.reset()
    monkeypatch.setattr(resource, "find_container_id", lambda: 1 / 0)
    assert attributes()["service.name"] == "shop"
    assert _guard.contained_counts() == {"resource.container": 1}


CGROUPS = {
    "docker": f"12:memory:/docker/{CONTAINER}\n0::/\n",
    "kubernetes": f"1:name=systemd:/kubepods/besteffort/pod1f2e/{CONTAINER}\n",
    "containerd": f"0::/system.slice/cri-containerd-{CONTAINER}.scope\n",
    "podman": f"0::/machine.slice/libpod-{CONTAINER}.scope\n",
}
MOUNTS = {
    "docker": f"9 8 0:1 /var/lib/docker/containers/{CONTAINER}/hostname /etc/hostname rw - ext4 /dev/a rw\n",
    "cri-o": f"9 8 0:1 /run/containers/storage/overlay-containers/{CONTAINER}/userdata/hosts /etc/hosts rw - tmpfs t rw\n",
}


@pytest.mark.parametrize("engine", CGROUPS)
def test_the_container_is_found_by_its_group(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container's id is not found where cgroups show it."""
    (tmp_path / "cgroup").write_text(CGROUPS[engine])
    monkeypatch.setattr(container, "CGROUP", str(tmp_path / "cgroup"))
    assert attributes()["container.id"] == CONTAINER


@pytest.mark.parametrize("engine", MOUNTS)
def test_the_container_is_found_by_its_mounts(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container's id is not found where cgroup v2 hides it."""
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / "mounts").write_text(f"1 1 0:1 / / rw - overlay overlay rw\n{MOUNTS[engine]}")
    monkeypatch.setattr(container, "CGROUP", str(tmp_path / "cgroup"))
    monkeypatch.setattr(container, "MOUNTS", str(tmp_path / "mounts"))
    assert attributes()["container.id"] == CONTAINER


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"0::/user.slice/user-1000.slice/session-2.scope\n"])
def test_outside_of_a_container_there_is_no_id(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program outside of a container gets a container id, or an unreadable file is an error."""
    (tmp_path / "file").write_bytes(content)
    monkeypatch.setattr(container, "CGROUP", str(tmp_path / "file"))
    monkeypatch.setattr(container, "MOUNTS", str(tmp_path / "missing"))
    assert "container.id" not in attributes()


def checkout(folder: Path, head: str, **files: str) -> Path:
    git = folder / ".git"
    for name, text in {"HEAD": head, **files}.items():
        path = git / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of our own, and a main script that lies nowhere."""
    work = tmp_path / "work" / "deep"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setattr(revision, "_script_folder", lambda: "")
    return tmp_path / "work"


def test_the_revision_is_that_of_the_branch(here: Path) -> None:
    """The revision of a checkout on a branch is not found."""
    checkout(here, "ref: refs/heads/main\n", **{"refs/heads/main": f"{HASH}\n"})
    assert revision.find_revision({}) == HASH


def test_the_revision_may_be_packed_or_detached(here: Path) -> None:
    """The revision is not found after git packed its refs, or with a detached head."""
    packed = f"# pack-refs with: peeled\n{OTHER} refs/heads/mains\n{HASH} refs/heads/main\n^{OTHER}\n"
    checkout(here, "ref: refs/heads/main\n", **{"packed-refs": packed})
    assert revision.find_revision({}) == HASH
    checkout(here, OTHER)
    assert revision.find_revision({}) == OTHER


def test_the_revision_of_a_worktree_is_found(here: Path, tmp_path: Path) -> None:
    """The revision is not found in a worktree, whose refs lie in another folder."""
    main = checkout(tmp_path / "main", "ref: refs/heads/main", **{"refs/heads/topic": HASH})
    own = main / ".git" / "worktrees" / "topic"
    own.mkdir(parents=True)
    (own / "HEAD").write_text("ref: refs/heads/topic\n")
    (own / "commondir").write_text("../..\n")
    (here / ".git").write_text(f"gitdir: {own}\n")
    assert revision.find_revision({}) == HASH


@pytest.mark.parametrize(
    "head", ["", "ref: ../../secret", "ref: refs/../../x", "ref: refs/heads/none", "zz", "\x00" * 99]
)
def test_a_strange_checkout_has_no_revision(head: str, here: Path) -> None:
    """A damaged or hostile .git raises, or makes us read elsewhere."""
    checkout(here, head)
    (here.parent / "secret").write_text(HASH)
    assert revision.find_revision({}) == ""


def test_without_a_checkout_a_well_known_variable_tells_the_revision(here: Path) -> None:
    """A deployed program without .git has no revision although its platform tells it, or takes a text for one."""
    assert revision.find_revision({"GITHUB_SHA": "main", "HEROKU_SLUG_COMMIT": HASH}) == HASH
    assert attributes().get("vcs.ref.head.revision", "") == ""


def test_the_checkout_of_the_program_comes_first(
    here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The revision of the folder that the program was started in beats that of the program."""
    checkout(here, OTHER)
    script = checkout(tmp_path / "program", HASH)
    monkeypatch.setattr(revision, "_script_folder", lambda: str(script / "bin"))
    assert revision.find_revision({"GIT_COMMIT": OTHER}) == HASH


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A named pipe where a small file is expected blocks the program."""
    os.mkfifo(tmp_path / "pipe")
    assert text_of(str(tmp_path / "pipe")) == ""


def test_a_server_s_own_script_is_not_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under gunicorn the revision is that of the checkout which its virtual environment lies in."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    script = str(tmp_path / ".venv" / "bin" / "gunicorn")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", script, raising=False)
    assert revision._script_folder() == ""
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(tmp_path / "app.py"), raising=False)
    assert revision._script_folder() == str(tmp_path)
