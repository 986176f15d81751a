# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mail servers behind haproxy, which must be told of the client before they say a word."""

import pytest

from harness import wire
from harness.proxy import Proxy

pytestmark = [pytest.mark.needs("postfix"), pytest.mark.needs("dovecot")]

BEHIND = """haproxy_trusted_networks = %s
service imap-login {
  inet_listener imap {
    haproxy = yes
  }
  inet_listener imaps {
    haproxy = yes
  }
}
"""


def fronts(postfix, dovecot):
    return [(postfix.smtp, {"starttls": "smtp"}), (postfix.smtps, {}), (dovecot.imap, {"starttls": "imap"}),
            (dovecot.imaps, {})]


def seen(ports):
    found = set()
    for port, how in ports:
        with Proxy(port) as front:
            found.add(wire.served(front.port, **how))
    return found


def test_both_are_proven(host, ca):
    postfix, dovecot = host.postfix(), host.dovecot()
    host.start()
    postfix.set(smtpd_upstream_proxy_protocol="haproxy")
    dovecot.local.write_text(dovecot.local.read_text() + BEHIND % "10.0.0.0/8, 127.0.0.0/8")
    postfix.reload()
    dovecot.reload()
    ports = fronts(postfix, dovecot)
    assert seen(ports) == {host.old.sha256} and wire.served(dovecot.imaps) is None
    new = ca.leaf("mail.example.test")
    done = host.tool("deploy", "--cert", new.cert, "--key", new.key, "--chain", new.chain, "--default").expect(0)
    assert set(done.states.values()) == {"verified"} and all(e["verified"] for e in done.endpoints)
    assert seen(ports) == {new.sha256} and wire.served(dovecot.pop3s) == new.sha256
    # who is not trusted as a proxy is not heard: nothing is claimed of those ports
    dovecot.local.write_text(dovecot.local.read_text().replace("127.0.0.0/8", "192.0.2.0/24"))
    dovecot.reload()
    listed = host.tool("list", "--live", "--service", "dovecot").expect(0).endpoints
    served = {e["listen"].rpartition(":")[2].partition("/")[0]: e["served_sha256"] for e in listed}
    assert served["imaps"] is None and served["pop3s"] == new.sha256
