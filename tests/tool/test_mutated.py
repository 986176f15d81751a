# SPDX-License-Identifier: LGPL-2.1-or-later
"""Configurations in which a few lines are wrong, odd or twice, from reading to the way back.

The fuzz targets try the readers by themselves; here paths lead somewhere, certificates are there, and a deployment is
made. Whatever a configuration says, the tool ends in order; refused, it has changed nothing; done, it finds nothing to
do again, and the way back ends at the bytes that were there.
"""

import random
import shutil

import pytest

from test_real import snapshot

ROUNDS, SEEDS, SOAK = 20, 4, 250
PEM, KEY, EC, ECKEY = (f"/etc/old/{name}" for name in ("rsa.pem", "rsa.key", "ec.pem", "ec.key"))

APACHE = f"""ServerName main.example.test
Listen 443
LoadModule ssl_module modules/mod_ssl.so
SSLCertificateFile {PEM}
SSLCertificateKeyFile {KEY}
Define OLD /etc/old
<VirtualHost *:443>
  ServerName www.example.test
  ServerAlias *.example.test
  SSLEngine on
  SSLCertificateFile ${{OLD}}/rsa.pem
  SSLCertificateKeyFile "${{OLD}}/rsa.key"
  SSLCertificateFile {EC}
  SSLCertificateKeyFile {ECKEY}
</VirtualHost>
<VirtualHost 10.0.0.1:443 [::1]:443>
  ServerName b.example.test
  SSLEngine on
  SSLCertificateChainFile {PEM}
</VirtualHost>
<IfModule ssl_module>
<VirtualHost _default_:443>
  SSLEngine on
</VirtualHost>
</IfModule>
<Macro Site $name>
<VirtualHost *:443>
  ServerName $name
  SSLEngine on
</VirtualHost>
</Macro>
Use Site m.example.test
"""
MAIN = f"""myhostname = www.example.test
mydomain = example.test
smtpd_tls_security_level = may
smtpd_tls_cert_file = {PEM}
smtpd_tls_key_file = {KEY}
smtp_tls_cert_file = $smtpd_tls_cert_file
tls_server_sni_maps = inline:{{{{www.example.test = {KEY}, {PEM}}}}}
inet_interfaces = all
other = ${{smtpd_tls_cert_file?{{a}}:{{b}}}}
"""
CHAINS = f"""myhostname = www.example.test
smtpd_tls_security_level = may
smtpd_tls_chain_files =
  {KEY},
# between
  {PEM}
"""
MASTER = f"""smtp inet n - y - - smtpd
submission inet n - y - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o {{ smtpd_tls_cert_file = {PEM} }}
  -o smtpd_tls_key_file={KEY}
127.0.0.1:smtps inet n - y - - smtpd
  -o smtpd_tls_wrappermode=yes
pickup unix n - y 60 1 pickup
"""
DOVECOT = f"""protocols = imap pop3
listen = *, ::
ssl_cert = <{PEM}
ssl_key = <{KEY}
local_name "www.example.test *.example.test" {{
  ssl_cert = <{PEM}
  ssl_key = <{KEY}
}}
protocol pop3 {{
  ssl = yes
}}
service imap-login {{
  inet_listener imaps {{
    port = 993
  }}
}}
"""
NEWER = f"""dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
protocols {{
  imap = yes
}}
ssl_server {{
  cert_file = {PEM}
  key_file = {KEY}
}}
local_name www.example.test {{
  ssl_server_cert_file = {PEM}
  ssl_server_key_file = {KEY}
}}
local 127.0.0.1 {{
  protocol imap {{
    ssl_server_cert_file = {PEM}
  }}
}}
group @mail x {{
  ssl = yes
}}
"""
TREES = {
    "apache": {"etc/apache2/apache2.conf": APACHE},
    "postfix": {"etc/postfix/main.cf": MAIN, "etc/postfix/master.cf": MASTER},
    "postfix chains": {"etc/postfix/main.cf": CHAINS, "etc/postfix/master.cf": MASTER},
    "dovecot": {"etc/dovecot/dovecot.conf": DOVECOT},
    "dovecot 2.4": {"etc/dovecot/dovecot.conf": NEWER},
}
VALUES = ["relative.pem", "", "/", "..", "../x", "//etc//old/rsa.pem", PEM, KEY, "/etc/old/../old/rsa.pem", "~", "$x",
          "${x}", "$config_directory/a", "<relative", f"<{PEM}", f"{KEY}, {PEM}", "*", "/etc/*/*.conf", '"', '"a b"', "{",
          "}", "{ a }", "\\", "a\\", "[::1]:443", "*:443", "0", "-1", "9" * 20, "yes", "no", "127.0.0.1", "www.example.test",
          "*.example.test", "hash:relative", "inline:{", "pkcs11:x", "-", "smtpd", "pass", "x" * 300]
