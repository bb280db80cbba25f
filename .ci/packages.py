#!/usr/bin/env python3
"""Every package of Cargo.lock has a licence that this crate may be built with, takes its compiler, and is not
withdrawn from the registry.

    .ci/packages.py     two lines, or the packages that do not and an exit status of 1

By `cargo metadata`, of all targets and features, and by `cargo package`, which asks the registry; without a
network the latter is skipped. Advisories are in a database that no registry has: `cargo audit` reads it.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

ALLOWED = set(
    "MIT Apache-2.0 BSD-2-Clause BSD-3-Clause ISC Zlib Unicode-3.0 CC0-1.0 0BSD Unlicense MPL-2.0 BSL-1.0".split()
)


def allowed(expression):
    """Whether an SPDX expression allows what `ALLOWED` does; `/` is an old form of OR."""
    tokens = re.findall(r"[()]|[^\s()/]+", expression.replace("/", " OR "))

    def choice():
        good = both()
        while tokens[:1] == ["OR"]:
            tokens.pop(0)
            good = both() or good
        return good

    def both():
        good = one()
        while tokens[:1] == ["AND"]:
            tokens.pop(0)
            good = one() and good
        return good

    def one():
        token = tokens.pop(0)
        if token == "(":
            good = choice()
            tokens.pop(0)
            return good
        if tokens[:1] == ["WITH"]:
            # An exception gives more freedom, never less.
            del tokens[:2]
        return token in ALLOWED

    return choice() and not tokens


def version(text):
    return tuple(int(part) for part in text.split(".")[:2])


def yanked(root):
    """What `cargo package` says of withdrawn versions; nothing, and a line why, if there is no registry to ask."""
    with tempfile.TemporaryDirectory() as target:
        command = "cargo package --locked --no-verify --allow-dirty -p brenier --target-dir".split()
        done = subprocess.run([*command, target], cwd=root, capture_output=True, text=True)
    if done.returncode == 0:
        found = re.findall(r"package `([^`]+)` in Cargo.lock is yanked", done.stderr)
        return [f"{name}: withdrawn from the registry (cargo update -p {name.split()[0]})" for name in found]
    if re.search(r"offline|network|resolve host|connect|timed out", done.stderr, re.I):
        print("skipped: withdrawn versions, as the registry cannot be asked")
        return []
    return [done.stderr]


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    packages = json.loads(subprocess.check_output(command, cwd=root))["packages"]
    [own] = [p["rust_version"] for p in packages if p["name"] == "brenier"]
    problems = yanked(root)
    for package in packages:
        name = f"{package['name']} {package['version']}"
        licence, needs = package["license"], package["rust_version"]
        if not licence or not allowed(licence):
            problems.append(f"{name}: licence {licence or 'not stated'}")
        if needs and version(needs) > version(own):
            problems.append(f"{name}: needs Rust {needs}, this crate promises {own}")
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(packages)} packages: licences allowed, none needs more than Rust {own}")


if __name__ == "__main__":
    main()
