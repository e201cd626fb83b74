"""What the documents point at exists: links between pages, anchors, and every file that docs/architecture.md names."""

import re
from collections.abc import Iterator
from pathlib import Path

from support import tree

PAGES = [*tree.files("docs", suffixes=(".md",)), *sorted(tree.ROOT.glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", flags=re.MULTILINE)
NAMED_FILE = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md|toml|yaml|tsx?|css))`")


def test_every_link_between_pages_leads_somewhere() -> None:
    assert [f"{tree.relative(page)}: {link}" for page in PAGES for link in _links(page) if not _leads(page, link)] == []


def test_every_page_is_reachable_from_the_index() -> None:
    index = tree.ROOT / "docs" / "README.md"
    reached: set[Path] = set()
    waiting = [index]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        targets = ((page.parent / link.partition("#")[0]).resolve() for link in _links(page))
        waiting += [
            target for target in targets if target.suffix == ".md" and target.exists() and target not in reached
        ]
    assert {tree.relative(page) for page in tree.files("docs", suffixes=(".md",))} - {
        tree.relative(page) for page in reached
    } == set()


def test_every_file_that_the_architecture_names_exists() -> None:
    page = tree.ROOT / "docs" / "architecture.md"
    names = NAMED_FILE.findall(tree.source(page)) if page.exists() else []
    places = (
        tree.ROOT,
        tree.ROOT / "src" / "fondaco",
        tree.ROOT / "web" / "src",
        tree.ROOT / "tests",
        tree.ROOT / "docs",
    )
    assert [name for name in names if not any((place / name).exists() for place in places)] == []


def _links(page: Path) -> Iterator[str]:
    yield from (
        link for link in LINK.findall(tree.source(page)) if "://" not in link and not link.startswith("mailto:")
    )


def _leads(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists():
        return False
    return (
        not anchor
        or target.suffix != ".md"
        or anchor in {_anchor(each) for each in HEADING.findall(tree.source(target))}
    )


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
