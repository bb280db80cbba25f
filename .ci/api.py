#!/usr/bin/env python3
"""The public items of the documentation are those of docs/api.txt.

    .ci/api.py            what differs and an exit status of 1, or one line
    .ci/api.py --write    writes docs/api.txt

From the pages that `cargo doc` wrote: a line for each item, method and implemented trait, with its signature. What
is removed or changed breaks those who use it and needs a new minor version while that is 0.x; what is added
does not. Pages differ from compiler to compiler: the list says of which it is, and is not compared by another.
Implementations that the compiler derives by itself (`Send`, blanket ones) are not listed, and neither is
what items of other crates have.
"""

import html.parser
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ROOT / "target/doc/brenier"
LIST = ROOT / "docs/api.txt"
# Elements without an end.
VOID = {"area", "br", "hr", "img", "input", "link", "meta", "source", "wbr"}


class Page(html.parser.HTMLParser):
    """Links to modules and items, and declarations with the section that they are in."""

    def __init__(self, path):
        super().__init__()
        text = path.read_text()
        # An item that is exported again from another crate has no source here, though its traits may have.
        self.foreign = not re.search(r'<a class="src" href="[./]*src/brenier/', text)
        self.links, self.declarations = [], []
        # (section, text so far) for each open element; text is None outside of declarations.
        self.open = [("", None)]
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        section, text = self.open[-1]
        classes = (own.get("class") or "").split()
        if (own.get("id") or "").endswith("implementations-list"):
            section = own["id"]
        declares = {"item-decl", "code-header"} & set(classes) or (own.get("id") or "").startswith("reexport.")
        if text is None and declares:
            self.declarations.append((section, tag, text := []))
        elif tag == "div" and text is not None:
            text.append(" ")
        if tag == "a" and re.fullmatch(r"(\w+/index|[a-z]+\.\w+)\.html", own.get("href") or ""):
            self.links.append(own["href"])
        if tag not in VOID:
            self.open.append((section, text))

    def handle_endtag(self, tag):
        self.handle_data(" " if tag == "div" else "")
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data):
        if self.open[-1][1] is not None:
            self.open[-1][1].append(data.replace("ⓘ", ""))


def public(folder):
    """The lines of a module and of what is in it."""
    page = Page(folder / "index.html")
    module = "::".join(("brenier", *folder.relative_to(PAGES).parts))
    yield from lines(module, page)
    for link in sorted(set(page.links)):
        if link.endswith("/index.html"):
            yield from public(folder / link.removesuffix("/index.html"))
        else:
            name = link.split(".")[1]
            yield from lines(f"{module}::{name}", Page(folder / link))


# What headings of a section say, beside the declaration of the item, which has none.
METHODS, TRAITS = ("implementations-list", "h4"), ("trait-implementations-list", "h3")


def lines(path, page):
    for section, tag, text in page.declarations:
        declared = section == "" and tag not in ("h3", "h4")
        listed = (section, tag) in (METHODS, TRAITS) and not page.foreign
        line = " ".join("".join(text).split())
        if (declared or listed) and "StructuralPartialEq" not in line:
            yield f"{path}: {line}"


def main():
    found = sorted(set(public(PAGES)))
    compiler = subprocess.check_output(["rustdoc", "--version"], text=True).split()[1]
    if "--write" in sys.argv:
        LIST.write_text("".join(line + "\n" for line in [f"# rustdoc {compiler}", *found]))
    head, *known = LIST.read_text().splitlines() if LIST.exists() else [""]
    if head.split()[2:] not in ([], [compiler]):
        print(f"skipped: docs/api.txt is of {head[2:]}, this is {compiler}")
        return
    gone, new = sorted(set(known) - set(found)), sorted(set(found) - set(known))
    for mark, items in (("-", gone), ("+", new)):
        print("".join(f"{mark} {item}\n" for item in items), end="")
    if gone:
        print("removed or changed: this breaks users and needs a new minor version; say so in CHANGELOG.md")
    if gone or new:
        sys.exit("docs/api.txt is not of this interface: .ci/api.py --write")
    print(f"{len(found)} public items and implementations are those of docs/api.txt")


if __name__ == "__main__":
    main()
