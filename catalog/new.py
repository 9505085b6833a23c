"""Makes the folder of a new experiment: a small one that works, to be replaced part by part."""

import re
from pathlib import Path

from catalog import canon
from catalog.stubs import CatalogError, Stub

TEMPLATE = Path(__file__).parent / "template"
NAMES = {"stub": "{}.py", "test": "test_{}.py", "visualize": "visualize_{}.py", "gif": "make_{}_gif.py"}


def create(root: Path, slug: str) -> None:
    """Write the folder <root>/<slug>; CatalogError if the name is no slug or taken."""
    stub = Stub(root, slug)
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", slug):
        raise CatalogError(f"{slug!r} is no name for a folder; use lower-case words with hyphens, like nbb-xor")
    if stub.folder.exists():
        raise CatalogError(f"{stub.folder} exists already")
    stub.folder.mkdir(parents=True)
    for kind, name in {**NAMES, "README": "README.md"}.items():
        text = (TEMPLATE / f"{kind}.txt").read_text(encoding="utf-8")
        text = text.replace("{{slug}}", slug).replace("{{module}}", stub.module)
        text = re.sub(r"\{\{canonical (\w+)\}\}", lambda match, kind=kind: canon.texts(kind)[match[1]], text)
        (stub.folder / name.format(stub.module)).write_text(text, encoding="utf-8")
