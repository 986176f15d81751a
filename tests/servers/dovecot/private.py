# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private Dovecot of either version over any configuration. 2.4 runs in its bootstrap directory."""

import os
import shutil
import subprocess

from harness import wire
from harness.process import CLEAN, end_all, wait_for

_LOCAL = "\nbase_dir = {base}/run\nstate_dir = {base}/state\nlog_path = {base}/log\nlisten = {listen}\n"
_AUTH = {
    "2.3": "passdb {\n  driver = static\n  args = password=secret\n}\nuserdb {\n  driver = static\n"
           "  args = uid=nobody gid=nogroup home=/nonexistent\n}\nmail_location = maildir:/nonexistent\n",
    "2.4": "passdb static {\n  password = secret\n}\nmail_driver = maildir\nmail_path = /nonexistent\n",
}


class Private:
    """with Private(oracle) as dovecot: dovecot.config.write_text(…); dovecot.start()"""

    services = {"imap-login": ("imap", "imaps"), "pop3-login": ("pop3", "pop3s")}  # listeners of each
    listen = "127.0.0.1"

    def __init__(self, oracle):
        self.oracle = oracle
        self.base = oracle.directory()
        self.base.chmod(0o755)
        self.config = self.base / "etc/dovecot/dovecot.conf"
        for name in ("run", "state", "etc/dovecot"):
            (self.base / name).mkdir(parents=True, exist_ok=True)
        self.ports = {name: wire.free_port() for names in self.services.values() for name in names}

    def inside(self, path):
        return self.oracle.inside(path)

    def settings(self):
        """Lines for the end of dovecot.conf."""
        text = _LOCAL.format(base=self.inside(self.base), listen=self.listen)
        for service, names in self.services.items():
            text += f"service {service} {{\n{''.join(map(self.listener, names))}}}\n"
        return text + _AUTH[self.oracle.version]

    def listener(self, name):
        tls = "    ssl = yes\n" if name.endswith("s") else ""
        return f"  inet_listener {name} {{\n    port = {self.ports[name]}\n{tls}  }}\n"

    def certificate(self, name, key):
        """A certificate over one key for all: whatever is combined, the pair fits. (path inside, SHA-256)"""
        path = self.base / f"{name}.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-key", key, "-subj", f"/CN={name}", "-days", "9", "-out", path],
            env=CLEAN, check=True, capture_output=True,
        )
        der = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-fingerprint", "-sha256"], env=CLEAN,
                             check=True, capture_output=True, text=True).stdout
        return self.inside(path), der.partition("=")[2].strip().replace(":", "").lower()

    def key(self):
        path = self.base / "all.key"
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path], env=CLEAN,
                       check=True)
        return path

    def log(self):
        path = self.base / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self):
        done = self.oracle.run("dovecot", "-c", self.inside(self.config))
        assert done.returncode == 0, done.stdout + done.stderr + self.config.read_text()
        wait_for(lambda: f"Dovecot to listen\n{self.log()}", lambda: all(map(wire.listening, self.ports.values())))
        return self

    def reload(self):
        done = self.oracle.run("doveadm", "-c", self.inside(self.config), "reload")
        assert done.returncode == 0, done.stderr

    def served(self, listener, name=None, address="127.0.0.1"):
        how = {} if listener.endswith("s") else {"starttls": "smtp" if listener == "submission" else listener}
        return wire.served(self.ports[listener], sni=name, address=address, **how)

    def everything(self, names):
        return {(port, name): self.served(port, name) for port in self.ports for name in [None, *names]}

    def close(self):
        end_all(self.base)
        for port in self.ports.values():
            wire.give_back(port)
        shutil.rmtree(self.base, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def why_not():
    return None if os.geteuid() == 0 else "a private Dovecot with its own users is started by root only"
