#!/usr/bin/env python3
"""Checks that every relative link of every Markdown file leads somewhere: to a file, and to a heading where it names one.

Links to other hosts are not followed. Prints one line for each broken link; fails if there is any.
"""

import os
import re
import sys
import unicodedata
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
INLINE = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^\s)>]+)>?(?:\s+[\"'][^)]*)?\)")
REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s*<?([^\s>]+)>?", re.MULTILINE)
FENCE = re.compile(r"^\s*(```|~~~).*?^\s*\1\s*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)
ANCHOR = re.compile(r"<a\s+(?:id|name)=[\"']([^\"']+)[\"']")
SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def markdown_files():
    """Every Markdown file of the tree, in order; builds, data and hidden folders are no part of it."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in ("target", "data") and (name == ".github" or name[0] != ".")]
        found += [Path(folder) / name for name in names if name.endswith(".md")]
    return sorted(found)


def blanked(match):
    """The lines of a code block without their text: line numbers stay right."""
    return "\n" * match.group(0).count("\n")


def prose(text):
    """The text without code, where brackets are no links."""
    return re.sub(r"`[^`\n]*`", "``", FENCE.sub(blanked, text))


def slug(heading):
    """The anchor that code hosts give a heading."""
    text = re.sub(r"`([^`]*)`", r"\1", heading)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text).lower()
    kept = (c for c in text if c in " -_" or unicodedata.category(c)[0] in "LNM")
    return "".join(kept).replace(" ", "-")


def anchors(path):
    """Every anchor of a Markdown file; a heading that comes again gets a number."""
    text = FENCE.sub(blanked, path.read_text(encoding="utf-8"))
    found, seen = set(ANCHOR.findall(text)), {}
    for heading in HEADING.findall(text):
        name = slug(heading)
        count = seen[name] = seen.get(name, -1) + 1
        found.add(name if count == 0 else f"{name}-{count}")
    return found


def problem(source, target):
    """What is wrong with a link, or nothing."""
    place, _, anchor = target.partition("#")
    place = unquote(place)
    if place.startswith("/"):
        return "starts at the root of a host; write it relative to the file"
    goal = (source.parent / place).resolve() if place else source
    if ROOT not in goal.parents and goal != ROOT:
        return "leads out of the repository"
    if not goal.exists():
        return "leads nowhere"
    if anchor and goal.suffix == ".md" and unquote(anchor) not in anchors(goal):
        return f"names no heading of {goal.relative_to(ROOT)}"
    return None


def main():
    files, links, broken = markdown_files(), 0, []
    for path in files:
        text = prose(path.read_text(encoding="utf-8"))
        for match in [*INLINE.finditer(text), *REFERENCE.finditer(text)]:
            target = match.group(1)
            if SCHEME.match(target):
                continue
            links += 1
            if reason := problem(path, target):
                line = text.count("\n", 0, match.start(1)) + 1
                broken.append(f"{path.relative_to(ROOT)}:{line}: {target} {reason}")
    print("\n".join(broken) if broken else f"{links} relative links in {len(files)} Markdown files lead somewhere")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
