# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs: run one with a time limit, and find and end the processes of a private directory."""

import os
import signal
import subprocess
import tempfile
import time

CLEAN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LANG": "C"}


class Failed(AssertionError):
    pass


def run(argv, *, check=True, timeout=60, env=None, stdin=None, cwd=None):
    """A finished process with text in .stdout and .stderr. stdin: text, or None for /dev/null."""
    argv = [str(a) for a in argv]
    # files, not pipes: a daemon that the program leaves behind keeps its standard output open
    with tempfile.TemporaryFile("w+", errors="replace") as out, tempfile.TemporaryFile(
        "w+", errors="replace"
    ) as err, tempfile.TemporaryFile("w+") as given:
        given.write(stdin or "")
        given.seek(0)
        done = subprocess.run(
            argv,
            env={**CLEAN, **(env or {})},
            cwd=cwd,
            timeout=timeout,
            check=False,
            stdin=given,
            stdout=out,
            stderr=err,
        )
        out.seek(0)
        err.seek(0)
        done.stdout, done.stderr = out.read(), err.read()
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(argv)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def wait_for(what, condition, timeout=15.0, step=0.03):
    """The first true value of condition(), or Failed after timeout seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"waited {timeout:g} s for {what}" if isinstance(what, str) else what())
        time.sleep(step)


def alive(pid):
    """Whether a process runs; one that has ended but was not yet waited for does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def _ancestors():
    pid, seen = os.getpid(), set()
    while pid > 1 and pid not in seen:
        seen.add(pid)
        try:
            with open(f"/proc/{pid}/stat", "rb") as f:
                pid = int(f.read().rpartition(b")")[2].split()[1])
        except OSError:
            break
    return seen


def processes_of(*directories):
    """Process ids of what works in these directories: by working directory, root or command line."""
    roots = [os.fsencode(os.path.realpath(d)) for d in directories]
    found = []
    mine = _ancestors()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) in mine:
            continue
        try:
            places = [os.readlink(f"/proc/{name}/cwd").encode(), os.readlink(f"/proc/{name}/root").encode()]
        except OSError:
            places = []
        try:
            with open(f"/proc/{name}/cmdline", "rb") as f:
                command = f.read()
        except OSError:
            continue
        if alive(name) and any(
            root + b"/" in command or any((p + b"/").startswith(root + b"/") for p in places) for root in roots
        ):
            found.append(int(name))
    return found


def end_all(*directories, grace=3.0):
    """End every process of these directories, politely first. Returns what had to be killed."""
    for pid in processes_of(*directories):
        _signal(pid, signal.SIGTERM)
    end = time.monotonic() + grace
    while processes_of(*directories) and time.monotonic() < end:
        time.sleep(0.05)
    left = processes_of(*directories)
    for _ in range(100):
        now = processes_of(*directories)
        if not now:
            break
        for pid in now:
            _signal(pid, signal.SIGKILL)
        time.sleep(0.05)
    return left


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


if __name__ == "__main__":
    # python3 -m harness.process DIRECTORY: the broom behind a run that was killed
    import sys

    end_all(*sys.argv[1:])
