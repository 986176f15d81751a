# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private Postfix with configuration, queue and data directories of its own.

Debian's main.cf and master.cf from /usr/share/postfix, as its installation joins them, with smtp,
submission and submissions (smtps) on high ports. On a host of trixie the programs are those in there.
"""

import os
import re
import shutil
import time
from pathlib import Path

from .process import run
from .server import Server
from .trixie import enter

# postfix(1) finds fault with files younger than two seconds: wait there, not in each test
_VERBS = """start | reload) exec {postfix} -c {home} "$1" ;;
test) exec {postfix} -c {home} check ;;"""


class Postfix(Server):
    adapter = "postfix"
    programs = ("postfix", "postconf")
    needs_root = True

    def __init__(self, host, hostname="mail.example.test", name=None):
        super().__init__(host, name)
        self.home = host.etc / (name or "postfix")
        self.stock = (host.top or Path("/")) / "usr/share/postfix"
        self.queue = host.base / "var/spool" / self.name
        self.data = host.base / "var/lib" / self.name
        self.config = self.home / "main.cf"
        self.master = self.home / "master.cf"
        self.pidfile = self.queue / "pid/master.pid"
        self.logfile = host.log / f"{self.name}.log"
        self.hostname = hostname
        self.smtp, self.submission, self.smtps = host.port(), host.port(), host.port()
        self.ready_port = self.smtp
        self._lay_out()
        self.write_ctl()

    def verbs(self):
        return _VERBS.format(postfix=self.program("postfix"), home=self.home)

    def program(self, name):
        """The path of a program of this Postfix."""
        path = Path("/usr/sbin", name)
        return path if self.host.top is None else enter(self.host.top, path, self.host.bin)

    def _user(self):
        """The number of the user postfix, which another release counts otherwise."""
        text = ((self.host.top or Path("/")) / "etc/passwd").read_text()
        return int(re.search(r"^postfix:[^:]*:(\d+):", text, re.M).group(1))

    def _lay_out(self):
        for place in (self.home, self.queue, self.data):
            place.mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(self.data, self._user())
        text = (self.stock / "main.cf.debian").read_text() + (self.stock / "main.cf.tls").read_text()
        text = text.replace("/etc/ssl/certs/ssl-cert-snakeoil.pem", str(self.host.old_cert))
        text = text.replace("/etc/ssl/private/ssl-cert-snakeoil.key", str(self.host.old_key))
        own = f"""
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = {self.hostname}
alias_maps =
alias_database =
mydestination =
relayhost =
mynetworks = 127.0.0.0/8
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
queue_directory = {self.queue}
data_directory = {self.data}
maillog_file = {self.logfile}
maillog_file_prefixes = {self.host.log}
"""
        # defined once: postlogd of 3.10 waits for itself when it warns of what was defined twice
        for name in re.findall(r"^\w+", own, re.M):
            text = re.sub(rf"^{name}\s*=.*\n", "", text, flags=re.M)
        text += own
        self.config.write_text(text)
        self.master.write_text(self._master())
        self.cool()

    def _master(self):
        text = (self.stock / "master.cf.dist").read_text()
        text = re.sub(r"^smtp( +)inet", f"{self.smtp}\\1inet", text, count=1, flags=re.M)
        for stock, port in (("submission", self.submission), ("submissions", self.smtps)):
            text = re.sub(rf"^#{stock}( +)inet", f"{port}\\1inet", text, count=1, flags=re.M)
            start = text.index(f"\n{port} ")
            head, _, rest = text[start + 1 :].partition("\n")
            options = []
            for line in rest.splitlines():
                if not line.startswith("#  "):
                    break
                if line.startswith("#  -o") and "sasl_auth_enable" not in line and "mua_" not in line:
                    options.append(line[1:])
            count = len(re.match(r"(?:#  .*\n)*", rest).group(0).splitlines())
            rest = "\n".join(options + rest.split("\n")[count:])
            text = text[: start + 1] + head + "\n" + rest
        return text

    def add_service(self, line, *options):
        """Append an entry to master.cf, e.g. "127.0.0.1:2525 inet n - y - - smtpd"."""
        with open(self.master, "a", encoding="utf-8") as f:
            f.write("\n".join([line, *(f"  -o {o}" for o in options)]) + "\n")

    def set(self, **parameters):
        """Append parameters to main.cf (the last one wins), or take out with None."""
        text = self.config.read_text()
        for name, value in parameters.items():
            text = re.sub(rf"^{name}\s*=.*\n", "", text, flags=re.M)
            if value is not None:
                text += f"{name} = {value}\n"
        self.config.write_text(text)
        self.cool()

    def cool(self):
        """Make the files older: Postfix waits up to 2.7 s for a main.cf that is younger than 2 s."""
        then = time.time() - 120
        for path in (self.config, self.master):
            os.utime(path, (then, then))

    # asking

    def ports(self):
        return [self.smtp, self.submission, self.smtps]

    def endpoints(self):
        return [(self.smtp, {"starttls": "smtp"}), (self.submission, {"starttls": "smtp"}), (self.smtps, {})]

    def postconf(self, *args, check=True):
        """What postconf says; its warnings are in .stderr."""
        return run([self.program("postconf"), "-c", self.home, *args], check=check)

    def value(self, name):
        return self.postconf("-h", name).stdout.rstrip("\n")

    def test(self):
        return run([self.program("postfix"), "-c", self.home, "check"], check=False).returncode == 0

    def dump(self):
        """postconf -n, -M and -P in one text."""
        return "".join(self.postconf(flag).stdout for flag in ("-n", "-M", "-P"))

    def reloads(self):
        return len(re.findall(r"master\[\d+\]: reload -- version", self.log_text()))

    def own_settings(self):
        return {"config_directory": self.home, **{name: self.program(name) for name in ("postconf", "postmap")}}

    def places(self):
        return [self.home, self.queue]
