# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real servers: a deployment killed at one of its system calls, recovered, judged on the ports.

strace ends the tool before it makes the chosen call. Then `recover` leaves every file wholly old or wholly new, every
server running, and every port serving the certificate that the files name. A stride of the calls; --soak: all of them.
"""

import shutil
import subprocess

import pytest

from harness import tree
from harness.process import CLEAN, wait_for
from harness.scene import assert_keys_are_private, material

pytestmark = [
    pytest.mark.needs("apache", "postfix", "dovecot"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

MUTATING = (
    "openat", "mkdirat", "symlinkat", "renameat", "renameat2", "unlinkat", "fchmod", "fchown", "write", "fsync",
    "syncfs",
)  # fmt: skip
CASES = 8


@pytest.fixture
def trio(trio):
    trio.write_config()  # a part of what is compared
    return trio


def traced(host, *args, inject=None, path=None):
    """Run the tool under strace; (its status or signal, the lines of its own calls, or of those at the path)."""
    argv, env = host.tool.argv(*args)
    log = host.base / "trace"
    options = ["-qq", "-o", str(log), "-e", "trace=" + ",".join(MUTATING), "-E", "LC_ALL=C"]
    for name, value in env.items():
        options += ["-E", f"{name}={value}"]
    if path:
        options += ["-P", str(path)]
    if inject:
        options += ["-e", "inject=" + inject]
    done = subprocess.run(["strace", *options, *argv], env=CLEAN, capture_output=True, timeout=180)
    return done.returncode, log.read_text(errors="replace").splitlines()


def calls_of(lines, state):
    """(name, which of that name) of each call that changes something, from the taking of the lock on."""
    seen, calls, begun = {}, [], False
    for line in lines:
        name = line.partition("(")[0]
        if name not in MUTATING:
            continue
        seen[name] = seen.get(name, 0) + 1
        begun = begun or (name == "openat" and '"lock"' in line)
        reads = name == "openat" and "O_CREAT" not in line
        if begun and not reads and not line.endswith("ENOENT (No such file or directory)"):
            calls.append((name, seen[name], line))
    return calls


def chosen(calls, soak):
    """A few, spread over the run, with the last ones: there the servers have been told."""
    if soak:
        return calls
    step = max(1, len(calls) // (CASES - 2))
    return calls[step // 2 :: step][: CASES - 2] + calls[-9:-4:4]


def settled(host, sha256):
    """Every port serves this leaf."""
    return all(found == sha256 for found in host.served().values())


def judge(host, old, new, what):
    """Recover; "old" or "new", proven on every port."""
    host.tool("recover").expect()
    for server in host.services:
        wait_for(f"{what}: {server.name} to run", lambda server=server: server.running)
    files = tree.diff(old["files"], tree.snapshot(host.etc), what=("kind", "mode", "owner", "content"))
    files = [line for line in files if str(host.store) not in line]
    verdict, leaf = ("old", old["leaf"]) if not files else ("new", new)
    if files:
        assert all(str(host.store) in s.read_text() for s in old["configurations"]), f"{what}: neither: {files}"
    wait_for(lambda: f"{what}: all ports to serve the {verdict} one\n{host.served()}", lambda: settled(host, leaf))
    for name in ("journal", "stage", "committed", "build"):
        assert not (host.state / name).exists(), f"{what}: {name} is left"
    litter = [p for p in host.base.rglob("*certdeploy-2*") if host.state not in p.parents]
    assert not litter, f"{what}: {litter}"
    assert_keys_are_private(host.etc / "ssl", host.state)
    return verdict


def test_killed_at_any_call(trio, ca, soak):
    site = trio.service("apache").home / "sites-available"
    old = {
        "files": tree.snapshot(trio.etc),
        "leaf": trio.old.sha256,
        "configurations": [site / "www.example.test.conf", trio.service("postfix").config],
    }
    new = ca.leaf("www.example.test", "mail.example.test", "old.example.test")
    deploy = ["deploy", *material(new), "--all"]
    status, lines = traced(trio, *deploy)
    if not lines:
        pytest.skip("strace may not trace here")
    assert status == 0 and settled(trio, new.sha256)
    calls = calls_of(lines, trio.state)
    assert len(calls) > 50
    tally = {"calls": len(calls), "kills": 0, "old": 0, "new": 0}
    last = trio.tool("history").expect().json["history"][0]["id"]
    trio.tool("rollback", last).expect()
    shutil.rmtree(trio.store, ignore_errors=True)
    for name, number, line in chosen(calls, soak):
        what = f"killed before {name} number {number} ({line[:100]})"
        status, _ = traced(trio, *deploy, inject=f"{name}:signal=KILL:when={number}")
        tally["kills"] += status not in (0, 4)
        verdict = judge(trio, old, new.sha256, what)
        tally[verdict] += 1
        if verdict == "new":
            trio.tool("rollback").expect()
            wait_for(f"{what}: the old one again", lambda: settled(trio, trio.old.sha256))
        shutil.rmtree(trio.store, ignore_errors=True)
    print("real servers: " + ", ".join(f"{name} {count}" for name, count in tally.items()) + ", neither 0")
    assert tally["kills"] >= len(chosen(calls, soak)) - 1
    assert tally["old"] and tally["new"]


def test_stopped_after_the_last_reload(trio, ca):
    """A signal while the ports are looked at leads back, unhindered: the old files, the same processes."""
    new = ca.leaf("www.example.test", "mail.example.test", "old.example.test")
    deploy = ["deploy", *material(new), "--all"]
    before = {server.name: server.pid for server in trio.services}
    files = tree.snapshot(trio.etc)
    notes = len(trio.services)
    where = trio.state / "journal/reloaded"
    status, lines = traced(trio, *deploy, inject=f"fsync:signal=TERM:when={notes}", path=where)
    if not lines:
        pytest.skip("strace may not trace here")
    assert sum(line.startswith("fsync(") for line in lines) == notes
    assert status == 130
    assert not tree.diff(files, tree.snapshot(trio.etc), what=("kind", "mode", "owner", "content"))
    assert settled(trio, trio.old.sha256)
    assert {server.name: server.pid for server in trio.services} == before, "nobody was restarted"
    assert not (trio.state / "journal").exists()
