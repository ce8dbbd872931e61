#!/usr/bin/env python3
"""Checks that the layers include each other in the allowed direction only.

    cli ─┐
    daemon (serve) ─┬→ http ─┐
                    └→ worker ┼→ dag → queue → store/store.h ← store/{embedded,postgres,remote}
    examples, bindings ──────┘        everything → util

Prints one line per violation and exits 1 if there was one.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# Layer: private headers it may include, besides its own and util/. A name ending in / is a folder.
STORE = ["store/store.h", "store/protocol.h"]
QUEUE = STORE + ["queue/"]
# The pure rules of every store: transitions, back-off, dependency modes, and conditions.
RULES = ["queue/rules.h", "dag/condition.h"]
ALLOWED = {
    "util": [],
    "store": [],
    "store/embedded": STORE + RULES,
    "store/postgres": STORE + RULES,
    "store/remote": STORE + RULES,
    # The store that a file really gets: it puts owner, server and client together.
    "store/shared": STORE + ["store/embedded/lock.h", "store/remote/", "http/http.h"],
    "queue": STORE,
    "dag": QUEUE,
    "workflow": QUEUE + ["dag/"],
    "worker": QUEUE + ["dag/", "workflow/"],
    "http": QUEUE + ["dag/", "worker/"],
    "daemon": QUEUE + ["dag/", "worker/", "http/"],
    "cli": [],
}
PUBLIC_ONLY = {"cli"}  # not even util/
FOREIGN = {
    "duckdb.h": "store/embedded",
    "libpq-fe.h": "store/postgres",
    "yaml.h": "workflow",
}


def layer_of(relative):
    """The layer of a path below src/, or None."""
    folder = relative.parent
    while str(folder) != ".":
        if folder.as_posix() in ALLOWED:
            return folder.as_posix()
        folder = folder.parent
    return None


def permitted(layer, header, path):
    if header.startswith("queuack/"):
        return True
    own = header.startswith(layer + "/") and layer_of(pathlib.PurePosixPath(header)) == layer
    if own or ("/" not in header and (path.parent / header).exists()):
        return True
    if header.startswith("util/") and layer not in PUBLIC_ONLY:
        return True
    return any(
        header.startswith(allowed) if allowed.endswith("/") else header == allowed
        for allowed in ALLOWED[layer]
    )


def private(header):
    return (ROOT / "src" / header).exists() or header.split("/")[0] in {
        name.split("/")[0] for name in ALLOWED
    }


def violations(path):
    relative = path.relative_to(ROOT / "src")
    layer = layer_of(relative)
    if layer is None:
        yield 1, "belongs to no layer: add its folder to ALLOWED in tools/check_layers.py"
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, header = match.groups()
        name = header.split("/")[-1]
        if name in FOREIGN and layer != FOREIGN[name]:
            yield number, f"only src/{FOREIGN[name]} may include {name}"
        elif (quote == '"' or private(header)) and not permitted(layer, header, path):
            yield number, f"{layer} must not include {header}"


def public_violations(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if match and (match[1] == '"' or private(match[2]) or match[2] in FOREIGN):
            yield number, f"a public header must not include {match[2]}"


def main():
    found = 0
    files = 0
    for folder, check in (("src", violations), ("include", public_violations)):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            files += 1
            for number, text in check(path):
                found += 1
                print(f"{path.relative_to(ROOT)}:{number}: {text}")
    print(f"layers: {files} files, {found} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
