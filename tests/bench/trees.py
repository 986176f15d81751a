# SPDX-License-Identifier: LGPL-2.1-or-later
"""Configurations as large hosts have them, generated: the same every time."""

import os
import shutil
import subprocess
from pathlib import Path

APACHE = """# Debian's layout
ServerRoot "/etc/apache2"
Mutex file:/var/lock/apache2 default
PidFile /var/run/apache2/apache2.pid
Timeout 300
KeepAlive On
User www-data
Group www-data
ErrorLog /var/log/apache2/error.log
LogLevel warn
IncludeOptional mods-enabled/*.load
IncludeOptional mods-enabled/*.conf
Include ports.conf
<Directory />
\tOptions FollowSymLinks
\tAllowOverride None
\tRequire all denied
</Directory>
<Directory /var/www/>
\tRequire all granted
</Directory>
AccessFileName .htaccess
IncludeOptional conf-enabled/*.conf
IncludeOptional sites-enabled/*.conf
"""

PORTS = """Listen 80
<IfModule ssl_module>
\tListen 443
</IfModule>
"""

SITE = """<VirtualHost *:80>
\tServerName {name}
\tServerAlias www.{name}
\tDocumentRoot /var/www/{name}
\tRedirect permanent / https://{name}/
\tErrorLog ${{APACHE_LOG_DIR}}/{name}-error.log
</VirtualHost>

<VirtualHost *:443>
\tServerName {name}
\tServerAlias www.{name} mail.{name}
\tDocumentRoot /var/www/{name}
\tErrorLog ${{APACHE_LOG_DIR}}/{name}-error.log
\tCustomLog ${{APACHE_LOG_DIR}}/{name}-access.log combined

\t# TLS
\tSSLEngine on
\tSSLCertificateFile /etc/ssl/certs/{name}.pem
\tSSLCertificateKeyFile /etc/ssl/private/{name}.key

\t<Directory /var/www/{name}>
\t\tOptions -Indexes +FollowSymLinks
\t\tAllowOverride All
\t\tRequire all granted
\t</Directory>
\t<FilesMatch "\\.(cgi|shtml|phtml|php)$">
\t\tSSLOptions +StdEnvVars
\t</FilesMatch>
</VirtualHost>
"""

CONFIG = """store = "/etc/ssl/certdeploy";
state = "/var/lib/certdeploy";
services = ( {service} );
"""


def site_name(number):
    return f"site{number:05}.example.test"


