# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private Apache with a configuration written by the test, on several loopback addresses.

    web = Plain(host)                   # host: harness.host.Host
    web.write("site.conf", TEXT)        # below web.home; {port} and the like are replaced
    web.start()
    web.ask("www.example.test")         # SHA-256 of the leaf that a client gets, None: no TLS
"""

import contextlib
import hashlib
import socket
import ssl

from harness import wire
from harness.process import Failed, run, wait_for
from harness.server import Server

MODULES = "/usr/lib/apache2/modules"
HEAD = """ServerRoot {home}
DefaultRuntimeDir {run}
PidFile {run}/httpd.pid
ErrorLog {log}
{user}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule socache_shmcb_module {modules}/mod_socache_shmcb.so
LoadModule ssl_module {modules}/mod_ssl.so
LoadModule macro_module {modules}/mod_macro.so
StartServers 1
ServerLimit 4
ThreadsPerChild 8
MaxRequestWorkers 32
MinSpareThreads 1
MaxSpareThreads 32
SSLSessionCache none
"""

_VERBS = """start | reload | test)
	case $1 in start) set -- -k start ;; reload) set -- -k graceful ;; test) set -- -t ;; esac
	{environment} exec {binary} -d {home} -f {config} {flags} "$@" ;;"""


@contextlib.contextmanager
def connected(port, sni=None, address="127.0.0.1", timeout=10, ciphers=None, proxied=False):
    """A TLS connection by OpenSSL in this process that believes any certificate. ciphers: of TLS 1.2.

    proxied: with a line of the PROXY protocol before, for a client far away."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if ciphers:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
    with socket.create_connection((address, port), timeout=timeout) as plain:
        if proxied:
            plain.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n")
        with context.wrap_socket(plain, server_hostname=sni) as tls:
            yield tls


def leaf_of(port, sni=None, address="127.0.0.1", timeout=10, ciphers=None, proxied=False):
    """SHA-256 of the certificate that a client gets; None: no TLS there, or not with these ciphers."""
    try:
        with connected(port, sni, address, timeout, ciphers, proxied) as tls:
            return hashlib.sha256(tls.getpeercert(True)).hexdigest()
    except (OSError, ssl.SSLError):
        return None


class Plain(Server):
    adapter = "apache"
    programs = ("apache2",)
    binary = "/usr/sbin/apache2"

    def __init__(self, host, flags=(), environment=None, home="httpd", **settings):
        super().__init__(host, "apache")
        self.home = host.etc / home
        self.run_dir = host.run / "httpd"
        self.pidfile = self.run_dir / "httpd.pid"
        self.logfile = host.log / "httpd.log"
        self.config = self.home / "httpd.conf"
        self.flags, self.environment, self.more = tuple(flags), environment or {}, settings
        self.port, self.other = host.port(), host.port()
        self.home.mkdir(parents=True)
        self.run_dir.mkdir()
        self.user = "User www-data\nGroup www-data" if host_is_root() else ""
        self.write_ctl()
        host._add(self)

    def verbs(self):
        return _VERBS.format(
            binary=self.binary,
            home=self.home,
            config=self.config,
            flags=" ".join(self.flags),
            environment=" ".join(f"{k}='{v}'" for k, v in self.environment.items()),
        )

    def head(self):
        return HEAD.format(home=self.home, run=self.run_dir, log=self.logfile, modules=MODULES, user=self.user)

    def write(self, name, data):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape"))
        return path

    def httpd(self, *args, check=False):
        return run(
            [self.binary, "-d", self.home, "-f", self.config, *self.flags, *args],
            check=check,
            env=self.environment or None,
        )

    # what harness.server.Server wants to know

    def ports(self):
        return [self.port, self.other]

    def places(self):
        return [self.home]

    def endpoints(self):
        return [(self.port, {})]

    @property
    def running(self):
        return self.pid() is not None

    def answers(self):
        return True

    def start(self):
        done = self.control("start", check=False)
        if done.returncode != 0:
            raise Failed(f"httpd does not start\n{done.stdout}{done.stderr}\n{self.log_text()[-2000:]}")
        wait_for(
            lambda: f"httpd to run\n{done.stdout}{done.stderr}\n{self.log_text()[-2000:]}",
            lambda: self.pid() is not None and "resuming normal operations" in self.log_text(),
        )
        self._forget(None)
        return self

    def own_settings(self):
        return {
            "server_root": self.home,
            "binary": self.binary,
            "defines": tuple(f[2:] for f in self.flags if f.startswith("-D")) or None,
            **self.more,
        }

    def ask(self, sni=None, port=None, address="127.0.0.1", ciphers=None):
        return leaf_of(port or self.port, sni, address, ciphers=ciphers)

    def status_of(self, name, over):
        """HTTP status of a request for one name on the connection of another."""
        with connected(self.port, over) as tls:
            tls.sendall(f"GET /none HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            return int(tls.recv(64).split()[1])

    def served(self, **more):
        return {}


def host_is_root():
    import os

    return os.geteuid() == 0


__all__ = ["HEAD", "MODULES", "Plain", "leaf_of", "wire"]