LINES = {
    "apache": ["ServerRoot relative", "PidFile run/x", "MDomain www.example.test b.example.test", "<VirtualHost *:443>",
               "</VirtualHost>", "SSLEngine on", "SSLEngine optional", "SSLCertificateFile relative.pem",
               f"SSLCertificateFile {EC}", f"SSLCertificateKeyFile {KEY}", "SSLCertificateChainFile x", "Listen [::]:8443 https",
               "ServerAlias *.example.test b?.test", "Include relative.conf", "Include /etc/apache2/*.conf", "UnDefine OLD",
               "<IfDefine !OLD>", "</IfDefine>", "</Macro>", "Use Site", "SSLOpenSSLConfCmd Certificate x",
               "RemoteIPProxyProtocol On", '<If "true">', "</If>"],
    "postfix": ["queue_directory = spool", "config_directory = relative", "multi_instance_enable = yes",
                "multi_instance_directories = relative /etc/postfix", "smtpd_tls_cert_file = relative",
                f"smtpd_tls_chain_files = {KEY}, {PEM}", "smtpd_tls_chain_files =", "tls_server_sni_maps = hash:relative",
                "inet_interfaces = 127.0.0.1, [::1], $x", "known_tcp_ports = smtp=10025, x", "x = ${x}",
                "mydomain = a b", "[::1]:smtps inet n - y - - smtpd", "  -o smtpd_tls_wrappermode=yes",
                f"  -o {{ smtpd_tls_cert_file = {PEM} }}", "  -o smtpd_tls_chain_files=$x", "smtp inet n - y - 1 postscreen",
                "smtpd pass - - y - - smtpd", "tlsproxy unix - - y - 0 tlsproxy"],
    "dovecot": ["ssl = no", "ssl_cert = <relative", f"ssl_cert = <{PEM}", f"ssl_alt_cert = <{EC}", f"ssl_alt_key = <{ECKEY}", "base_dir = run",
                "!include relative.conf", "!include ../dovecot/*.conf", "!include_try {a,b}/*.conf", "!include dovecot.conf",
                "local_name b.example.test {", "local ::1/128 {", "protocol imap {", "remote 10.0.0.0/8 {", "}",
                "listen = 127.0.0.1, [::1]", "dovecot_config_version = 2.4.1", "ssl_server_cert_file = relative", "ssl_server {",
                f"cert_file = {PEM}", "group @mail y {", "@mail = x", "plugin {", "inet_listener_port = 1993"],
}
TARGETS = [["--hostname", "www.example.test"], ["--hostname", "new.example.test"], ["--default"], ["--all"],
           ["--address", "127.0.0.1"], []]


def odd_value(chance, line):
    """The line with another value, or another word."""
    if "=" in line:
        return line[:line.index("=") + 1] + " " + chance.choice(VALUES)
    words = line.split()
    if words:
        words[chance.randrange(len(words))] = chance.choice(VALUES)
    return " ".join(words)


def mutate(chance, service, text):
    lines = text.split("\n")
    for _ in range(chance.choice((1, 1, 1, 1, 2, 3))):
        at, other, how = chance.randrange(len(lines)), chance.randrange(len(lines)), chance.randrange(8)
        if how < 3:
            lines.insert(at, chance.choice(LINES[service]))
        elif how == 3:
            lines[at] = odd_value(chance, lines[at])
        elif how == 4:
            lines[at] += chance.choice(("\\", "\r", "\0", " #x", "{", "}", '"', " \\ "))
        elif how == 5:
            lines.insert(at, lines[other])
        elif how == 6:
            lines[at], lines[other] = lines[other], lines[at]
        elif len(lines) > 1:
            lines.pop(at)
    return "\n".join(lines)


def orderly(run):
    assert "Sanitizer" not in run.err and "runtime error" not in run.err, run
    assert run.status in (0, 6), run
    return run


def lay_out(chance, tool, service, files, old):
    shutil.rmtree(tool.root / "var", ignore_errors=True)
    shutil.rmtree(tool.root / "etc", ignore_errors=True)
    (tool.root / "etc/old").mkdir(parents=True)
    for name, leaf in old.items():
        (tool.root / f"etc/old/{name}.pem").write_text(leaf.fullchain_pem)
        (tool.root / f"etc/old/{name}.key").write_text(leaf.key_pem)
    for path, text in files.items():
        (tool.root / path).parent.mkdir(exist_ok=True)
        (tool.root / path).write_text(mutate(chance, service, text), newline="")


@pytest.fixture(scope="session")
def old(pki):
    authority = pki.root("Old Root")
    return {name: authority.leaf("www.example.test", key=name) for name in ("rsa", "ec")}


@pytest.fixture(scope="session")
def fresh(pki):
    """The arguments that give one new certificate, another, or both."""
    authority = pki.root().authority("Example CA 1")
    one, two = ([word for part, path in (("--fullchain", leaf.fullchain), ("--key", leaf.key)) for word in (part, path)]
                for leaf in (authority.leaf("www.example.test", "new.example.test", key=key) for key in ("rsa", "ec")))
    return [one, two, one + two, one + ["--drop-other-types"]]


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("what", TREES)
def test_mutated(tool, old, fresh, soak, what, seed):
    chance, service = random.Random(f"{what} {seed}"), what.split()[0]
    for _ in range(SOAK if soak else ROUNDS):
        lay_out(chance, tool, service, TREES[what], old)
        before = snapshot(tool.root)
        orderly(tool("list", "--service", service))
        wanted = ["deploy", "--service", service, *chance.choice(fresh), *chance.choice(TARGETS), "--accept", "name-mismatch"]
        done = orderly(tool(*wanted))
        if done.status == 6:
            assert snapshot(tool.root) == before, done
        elif done.json["changed"]:
            assert orderly(tool(*wanted)).json["changed"] is False, done
            orderly(tool("rollback"))
            assert snapshot(tool.root) == before, done
