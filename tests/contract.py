"""The rules a folder must keep, each a function from the folder to the list of what is wrong."""

import ast
import re
import sys

from PIL import Image

from catalog import canon, claims, stubs
from catalog.stubs import Stub

DOCSTRING_KEYS = ("Paper", "Task", "Method", "Differs")
README_SECTIONS = [
    "Problem",
    "Files",
    "Running",
    "Results",
    "Visualizations",
    "Deviations from the original",
    "Open questions",
]
MAX_LINES, MAX_FUNCTION = 400, 50


def trees(stub: Stub) -> dict[str, ast.Module]:
    """Syntax trees of the experiment's modules, by file name."""
    return {path.name: ast.parse(path.read_text()) for path in stub.sources}


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def top(tree: ast.Module, name: str) -> ast.stmt | None:
    return next((node for node in tree.body if stubs.name_of(node) == name), None)


def files(stub: Stub) -> list[str]:
    m = stub.module
    needed = [f"{m}.py", f"test_{m}.py", f"visualize_{m}.py", f"make_{m}_gif.py", f"{m}.gif", "README.md"]
    return [f"{name} is missing" for name in [*needed, "runs.jsonl", "viz"] if not (stub.folder / name).exists()]


def todo(stub: Stub) -> list[str]:
    texts = [*stub.folder.glob("*.py"), *stub.folder.glob("*.md")]
    return [f"{path.name} still has a TODO" for path in texts if "TODO" in path.read_text()]


def module_names(stub: Stub) -> list[str]:
    """Python keeps one module per name, so folders may share a name only if they share the text."""
    texts = {}
    for path in (path for other in stubs.find(stub.root) for path in other.folder.glob("*.py")):
        texts.setdefault(path.name, set()).add(path.read_text())
    return [f"{p.name} is another text in another folder" for p in stub.folder.glob("*.py") if len(texts[p.name]) > 1]


def docstring(stub: Stub) -> list[str]:
    title, *paragraphs = (ast.get_docstring(stub.tree) or "").split("\n\n")
    wrong = (
        [] if title.endswith(".") and "\n" not in title else ["the docstring must begin with a sentence on one line"]
    )
    keys = [paragraph.partition(": ")[0] for paragraph in paragraphs]
    return wrong + [f"docstring lacks '{key}: ...'" for key in DOCSTRING_KEYS if key not in keys]


def config(stub: Stub) -> list[str]:
    node = top(stub.tree, "Config")
    if not isinstance(node, ast.ClassDef) or "dataclass(frozen=True)" not in map(ast.unparse, node.decorator_list):
        return ["Config must be a frozen dataclass"]
    wrong, lines = [], stub.path.read_text().splitlines()
    fields = {f.target.id: f for f in node.body if isinstance(f, ast.AnnAssign)}
    for name, field in fields.items():
        kind = ast.unparse(field.annotation)
        try:
            good = kind in ("int", "float", "str") and type(ast.literal_eval(field.value)).__name__ == kind
        except (ValueError, TypeError):
            good = False
        if not good:
            wrong.append(f"Config.{name} must be an int, float or str with a literal default of that type")
        if "#" not in lines[field.lineno - 1] and name != "snapshots":
            wrong.append(f"Config.{name} needs a trailing comment")
    return wrong + ([] if "snapshots" in fields else ["Config needs the field snapshots"])


def literals(stub: Stub) -> list[str]:
    declared, wrong = stub.declared, []
    presets, claimed = declared["PRESETS"], declared["CLAIMS"]
    known = {f.target.id for f in top(stub.tree, "Config").body if isinstance(f, ast.AnnAssign)}
    if next(iter(presets.values())) != {}:
        wrong.append("the first preset must be {}, the headline")
    if list(presets)[-1] != "smoke":
        wrong.append("the last preset must be smoke")
    wrong += [f"preset {p} sets unknown fields {set(o) - known}" for p, o in presets.items() if set(o) - known]
    if not isinstance(declared["SEEDS"], int) or declared["SEEDS"] < 1:
        wrong.append("SEEDS must be a whole number above 0")
    if not claimed or not all(len(claim) == 4 and all(isinstance(part, str) for part in claim) for claim in claimed):
        return [*wrong, "every claim must be four strings"]
    if len({claim[0] for claim in claimed}) < len(claimed):
        wrong.append("claim ids must differ")
    for name, _, _, holds in claimed:
        unknown = {preset for preset, _ in claims.names(holds)} - set(presets)
        wrong += [f"claim {name} names unknown presets {unknown}"] if unknown else []
        wrong += [] if claims.names(holds) else [f"claim {name} names no preset.metric"]
    claims.parse(declared["SMOKE"])
    return wrong


def imports(stub: Stub) -> list[str]:
    """The experiment needs the standard library, numpy and its own folder, nothing else."""
    allowed = {*sys.stdlib_module_names, "numpy", *(path.stem for path in stub.sources)}
    wrong = []
    for name, tree in trees(stub).items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                modules = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or "."]
                wrong += [f"{name}:{node.lineno}: imports {m}" for m in modules if m.split(".")[0] not in allowed]
    return wrong


