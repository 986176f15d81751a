# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host with running servers and the state it was in, for tests that say "nothing has changed".

    scene = Scene(host)
    scene.host.tool("deploy", …).expect(REFUSED, "key-mismatch")
    scene.assert_untouched()
"""

import os
import time
from pathlib import Path

from . import tree
from .process import wait_for
from .tool import build_directory

KEY_LINE = "PRIVATE KEY"


def material(leaf, chain=True):
    """--cert, --key and --chain for a certificate."""
    argv = ["--cert", leaf.cert, "--key", leaf.key]
    return argv + (["--chain", leaf.chain] if chain and leaf.chain else [])


class Scene:
    """Remembers files, what is served, calls and reloads; asserts against them later."""

    def __init__(self, host):
        self.host = host
        self.remember()

    def remember(self):
        self.host.tool  # certdeploy.conf is written before the snapshot
        self.files = tree.snapshot(self.host.etc)
        self.served = self.host.served()
        self.pids = {s.name: s.pid() for s in self.host.services}
        self.calls = {s.name: s.called() for s in self.host.services}
        self.reloads = {s.name: s.reloads() for s in self.host.services}
        return self

    def changed(self, what=tree.VISIBLE):
        """Paths that differ from what was remembered."""
        return tree.changed_paths(self.files, tree.snapshot(self.host.etc), what)

    def new_calls(self, name):
        server = self.host.service(name)
        return server.called()[len(self.calls[name]) :]

    def new_reloads(self, name):
        return self.host.service(name).reloads() - self.reloads[name]

    def assert_files_are_back(self, ignore=()):
        """Bytes, modes, owners and times of everything below etc are as remembered."""
        ignored = tuple(str(p) for p in ignore)
        lines = [
            d for d in tree.diff(self.files, tree.snapshot(self.host.etc)) if not (ignored and d.startswith(ignored))
        ]
        assert lines == []

    def assert_serves_as_before(self):
        wait_for("every port to serve what it served", lambda: self.host.served() == self.served)

    def assert_untouched(self, look=True):
        """No file written, no server asked for more than a test, the same served."""
        assert tree.diff(self.files, tree.snapshot(self.host.etc), tree.UNTOUCHED) == []
        for server in self.host.services:
            assert set(self.new_calls(server.name)) <= {"test"}
            assert self.new_reloads(server.name) == 0
            assert server.pid() == self.pids[server.name]
        assert not look or self.host.served() == self.served

    def assert_no_litter(self):
        """Nothing left beside the configuration that is neither old nor in the store."""
        known = set(self.files)
        new = [p for p in tree.snapshot(self.host.etc) if p not in known and not p.startswith(str(self.host.store))]
        assert new == []


def fake(host, name, script):
    """An executable of the test's own, for the test, reload, restart or start of a service."""
    path = host.bin / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return (path,)


def secrets_in(text, *leaves):
    """Lines of private keys that stand in a text."""
    lines = [line for leaf in leaves for line in leaf.key_pem.splitlines() if line and not line.startswith("-----")]
    return [line for line in lines if line in text]


def assert_keys_are_private(*places):
    """No file with a private key is readable by anybody but its owner and group root."""
    for place in places:
        for path in Path(place).rglob("*"):
            if path.is_file() and not path.is_symlink() and KEY_LINE in path.read_text(errors="replace"):
                assert path.stat().st_mode & 0o077 == 0, f"{path}: {oct(path.stat().st_mode)}"


def other_user():
    """A number of an ordinary user, for tests of root that need one."""
    return 65534


def can_be_run_by_others():
    """Whether the built tool can be reached by an ordinary user."""
    build = build_directory()
    return build is not None and all(os.stat(p).st_mode & 0o005 == 0o005 for p in [build, *build.parents])


class Clock:
    """with Clock() as clock: …; clock.seconds"""

    def __enter__(self):
        self.start = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.start
