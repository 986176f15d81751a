# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a reload of Postfix does to what is going on, and the way back when it read something broken."""

import smtplib
import socket
import subprocess

import pytest

from harness import wire
from harness.process import wait_for
from harness.scene import Clock, Scene, fake, material

pytestmark = pytest.mark.needs("postfix")

NAME = "mail.example.test"
THROTTLE = 60  # seconds that Postfix leaves a service alone whose process died of main.cf


def break_at_reload(host, mail, number, **more):
    """The services die of a main.cf that is broken for a moment at one of the reloads."""
    count = host.base / "reloads"
    script = f"""[ "$3" = reload ] && echo >>{count} && [ $(wc -l <{count}) = {number} ] || exec /usr/sbin/postfix "$@"
cp -p {mail.config} {host.base}/kept && echo no equals >>{mail.config}
touch -d '-2 min' {mail.config}
pkill -P $(cat {mail.pidfile}) smtpd
for port in {mail.smtp} {mail.submission} {mail.smtps}; do
	for i in 1 2 3; do timeout 1 openssl s_client -connect 127.0.0.1:$port </dev/null >/dev/null 2>&1; done
done
cp -p {host.base}/kept {mail.config}
exec /usr/sbin/postfix "$@" """
    own = dict.fromkeys(("test", "reload", "restart", "start"))  # the adapter's own commands
    host.write_config({"postfix": {**own, "postfix": fake(host, "postfix", script)[0], **more}})


def test_a_parse_fault_at_the_reload(host, ca):
    """Services that died of it come back with a stop and a start; a reload alone leaves them for a minute."""
    mail, new = host.postfix(), ca.leaf(NAME)
    host.start()
    break_at_reload(host, mail, 1)
    with Clock() as clock:
        result = host.tool("deploy", *material(new), "--verify-timeout", "4s").expect(0)
    assert "fatal" in mail.log_text() and "throttling" in mail.log_text()
    assert result.service("postfix")["action"] == "restart"
    assert set(host.served().values()) == {new.sha256}
    assert clock.seconds < THROTTLE


def test_a_parse_fault_at_the_reload_back(host, ca):
    """The same on the way back, which a port leads to where nobody listens."""
    mail = host.postfix()
    host.start()
    break_at_reload(host, mail, 2, probe=[{"protocol": "smtps", "address": "127.0.0.1", "port": host.port()}])
    scene = Scene(host)
    with Clock() as clock:
        host.tool("deploy", *material(ca.leaf(NAME)), "--verify-timeout", "4s").expect(4)
    assert "fatal" in mail.log_text() and "throttling" in mail.log_text()
    assert host.served() == scene.served
    assert clock.seconds < THROTTLE
    scene.assert_files_are_back(ignore=[host.store])


def test_a_mended_server_that_pauses_is_restarted(host, ca):
    """Its services died of a main.cf that is good again; a reload would leave them alone for the rest of the minute."""
    mail = host.postfix()
    host.start()
    new, good = ca.leaf(NAME), mail.config.read_bytes()
    mail.config.write_bytes(good + b"no equals\n")
    subprocess.run(["pkill", "-P", mail.pidfile.read_text().strip(), "smtpd"], check=False)
    ports = (mail.smtp, mail.submission, mail.smtps)
    wait_for("the services to be left alone", lambda: not any(map(speaks, ports)) and mail.log_text().count("throttling") >= 3)
    mail.config.write_bytes(good)
    own = dict.fromkeys(("test", "reload", "restart", "start"))  # the adapter's own commands
    host.write_config({"postfix": own})
    result = host.tool("deploy", *material(new)).expect(0)
    assert result.service("postfix")["action"] == "restart"
    assert {wire.served(port, **how) for port, how in mail.endpoints()} == {new.sha256}


def speaks(port):
    """Whether a word is heard within a second; where TLS comes first, after a first message."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
            client.sendall(b"\r\n")
            return client.recv(1) != b""
    except OSError:
        return False


def test_a_session_outlives_the_reload(host, ca):
    mail = host.postfix()
    host.start()
    new = ca.leaf(NAME)
    with smtplib.SMTP("127.0.0.1", mail.smtp, timeout=20) as client:
        client.ehlo("client.example.test")
        assert client.mail("a@example.test")[0] == 250
        result = host.tool("deploy", *material(new)).expect(0)
        assert "sessions-end" not in result.codes
        assert mail.reloads() == 1
        assert client.rset()[0] == 250, "the session goes on"
    assert wire.served(mail.smtp, starttls="smtp") == new.sha256
