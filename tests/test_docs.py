"""The README and the pages in docs/ do what they say: each Python block runs, each command is one that a test runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#]+)")
SHELL = {"sh", "bash", "console", "shell"}
QUIET = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}

# Commands that a page may show, and what runs them: a Makefile target is looked up, the others are run elsewhere.
RUN_ELSEWHERE = {
    "pip install": "tests/test_wheel.py",
    "docker compose": "tests/test_compose.py",
    "python app.py": "tests/test_docs.py: the Python blocks",
    "curl": "tests/stack: what is asked of the stack",
    "gunicorn": "tests/setup/test_processes.py",
    "uvicorn": "tests/setup/test_processes.py",
}


def blocks(page: Path, languages: set[str]) -> list[str]:
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [
        re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)
        for indent, lang, text in found
        if lang in languages
    ]


def commands() -> list[tuple[str, str]]:
    lines = []
    for page in PAGES:
        text = "\n".join(blocks(page, SHELL)).replace("\\\n", " ")
        lines += [(page.name, line.removeprefix("$ ").strip()) for line in text.splitlines()]
    return [(page, line) for page, line in lines if line and not line.startswith("#")]


def without_variables(line: str) -> str:
    return re.sub(r"^(?:export )?(?:[A-Z_0-9]+=\S+\s+)+", "", line)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_python_blocks_of_a_page_run(page: Path, run_program) -> None:  # type: ignore[no-untyped-def]
    """A Python block of a page raises, or makes otel_kit complain, when a reader pastes it."""
    source = "\n".join(blocks(page, {"python"}))
    if not source:
        pytest.skip("the page has no Python block")
    done = run_program(source, env=QUIET)
    assert done.returncode == 0, done.stderr
    assert "otel_kit: " not in done.stderr


def test_each_python_block_stands_alone(tmp_path: Path) -> None:
    """A block uses a name that only another block of its page has, so a reader who pastes it alone gets a NameError."""
    for page in PAGES:
        for number, block in enumerate(blocks(page, {"python"}), 1):
            (tmp_path / f"{page.stem}_{number}.py").write_text(block, encoding="utf-8")
    ruff = ["ruff", "check", "--isolated", "--select", "F821", "--output-format", "concise", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", *ruff], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    """A page links to a file that does not exist."""
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert not [t for t in targets if not (page.parent / t).resolve().exists()]


def test_each_command_on_a_page_is_one_that_is_run() -> None:
    """A page shows a command that no test and no Makefile target runs."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    unknown = []
    for page, line in commands():
        bare = without_variables(line)
        made = re.fullmatch(r"make ([a-z-]+)(?: .*)?", bare)
        ours = bare.startswith(("otel-kit ", "python -m otel_kit ", "cd ", "export ", "git clone "))
        known = ours or any(bare.startswith(prefix) for prefix in RUN_ELSEWHERE)
        if not known and not (made and made[1] in targets) and without_variables(line + " x") != "x":
            unknown.append(f"{page}: {line}")
    assert not unknown


@pytest.mark.parametrize(
    "line", sorted({line for _, line in commands() if re.match(r"(otel-kit|python -m otel_kit) ", line)})
)
def test_the_commands_of_otel_kit_on_the_pages_run(line: str, run_program) -> None:  # type: ignore[no-untyped-def]
    """A command of otel_kit on a page ends with an error."""
    arguments = re.sub(r"^(otel-kit|python -m otel_kit) ", "", line).split()
    done = run_program("from otel_kit.cli import main\nimport sys\nsys.exit(main(sys.argv[1:]))", *arguments)
    assert done.returncode == 0, done.stderr


def test_ci_runs_the_readme_test_command() -> None:
    """The README tells people another test command than the one that guards the project."""
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "step make test\n" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert sys.version_info >= (3, 11)
