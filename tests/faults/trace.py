# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a program does to a tree, from a trace of its system calls; and what a power cut leaves of it.

A Disk holds the tree twice: as programs see it, and as it is surely on the medium. A write, a mode or an
owner lasts when its file was flushed, a name when a directory concerned was flushed; syncfs() makes
everything last. Until then each may be lost by itself, whatever came after it.
"""

import os
import re
import shutil
import stat
import subprocess

CALLS = (
    "openat,openat2,open,creat,write,pwrite64,writev,ftruncate,truncate,mkdir,mkdirat,rmdir,unlink,unlinkat,rename,"
    "renameat,renameat2,symlink,symlinkat,link,linkat,chmod,fchmod,fchmodat,chown,fchown,fchownat,lchown,fsync,"
    "fdatasync,syncfs,sync,copy_file_range,sendfile,fallocate,lseek"
)
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)(?:<([^>]*)>)?")
_TORN = re.compile(r"^(\d+) +(.*) <unfinished \.\.\.>$")
_REST = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$")


class Call:
    """One call that succeeded: name, arguments as strings, and the path of each descriptor among them."""

    def __init__(self, pid, name, arguments, result, path):
        self.pid, self.name, self.result, self.path = pid, name, result, path
        self.args, self.paths = [], []
        for argument in _split(arguments):
            head, _, inside = argument.partition("<")
            described = bool(inside) and (head.isdigit() or head == "AT_FDCWD")
            self.args.append(head if described else argument)
            self.paths.append(_unescape(inside.rstrip(">")).decode("latin-1") if described else None)

    def bytes(self, i):
        return _unescape(self.args[i].strip('"'))

    def where(self, directory, name=None):
        """The path meant by a directory argument and the name after it."""
        text = self.bytes(directory + 1 if name is None else name).decode("latin-1")
        return os.path.normpath(os.path.join(self.paths[directory] or "/", text))

    def __repr__(self):
        shown = [p or (_unescape(a.strip('"')).decode("latin-1")[:60] if '"' in a else a)
                 for a, p in zip(self.args, self.paths)]
        return f"{self.name}({', '.join(shown)})"


def _unescape(text):
    return re.sub(rb"\\x(..)", lambda m: bytes([int(m[1], 16)]), text.encode("latin-1"))


def _split(text):
    """At the commas that stand in no brackets; strings are all in hexadecimal."""
    parts, depth, begin = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "{[(") - (c in "}])")
        if c == "," and depth == 0:
            parts.append(text[begin:i].strip())
            begin = i + 1
    return parts + [text[begin:].strip()] if text else []


def record(argv, log, environment=None):
    """Run a program and its children; (its status, the calls that succeeded, in order)."""
    status = subprocess.run(
        ["strace", "-f", "-y", "-xx", "-s", "1000000", "-e", "trace=" + CALLS, "-o", str(log), *map(str, argv)],
        capture_output=True,
        env=environment,
    ).returncode
    calls, torn = [], {}
    with open(log, encoding="latin-1") as lines:
        for line in lines:
            line = line.rstrip("\n")
            if m := _TORN.match(line):
                torn[m[1]] = m[2]
                continue
            if m := _REST.match(line):
                line = f"{m[1]} {torn.pop(m[1], '')}{m[2]}"
            m = _LINE.match(line)
            if m and m[4] != "?" and int(m[4]) >= 0:
                calls.append(Call(m[1], m[2], m[3], int(m[4]), m[5]))
    return status, calls


class Node:
    def __init__(self, kind, content, mode, owner, lasting):
        self.kind, self.content, self.mode, self.owner = kind, content, mode, owner
        self.saved = self._now() if lasting else (({} if kind == "directory" else b""), 0o600, owner)
        self.dirty = not lasting
        self.at = None  # where the next write goes; None: to the end

    def _now(self):
        return (dict(self.content) if self.kind == "directory" else self.content), self.mode, self.owner

    def save(self):
        self.saved = self._now() if self.kind != "directory" else (self.saved[0], self.mode, self.owner)
        self.dirty = False


class Disk:
    def __init__(self, root):
        self.root = os.path.realpath(root)
        self.top = self._load(self.root)
        self.pending = []  # names that may be lost: [(directory, name, node or None), ...] each

    def _load(self, path):
        st = os.lstat(path)
        owner = (st.st_uid, st.st_gid)
        if stat.S_ISDIR(st.st_mode):
            below = {name: self._load(os.path.join(path, name)) for name in os.listdir(path)}
            return Node("directory", below, stat.S_IMODE(st.st_mode), owner, True)
        if stat.S_ISLNK(st.st_mode):
            return Node("link", os.readlink(path), 0o777, owner, True)
        with open(path, "rb") as f:
            return Node("file", f.read(), stat.S_IMODE(st.st_mode), owner, True)

    def inside(self, path):
        """The path below the root, or None."""
        if path == self.root:
            return ""
        return path[len(self.root) + 1 :] if path.startswith(self.root + "/") else None

    def inside_any(self, call):
        """Whether a call can concern the tree."""
        return call.name in ("sync", "syncfs") or self.root.encode() in b"".join(
            [_unescape(a) for a in call.args] + [(p or "").encode("latin-1") for p in call.paths]
        )

    def find(self, path, lasting=False):
        """What stands at a path below the root; None: nothing."""
        node = self.top
        for part in filter(None, path.split("/")):
            if node is None or node.kind != "directory":
                return None
            node = (node.saved[0] if lasting else node.content).get(part)
        return node

    def place(self, path):
        parent, _, name = path.rpartition("/")
        return self.find(parent), name

    def rename_names(self, *changes):
        for directory, name, node in changes:
            if node is None:
                directory.content.pop(name, None)
            else:
                directory.content[name] = node
        self.pending.append(list(changes))

    # ---- what a call does ----

    def apply(self, call):
        """Carry one call out. Returns the paths below the root that it changes, [] for a flush."""
        name = call.name
        if name in ("fsync", "fdatasync"):
            return self._flush(call.paths[0])
        if name in ("syncfs", "sync"):
            self.flush_all()
            return []
        if name in ("openat", "openat2", "open", "creat"):
            return self._open(call)
        if name in ("write", "pwrite64", "writev"):
            return self._write(call)
        handler = getattr(self, "_" + name, None)
        if handler is None:
            raise AssertionError(f"the model does not know {call}")
        return handler(call)

    def _flush(self, path):
        inside = self.inside(path)
        node = None if inside is None else self.find(inside)
        if node is None:
            return []
        node.save()
        if node.kind == "directory":
            kept = []
            for changes in self.pending:
                if any(directory is node for directory, _, _ in changes):
                    self._last(changes)
                else:
                    kept.append(changes)
            self.pending = kept
        return []

    @staticmethod
    def _last(changes):
        for directory, name, node in changes:
            if node is None:
                directory.saved[0].pop(name, None)
            else:
                directory.saved[0][name] = node

    def flush_all(self):
        for changes in self.pending:
            self._last(changes)
        self.pending = []
        for node in self.nodes():
            node.save()

    def nodes(self, node=None):
        node = node or self.top
        yield node
        if node.kind == "directory":
            for below in list(node.content.values()):
                yield from self.nodes(below)

    def _open(self, call):
        at = call.name in ("openat", "openat2")
        flags = "O_CREAT|O_TRUNC" if call.name == "creat" else call.args[2 if at else 1]
        if "O_CREAT" not in flags and "O_TRUNC" not in flags:
            return []
        inside = self.inside(_unescape(call.path).decode("latin-1"))
        if inside is None:
            return []
        node = self.find(inside)
        if node is not None:
            node.at = None
        if node is not None and "O_TRUNC" in flags:
            node.content, node.dirty = b"", True
            return [inside]
        if node is not None or "O_CREAT" not in flags:
            return []
        mode = int(re.search(r"\b0[0-7]*\b", call.args[-1])[0], 8)
        directory, name = self.place(inside)
        self.rename_names((directory, name, Node("file", b"", mode, (os.geteuid(), os.getegid()), False)))
        return [inside]

    def _write(self, call):
        inside = None if call.paths[0] is None else self.inside(call.paths[0])
        node = None if inside is None else self.find(inside)
        if node is None:
            return []
        if call.name == "writev":
            data = b"".join(_unescape(x) for x in re.findall(r'iov_base="([^"]*)"', call.args[1]))
        else:
            data = call.bytes(1)
        data = data[: call.result]
        at = int(call.args[3]) if call.name == "pwrite64" else node.at
        if at is None:
            node.content += data  # every file here is written from its beginning, or appended to
        else:
            node.content = node.content[:at].ljust(at, b"\0") + data + node.content[at + len(data) :]
        if call.name != "pwrite64" and node.at is not None:
            node.at += len(data)
        node.dirty = True
        return [inside]

    def _lseek(self, call):
        """Of who writes a file alone, through one descriptor."""
        inside = None if call.paths[0] is None else self.inside(call.paths[0])
        node = None if inside is None else self.find(inside)
        if node is not None:
            node.at = call.result
        return []

    def _mkdirat(self, call):
        return self._make(call.where(0), lambda: Node("directory", {}, int(call.args[2], 8), (0, 0), False))

    def _mkdir(self, call):
        return self._make(call.bytes(0).decode(), lambda: Node("directory", {}, int(call.args[1], 8), (0, 0), False))

    def _symlinkat(self, call):
        return self._make(call.where(1), lambda: Node("link", call.bytes(0).decode(), 0o777, (0, 0), True))

    def _make(self, path, node):
        inside = self.inside(path)
        if inside is None:
            return []
        directory, name = self.place(inside)
        made = node()
        made.owner = (os.geteuid(), os.getegid())
        made.saved = (made.saved[0], made.mode if made.kind != "file" else 0o600, made.owner)
        self.rename_names((directory, name, made))
        return [inside]

    def _unlinkat(self, call):
        return self._remove(call.where(0))

    def _unlink(self, call):
        return self._remove(call.bytes(0).decode())

    _rmdir = _unlink

    def _remove(self, path):
        inside = self.inside(path)
        if inside is None:
            return []
        directory, name = self.place(inside)
        self.rename_names((directory, name, None))
        return [inside]

    def _renameat2(self, call):
        return self._move(call.where(0), call.where(2))

    _renameat = _renameat2

    def _rename(self, call):
        return self._move(call.bytes(0).decode(), call.bytes(1).decode())

    def _move(self, old, new):
        old, new = self.inside(old), self.inside(new)
        if old is None or new is None:
            return []
        (source, old_name), (target, new_name) = self.place(old), self.place(new)
        self.rename_names((target, new_name, source.content[old_name]), (source, old_name, None))
        return [old, new]

    def _fchmod(self, call):
        return self._mark(call.paths[0], mode=int(call.args[1], 8))

    def _fchown(self, call):
        return self._mark(call.paths[0], owner=(int(call.args[1]), int(call.args[2])))

    def _fchownat(self, call):
        return self._mark(call.where(0), owner=(int(call.args[2]), int(call.args[3])))

    def _mark(self, path, mode=None, owner=None):
        inside = self.inside(path)
        node = None if inside is None else self.find(inside)
        if node is None:
            return []
        node.mode = node.mode if mode is None else mode
        node.owner = node.owner if owner is None else owner
        node.dirty = True
        return [inside]

    # ---- what a power cut leaves ----

    def is_lasting(self, node):
        """All that is in it would survive."""
        if node.dirty:
            return False
        if node.kind != "directory":
            return True
        return node.content == node.saved[0] and all(self.is_lasting(below) for below in node.content.values())

    def image(self, keeps_name, keeps_data):
        """The tree after a power cut: keeps_name(i) of the pending ones, keeps_data(node) of the dirty ones."""
        names = {}
        for i, changes in enumerate(self.pending):
            if keeps_name(i):
                for directory, name, node in changes:
                    names.setdefault(id(directory), []).append((name, node))

        def build(node):
            content, mode, owner = node.saved
            if node.kind != "directory":
                if node.dirty:
                    content, mode, owner = keeps_data(node)
                return (node.kind, content, mode, owner)
            below = dict(content)
            for name, child in names.get(id(node), []):
                if child is None:
                    below.pop(name, None)
                else:
                    below[name] = child
            return (node.kind, {name: build(child) for name, child in sorted(below.items())}, node.mode, node.owner)

        return build(self.top)


def write(image, path):
    """Make a tree of an image; what stands at the path goes."""
    shutil.rmtree(path, ignore_errors=True)
    _write(image, path)


def _write(image, path):
    kind, content, mode, owner = image
    if kind == "link":
        os.symlink(content, path)
    elif kind == "directory":
        os.mkdir(path)
        for name, below in content.items():
            _write(below, os.path.join(path, name))
    else:
        with open(path, "wb") as f:
            f.write(content)
    os.chown(path, *owner, follow_symlinks=False)
    if kind != "link":
        os.chmod(path, mode)
