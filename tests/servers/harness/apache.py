# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private Apache, laid out as Debian lays it out.

Debian's own files where the package is installed: apache2.conf, ports.conf, conf-available and
sites-available/default-ssl.conf, with the ports and the certificate's paths changed.
"""

import os
import re
import shutil
from pathlib import Path

from . import wire
from .process import run
from .server import Server

STOCK = Path("/etc/apache2")
MODULES = """mpm_event access_compat alias auth_basic authn_core authn_file authz_core authz_host authz_user autoindex
deflate dir env filter mime negotiation reqtimeout setenvif socache_shmcb ssl status""".split()

_ENVVARS = """# envvars - default environment variables for apache2ctl
unset HOME
export APACHE_RUN_USER={user}
export APACHE_RUN_GROUP={group}
export APACHE_PID_FILE={run}/apache2.pid
export APACHE_RUN_DIR={run}
export APACHE_LOCK_DIR={run}
export APACHE_LOG_DIR={log}

## The locale used by some modules like mod_dav
export LANG=C
export LANG
"""

_VERBS = """start | reload | test)
	. {root}/envvars
	case $1 in start) set -- -k start ;; reload) set -- -k graceful ;; test) set -- -t ;; esac
	exec /usr/sbin/apache2 -d {root} -f {config} {flags} "$@" ;;"""


class Apache(Server):
    """stock: enable Debian's default-ssl site, with the host's old certificate."""

    adapter = "apache"
    programs = ("apache2",)

    def __init__(self, host, stock=True, modules=(), name=None, flags=()):
        super().__init__(host, name)
        self.home = host.etc / (name or "apache2")
        self.run_dir = host.run / self.name
        self.log_dir = host.log / self.name
        self.config = self.home / "apache2.conf"
        self.pidfile = self.run_dir / "apache2.pid"
        self.logfile = self.log_dir / "error.log"
        self.flags = tuple(flags)
        self.port, self.plain_port = host.port(), host.port()
        self.ready_port = self.port
        self.names = [None] if stock else []  # what endpoints() asks for
        self._lay_out(tuple(modules))
        if stock:
            self._default_site()
        self.write_ctl()

    def verbs(self):
        return _VERBS.format(root=self.home, config=self.config, flags=" ".join(self.flags))

    # layout

    def _lay_out(self, modules):
        for place in (
            "mods-enabled",
            "mods-available",
            "conf-enabled",
            "conf-available",
            "sites-enabled",
            "sites-available",
        ):
            (self.home / place).mkdir(parents=True)
        self.run_dir.mkdir()
        self.log_dir.mkdir()
        for name in ("apache2.conf", "ports.conf", "magic"):
            shutil.copyfile(STOCK / name, self.home / name)
        ports = (self.home / "ports.conf").read_text()
        ports = re.sub(r"\bListen 80\b", f"Listen {wire.ADDRESS}:{self.plain_port}", ports)
        (self.home / "ports.conf").write_text(re.sub(r"\bListen 443\b", f"Listen {wire.ADDRESS}:{self.port}", ports))
        for module in (*MODULES, *modules):
            for end in ("load", "conf"):
                self._take("mods", f"{module}.{end}")
        for name in ("charset.conf", "localized-error-pages.conf", "other-vhosts-access-log.conf", "security.conf"):
            self._take("conf", name)
        root = os.geteuid() == 0
        (self.home / "envvars").write_text(
            _ENVVARS.format(
                run=self.run_dir,
                log=self.log_dir,
                user="www-data" if root else f"\\#{os.geteuid()}",
                group="www-data" if root else f"\\#{os.getegid()}",
            )
        )
        (self.host.base / "var/www/html").mkdir(parents=True, exist_ok=True)

    def _take(self, kind, name):
        source = STOCK / f"{kind}-available" / name
        if source.exists():
            shutil.copyfile(source, self.home / f"{kind}-available" / name)
            (self.home / f"{kind}-enabled" / name).symlink_to(f"../{kind}-available/{name}")

    def _default_site(self):
        text = (STOCK / "sites-available/default-ssl.conf").read_text()
        text = text.replace("*:443", f"*:{self.port}").replace("_default_:443", f"_default_:{self.port}")
        text = text.replace("/var/www/html", f"{self.host.base}/var/www/html")
        text = text.replace("/etc/ssl/certs/ssl-cert-snakeoil.pem", str(self.host.old_cert))
        text = text.replace("/etc/ssl/private/ssl-cert-snakeoil.key", str(self.host.old_key))
        self.site_file("default-ssl", text)

    def site_file(self, name, text, enable=True):
        """sites-available/NAME.conf with this text, and its link in sites-enabled."""
        path = self.home / f"sites-available/{name}.conf"
        path.write_bytes(text) if isinstance(text, bytes) else path.write_text(text)
        link = self.home / f"sites-enabled/{name}.conf"
        if enable and not link.is_symlink():
            link.symlink_to(f"../sites-available/{name}.conf")
        return path

    def add_site(self, name, *aliases, cert=None, key=None, chain=None, address="*", extra=""):
        """An ordinary TLS site with files of its own; cert: a pki.Certificate, or paths."""
        certificate, keyfile = (
            (cert, key) if key else self.host.install(name, cert) if cert else (self.host.old_cert, self.host.old_key)
        )
        lines = [f"<VirtualHost {address}:{self.port}>", f"\tServerName {name}"]
        lines += [f"\tServerAlias {' '.join(aliases)}"] if aliases else []
        lines += [
            f"\tDocumentRoot {self.host.base}/var/www/html",
            "\tSSLEngine on",
            f"\tSSLCertificateFile {certificate}",
            f"\tSSLCertificateKeyFile {keyfile}",
        ]
        lines += [f"\tSSLCertificateChainFile {chain}"] if chain else []
        lines += [f"\t{line}" for line in extra.splitlines()]
        self.names.append(name)
        return self.site_file(name, "\n".join(lines + ["</VirtualHost>", ""]))

    # asking

    def ports(self):
        return [self.port, self.plain_port]

    def endpoints(self):
        return [(self.port, {"sni": name} if name else {}) for name in self.names or [None]]

    def httpd(self, *args, check=True):
        """apache2 with this configuration and its environment, e.g. httpd("-t", "-D", "DUMP_VHOSTS")."""
        return run(
            [
                "/bin/sh",
                "-c",
                '. "$0/envvars"; exec /usr/sbin/apache2 -d "$0" -f "$0/apache2.conf" "$@"',
                self.home,
                *self.flags,
                *args,
            ],
            check=check,
        )

    def test(self):
        return self.httpd("-t", check=False).returncode == 0

    def dump(self):
        """The server's own list of virtual hosts."""
        return self.httpd("-t", "-D", "DUMP_VHOSTS").stdout

    def dump_config(self):
        """The whole expanded configuration with file and line, from mod_info."""
        return self.httpd(
            "-C",
            "LoadModule info_module /usr/lib/apache2/modules/mod_info.so",
            "-S",
            "-D",
            "DUMP_CONFIG",
            "-D",
            "DUMP_CERTS",
            "-D",
            "DUMP_INCLUDES",
        ).stdout

    def reloads(self):
        """How often this server says that it was reloaded."""
        return self.log_text().count("AH00493")

    def own_settings(self):
        return {
            "server_root": self.home,
            "envvars": self.home / "envvars",
            "binary": "/usr/sbin/apache2",
            "defines": tuple(f[2:] for f in self.flags) or None,
        }

    def places(self):
        return [self.home]
