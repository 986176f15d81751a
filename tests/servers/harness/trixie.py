# SPDX-License-Identifier: LGPL-2.1-or-later
"""Newer servers than this machine's: Debian trixie (Dovecot 2.4, Postfix 3.10) in a bootstrap directory."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from harness.process import CLEAN

PACKAGES = (
    "dovecot-core,dovecot-imapd,dovecot-pop3d,dovecot-lmtpd,dovecot-submissiond,dovecot-managesieved,"
    "postfix,postfix-cdb,postfix-lmdb"
)
MIRROR = os.environ.get("CERTDEPLOY_DEBIAN_MIRROR", "http://deb.debian.org/debian")

# A private directory of the tool is made known inside for as long as a program works on it.
_WRAPPER = """#!/bin/sh
copy=$(expr " $*" : '.*[ :]\\(/tmp/certdeploy\\.[[:alnum:]]*\\)')
[ -n "$copy" ] || exec chroot {top} {program} "$@"
cp -a "$copy" "{top}$copy" && chroot {top} {program} "$@"
status=$?
cp -a "{top}$copy/." "$copy" && rm -rf "{top}$copy"
exit $status
"""


class Unavailable(Exception):
    pass


def trixie():
    """The directory, made once a machine (about a minute). Unavailable: says why not."""
    if os.geteuid() != 0:
        raise Unavailable("Debian trixie: a bootstrap directory is made and entered by root only")
    given = os.environ.get("XDG_CACHE_HOME")
    cache = Path(given) if given else Path("/var/cache")
    place = cache / "certdeploy-tests/trixie"
    done = place.with_name("trixie.ok")
    place.parent.mkdir(parents=True, exist_ok=True)
    with open(place.with_name("trixie.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (done.exists() and done.read_text() == PACKAGES):
            _bootstrap(place)
            done.write_text(PACKAGES)
    return place


def enter(top, program, folder):
    """A script in the folder that runs a program inside. Paths below top mean the same there, by a link to itself."""
    link = top / str(top)[1:]
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to("/")
    folder.mkdir(exist_ok=True)
    path = folder / Path(program).name
    if not path.exists():
        path.write_text(_WRAPPER.format(top=top, program=program))
        path.chmod(0o755)
    return path


def _bootstrap(place):
    failed = place.with_name("trixie.failed")
    if failed.exists() and failed.stat().st_mtime > os.stat("/proc/1").st_ctime:
        raise Unavailable(failed.read_text())
    if shutil.which("debootstrap") is None:
        raise Unavailable("Debian trixie: debootstrap is not installed")
    shutil.rmtree(place, ignore_errors=True)
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "trixie", str(place), MIRROR],
        env=CLEAN, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=900, check=False,
    )
    if made.returncode != 0:
        shutil.rmtree(place, ignore_errors=True)
        reason = f"Debian trixie: {MIRROR} is out of reach or incomplete: {made.stdout.strip()[-200:]}"
        failed.write_text(reason)
        raise Unavailable(reason)
