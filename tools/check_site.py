"""Check the built documentation: every link within it leads somewhere, and nothing is loaded from elsewhere.

Links that leave the site are listed with ``--external``; a build without a network cannot follow them.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src")}
"""Elements that a browser loads by itself."""


class Page(HTMLParser):
    """What a page links to, loads, and can be linked at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element's links and its id."""
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.ids.add(value)
            elif (tag, name) in LOADED:
                self.loads.append(value)
            elif name == "href":
                stylesheet = tag == "link" and not dict(attrs).get("rel", "").startswith(
                    ("canonical", "alternate")
                )
                (self.loads if stylesheet else self.links).append(value)


def problems(site: Path) -> list[str]:
    """Return links that lead nowhere, and what is loaded from elsewhere."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = [] if pages else [f"{site} has no page"]
    for path, page in pages.items():
        where = path.relative_to(site)
        found += [f"{where} loads {link}" for link in page.loads if is_external(link)]
        for link in (*page.links, *(it for it in page.loads if not is_external(it))):
            if not is_external(link) and not leads_somewhere(link, path, pages):
                found.append(f"{where} links to {link}")
    return found


def is_external(link: str) -> bool:
    """Return whether a link leaves the site."""
    parts = urlsplit(link)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "mailto")


def leads_somewhere(link: str, path: Path, pages: dict[Path, Page]) -> bool:
    """Return whether a link within the site has a target."""
    parts = urlsplit(link)
    if parts.scheme == "data":
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return False
    fragment = unquote(parts.fragment)
    return not fragment or target not in pages or fragment in pages[target].ids


def main(arguments: list[str]) -> int:
    """Print the problems of a site; with ``--external``, its links to elsewhere."""
    site = Path(arguments[0]).resolve()
    if "--external" in arguments:
        links = {it for path in site.rglob("*.html") for it in Page(path.read_text(encoding="utf-8")).links}
        print("\n".join(sorted(it for it in links if is_external(it))))
        return 0
    found = problems(site)
    print("\n".join(found) if found else f"Every link within {site.name} leads somewhere.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