def self_signed(directory, *names):
    """(certificate, key) for these names."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90", "-keyout", key, "-out", cert,
         "-subj", f"/CN={names[0]}", "-addext", "subjectAltName=" + ",".join(f"DNS:{n}" for n in names)],
        check=True, capture_output=True)
    return cert, key


def apache(base, sites):
    """A tree with so many sites, one file each, a link each. Returns the arguments that reach it."""
    tree = base / f"apache-{sites}"
    home = tree / "etc/apache2"
    for name in ("sites-available", "sites-enabled", "mods-available", "mods-enabled", "conf-enabled"):
        (home / name).mkdir(parents=True)
    (tree / "etc/ssl/certs").mkdir(parents=True)
    (tree / "etc/ssl/private").mkdir()
    (tree / "var/lib").mkdir(parents=True)
    (home / "apache2.conf").write_text(APACHE)
    (home / "ports.conf").write_text(PORTS)
    (home / "envvars").write_text("export APACHE_LOG_DIR=/var/log/apache2\n")
    (home / "mods-enabled/ssl.load").write_text("LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so\n")
    cert, key = self_signed(tree, "old.example.test")
    for number in range(sites):
        name = site_name(number)
        (home / "sites-available" / f"{name}.conf").write_text(SITE.format(name=name))
        (home / "sites-enabled" / f"{name}.conf").symlink_to(f"../sites-available/{name}.conf")
        shutil.copy(cert, tree / "etc/ssl/certs" / f"{name}.pem")
        shutil.copy(key, tree / "etc/ssl/private" / f"{name}.key")
    config = base / f"apache-{sites}.conf"
    config.write_text(CONFIG.format(
        service='{ name = "apache"; adapter = "apache"; config = "/etc/apache2/apache2.conf"; version = "2.4.66"; '
                'modules = [ "ssl_module" ]; envvars = "/etc/apache2/envvars"; }'))
    config.chmod(0o644)
    return tree, ["-c", str(config), "--root", str(tree)]


def one_file(base, sites):
    """The same sites in one file beside apache2.conf."""
    tree, reach = apache(base, 0)
    text = "".join(SITE.format(name=site_name(number)) for number in range(sites))
    (tree / "etc/apache2/sites-available/all.conf").write_text(text)
    (tree / "etc/apache2/sites-enabled/all.conf").symlink_to("../sites-available/all.conf")
    return tree, reach


def postfix_names(base, entries):
    """A table of so many names for SNI: (tree, arguments, the table)."""
    tree, reach = postfix(base, 100)
    table = tree / "etc/postfix/sni"
    with open(tree / "etc/postfix/main.cf", "a", encoding="utf-8") as f:
        f.write("tls_server_sni_maps = hash:/etc/postfix/sni\n")
    table.write_text("".join(
        f"{site_name(number)} /etc/ssl/old.key, /etc/ssl/old.pem\n" for number in range(entries)))
    return tree, reach, table


def postfix(base, lines):
    """A main.cf of so many lines."""
    tree = base / f"postfix-{lines}"
    home = tree / "etc/postfix"
    home.mkdir(parents=True)
    (tree / "var/lib").mkdir(parents=True)
    text = ["myhostname = mail.example.test", "smtpd_tls_cert_file = /etc/ssl/old.pem",
            "smtpd_tls_key_file = /etc/ssl/old.key", "smtpd_tls_security_level = may"]
    number = 0
    while len(text) < lines:
        number += 1
        text += [f"# parameter {number}", f"own_parameter_{number} = value,", f"    $myhostname, hash:/etc/postfix/t{number}"]
    (home / "main.cf").write_text("\n".join(text[:lines]) + "\n")
    (home / "master.cf").write_text(
        "smtp      inet  n       -       y       -       -       smtpd\n"
        "smtps     inet  n       -       y       -       -       smtpd\n  -o smtpd_tls_wrappermode=yes\n")
    (tree / "etc/ssl").mkdir()
    cert, key = self_signed(tree, "mail.example.test")
    shutil.copy(cert, tree / "etc/ssl/old.pem")
    shutil.copy(key, tree / "etc/ssl/old.key")
    config = base / f"postfix-{lines}.conf"
    config.write_text(CONFIG.format(
        service='{ name = "postfix"; adapter = "postfix"; config_directory = "/etc/postfix"; '
                'config = "/etc/postfix/main.cf"; version = "3.7.11"; }'))
    config.chmod(0o644)
    return tree, ["-c", str(config), "--root", str(tree)]


def dovecot(base, names):
    """One certificate and so many local_name blocks."""
    tree = base / f"dovecot-{names}"
    home = tree / "etc/dovecot"
    (home).mkdir(parents=True)
    (tree / "etc/ssl/certs").mkdir(parents=True)
    (tree / "var/lib").mkdir(parents=True)
    cert, key = self_signed(tree, "old.example.test")
    text = ["protocols = imap", "ssl = yes", "ssl_cert = </etc/ssl/certs/old.pem", "ssl_key = </etc/ssl/certs/old.key"]
    shutil.copy(cert, tree / "etc/ssl/certs/old.pem")
    shutil.copy(key, tree / "etc/ssl/certs/old.key")
    for number in range(names):
        name = site_name(number)
        text += [f"local_name {name} {{", f"  ssl_cert = </etc/ssl/certs/{name}.pem",
                 f"  ssl_key = </etc/ssl/certs/{name}.key", "}"]
        shutil.copy(cert, tree / "etc/ssl/certs" / f"{name}.pem")
        shutil.copy(key, tree / "etc/ssl/certs" / f"{name}.key")
    (home / "dovecot.conf").write_text("\n".join(text) + "\n")
    config = base / f"dovecot-{names}.conf"
    config.write_text(CONFIG.format(
        service='{ name = "dovecot"; adapter = "dovecot"; config = "/etc/dovecot/dovecot.conf"; version = "2.3.19"; }'))
    config.chmod(0o644)
    return tree, ["-c", str(config), "--root", str(tree)]


def store(base, count):
    """(tree, certificate, key): a store of so many names, one certificate in all of them."""
    root = base / f"store-{count}"
    root.mkdir()
    cert, key = self_signed(root, "www.example.test")
    one = root / "etc/ssl/certdeploy/n0/20260101T000000Z-00000000"
    one.mkdir(parents=True)
    (one / "cert.pem").write_bytes(cert.read_bytes())
    (one / "chain.pem").write_bytes(b"")
    for number in range(count):
        name = root / f"etc/ssl/certdeploy/n{number}"
        here = name / one.name
        here.mkdir(parents=True, exist_ok=True)
        (name / "current").symlink_to(one.name)
        for part in () if number == 0 else ("cert.pem", "chain.pem"):
            os.link(one / part, here / part)
    return root, cert, key


def remove(base):
    shutil.rmtree(base, ignore_errors=True)


def place():
    """Where the trees are made: CERTDEPLOY_BENCH_DIR or /tmp."""
    return Path(os.environ.get("CERTDEPLOY_BENCH_DIR", "/tmp"))
