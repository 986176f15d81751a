# SPDX-License-Identifier: LGPL-2.1-or-later
"""The order of flushes, and what a power cut leaves: a deployment and a rollback over three servers and a store.

The run is traced once. At each of its calls the disks are made that a power cut could leave there, recovered, and
judged: wholly old or wholly new, and new for certain once the run has said so.
"""

import hashlib
import os
import random
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
import trace as tracing

SUBJECT = Path(os.environ.get("CERTDEPLOY_BUILDDIR", "build")).absolute() / "tests/faults/subject"
SECRET = b"SECRET"
STATE = "var/state"
NAMES = 20  # as many are lost one by one

pytestmark = [
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
    pytest.mark.skipif(not SUBJECT.exists(), reason="make check has not built tests/faults/subject"),
]


def subject(verb, host):
    done = subprocess.run([SUBJECT, verb, host], capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def picture(host):
    """What the servers read: {path: (kind, mode, owner, content)}."""
    found = {}
    for place, directories, names in os.walk(os.path.join(host, "etc")):
        for name in directories + names:
            path = os.path.join(place, name)
            st = os.lstat(path)
            if stat.S_ISLNK(st.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    content = hashlib.sha256(f.read()).hexdigest()
            else:
                content = ""
            mode = 0 if stat.S_ISLNK(st.st_mode) else stat.S_IMODE(st.st_mode)
            found[os.path.relpath(path, host)] = (stat.S_IFMT(st.st_mode), mode, st.st_uid, st.st_gid, content)
    return found


class Run:
    """One traced run: the host before it, what it looks like before and after, and its calls."""

    def __init__(self, base, verb):
        self.host = os.path.join(base, "host")
        self.before = os.path.join(base, "before")
        os.mkdir(self.host)
        assert subject("build", self.host)[0] == 0
        if verb.startswith("rollback"):
            assert subject(verb.replace("rollback", "deploy"), self.host)[0] == 0
            verb = "rollback"
        shutil.copytree(self.host, self.before, symlinks=True)
        self.old = picture(self.host)
        try:
            status, self.calls = tracing.record([SUBJECT, verb, self.host], os.path.join(base, "trace"))
        except OSError:
            pytest.skip("strace cannot be started here")
        if not self.calls:
            pytest.skip("strace may not trace here")
        assert status == 0
        self.new = picture(self.host)
        assert self.old != self.new

    def disk(self):
        """The disk before the run."""
        shutil.rmtree(self.host)
        shutil.copytree(self.before, self.host, symlinks=True)
        return tracing.Disk(self.host)


def traced(verb):
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="cd-cut-", dir=shared) as base:
        yield Run(base, verb)


@pytest.fixture(scope="module", params=["deploy", "rollback"])
def run(request):
    yield from traced(request.param)


@pytest.fixture(scope="module", params=["deploy-many", "rollback-many"])
def many(request):
    """100 certificates in one run, or their way back: flushes are shared."""
    yield from traced(request.param)


def is_outside(path):
    """Neither in the state directory nor the fake servers' own memory."""
    return not path.startswith(("var", "run"))


def broken_rules(run, flushes=lambda call: True):
    """Sentences on what is not in order. flushes: which flushes are made at all."""
    disk, wrong, begun = run.disk(), [], False
    for call in run.calls:
        if "sync" in call.name and not flushes(call):
            continue
        if call.name.startswith("rename"):
            old, new = disk.inside(call.where(0)), disk.inside(call.where(2))
            if new is not None and is_outside(new) and not disk.is_lasting(disk.find(old)):
                wrong.append(f"renamed before it was flushed: {new}")
            if old == f"{STATE}/stage" and not disk.is_lasting(disk.find(old)):
                wrong.append("it begins before the record of it was flushed")
            if old == f"{STATE}/journal" and new == f"{STATE}/committed":
                lost = [c for changes in disk.pending for c in changes if c[0] in outside_directories(disk)]
                if lost or any(node.dirty for node in outside_nodes(disk)):
                    wrong.append("committed before all of it was flushed")
        changed = [path for path in disk.apply(call) if is_outside(path)]
        if changed and not begun:
            begun = True
            journal = disk.find(f"{STATE}/journal", lasting=True)
            if journal is None or not disk.is_lasting(journal):
                wrong.append(f"{changed[0]} is changed before the record would survive")
        for path in changed:
            node = disk.find(path)
            if node and node.kind == "file" and SECRET in node.content and node.mode & 0o137:
                wrong.append(f"a key could be read by others: {path} {node.mode:o}")
    if not disk.is_lasting(disk.find("etc")) or not disk.is_lasting(disk.find(f"{STATE}/backups")):
        wrong.append("it says it is done before all of it was flushed")
    return wrong


def outside_nodes(disk):
    return list(disk.nodes(disk.find("etc")))


def outside_directories(disk):
    return [node for node in outside_nodes(disk) if node.kind == "directory"]


def test_flushes_are_in_order(run):
    assert broken_rules(run) == []


def test_shared_flushes_are_in_order(many):
    assert broken_rules(many) == []
    assert sum("sync" in call.name for call in many.calls) < 60
    assert broken_rules(many, lambda call: call.name != "syncfs")


def test_missing_flushes_are_noticed(run):
    """The check itself: without the flushes of files, or of directories, it speaks."""
    def of_file(call):
        return call.name == "syncfs" or not os.path.isdir(call.paths[0])

    assert broken_rules(run, of_file)
    assert broken_rules(run, lambda call: not of_file(call))
    assert broken_rules(run, lambda call: False)


# ---- the power cut ----


def images(disk, chance, count):
    """Disks that a power cut may leave now, as (what was lost, image)."""
    def saved(node):
        return node.saved

    def now(node):
        return (node.content, node.mode, node.owner)

    def torn(node):
        return (node.content[: len(node.content) // 2], node.mode, node.owner)

    names = range(len(disk.pending))
    yield "all", disk.image(lambda i: False, saved)
    yield "data", disk.image(lambda i: True, lambda node: (node.saved[0], node.mode, node.owner))
    yield "half of the data", disk.image(lambda i: True, torn)
    for one in (chance.sample(names, NAMES) if len(names) > NAMES else names) if len(names) > 1 else ():
        yield f"name {one}", disk.image(lambda i: i != one, now)
        yield f"all names but {one}", disk.image(lambda i: i == one, now)
    for _ in range(count):
        kept = {i for i in names if chance.random() < 0.5}
        luck = chance.random()
        yield "some", disk.image(kept.__contains__, lambda node: (now, saved, torn)[int(luck * 3)](node))


def states(run, flushes=lambda call: True, extra=2, chosen=lambda i: True):
    """Every distinct disk: (call after which the power went, what was lost, image, whether the run was over)."""
    disk, chance, seen = run.disk(), random.Random(5), set()
    for i, call in enumerate([*run.calls, None]):
        if call is not None and not disk.inside_any(call):
            continue
        for lost, image in images(disk, chance, extra) if chosen(i) else ():
            # The fake servers' memory is no part of it: they are asked to read again.
            mark = hashlib.sha256(repr((image, call is None)).encode()).digest()
            if mark not in seen:
                seen.add(mark)
                yield call, lost, image, call is None
        if call is not None and ("sync" not in call.name or flushes(call)):
            disk.apply(call)


def judge(run, call, lost, image, over):
    """Recover one disk. None, or what is wrong with it."""
    tracing.write(image, run.host)
    memory = os.path.join(run.host, "run")
    shutil.rmtree(memory, ignore_errors=True)
    shutil.copytree(os.path.join(run.before, "run"), memory, symlinks=True)
    where = f"power lost before {call}, losing {lost}: "
    status, said = subject("recover", run.host)
    if status != 0:
        return f"{where}recovery ends with {status}: {said}"
    now = picture(run.host)
    if now == run.new:
        return None
    if now == run.old and not over:
        return None
    if now == run.old:
        return f"{where}the run had said it was done, and all of it is lost"
    differs = sorted(p for p in run.old.keys() | run.new.keys() | now.keys()
                     if now.get(p) not in (run.old.get(p), run.new.get(p)) or p not in run.old and p not in run.new)
    return f"{where}neither old nor new: {differs or now}"


def test_a_power_cut_leaves_old_or_new(run, soak):
    tally = {"images": 0, "wrong": []}
    stride = 1 if soak else 4
    for i, (call, lost, image, over) in enumerate(states(run, extra=20 if soak else 2)):
        if i % stride and not over:
            continue
        tally["images"] += 1
        why = judge(run, call, lost, image, over)
        if why:
            tally["wrong"].append(why)
    print(f"power cut: {tally['images']} disks, {len(tally['wrong'])} neither old nor new")
    assert tally["images"] > 50
    assert tally["wrong"] == []


def test_a_power_cut_of_many_leaves_old_or_new(many, soak):
    """Around each flush, and at some calls between them."""
    flushes = {i for i, call in enumerate(many.calls) if "sync" in call.name}
    chosen = {i + 1 for i in flushes} | flushes | {len(many.calls)}
    chosen |= set(random.Random(7).sample(range(len(many.calls)), 100 if soak else 10))
    wrong, count = [], 0
    for number, state in enumerate(states(many, chosen=chosen.__contains__)):
        if soak or number % 4 == 0 or state[-1]:
            count += 1
            wrong.append(judge(many, *state))
    print(f"power cut: {count} disks, {sum(map(bool, wrong))} neither old nor new")
    assert count > 30
    assert [why for why in wrong if why] == []


def test_a_power_cut_is_noticed(run):
    """The check itself: without flushes some of the disks are lost."""
    assert any(judge(run, *state) for i, state in enumerate(states(run, lambda call: False)) if i % 5 == 0)
