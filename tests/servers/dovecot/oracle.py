# SPDX-License-Identifier: LGPL-2.1-or-later
"""Dovecot's own tools as judges: 2.3 as installed, 2.4 in a bootstrap directory of Debian trixie."""

import shutil
import tempfile
from pathlib import Path

from harness.process import run
from harness.trixie import Unavailable, trixie

SLOTS_23 = ("ssl_cert", "ssl_key", "ssl_alt_cert", "ssl_alt_key")
SLOTS_24 = ("cert_file", "key_file", "alt_cert_file", "alt_key_file")


class Oracle:
    """doveconf of one version. base: where trees for it must lie."""

    def __init__(self, version):
        self.version, self.v24 = version, version == "2.4"
        self.top = trixie() if self.v24 else Path("/")
        if not self.v24 and shutil.which("doveconf") is None:
            raise Unavailable("dovecot is not installed")

    def directory(self):
        """A new directory that this version's programs see."""
        return Path(tempfile.mkdtemp(prefix="certdeploy-", dir=self.top / "tmp"))

    def inside(self, path):
        return "/" + str(Path(path).relative_to(self.top))

    def argv(self, program, *args):
        chroot = ["chroot", str(self.top)] if self.v24 else []
        return [*chroot, program, *map(str, args)]

    def run(self, program, *args):
        return run(self.argv(program, *args), check=False, timeout=120)

    def doveconf(self, config, *args):
        return self.run("doveconf", "-c", self.inside(config), *args)

    def accepts(self, config):
        return self.doveconf(config, "-n").returncode == 0

    def material(self, config, protocol, local=None, name=None):
        """(certificate, key, alternative certificate, its key) as written, or "conflict"."""
        keys = ("protocol", "local", "local_name") if self.v24 else ("service", "local", "lname")
        filters = [a for k, v in zip(keys, (protocol, local, name)) if v for a in ("-f", f"{k}={v}")]
        slots = SLOTS_24 if self.v24 else SLOTS_23
        done = self.doveconf(config, "-P", *filters, *(["ssl_server"] if self.v24 else slots))
        if done.returncode != 0:
            assert "Conflict in setting" in done.stderr, done.stderr
            return "conflict"
        found = {}
        for line in done.stdout.splitlines():
            key, _, value = line.strip().partition(" =")
            found[key] = value.strip().strip('"')
        return tuple(found.get(slot, "") for slot in slots)
