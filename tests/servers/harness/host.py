# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private host: a directory that stands for one, its servers, its certdeploy.conf and the tool.

    with Host(pki) as host:
        web = host.apache()
        web.add_site("www.example.test")
        mail, imap = host.postfix(), host.dovecot()
        host.start()
        host.tool("deploy", "--cert", leaf.cert, "--key", leaf.key, "--chain", leaf.chain)

Below host.base: etc/apache2 etc/postfix etc/dovecot etc/ssl etc/certdeploy var/log var/lib run bin.
"""

import os
import shutil
import tempfile
from pathlib import Path

from . import conf, tree, wire
from .apache import Apache
from .dovecot import Dovecot
from .postfix import Postfix
from .process import end_all, processes_of
from .tool import Tool

KINDS = {"apache": Apache, "postfix": Postfix, "dovecot": Dovecot}
TRIO = tuple(KINDS)


class Host:
    """pki: makes the old certificate, which every server has at first, for old_names.

    top: the bootstrap directory whose programs are used (Postfix); the host then lies in there.
    """

    def __init__(self, pki, old_names=("old.example.test",), parent=None, top=None):
        self.top = top
        parent = top / "tmp" if top else parent
        # short: paths of sockets end at 107 bytes
        self.base = Path(os.path.realpath(tempfile.mkdtemp(prefix="cd-", dir=parent)))
        self.base.chmod(0o755)
        self.etc, self.run, self.bin = self.base / "etc", self.base / "run", self.base / "bin"
        self.log = self.base / "var/log"
        self.store, self.state = self.etc / "ssl/certdeploy", self.base / "var/lib/certdeploy"
        self.config = self.etc / "certdeploy/certdeploy.conf"
        for place in (
            self.etc / "ssl/certs",
            self.etc / "ssl/private",
            self.config.parent,
            self.run,
            self.bin,
            self.log,
            self.base / "var/lib",
        ):
            place.mkdir(parents=True)
        (self.etc / "ssl/private").chmod(0o710)
        self.pki = pki
        self.services = []
        self.settings = {"watch": 300}  # more for the top of certdeploy.conf
        self._ports = []
        self.old = pki.root("Old Root").leaf(*old_names)
        self.old_cert, self.old_key = self.install("old", self.old)
        self._config_text = None

    def port(self):
        self._ports.append(wire.free_port())
        return self._ports[-1]

    def install(self, name, certificate):
        """Place a certificate as an administrator would: (path of the full chain, path of the key)."""
        cert, key = self.etc / f"ssl/certs/{name}.pem", self.etc / f"ssl/private/{name}.key"
        cert.write_text(certificate.fullchain_pem)
        key.touch(mode=0o600)
        key.write_text(certificate.key_pem)
        return cert, key

    # servers

    def _add(self, server):
        self.services.append(server)
        return server

    def apache(self, **options):
        return self._add(Apache(self, **options))

    def postfix(self, **options):
        return self._add(Postfix(self, **options))

    def dovecot(self, **options):
        return self._add(Dovecot(self, **options))

    def service(self, name):
        return next(s for s in self.services if s.name == name)

    def start(self):
        for server in self.services:
            server.start()
        return self

    def served(self):
        """{(service, port, sni): SHA-256} for everything."""
        return {(s.name, *where): sha for s in self.services for where, sha in s.served().items()}

    def wait_served(self, sha256, timeout=10.0):
        """Wait until every endpoint serves that leaf."""
        for server in self.services:
            for port, how in server.endpoints():
                wire.wait_served(sha256, port, timeout=timeout, **how)

    # certdeploy

    def write_config(self, overrides=None, **settings):
        """certdeploy.conf for the servers. overrides: {service name: {key: value}}, None takes a key out."""
        services = []
        for server in self.services:
            services.append({**server.settings(), **(overrides or {}).get(server.name, {})})
        self.config.write_text(
            conf.document(
                {"store": self.store, "state": self.state, "syslog": False, **self.settings, **settings, "services": services}
            )
        )
        self.config.chmod(0o644)
        self._config_text = self.config.read_text()
        return self.config

    @property
    def tool(self):
        """The tool with this host's configuration, written now unless a test has written one."""
        if self._config_text is None:
            self.write_config()
        return Tool(self.config)

    def configuration(self, extra=()):
        """Snapshot of what deploying may change: etc with the store, and the state unless told otherwise."""
        return tree.snapshot(self.etc, *extra)

    # the end

    def close(self):
        """End every process and remove the directory. Returns what did not end by itself."""
        left = []
        try:
            for server in reversed(self.services):
                try:
                    server.stop()
                except Exception as e:  # the broom below does it
                    left.append(f"{server.name}: {e}")
            left += end_all(self.base)
        finally:
            for port in self._ports:
                wire.give_back(port)
            if os.environ.get("CERTDEPLOY_KEEP_HOSTS"):
                print(f"kept: {self.base}")
            else:
                shutil.rmtree(self.base, ignore_errors=True)
        assert not processes_of(self.base)
        return left

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
