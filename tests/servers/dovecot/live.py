# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private Dovecot that certdeploy itself tests, reloads and proves; 2.4 with all protocols of Debian's packages."""

from harness import conf
from harness.tool import Tool
from harness.trixie import enter

from .private import Private

_HEAD = {"2.3": "", "2.4": "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\n"}
_PROTOCOLS = "protocols = imap pop3 submission sieve lmtp\nssl = yes\nsubmission_relay_host = 127.0.0.1\n"


class Live(Private):
    """Paths are the same outside and inside of the bootstrap directory, by a link to itself."""

    services = {
        **Private.services,
        "submission-login": ("submission", "submissions"), "managesieve-login": ("sieve",), "lmtp": ("lmtp",),
    }
    listen = "*"

    def __init__(self, oracle, text):
        super().__init__(oracle)
        all_keys = self.key()
        self.known = {n: self.certificate(n, all_keys) for n in ("old", "name", "here")}
        paths = {n: path for n, (path, _) in self.known.items()}
        self.config.write_text(_HEAD[oracle.version] + _PROTOCOLS + text.format(key=all_keys, **paths) + self.settings())
        service = {"name": "dovecot", "adapter": "dovecot", "config": str(self.config), "version": oracle.version}
        for setting, program in (("doveconf", "bin/doveconf"), ("doveadm", "bin/doveadm"), ("binary", "sbin/dovecot")):
            program = f"/usr/{program}"
            service[setting] = str(program if oracle.outside else enter(oracle.top, program, self.base / "bin"))
        settings = {"store": str(self.base / "store"), "state": str(self.base / "cdstate"), "watch": 200, "services": [service]}
        path = self.base / "certdeploy.conf"
        path.write_text(conf.document(settings))
        self.tool = Tool(path)

    def inside(self, path):
        return str(path)

    def deploy(self, certificate, *args):
        return self.tool.run("deploy", "--cert", certificate.cert, "--key", certificate.key, "--chain",
                             certificate.chain, *args)
