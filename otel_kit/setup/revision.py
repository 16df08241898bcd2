"""The git revision of the running program, from plain files and well-known variables; git itself is never run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

from otel_kit.setup.files import text_of, upwards

# Set by GitHub, GitLab, Jenkins, CircleCI, Buildkite, Bitbucket, Heroku (at build, at run), Render, Railway, Vercel.
VARIABLES = (
    "GITHUB_SHA",
    "CI_COMMIT_SHA",
    "GIT_COMMIT",
    "CIRCLE_SHA1",
    "BUILDKITE_COMMIT",
    "BITBUCKET_COMMIT",
    "SOURCE_VERSION",
    "HEROKU_SLUG_COMMIT",
    "RENDER_GIT_COMMIT",
    "RAILWAY_GIT_COMMIT_SHA",
    "VERCEL_GIT_COMMIT_SHA",
)
PACKED_REFS_LIMIT = 1 << 20

_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def find_revision(environ: Mapping[str, str] = os.environ) -> str:
    """The full hash: of the checkout of the main script (not an installed one), of a variable, or of the working directory.

    Empty where none is found.
    """
    return _of_folder(_script_folder()) or _of_variables(environ) or _of_folder(_working_folder())


def _script_folder() -> str:
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    folder = os.path.dirname(os.path.abspath(path)) if path else ""
    return "" if _is_installed(folder) else folder


def _is_installed(folder: str) -> bool:
    """A server's script, such as gunicorn's: the checkout that a virtual environment lies in need not be the program's."""
    own = sys.prefix if sys.prefix != sys.base_prefix else os.path.dirname(sys.executable or "")
    return bool(own) and (folder + os.sep).startswith(os.path.abspath(own) + os.sep)


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _of_variables(environ: Mapping[str, str]) -> str:
    return next((found for name in VARIABLES if (found := _hash(environ.get(name, "")))), "")


def _hash(text: str) -> str:
    text = text.strip().lower()
    return text if _HASH.fullmatch(text) else ""


def _of_folder(start: str) -> str:
    for folder in upwards(start) if start else ():
        path = os.path.join(folder, ".git")
        if os.path.exists(path):
            return _of_checkout(path)
    return ""


def _of_checkout(path: str) -> str:
    git = _git_folder(path)
    head = text_of(os.path.join(git, "HEAD"))
    if not head.startswith("ref:"):
        return _hash(head)
    ref = head[4:].strip()
    return _of_ref(git, ref) if ref.startswith("refs/") and ".." not in ref else ""


def _git_folder(path: str) -> str:
    """In a worktree or a submodule ``.git`` is a file that names the folder."""
    if os.path.isdir(path):
        return path
    name = text_of(path).removeprefix("gitdir:").strip()
    return os.path.join(os.path.dirname(path), name)


def _of_ref(git: str, ref: str) -> str:
    """A worktree shares the refs of its common folder."""
    common = os.path.join(git, text_of(os.path.join(git, "commondir")))
    for folder in (git, common):
        if found := _hash(text_of(os.path.join(folder, ref))):
            return found
    return _of_packed_refs(os.path.join(common, "packed-refs"), ref)


def _of_packed_refs(path: str, ref: str) -> str:
    for line in text_of(path, PACKED_REFS_LIMIT).splitlines():
        if line.endswith(f" {ref}"):
            return _hash(line.partition(" ")[0])
    return ""
