#!/usr/bin/env python3
"""Checks the sizes of functions and files under src/ and include/.

A function body over 40 lines needs `/* long: reason */` just above the function, a file over 400
lines needs `/* long file: reason */` in its first 30 lines; 80 and 800 are the limits even so.
Relies on the house style: a function's braces stand alone in the first column.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FUNCTION_SOFT, FUNCTION_HARD = 40, 80
FILE_SOFT, FILE_HARD = 400, 800
HEAD_LINES = 30
LONG_FUNCTION = re.compile(r"/\*\s*long: \S")
LONG_FILE = re.compile(r"long file: \S")


def functions(lines):
    """Yields (index of the signature's first line, length of the body in lines)."""
    opened = None
    for index, line in enumerate(lines):
        if line == "{":
            opened = index
        elif line.startswith("}") and opened is not None:
            first = opened
            while first > 0 and lines[first - 1].strip() and not ends_before(lines[first - 1]):
                first -= 1
            yield first, index - opened - 1
            opened = None


def ends_before(line):
    return line.rstrip().endswith(("*/", "}", ";")) or line.startswith("#")


def excused(lines, first):
    above = first - 1
    comment = []
    while above >= 0 and lines[above].strip():
        comment.append(lines[above])
        if "/*" in lines[above]:
            break
        above -= 1
    return bool(LONG_FUNCTION.search(" ".join(reversed(comment))))


def name_of(signature):
    match = re.search(r"(\w+)\s*\(", signature)
    return match[1] if match else signature


def findings(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    head = "\n".join(lines[:HEAD_LINES])
    if len(lines) > FILE_HARD:
        yield 1, f"{len(lines)} lines, the limit is {FILE_HARD}"
    elif len(lines) > FILE_SOFT and not LONG_FILE.search(head):
        yield 1, f"{len(lines)} lines: over {FILE_SOFT} the head says /* long file: reason */"
    for first, length in functions(lines):
        name = name_of(" ".join(lines[first : first + 3]))
        if length > FUNCTION_HARD:
            yield first + 1, f"{name} has {length} lines, the limit is {FUNCTION_HARD}"
        elif length > FUNCTION_SOFT and not excused(lines, first):
            yield first + 1, f"{name} has {length} lines: over {FUNCTION_SOFT} /* long: reason */"


def main():
    found = 0
    files = sorted((ROOT / "src").rglob("*.[ch]")) + sorted((ROOT / "include").rglob("*.h"))
    for path in files:
        for number, text in findings(path):
            found += 1
            print(f"{path.relative_to(ROOT)}:{number}: {text}")
    print(f"sizes: {len(files)} files, {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
