"""Keeps functions that several folders share equal to their one right text in catalog/canonical/."""

import ast
from pathlib import Path

from catalog import runs
from catalog.stubs import Stub

CANONICAL = Path(__file__).parent / "canonical"
ROLES = {"test_": None, "visualize_": "visualize", "make_": "gif"}  # a canonical file governs all other files: stub


def role(path: Path) -> str | None:
    """Which canonical file governs a folder's file; tests are free."""
    return next((kind for prefix, kind in ROLES.items() if path.name.startswith(prefix)), "stub")


def definitions(source: str) -> list[ast.FunctionDef | ast.ClassDef]:
    return [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def texts(kind: str) -> dict[str, str]:
    """Source of every canonical function and class of a role, by name."""
    source = (CANONICAL / f"{kind}.txt").read_text(encoding="utf-8")
    return {node.name: ast.get_source_segment(source, node) for node in definitions(source)}


def drifted(stub: Stub) -> list[tuple[Path, ast.FunctionDef | ast.ClassDef]]:
    """Top-level functions and classes of a folder that bear a canonical name and have another syntax tree."""
    found = []
    for path in sorted(p for p in stub.folder.glob("*.py") if role(p)):
        right = {name: ast.dump(ast.parse(text).body[0]) for name, text in texts(role(path)).items()}
        nodes = definitions(path.read_text(encoding="utf-8"))
        found += [(path, node) for node in nodes if ast.dump(node) != right.get(node.name, ast.dump(node))]
    return found


def write(stub: Stub) -> None:
    """Put the canonical text in place of every drifted one."""
    for path, node in reversed(drifted(stub)):  # from the end of a file, so that line numbers stay right
        lines = path.read_text(encoding="utf-8").splitlines()
        lines[node.lineno - 1 : node.end_lineno] = texts(role(path))[node.name].splitlines()
        runs.write_atomically(path, "\n".join(lines) + "\n")
