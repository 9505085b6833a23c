"""Finds the experiments and reads what they declare, from their syntax trees; only `load` imports one."""

import ast
import difflib
import hashlib
import importlib
import sys
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
ERAS = tomllib.loads((Path(__file__).parent / "papers.toml").read_text(encoding="utf-8"))["era"]
TOTAL = sum(len(paper["slugs"]) for era in ERAS for paper in era["paper"])  # folders of the finished catalogue
DECLARED = ("PRESETS", "SEEDS", "CLAIMS", "SMOKE")


class CatalogError(Exception):
    """What a user can put right; its text is the one line he sees."""


@dataclass(frozen=True)
class Stub:
    """One experiment: the folder <root>/<slug>, read lazily."""

    root: Path
    slug: str

    @property
    def module(self) -> str:
        """Name of the main module, e.g. nbb_xor for the folder nbb-xor."""
        return self.slug.replace("-", "_")

    @property
    def folder(self) -> Path:
        return self.root / self.slug

    @property
    def path(self) -> Path:
        return self.folder / f"{self.module}.py"

    @property
    def sources(self) -> list[Path]:
        """The modules that make up the experiment: the main file and those with a role of their own, no scripts."""
        return sorted(p for p in self.folder.glob("*.py") if not p.name.startswith(("test_", "visualize_", "make_")))

    @property
    def title(self) -> str:
        """First line of the docstring, read without parsing the file."""
        with self.path.open(encoding="utf-8") as file:
            return file.readline().strip().strip('"').rstrip(".")

    @cached_property
    def tree(self) -> ast.Module:
        try:
            return ast.parse(self.path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            raise CatalogError(f"{self.path}:{error.lineno}: {error.msg}") from None

    @cached_property
    def declared(self) -> dict:
        """The literals PRESETS, SEEDS, CLAIMS and SMOKE."""
        nodes = {name_of(node): node for node in self.tree.body}
        found = {}
        for name in DECLARED:
            if name not in nodes:
                raise CatalogError(f"{self.path}: {name} is missing")
            try:
                found[name] = ast.literal_eval(nodes[name].value)
            except ValueError:
                raise CatalogError(f"{self.path}:{nodes[name].lineno}: {name} must be a literal") from None
        return found

    @property
    def presets(self) -> dict[str, dict]:
        return self.declared["PRESETS"]

    @property
    def claims(self) -> tuple[tuple[str, str, str, str], ...]:
        return self.declared["CLAIMS"]

    def planned(self) -> list[tuple[str, int]]:
        """The runs (preset, seed) a sweep records: every seed of every preset, smoke once, paper_ only on request."""
        usual = [preset for preset in self.presets if not preset.startswith("paper_")]
        return [(p, seed) for p in usual for seed in range(1 if p == "smoke" else self.declared["SEEDS"])]

    def check_preset(self, preset: str) -> None:
        """Raise CatalogError unless the experiment has this preset."""
        if preset not in self.presets:
            raise CatalogError(f"{self.slug} has no preset {preset!r}; it has {', '.join(self.presets)}")

    @cached_property
    def experiment(self) -> list[tuple]:
        """The sources' syntax trees without what DECLARED and `main` hold."""
        bodies = [ast.parse(path.read_text(encoding="utf-8")).body for path in self.sources]
        return [skeleton(node) for body in bodies for node in body if name_of(node) not in (*DECLARED, "main")]

    def code(self, preset: str) -> str:
        """Hash of all that shapes a run of `preset`: the experiment and the preset's own overrides.

        Docstrings, comments, claims, other presets and `main` may change without making a record stale.
        """
        parts = [sorted(self.presets[preset].items()), *self.experiment]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def name_of(node: ast.stmt) -> str | None:
    """The name a top-level statement binds, if it is an assignment, a function or a class."""
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", node)
    return getattr(target, "id", None) or getattr(target, "name", None)


def skeleton(node: ast.AST) -> tuple:
    """A syntax tree as nested tuples without docstrings, positions and what differs between versions of Python."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return ()
    parts: list = [type(node).__name__]
    for name, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        shape = tuple(skeleton(child) if isinstance(child, ast.AST) else repr(child) for child in children)
        if name not in ("ctx", "kind", "type_comment", "type_params"):
            parts.append((name, tuple(part for part in shape if part)))
    return tuple(parts)


def eras(root: Path = ROOT) -> list[tuple[str, list[tuple[str, list[Stub]]]]]:
    """Eras with their papers and existing folders, in catalogue order; folders papers.toml does not name come last."""
    there = {p.parent.name for p in root.glob("*/*.py") if p.stem == p.parent.name.replace("-", "_")} - {"catalog"}
    listed = {slug for era in ERAS for paper in era["paper"] for slug in paper["slugs"]}
    others = {"name": "Further experiments", "paper": [{"cite": "Not in the list", "slugs": sorted(there - listed)}]}
    found = []
    for era in [*ERAS, others]:
        papers = [(p["cite"], [Stub(root, slug) for slug in p["slugs"] if slug in there]) for p in era["paper"]]
        found.append((era["name"], [(cite, stubs) for cite, stubs in papers if stubs]))
    return [(name, papers) for name, papers in found if papers]


def find(root: Path = ROOT) -> list[Stub]:
    """Every experiment in catalogue order."""
    return [stub for _, papers in eras(root) for _, stubs in papers for stub in stubs]


def get(slug: str, root: Path = ROOT) -> Stub:
    """The experiment in folder `slug`; CatalogError if there is none."""
    stub = Stub(root, slug.rstrip("/"))
    if not stub.path.is_file():
        close = difflib.get_close_matches(slug, [s.slug for s in find(root)], n=1)
        hint = f", did you mean {close[0]!r}" if close else ""
        raise CatalogError(f"no experiment {slug!r}{hint}; 'python3 -m catalog list' shows all")
    return stub


def load(stub: Stub, name: str | None = None) -> ModuleType:
    """Import a module of the experiment's folder (default: the main one); CatalogError if that fails."""
    if str(stub.folder) not in sys.path:
        sys.path.insert(0, str(stub.folder))
    try:
        return importlib.import_module(name or stub.module)
    except Exception as error:
        raise CatalogError(f"{stub.slug}: import fails with {type(error).__name__}: {error}") from None
