# SPDX-License-Identifier: LGPL-2.1-or-later
"""Dovecot's own tools as judges: the version that is installed; 2.4 else in a bootstrap directory of Debian trixie."""

import re
import shlex
import shutil
import tempfile
from pathlib import Path

from harness.dovecot import is_v24
from harness.process import run
from harness.trixie import Unavailable, trixie

SLOTS_23 = ("ssl_cert", "ssl_key", "ssl_alt_cert", "ssl_alt_key")
SLOTS_24 = ("cert_file", "key_file", "alt_cert_file", "alt_key_file")
END = "== status"
# else doveconf of 2.3 starts managesieve, and that doveconf once more, to ask what it can do
QUICK = {"DUMP_CAPABILITY": "1"}


class Oracle:
    """doveconf of one version. base: where trees for it must lie."""

    def __init__(self, version):
        self.version, self.v24 = version, version == "2.4"
        self.outside = not self.v24 or is_v24()  # no bootstrap directory around it
        if self.outside and shutil.which("doveconf") is None:
            raise Unavailable("dovecot is not installed")
        if not self.v24 and is_v24():
            raise Unavailable("the Dovecot of this machine is 2.4")
        self.top = Path("/") if self.outside else trixie()

    def directory(self):
        """A new directory that this version's programs see."""
        return Path(tempfile.mkdtemp(prefix="certdeploy-", dir=self.top / "tmp"))

    def inside(self, path):
        return "/" + str(Path(path).relative_to(self.top))

    def argv(self, program, *args):
        chroot = [] if self.outside else ["chroot", str(self.top)]
        return [*chroot, program, *map(str, args)]

    def run(self, program, *args):
        return run(self.argv(program, *args), check=False, timeout=120)

    def doveconf(self, config, *args):
        return self.run("doveconf", "-c", self.inside(config), *args)

    def accepts(self, config):
        return run(self.argv("doveconf", "-c", self.inside(config), "-n"), check=False, env=QUICK).returncode == 0

    def material(self, config, protocol, local=None, name=None):
        """(certificate, key, alternative certificate, its key, ssl) as written, or "conflict"."""
        return self.materials(config, [(protocol, local, name)])[0]

    def materials(self, config, questions):
        """The same for several (protocol, local, name): one shell asks them all."""
        script = "".join(f"{self.ask(config, *question)} 2>&1; echo '{END}' $?\n" for question in questions)
        done = run(self.argv("sh", "-c", script), timeout=300, env=QUICK)
        answers = re.findall(rf"(.*?){END} (\d+)\n", done.stdout, re.S)
        assert len(answers) == len(questions), done.stdout + done.stderr
        return [self.answer(text, int(status)) for text, status in answers]

    def ask(self, config, protocol, local, name):
        keys = ("protocol", "local", "local_name") if self.v24 else ("service", "local", "lname")
        filters = [a for k, v in zip(keys, (protocol, local, name)) if v for a in ("-f", f"{k}={v}")]
        settings = ["ssl_server", "ssl"] if self.v24 else [*SLOTS_23, "ssl"]
        return shlex.join(["doveconf", "-c", self.inside(config), "-P", *filters, *settings])

    def answer(self, text, status):
        if status != 0:
            assert "Conflict in setting" in text, text
            return "conflict"
        found = {}
        for line in text.splitlines():
            key, _, value = line.strip().partition(" =")
            found[key] = value.strip().strip('"')
        return tuple(found.get(slot, "") for slot in (*(SLOTS_24 if self.v24 else SLOTS_23), "ssl"))
