"""Hooks of the site: pages that lie beside docs/ join it, and links to files of the checkout become text."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]

BESIDE = {
    "configuration.md": "config/README.md",
    "benchmarks.md": "benchmarks/README.md",
    "contributing.md": "CONTRIBUTING.md",
}
"""Pages of the site that lie elsewhere in the checkout."""


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages that lie elsewhere."""
    for name, path in BESIDE.items():
        files.append(File.generated(config, name, content=(ROOT / path).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Points links at the site's pages."""
    source = BESIDE.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return linked(markdown, source)


def on_post_page(output: str, **_: Any) -> str:
    """Takes out what a notebook's template would load from the network, for diagrams that no notebook has."""
    return re.sub(r'<script type="module">[^<]*cdnjs.*?</script>', "", output, flags=re.DOTALL)


def linked(markdown: str, source: str) -> str:
    """The text with its relative links as the site has them; links to other files of the checkout are text.

    Args:
        markdown: of a page.
        source: where the page lies in the checkout.
    """
    there = {path: name for name, path in BESIDE.items()}

    def replaced(match: re.Match[str]) -> str:
        bang, text, target = match.groups()
        path, hash_sign, anchor = target.partition("#")
        if not path or "://" in target:
            return match.group()
        lies = (ROOT / source).parent.joinpath(path).resolve()
        if not lies.is_relative_to(ROOT):
            return match.group()
        name = lies.relative_to(ROOT).as_posix()
        if name in there:
            return f"{bang}[{text}]({there[name]}{hash_sign}{anchor})"
        if name.startswith("docs/") and lies.is_file() and "prospective/" not in name:
            return f"{bang}[{text}]({name.removeprefix('docs/')}{hash_sign}{anchor})"
        return text

    return re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", replaced, markdown)
