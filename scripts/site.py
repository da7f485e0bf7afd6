"""The documentation as a folder of HTML pages: README, CONTRIBUTING, docs/ and the report of a night.

In: this repository's Markdown and, where there is one, a report.html. Out: the folder, its index.html the
README. Run: ``python scripts/site.py [--report FILE] FOLDER``. Needs markdown-it-py and linkify-it-py alone.
"""

from __future__ import annotations

import argparse
import html
import posixpath
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
STYLE = (
    "body{max-width:46rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif;"
    "color-scheme:light dark}pre{overflow:auto;padding:.5rem;background:#8882}"
    "table{border-collapse:collapse}td,th{border:1px solid #8886;padding:.2rem .5rem}"
)
TOP = (
    "README.md",
    *("CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "GOVERNANCE.md", "SECURITY.md", "CHANGELOG.md"),
)


def pages() -> list[Path]:
    """What is shown: the pages at the top, docs/ and benchmarks/README.md, as paths from the root."""
    found = [Path(name) for name in TOP if (ROOT / name).is_file()]
    found += sorted(path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md"))
    return [*found, Path("benchmarks/README.md")]


def address(page: Path) -> str:
    """Where a page lies on the site."""
    return "index.html" if page == Path("README.md") else page.with_suffix(".html").as_posix()


def render(page: Path, known: set[Path], reports: bool) -> str:
    """One page; links between pages lead to pages, all others stay as they are."""
    # Raw HTML of a document is shown, not passed on.
    reader = MarkdownIt("commonmark", {"html": False, "linkify": True}).enable(["table", "linkify"])
    tokens = reader.parse((ROOT / page).read_text(encoding="utf-8"))
    for token in tokens:
        for part in token.children or ():
            if part.type == "link_open":
                _lead(part, page, known)
    body = reader.renderer.render(tokens, reader.options, {})
    top = posixpath.relpath(".", posixpath.dirname(address(page)) or ".")
    more = f' · <a href="{top}/report.html">last report</a>' if reports else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{html.escape(_title(tokens))}'
        f'</title><style>{STYLE}</style><p><a href="{top}/index.html">Graft</a>{more}</p>{body}</html>\n'
    )


def _lead(link: Token, page: Path, known: set[Path]) -> None:
    parts = urlsplit(str(link.attrGet("href") or ""))
    if parts.scheme or parts.netloc or not parts.path:
        return
    there = Path(posixpath.normpath(posixpath.join(page.parent.as_posix(), parts.path)))
    if there in known:
        here = posixpath.dirname(address(page)) or "."
        mark = f"#{parts.fragment}" if parts.fragment else ""
        link.attrSet("href", posixpath.relpath(address(there), here) + mark)


def _title(tokens: list[Token]) -> str:
    return next((token.content for token in tokens if token.type == "inline"), "Graft")


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the documentation as HTML.")
    parser.add_argument("--report", type=Path, help="a report.html; left out where it is missing")
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    found = pages()
    report = args.report if args.report is not None and args.report.is_file() else None
    for page in found:
        place = args.folder / address(page)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(render(page, set(found), report is not None), encoding="utf-8")
    for picture in (ROOT / "docs").rglob("*.svg"):
        shutil.copy(picture, args.folder / picture.relative_to(ROOT))
    if report is not None:
        shutil.copy(report, args.folder / "report.html")
    print(f"{len(found)} pages in {args.folder}")


if __name__ == "__main__":
    main()
