# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands in a directory, to the bytes, owners, modes and times; and what has changed."""

import hashlib
import os
import stat
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Entry:
    kind: str  # "file", "directory", "link" or "other"
    mode: int
    owner: tuple
    content: str  # SHA-256 of a file, where a link points to
    mtime_ns: int
    inode: int


def snapshot(*places, ignore=()):
    """{path: Entry} of every place and what is below it. ignore: path prefixes to leave out."""
    result = {}
    ignore = tuple(str(i) for i in ignore)

    def visit(path):
        if ignore and path.startswith(ignore):
            return
        try:
            st = os.lstat(path)
        except FileNotFoundError:
            return
        content = ""
        if stat.S_ISLNK(st.st_mode):
            kind, content = "link", os.readlink(path)
        elif stat.S_ISREG(st.st_mode):
            kind = "file"
            with open(path, "rb") as f:
                content = hashlib.sha256(f.read()).hexdigest()
        elif stat.S_ISDIR(st.st_mode):
            kind = "directory"
        else:
            kind = "other"
        result[path] = Entry(
            kind, stat.S_IMODE(st.st_mode), (st.st_uid, st.st_gid), content, st.st_mtime_ns, st.st_ino
        )
        if kind == "directory":
            for name in sorted(os.listdir(path)):
                visit(os.path.join(path, name))

    for place in places:
        visit(str(place))
    return result


# What an administrator sees; a directory's time and a file's inode are the file system's own affair.
VISIBLE = ("kind", "mode", "owner", "content", "mtime_ns")


def diff(before, after, what=VISIBLE):
    """Sentences on what differs, [] when nothing does. what: names of the fields of Entry to compare."""
    lines = [f"{p}: gone" for p in before if p not in after]
    lines += [f"{p}: new" for p in after if p not in before]
    for path, old in before.items():
        new = after.get(path)
        if new is None:
            continue
        for field in fields(Entry):
            if field.name not in what or (old.kind == new.kind == "directory" and field.name == "mtime_ns"):
                continue
            a, b = getattr(old, field.name), getattr(new, field.name)
            if a != b:
                show = (lambda v: oct(v)) if field.name == "mode" else str
                lines.append(f"{path}: {field.name} {show(a)} -> {show(b)}")
    return sorted(lines)


def changed_paths(before, after, what=VISIBLE):
    return sorted({line.partition(": ")[0] for line in diff(before, after, what)})


UNTOUCHED = VISIBLE + ("inode",)  # not even written again with the same bytes
