"""Fails if a Markdown file of the repository links to a file or a heading that is not there.

Links to other sites are not followed: a build must not depend on them.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")


def anchors(path):
    """The names that headings of a Markdown file are given."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text()), re.M)
    words = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", word.lower()).strip().replace(" ", "-") for word in words}


def problems(path):
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", path.read_text()))
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        if not target.is_relative_to(ROOT) or not target.exists():
            yield f"{path.relative_to(ROOT)}: there is no {link}"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{path.relative_to(ROOT)}: {place or path.name} has no heading #{anchor}"


files = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True)
pages = [ROOT / name for name in files.stdout.splitlines()]
found = [problem for page in pages for problem in problems(page)]
print("\n".join(found) or f"links of {len(pages)} pages lead somewhere")
sys.exit(bool(found))
