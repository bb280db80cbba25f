"""Writes the golden files: JSON with short lines, full precision and the versions that made it."""

import importlib.metadata
import json
import math
import pathlib
import platform
import re
import textwrap

HERE = pathlib.Path(__file__).resolve().parent


def write(name, packages, content):
    """Writes `content` (a dictionary) to <name>.json beside this script."""
    made_with = {"script": f"make_{name}.py", "python": platform.python_version()}
    made_with.update((p, importlib.metadata.version(p)) for p in packages)
    plain = json.dumps({"made_with": made_with, **content}, indent=1, allow_nan=False)
    # Lists of numbers, which `indent` spreads over one line each, are filled again.
    text = re.sub(r"( *)(\"\w+\": )?\[([^][{}\"]+)\]", fill, plain)
    assert json.loads(text) == json.loads(plain) and max(map(len, text.split("\n"))) < 100
    (HERE / f"{name}.json").write_text(text + "\n")


def fill(match):
    indent, key, numbers = match.group(1), match.group(2) or "", " ".join(match.group(3).split())
    indents = {"initial_indent": indent, "subsequent_indent": indent + " "}
    return textwrap.fill(f"{key}[{numbers}]", 98, break_on_hyphens=False, **indents)


def finite(values):
    """The list, once every number in it is known to be finite; -0.0 becomes 0.0."""
    assert all(math.isfinite(v) for v in values)
    return [v + 0.0 for v in values]
