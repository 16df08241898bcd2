from pathlib import Path


def one_order(folder: Path) -> str:
    return "todo"
