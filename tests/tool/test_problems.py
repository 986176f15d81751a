# SPDX-License-Identifier: LGPL-2.1-or-later
"""Problems that no other test provokes: on a tree, and on ports of our own that speak no TLS."""

import shutil
import socketserver
import threading

import pytest

from harness.dovecot import head, pair
from harness.tool import DIFFERENT, REFUSED, Tool

NAME = "www.example.test"
SITE = """<VirtualHost *:443>
ServerName {0}.example.test
SSLEngine on
SSLCertificateFile /etc/old/cert.pem
SSLCertificateKeyFile /etc/old/key.pem
</VirtualHost>
"""


@pytest.fixture
def ca(pki):
    return pki.root().authority("Example CA 1")


@pytest.fixture
def material(ca):
    leaf = ca.leaf(NAME, "blog.example.test")
    return ["--fullchain", leaf.fullchain, "--key", leaf.key]


def configure(tool, tmp_path, ca, services, settings="", **files):
    """The tool on its tree, with these files below /etc and an old certificate."""
    old = ca.leaf("old.example.test")
    for path, text in files.items():
        place = tool.root / "etc" / path.replace("__", "/").replace("_cf", ".cf").replace("_conf", ".conf")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (tool.root / "etc/old").mkdir(parents=True, exist_ok=True)
    shutil.copy(old.fullchain, tool.root / "etc/old/cert.pem")
    shutil.copy(old.key, tool.root / "etc/old/key.pem")
    conf = tmp_path / "certdeploy.conf"
    conf.write_text(f"{settings}services = ( {services} );\n")
    return Tool(config=conf, root=tool.root)


APACHE = '{ name = "apache"; config = "/etc/apache2/apache2.conf"; server_root = "/etc/apache2"; version = "2.4.57"; modules = [ "ssl" ]; }'
POSTFIX = '{ name = "postfix"; config_directory = "/etc/postfix"; version = "3.7.0"; }'
MAIN = """myhostname = www.example.test
smtpd_tls_security_level = may
smtpd_tls_chain_files = /etc/old/key.pem, /etc/old/cert.pem
tls_server_sni_maps = hash:/etc/postfix/sni
"""
MASTER = "smtp inet n - y - - smtpd\n"


def test_a_name_outside_the_target_would_change(tool, tmp_path, ca, material):
    """Both sites have the files that one of them is to get its certificate in."""
    host = configure(tool, tmp_path, ca, APACHE,
                     apache2__apache2_conf="ServerRoot /etc/apache2\nListen 443\n" + SITE.format("www") + SITE.format("blog"))
    argv = ["plan", *material, "--hostname", NAME, "--install-cert", "/etc/old/cert.pem", "--install-key", "/etc/old/key.pem"]
    host(*argv).expect(REFUSED, "other-changes")
    host(*argv, "--also-changes").expect(0, "other-changes")


def test_a_path_that_the_grammar_cannot_hold(tool, tmp_path, ca, material):
    host = configure(tool, tmp_path, ca, POSTFIX, postfix__main_cf=MAIN, postfix__master_cf=MASTER)
    host("plan", *material, "--default", "--install-fullchain", "/etc/a b.pem", "--install-key", "/etc/key.pem").expect(
        REFUSED, "not-expressible")


def test_an_index_is_not_built_in_a_tree(tool, tmp_path, ca, material):
    host = configure(tool, tmp_path, ca, POSTFIX, postfix__main_cf=MAIN, postfix__master_cf=MASTER,
                     postfix__sni="blog.example.test /etc/old/key.pem /etc/old/cert.pem\n")
    host("deploy", *material, "--hostname", "blog.example.test").expect(0, "not-built")


def test_a_copy_that_the_server_would_read_is_kept_elsewhere(tool, tmp_path, ca, material):
    host = configure(tool, tmp_path, ca, APACHE, 'backup_style = "beside";\n',
                     apache2__apache2_conf="ServerRoot /etc/apache2\nListen 443\nInclude sites/*\n",
                     apache2__sites__www_conf=SITE.format("www"))
    done = host("deploy", *material, "--hostname", NAME).expect(0, "backup-beside")
    assert [p.name for p in (host.root / "etc/apache2/sites").iterdir()] == ["www.conf"] and done.json["changed"]


def test_a_renewal_that_waits(tool, tmp_path, ca, material):
    host = configure(tool, tmp_path, ca, APACHE,
                     apache2__apache2_conf="ServerRoot /etc/apache2\nListen 443\n" + SITE.format("www"))
    host("deploy", *material, "--hostname", NAME).expect(0)
    assert "not-deployed" not in host("verify").codes
    host.config.write_text('permissions = [ "key=::0400" ];\n' + host.config.read_text())
    assert "not-deployed" in host("verify").codes


# ---- ports


class Plain(socketserver.BaseRequestHandler):
    """Speaks as much as it was given, whatever is said."""

    def handle(self):
        self.request.settimeout(5)
        try:
            self.request.sendall(self.server.greeting)
            while self.request.recv(4096):
                self.request.sendall(self.server.answer)
        except OSError:
            pass


@pytest.fixture
def port():
    servers = []

    def serve(greeting, answer):
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Plain)
        server.daemon_threads = True
        server.greeting, server.answer = greeting, answer
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return server.server_address[1]

    yield serve
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("protocol, greeting, answer, code", [
    ("imaps", b"* OK nothing but text\r\n", b"no\r\n", "no-handshake"),
    ("imap", b"* OK ready\r\n", b"* CAPABILITY IMAP4rev1\r\n. OK done\r\na OK done\r\na1 OK done\r\n1 OK done\r\n", "no-starttls"),
])
def test_a_port_without_tls(tmp_path, ca, port, protocol, greeting, answer, code):
    old = ca.leaf("old.example.test")
    number = port(greeting, answer)
    dovecot = tmp_path / "dovecot.conf"
    listener = "port" if protocol == "imap" else "ssl = yes\n port"
    dovecot.write_text(f"{head()}protocols = imap\nssl = yes\n{pair(old.fullchain, old.key)}listen = 127.0.0.1\n"
                       f"service imap-login {{\ninet_listener {protocol} {{\n {listener} = {number}\n}}\n"
                       f"inet_listener {'imaps' if protocol == 'imap' else 'imap'} {{\n port = 0\n}}\n}}\n")
    conf = tmp_path / "certdeploy.conf"
    conf.write_text(f'store = "{tmp_path}/store"; state = "{tmp_path}/state";\nservices = ( {{ name = "dovecot";'
                    f' config = "{dovecot}"; version = "2.3.19"; test = [ ]; reload = [ ]; status = [ "/bin/true" ]; }} );\n')
    Tool(config=conf)("verify", "--verify-timeout", "1s").expect(DIFFERENT, code)
