# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private Dovecot, 2.3 or 2.4 as installed: Debian's dovecot.conf and conf.d, its own base directory and one user.

Runs for an ordinary user too, then without chroot and with all processes under that user.
"""

import grp
import os
import pwd
import re
import shutil
from pathlib import Path

from .process import run
from .server import Server

STOCK = Path("/usr/share/dovecot")


def is_v24():
    """Whether Debian's own files are for 2.4: they begin with the version that they are for."""
    try:
        return "\ndovecot_config_version" in (STOCK / "dovecot.conf").read_text()
    except OSError:
        return False


def head():
    """What a configuration of this version begins with."""
    return "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\n" if is_v24() else ""


def pair(cert, key):
    """The two settings for a certificate and its key."""
    names = ("ssl_server_cert_file = ", "ssl_server_key_file = ") if is_v24() else ("ssl_cert = <", "ssl_key = <")
    return "".join(f"{name}{path}\n" for name, path in zip(names, (cert, key)))


_LOCAL = """# this host only
base_dir = {run}
state_dir = {state}
log_path = {log}
listen = 127.0.0.1
"""

_MAIL_23 = "mail_location = maildir:{state}/mail/%u\n"
_MAIL_24 = """mail_driver = maildir
mail_path = {state}/mail/%{{user}}
mail_inbox_path = {state}/mail/%{{user}}
"""

_USERS_24 = """passdb passwd-file {{
  passwd_file_path = {users}
}}
userdb passwd-file {{
  passwd_file_path = {users}
}}
"""

_ROOTLESS = """default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
mail_privileged_group =
first_valid_uid = 1
""" + "".join(
    f"service {s} {{{{\n  chroot =\n}}}}\n" for s in ("anvil", "imap-login", "pop3-login", "imap-urlauth-login")
)

_VERBS = """start) exec /usr/sbin/dovecot -c {config} ;;
reload) exec /usr/bin/doveadm -c {config} reload ;;
test) exec /usr/bin/doveconf -c {config} -n >/dev/null ;;"""


class Dovecot(Server):
    adapter = "dovecot"
    programs = ("dovecot", "doveconf", "doveadm")

    def __init__(self, host, protocols=("imapd", "pop3d"), name=None):
        super().__init__(host, name)
        self.home = host.etc / (name or "dovecot")
        self.run_dir = host.run / self.name
        self.state = host.base / "var/lib" / self.name
        self.config = self.home / "dovecot.conf"
        self.ssl_conf = self.home / "conf.d/10-ssl.conf"
        self.local = self.home / "local.conf"
        self.pidfile = self.run_dir / "master.pid"
        self.logfile = host.log / f"{self.name}.log"
        self.imap, self.imaps, self.pop3, self.pop3s = (host.port() for _ in range(4))
        self.ready_port = self.imaps
        self.names = []  # SNI names that endpoints() asks for besides the default
        self.v24 = is_v24()
        self._lay_out(protocols)
        self.write_ctl()

    def verbs(self):
        return _VERBS.format(config=self.config)

    def _lay_out(self, protocols):
        self.home.mkdir(parents=True)
        for place in (self.run_dir, self.state):
            place.mkdir(parents=True)
        shutil.copyfile(STOCK / "dovecot.conf", self.config)
        shutil.copytree(STOCK / "conf.d", self.home / "conf.d", copy_function=shutil.copyfile)
        (self.home / "protocols.d").mkdir()
        for name in protocols:
            shutil.copyfile(STOCK / f"protocols.d/{name}.protocol", self.home / f"protocols.d/{name}.protocol")
        self._change(self.config, "/usr/share/dovecot/protocols.d", f"{self.home}/protocols.d")
        private = self.home / "private"
        private.mkdir(mode=0o700)
        (private / "dovecot.pem").symlink_to(self.host.old_cert)
        (private / "dovecot.key").symlink_to(self.host.old_key)
        self._change(self.ssl_conf, "/etc/dovecot/private", str(private))
        self._change(
            self.home / "conf.d/10-auth.conf", "!include auth-system.conf.ext", "!include auth-passwdfile.conf.ext"
        )
        users = self.home / "conf.d/auth-passwdfile.conf.ext"
        if self.v24:  # all of it stands in comments there
            users.write_text(_USERS_24.format(users=self.home / "users"))
        else:
            self._change(users, "/etc/dovecot/users", f"{self.home}/users")
        (self.home / "users").write_text("hanako:{PLAIN}secret:65534:65534::/nonexistent::\n")
        ports = self.home / "conf.d/10-master.conf"
        text = ports.read_text()
        for listener, port in (
            ("imap", self.imap),
            ("imaps", self.imaps),
            ("pop3", self.pop3),
            ("pop3s", self.pop3s),
        ):
            tls = "\n    ssl = yes" if listener.endswith("s") else ""
            text = re.sub(
                rf"(inet_listener {listener} \{{\n)( *)#port = \d+\n", f"\\g<1>\\g<2>port = {port}{tls}\n", text
            )
        ports.write_text(text)
        local = _LOCAL.format(run=self.run_dir, state=self.state, log=self.logfile)
        local += (_MAIL_24 if self.v24 else _MAIL_23).format(state=self.state)
        if self.v24:  # which begins with all that are installed
            local += f"protocols = {' '.join(name.removesuffix('d') for name in protocols)}\n"
        if os.geteuid() != 0:
            local += _ROOTLESS.format(
                user=pwd.getpwuid(os.geteuid()).pw_name, group=grp.getgrgid(os.getegid()).gr_name
            )
        self.local.write_text(local)

    @staticmethod
    def _change(path, old, new):
        text = path.read_text()
        assert old in text, f"{path}: no {old!r} in Debian's file"
        path.write_text(text.replace(old, new))

    def add(self, text):
        """Append to local.conf, which is read last."""
        with open(self.local, "a", encoding="utf-8") as f:
            f.write(text if text.endswith("\n") else text + "\n")

    # asking

    def ports(self):
        return [self.imap, self.imaps, self.pop3, self.pop3s]

    def endpoints(self):
        plain = [
            (self.imap, {"starttls": "imap"}),
            (self.imaps, {}),
            (self.pop3, {"starttls": "pop3"}),
            (self.pop3s, {}),
        ]
        return plain + [(port, {**how, "sni": name}) for name in self.names for port, how in plain]

    def doveconf(self, *args, check=True):
        return run(["/usr/bin/doveconf", "-c", self.config, *args], check=check)

    def test(self):
        return self.doveconf("-n", check=False).returncode == 0

    def dump(self):
        return self.doveconf("-n").stdout

    def reloads(self):
        return self.log_text().count("SIGHUP received - reloading configuration")

    def places(self):
        return [self.home, self.run_dir, self.state]
