# SPDX-License-Identifier: LGPL-2.1-or-later
"""A file system that becomes read-only while a deployment or a rollback is under way, as ext4 does of an error.

In a name space of its own a small file system holds what the servers read; the state directory, whose lock is open for
writing, lies on another. It is mounted read-only at points spread over the run, later for writing again, and the host
is recovered: wholly old or wholly new.
"""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time

import pytest
from test_powercut import SUBJECT, picture, subject

POINTS = 24
MS_RDONLY, MS_REMOUNT = 1, 32

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed"),
    pytest.mark.skipif(not SUBJECT.exists(), reason="make check has not built tests/faults/subject"),
]


@pytest.mark.parametrize("verb", ["deploy", "rollback"])
def test_read_only_in_the_middle(verb):
    with tempfile.TemporaryDirectory(prefix="cd-ro-") as base:
        done = subprocess.run(["unshare", "--mount", sys.executable, __file__, base, verb],
                              capture_output=True, text=True)
    if "cannot mount" in done.stdout:
        pytest.skip("nothing can be mounted here")
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)


# ---- inside ----


def remount(host, flags):
    """Whether it went: not while a file is open for writing."""
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.mount(b"none", os.path.join(host, "etc").encode(), b"tmpfs", MS_REMOUNT | flags, None) == 0


def fresh(host, before):
    """The host as it was before, with a file system of its own."""
    etc = os.path.join(host, "etc")
    subprocess.run(["umount", etc], check=False, capture_output=True)
    shutil.rmtree(host)
    os.makedirs(etc)
    if subprocess.run(["mount", "-t", "tmpfs", "none", etc], check=False).returncode != 0:
        print("cannot mount")
        sys.exit(1)
    shutil.copytree(before, host, symlinks=True, dirs_exist_ok=True)


def run_and_remount(host, verb, after):
    """Run; so many seconds later nothing can be written any more. Whether it had still been at work."""
    run = subprocess.Popen([SUBJECT, verb, host], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    while run.poll() is None and not remount(host, MS_RDONLY):
        pass
    met = run.poll() is None
    run.wait()
    return met and run.returncode != 0


def inside(base, verb):
    host, before = os.path.join(base, "host"), os.path.join(base, "before")
    os.mkdir(host)
    assert subject("build", host)[0] == 0
    if verb == "rollback":
        assert subject("deploy", host)[0] == 0
    shutil.copytree(host, before, symlinks=True)
    fresh(host, before)
    old, begun = picture(host), time.monotonic()
    assert subject(verb, host)[0] == 0
    length, new = time.monotonic() - begun, picture(host)
    tally = {"met": 0, "old": 0, "new": 0, "neither": 0}
    for point in range(POINTS):
        fresh(host, before)
        tally["met"] += run_and_remount(host, verb, length * point / POINTS)
        assert remount(host, 0)
        status, said = subject("recover", host)
        assert status == 0, said
        now = picture(host)
        tally["old" if now == old else "new" if now == new else "neither"] += 1
    print(f"read-only in the middle of a {verb}: {tally}")
    return 0 if tally["neither"] == 0 and tally["met"] > 0 else 1


if __name__ == "__main__":
    sys.exit(inside(*sys.argv[1:]))
