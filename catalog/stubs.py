"""Finds the experiments and reads what they declare, from their syntax trees; only `load` imports one."""

import ast
import hashlib
import importlib
import sys
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
DECLARED = ("PRESETS", "SEEDS", "CLAIMS", "SMOKE")
SECTIONS = ("Paper", "Task", "Method", "Differs")


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
            return file.readline().strip().lstrip('"').rstrip('."')

    @cached_property
    def tree(self) -> ast.Module:
        try:
            return ast.parse(self.path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            raise CatalogError(f"{self.path}:{error.lineno}: {error.msg}") from None

    @cached_property
    def sections(self) -> dict[str, str]:
        """The docstring's paragraphs Paper, Task, Method, Differs."""
        paragraphs = (ast.get_docstring(self.tree) or "").split("\n\n")
        split = (" ".join(p.split()).partition(": ") for p in paragraphs)
        return {key: text for key, _, text in split if key in SECTIONS}

    @cached_property
    def declared(self) -> dict:
        """The literals PRESETS, SEEDS, CLAIMS and SMOKE."""
        found = {}
        for node in self.tree.body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            if isinstance(target, ast.Name) and target.id in DECLARED:
                try:
                    found[target.id] = ast.literal_eval(node.value)
                except ValueError:
                    raise CatalogError(f"{self.path}:{node.lineno}: {target.id} must be a literal") from None
        for name in DECLARED:
            if name not in found:
                raise CatalogError(f"{self.path}: {name} is missing")
        return found

    @property
    def presets(self) -> dict[str, dict]:
        return self.declared["PRESETS"]

    @property
    def claims(self) -> tuple[tuple[str, str, str, str], ...]:
        return self.declared["CLAIMS"]

    def planned(self) -> list[tuple[str, int]]:
        """The runs (preset, seed) a sweep records: every seed of every preset, smoke once, paper_ only on request."""
        return [
            (preset, seed)
            for preset in self.presets
            if not preset.startswith("paper_")
            for seed in range(1 if preset == "smoke" else self.declared["SEEDS"])
        ]

    def check_preset(self, preset: str) -> None:
        """Raise CatalogError unless the experiment has this preset."""
        if preset not in self.presets:
            raise CatalogError(f"{self.slug} has no preset {preset!r}; it has {', '.join(self.presets)}")

    def code(self, preset: str) -> str:
        """Hash of all that shapes a run of `preset`: the sources' syntax trees and the preset's own overrides.

        Docstrings, comments, claims, other presets and `main` may change without making a record stale.
        """
        parts = [sorted(self.presets[preset].items())]
        for path in self.sources:
            body = self.tree.body if path == self.path else ast.parse(path.read_text(encoding="utf-8")).body
            experiment = [node for node in body if name_of(node) not in (*DECLARED, "main")]
            parts += [skeleton(node) for node in experiment if not is_text(node)]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def name_of(node: ast.stmt) -> str | None:
    """The name a top-level statement binds, if it is an assignment, a function or a class."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        return target.id if isinstance(target, ast.Name) else None
    return getattr(node, "name", None)


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is a bare string, such as a module's docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def has_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node, clean=False) is not None


def skeleton(node: ast.AST) -> tuple:
    """A syntax tree as nested tuples, without docstrings, positions and empty fields (these differ between Pythons)."""
    fields = []
    for name, value in ast.iter_fields(node):
        if name == "body" and has_docstring(node):
            value = value[1:]
        if isinstance(value, ast.AST):
            value = skeleton(value)
        elif isinstance(value, list):
            value = tuple(skeleton(item) if isinstance(item, ast.AST) else item for item in value)
        if value not in (None, ()) and name not in ("ctx", "kind", "type_comment"):
            fields.append((name, value if isinstance(value, tuple) else repr(value)))
    return (type(node).__name__, *fields)


def eras(root: Path = ROOT) -> list[tuple[str, list[tuple[str, list[Stub]]]]]:
    """Eras with their papers and existing folders, in catalogue order; folders papers.toml does not name come last."""
    there = {p.parent.name for p in root.glob("*/*.py") if p.stem == p.parent.name.replace("-", "_")} - {"catalog"}
    listed = tomllib.loads((Path(__file__).parent / "papers.toml").read_text(encoding="utf-8"))["era"]
    found = []
    for era in listed:
        papers = [(p["cite"], [Stub(root, slug) for slug in p["slugs"] if slug in there]) for p in era["paper"]]
        found.append((era["name"], [(cite, stubs) for cite, stubs in papers if stubs]))
        there -= {slug for paper in era["paper"] for slug in paper["slugs"]}
    if there:
        found.append(("Further experiments", [("Not in the catalogue's list", [Stub(root, s) for s in sorted(there)])]))
    return [(name, papers) for name, papers in found if papers]


def total() -> int:
    """How many folders the finished catalogue has."""
    listed = tomllib.loads((Path(__file__).parent / "papers.toml").read_text(encoding="utf-8"))["era"]
    return sum(len(paper["slugs"]) for era in listed for paper in era["paper"])


def find(root: Path = ROOT) -> list[Stub]:
    """Every experiment in catalogue order."""
    return [stub for _, papers in eras(root) for _, stubs in papers for stub in stubs]


def get(slug: str, root: Path = ROOT) -> Stub:
    """The experiment in folder `slug`; CatalogError if there is none."""
    stub = Stub(root, slug.rstrip("/"))
    if not stub.path.is_file():
        close = difflib_hint(slug, [s.slug for s in find(root)])
        raise CatalogError(f"no experiment {slug!r}{close}; 'python3 -m catalog list' shows all")
    return stub


def difflib_hint(word: str, words: list[str]) -> str:
    import difflib  # only needed when something is wrong

    close = difflib.get_close_matches(word, words, n=1)
    return f", did you mean {close[0]!r}" if close else ""


def load(stub: Stub, name: str | None = None) -> ModuleType:
    """Import a module of the experiment's folder (default: the main one); CatalogError if that fails."""
    if str(stub.folder) not in sys.path:
        sys.path.insert(0, str(stub.folder))
    try:
        return importlib.import_module(name or stub.module)
    except Exception as error:
        raise CatalogError(f"{stub.slug}: import fails with {type(error).__name__}: {error}") from None