def sizes(stub: Stub) -> list[str]:
    wrong = []
    for path in stub.folder.glob("*.py"):
        lines = len(path.read_text().splitlines())
        wrong += [f"{path.name} has {lines} lines (at most {MAX_LINES})"] if lines > MAX_LINES else []
        for f in functions(ast.parse(path.read_text())) if not path.name.startswith("test_") else ():
            long = f.end_lineno - f.lineno + 1
            wrong += [f"{path.name}: {f.name} has {long} lines (at most {MAX_FUNCTION})"] if long > MAX_FUNCTION else []
    return wrong


def training(stub: Stub) -> list[str]:
    """train is a generator whose first statement gives every purpose a random stream of its own."""
    node = top(stub.tree, "train")
    if not isinstance(node, ast.FunctionDef):
        return ["there is no function train"]
    first = node.body[1] if ast.get_docstring(node) else node.body[0]
    wrong = []
    if not (isinstance(first, ast.Assign) and re.fullmatch(r"rng\.spawn\(\d+\)", ast.unparse(first.value))):
        wrong.append("train must begin with init_rng, data_rng, test_rng = rng.spawn(3)")
    if not any(isinstance(n, ast.Yield | ast.YieldFrom) for n in ast.walk(node)):
        wrong.append("train must be a generator of snapshots")
    return wrong


def purity(stub: Stub) -> list[str]:
    """Outside main: no global random generator, no reseeding, no clock, no file, no print."""
    banned = {"print", "open", "input", "Path", "time", "datetime", "random", "os", "exec", "eval"}
    wrong = []
    for name, tree in trees(stub).items():
        for node in (n for stmt in tree.body if stubs.name_of(stmt) != "main" for n in ast.walk(stmt)):
            where = f"{name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Name) and node.id in banned and isinstance(node.ctx, ast.Load):
                wrong.append(f"{where}: uses {node.id} outside main")
            global_random = isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np.random", "numpy.random")
            if global_random and node.attr != "Generator":
                wrong.append(f"{where}: uses np.random.{node.attr} outside main; draw from rng.spawn")
            if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Name) and node.left.id == "seed":
                wrong.append(f"{where}: computes with the seed; use rng.spawn")
    return wrong


def oracles(stub: Stub) -> list[str]:
    path = stub.folder / f"test_{stub.module}.py"
    tests = [f for f in functions(ast.parse(path.read_text())) if f.name.startswith("test_")]
    wrong = [] if len(tests) >= 3 else [f"{path.name} has {len(tests)} tests, 3 to 6 are wanted"]
    for test in tests:
        text = ast.unparse(test)
        if not re.search(r"\bassert\b|pytest\.raises|np\.testing\.", text):
            wrong.append(f"{path.name}: {test.name} asserts nothing")
        if re.search(r"\.train\(", text):
            wrong.append(f"{path.name}: {test.name} trains; oracles need no training")
    return wrong


def readme(stub: Stub) -> list[str]:
    text = (stub.folder / "README.md").read_text()
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    wrong = [] if sections == README_SECTIONS else [f"README sections are {sections}, not {README_SECTIONS}"]
    if not text.startswith("# "):
        wrong.append("README must begin with a title")
    for mark in ("<!-- results:begin -->", "<!-- results:end -->", f"]({stub.module}.gif)"):
        if text.count(mark) != 1:
            wrong.append(f"README must have {mark} once")
    shown = set(re.findall(r"\]\((viz/[^)]+)\)", text))
    there = {f"viz/{path.name}" for path in (stub.folder / "viz").glob("*")}
    wrong += [f"README shows {name}, which is not there" for name in sorted(shown - there)]
    return wrong + [f"README does not show {name}" for name in sorted(there - shown)]


def pictures(stub: Stub) -> list[str]:
    wrong = [
        f"viz/{path.name} has {path.stat().st_size // 1000} KB (at most 150)"
        for path in (stub.folder / "viz").glob("*")
        if path.stat().st_size > 150_000
    ]
    drawn = {f"{f.name}.png" for f in functions(ast.parse((stub.folder / f"visualize_{stub.module}.py").read_text()))}
    wrong += [f"viz/{p.name} has no function" for p in (stub.folder / "viz").glob("*") if p.name not in drawn]
    path = stub.folder / f"{stub.module}.gif"
    if path.stat().st_size > 800_000:
        wrong.append(f"the film has {path.stat().st_size // 1000} KB (at most 800)")
    with Image.open(path) as film:
        if not 40 <= film.n_frames <= 120:
            wrong.append(f"the film has {film.n_frames} frames (40 to 120)")
        if film.width > 900:
            wrong.append(f"the film is {film.width} pixels wide (at most 900)")
        film.seek(film.n_frames - 1)
        if film.info["duration"] < 2000:
            wrong.append("the film's last frame must be held for 2 s")
    return wrong


def canonical(stub: Stub) -> list[str]:
    wrong = [f"{p.name}: {n.name} differs from catalog/canonical" for p, n in canon.drifted(stub)]
    for path, kind in ((stub.path, "stub"), (stub.folder / f"visualize_{stub.module}.py", "visualize")):
        if top(ast.parse(path.read_text()), "main") is None:
            wrong.append(f"{path.name} lacks the canonical main of catalog/canonical/{kind}.txt")
    return wrong


RULES = (
    files,
    todo,
    module_names,
    docstring,
    config,
    literals,
    imports,
    sizes,
    training,
    purity,
    oracles,
    readme,
    pictures,
    canonical,
)
