"""Keeps functions that several folders share equal to their one right text in catalog/canonical/."""

import ast
from pathlib import Path

from catalog import runs
from catalog.stubs import Stub, name_of, skeleton

CANONICAL = Path(__file__).parent / "canonical"


def role(path: Path) -> str | None:
    """Which canonical file governs a folder's file: visualize, gif, stub, or none for its tests."""
    if path.name.startswith("test_"):
        return None
    return "visualize" if path.name.startswith("visualize_") else "gif" if path.name.startswith("make_") else "stub"


def texts(kind: str) -> dict[str, tuple[str, tuple]]:
    """Canonical functions and classes of a role: name -> (source, skeleton)."""
    source = (CANONICAL / f"{kind}.py").read_text(encoding="utf-8")
    nodes = (n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef | ast.ClassDef))
    return {node.name: (ast.get_source_segment(source, node), skeleton(node)) for node in nodes}


def drifted(stub: Stub) -> list[tuple[Path, ast.stmt]]:
    """Top-level functions and classes of a folder that bear a canonical name and are not the canonical text."""
    found = []
    for path in sorted(stub.folder.glob("*.py")):
        if kind := role(path):
            right = texts(kind)
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and name_of(node) in right:
                    if skeleton(node) != right[node.name][1]:
                        found.append((path, node))
    return found


def write(stub: Stub) -> list[Path]:
    """Put the canonical text in place of every drifted one; returns the files that changed."""
    changed = []
    for path, node in reversed(drifted(stub)):  # from the end of a file, so that line numbers stay right
        lines = path.read_text(encoding="utf-8").splitlines()
        lines[node.lineno - 1 : node.end_lineno] = texts(role(path))[node.name][0].splitlines()
        runs.write_atomically(path, "\n".join(lines) + "\n")
        changed.append(path)
    return sorted(set(changed))
