"""Makes the folder of a new experiment: a small one that works, to be replaced part by part."""

import re
from pathlib import Path

from catalog import canon
from catalog.stubs import CatalogError, Stub

TEMPLATE = Path(__file__).parent / "template"


def create(root: Path, slug: str) -> list[str]:
    """Write the folder <root>/<slug>; returns the lines that tell what to do next."""
    stub = Stub(root, slug)
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", slug):
        raise CatalogError(f"{slug!r} is no name for a folder; use lower-case words with hyphens, like nbb-xor")
    if stub.folder.exists():
        raise CatalogError(f"{stub.folder} exists already")
    files = {
        "stub": f"{stub.module}.py",
        "test": f"test_{stub.module}.py",
        "visualize": f"visualize_{stub.module}.py",
        "gif": f"make_{stub.module}_gif.py",
        "README": "README.md",
    }
    stub.folder.mkdir(parents=True)
    for kind, name in files.items():
        text = (TEMPLATE / f"{kind}.txt").read_text(encoding="utf-8")
        text = text.replace("{{slug}}", slug).replace("{{module}}", stub.module)
        text = re.sub(r"\{\{canonical (\w+)\}\}", lambda match: canon.texts(kind)[match[1]][0], text)
        (stub.folder / name).write_text(text, encoding="utf-8")
    after = (f"sweep {slug}", f"figures {slug}", "render", "verify")
    return [f"{stub.folder} is made; replace its TODOs, then", *(f"    python3 -m catalog {c}" for c in after)]
