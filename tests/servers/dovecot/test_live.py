# SPDX-License-Identifier: LGPL-2.1-or-later
"""Deployments that end with certdeploy's own proof, on every protocol; what is served is s_client's word."""

import os
import re
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import wire
from harness.process import wait_for
from harness.tool import REFUSED

from .live import Live
from .private import why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

PAIR = {"2.3": "ssl_cert = <{%s}\nssl_key = <{key}\n", "2.4": "ssl_server_cert_file = {%s}\nssl_server_key_file = {key}\n"}

SHUTDOWN = 9  # seconds after a reload by which its old processes are gone

MISSING = {
    "2.3": ["ssl_ca = </missing\nssl_ca =", "local 10.1.2.3 {\n  ssl_dh = < /missing\n}", "plugin {\n  x = </missing\n}"],
    "2.4": ["ssl_server_ca_file = /missing", "ssl_server {\n  dh_file = '/missing'\n}", "login_greeting = </missing"],
}


def block(version, head, which):
    return head + " {{\n" + PAIR[version] % which + "}}\n"


@pytest.fixture
def live(oracle, request):
    text = PAIR[oracle.version] % "old" + "".join(
        block(oracle.version, head, which) for head, which in getattr(request, "param", ()))
    with Live(oracle, text) as dovecot:
        dovecot.files = {p: p.read_bytes() for p in (dovecot.base / "etc").rglob("*.conf")}
        dovecot.start()
        # the first connection to a port starts its processes
        assert {dovecot.served(p) for p in dovecot.ports} <= {sha for _, sha in dovecot.known.values()}
        yield dovecot


def proven(done, dovecot):
    """Every endpoint of the deployment was verified; returns the listeners."""
    ends = done.expect().endpoints
    assert all(e["verified"] for e in ends), str(done)
    return {e["listen"].rpartition(":")[2].partition("/")[0] for e in ends} & set(dovecot.ports)


@pytest.mark.parametrize("live", [[("local_name known.test", "name")]], indirect=True)
def test_every_protocol(live, ca):
    """The default on all ports, by STARTTLS or at once; a name keeps its own; a rollback gives all back."""
    new = ca.leaf("a.test")
    done = live.deploy(new, "--default")
    assert "sessions-end" in done.codes
    assert proven(done, live) == set(live.ports)
    assert {live.served(p) for p in live.ports} == {new.sha256}
    assert {live.served(p, "known.test") for p in ("imap", "pop3s")} == {live.known["name"][1]}
    assert live.served("lmtp", "known.test") == (live.known["name"][1] if live.oracle.v24 else new.sha256)
    assert not live.deploy(new, "--default").expect().json["changed"]
    live.tool.run("rollback").expect()
    assert {p: p.read_bytes() for p in live.files} == live.files
    assert {live.served(p) for p in ("imap", "pop3s")} == {live.known["old"][1]}


@pytest.mark.parametrize("live", [[]], indirect=True)
def test_a_name_on_every_protocol(live, ca):
    """2.3's lmtp serves the default whatever name is asked for."""
    new = ca.leaf("a.test")
    ports = set(live.ports) - (set() if live.oracle.v24 else {"lmtp"})
    assert proven(live.deploy(new, "--hostname", "a.test"), live) == ports
    assert {live.served(p, "a.test") for p in ports} == {new.sha256}
    assert {live.served(p) for p in live.ports} == {live.known["old"][1]}


@pytest.mark.parametrize("live", [[("local 127.0.0.0/8", "here")]], indirect=True)
def test_an_address(live, ca):
    """One address gets a block, beside a network that it lies in; the others keep what they have."""
    new = ca.leaf("a.test")
    done = live.deploy(new, "--address", "127.0.0.2")
    ports = set(live.ports) - {"lmtp"}
    assert proven(done, live) == ports
    assert {live.served(p, address="127.0.0.2") for p in ports} == {new.sha256}
    assert live.served("imaps", "a.test", address="127.0.0.2") == new.sha256
    assert {live.served(p) for p in ("imap", "pop3s")} == {live.known["here"][1]}
    # lmtp does not look at the address
    assert live.served("lmtp", address="127.0.0.2") == live.known["old"][1]
    assert not live.deploy(new, "--address", "127.0.0.2").expect().json["changed"]


def test_an_address_by_protocols(oracle, ca):
    """As Virtualmin writes it; a protocol without a block of its own there gets the lines of the address."""
    own = "".join(block(oracle.version, f"protocol {p}", "here") for p in ("imap", "pop3"))
    with Live(oracle, PAIR[oracle.version] % "old" + "local 127.0.0.2 {{\n" + own + "}}\n") as dovecot:
        dovecot.start()
        old, here, there, new = dovecot.known["old"][1], dovecot.known["here"][1], {"address": "127.0.0.2"}, ca.leaf("a.test")
        assert [dovecot.served(p, **there) for p in ("imaps", "pop3", "submission", "sieve")] == [here, here, old, old]
        ports = set(dovecot.ports) - {"lmtp"}
        assert proven(dovecot.deploy(new, "--address", "127.0.0.2"), dovecot) == ports
        assert {dovecot.served(p, **there) for p in ports} == {new.sha256}
        assert {dovecot.served(p) for p in dovecot.ports} == {old}
        assert not dovecot.deploy(new, "--address", "127.0.0.2").expect().json["changed"]


@pytest.mark.parametrize("live", [[("local_name known.test", "name")]], indirect=True)
def test_an_address_beside_a_name(live, ca, oracle):
    """2.4: before the name, which keeps its own there too. 2.3 would end those connections: refused."""
    new = ca.leaf("a.test")
    done = live.deploy(new, "--address", "127.0.0.2")
    if oracle.v24:
        proven(done, live)
        assert live.served("imaps", address="127.0.0.2") == new.sha256
        assert live.served("imaps", "known.test", address="127.0.0.2") == live.known["name"][1]
    else:
        done.expect(REFUSED, "conflicting-filters")
        assert {p: p.read_bytes() for p in live.files} == live.files


@pytest.mark.parametrize("oracle", ["2.3"], indirect=True)
@pytest.mark.parametrize("live", [[("local 127.0.0.2", "here"), ("local_name known.test", "name")]], indirect=True)
@pytest.mark.parametrize("how", [("--hostname", "known.test"), ()], ids=["name", "covered"])
def test_a_name_beside_an_address_that_ends_it(live, ca, how):
    """As panels write both: who asks for the name at the address is turned away, before and after; all others get it."""
    new, there = ca.leaf("known.test"), {"address": "127.0.0.2"}
    assert live.served("imaps", "known.test", **there) is None
    done = live.deploy(new, *how).expect(0, "conflicting-filters")
    assert done.codes.count("conflicting-filters") == 1
    assert {live.served(p, "known.test") for p in ("imap", "pop3s", "submission")} == {new.sha256}
    assert live.served("imaps") == live.known["old"][1] and live.served("imaps", **there) == live.known["here"][1]
    assert live.served("imaps", "known.test", **there) is None
    assert not live.deploy(new, *how).expect().json["changed"]
    live.tool.run("rollback").expect()
    assert {p: p.read_bytes() for p in live.files} == live.files


@pytest.mark.parametrize("live", [[("local 192.0.2.1", "here")]], indirect=True)
def test_an_address_of_another_host(live, ca):
    """One that moves between hosts: what the other one serves there is neither proof nor fault of ours."""
    new = ca.leaf("a.test")
    done = live.deploy(new, "--default").expect()
    assert "192.0.2.1" in done.problem("not-here")["message"]
    assert done.codes.count("not-here") == 1
    assert {e["verified"] for e in done.endpoints if e["listen"].startswith("192.0.2.1:")} == {False}
    assert {e["verified"] for e in done.endpoints if not e["listen"].startswith("192.0.2.1:")} == {True}
    assert {live.served(p) for p in ("imap", "pop3s")} == {new.sha256}
    live.tool.run("verify").expect()


@pytest.mark.parametrize("oracle", ["2.4"], indirect=True)
@pytest.mark.parametrize("live", [[("local_name known.test", "name"), ("local 127.0.0.2", "here")]], indirect=True)
@pytest.mark.parametrize("how", [("--hostname", "known.test"), ("--hostname", "~^known"), ()], ids=["name", "pattern", "covered"])
def test_a_name_before_an_address(live, ca, how):
    """Which hides it there: the name's block moves behind it, and the address keeps its own."""
    new, here = ca.leaf("known.test"), {"address": "127.0.0.2"}
    assert live.served("imaps", "known.test", **here) == live.known["here"][1]
    shown = {e["listen"].partition(":")[0]: e["certificate"] for e in live.tool.run("list").endpoints if e["name"] == "known.test"}
    assert shown["127.0.0.2"] == live.known["here"][0]
    proven(live.deploy(new, *how), live)
    assert {live.served("imaps", "known.test"), live.served("imaps", "known.test", **here)} == {new.sha256}
    assert (live.served("imaps"), live.served("imaps", **here)) == (live.known["old"][1], live.known["here"][1])
    assert not live.deploy(new, *how).expect().json["changed"]


@pytest.mark.parametrize("oracle", ["2.4"], indirect=True)
@pytest.mark.parametrize("live", [[("local_name known.test", "name"), ("local 127.0.0.2", "here")]], indirect=True)
def test_all_where_an_address_hides_a_name(live, ca):
    new = ca.leaf("known.test")
    proven(live.deploy(new, "--all"), live)
    assert {live.served("imaps", n, address=a) for n in (None, "known.test") for a in ("127.0.0.1", "127.0.0.2")} == {new.sha256}


@pytest.mark.parametrize("live", [[("local_name known.test", "name")]], indirect=True)
def test_a_file_that_is_missing(live, ca):
    """Dovecot would go on with its old configuration: said before anything is changed, with the line."""
    (live.base / "name.pem").unlink()
    done = live.deploy(ca.leaf("a.test"), "--default").expect(REFUSED, "not-found")
    assert [p["line"] for p in done.problems if p["code"] == "not-found"] != [0]
    assert {p: p.read_bytes() for p in live.files} == live.files


@pytest.mark.parametrize("live", [[("local_name known.test", "name")]], indirect=True)
def test_another_file_that_is_missing(live, ca, oracle):
    """Any file that Dovecot reads in, even one that a later line replaces."""
    text = live.config.read_text()
    for line in MISSING[oracle.version]:
        live.config.write_text(f"{text}{line}\n")
        done = live.deploy(ca.leaf("a.test"), "--default").expect(REFUSED, "not-found")
        assert "/missing" in done.problem("not-found")["message"]
        assert done.problem("not-found")["line"] > text.count("\n")
    live.config.write_text(text + "ssl_client_ca_dir = /missing\n")
    live.deploy(ca.leaf("a.test"), "--default").expect()


def children(dovecot, names):
    """Numbers of the processes below the master."""
    master = (dovecot.base / "run/master.pid").read_text().strip()
    found = subprocess.run(["pgrep", "-P", master, names], capture_output=True, text=True, check=False).stdout
    return [int(pid) for pid in found.split()]


@pytest.mark.parametrize("names", ["config|login|lmtp", "config|imap-login"], ids=["all", "some"])
def test_a_mended_dovecot_that_pauses_is_restarted(oracle, ca, names):
    """What dies of a missing file is left alone for longer and longer: all services, or one of them."""
    with Live(oracle, PAIR[oracle.version] % "old") as dovecot:
        dovecot.start()
        assert dovecot.served("imaps") and dovecot.served("pop3s")
        dovecot.config.write_text(dovecot.config.read_text().replace(dovecot.known["old"][0], "/missing"))
        oracle.run("doveadm", "-c", dovecot.inside(dovecot.config), "reload")
        for pid in children(dovecot, names):  # those that have read the configuration before
            os.kill(pid, signal.SIGTERM)
        knock = lambda: all(map(wire.listening, dovecot.ports.values()))
        wait_for(lambda: "a long pause\n" + dovecot.log(), lambda: knock() and "throttling for 8" in dovecot.log(), 60, 0.2)
        began = time.monotonic()
        done = dovecot.deploy(ca.leaf("b.test"), "--default").expect()
        if time.monotonic() - began < 8:  # a busy machine takes longer than the pause
            assert done.service("dovecot")["action"] == "restart"
        assert proven(done, dovecot) == set(dovecot.ports)


def test_a_port_that_a_reload_does_not_open(oracle, ca):
    """Of a listener that has other addresses by now the old process may still have the port: it is restarted."""
    with Live(oracle, PAIR[oracle.version] % "old") as dovecot:
        dovecot.start()
        assert dovecot.served("imaps")
        word = "listen" if oracle.v24 else "address"
        with open(dovecot.config, "a", encoding="utf-8") as f:
            f.write(f"service imap-login {{\n  inet_listener imaps {{\n    {word} = 127.0.0.1 127.0.0.2\n  }}\n}}\n")
        client = socket.create_connection(("127.0.0.1", dovecot.ports["imaps"]))
        wait_for("a process for it", lambda: children(dovecot, "imap-login"))
        held = children(dovecot, "imap-login")
        for pid in held:
            os.kill(pid, signal.SIGSTOP)
        new = ca.leaf("a.test")
        with ThreadPoolExecutor() as threads:
            deploying = threads.submit(dovecot.deploy, new, "--default", "--verify-timeout", 3)
            wait_for(lambda: "the port to be in use\n" + dovecot.log(), lambda: "Address already in use" in dovecot.log(), 60)
            for pid in held:
                os.kill(pid, signal.SIGCONT)
            done = deploying.result().expect()
        assert done.service("dovecot")["action"] == "restart", done
        assert proven(done, dovecot) == set(dovecot.ports)
        assert {dovecot.served("imaps", address=f"127.0.0.{n}") for n in (1, 2)} == {new.sha256}
        client.close()


@pytest.mark.parametrize("oracle", ["2.3"], indirect=True)
def test_a_server_that_is_slow_to_answer(oracle, ca):
    """A port that took the connection but did not answer before must be seen afterwards all the same."""
    with Live(oracle, PAIR["2.3"] % "old") as dovecot:
        program = dovecot.base / "bin/imap-login"
        program.parent.mkdir(exist_ok=True)
        program.write_text('#!/bin/sh\nsleep 12\nexec /usr/lib/dovecot/imap-login "$@"\n')
        program.chmod(0o755)
        with open(dovecot.config, "a", encoding="utf-8") as f:
            f.write(f"service imap-login {{\n  executable = {program}\n  service_count = 0\n}}\n")
        dovecot.start()
        assert proven(dovecot.deploy(ca.leaf("a.test"), "--default"), dovecot) == set(dovecot.ports)


@pytest.mark.parametrize("stay", [False, True], ids=["end", "stay"])
def test_sessions_at_the_reload(oracle, ca, stay):
    """They are ended some seconds after it, logged in or not; said before, unless shutdown_clients is off."""
    with Live(oracle, PAIR[oracle.version] % "old" + ("shutdown_clients = no\n" if stay else "")) as dovecot:
        dovecot.start()
        with socket.create_connection(("127.0.0.1", dovecot.ports["imap"]), timeout=20) as client:
            assert client.recv(4096).startswith(b"* OK")
            left = dovecot.deploy(ca.leaf("a.test"), "--default", "--dry-run", "--no-reload").expect()
            assert "sessions-end" not in left.codes
            done = dovecot.deploy(ca.leaf("a.test"), "--default").expect()
            assert ("sessions-end" in done.codes) == (not stay)
            time.sleep(SHUTDOWN if stay else 0)
            client.sendall(b"a NOOP\r\n")
            answers = b""
            while b"a OK" not in answers or not stay:
                more = client.recv(4096)
                answers += more
                if not more:
                    break
            assert (b"* BYE" in answers) == (not stay), answers


@pytest.mark.parametrize("oracle", ["2.3"], indirect=True)
def test_more_names_than_2_3_carries(oracle, ca):
    """Near 1,500 blocks its configuration process is out of memory, and every TLS login ends."""
    names = "".join(block("2.3", f"local_name n{i}.test", "name") for i in range(1400))
    with Live(oracle, PAIR["2.3"] % "old" + names) as dovecot:
        before = dovecot.config.read_bytes()
        dovecot.deploy(ca.leaf("a.test"), "--hostname", "a.test").expect(REFUSED, "server-limit")
        assert dovecot.config.read_bytes() == before


@pytest.mark.soak
@pytest.mark.parametrize("oracle", ["2.3"], indirect=True)
def test_names_that_more_memory_carries(oracle, ca):
    """What would be too many is none where its configuration process may use more; the server is the judge."""
    names = "".join(block("2.3", f"local_name n{i}.test", "name") for i in range(1500))
    memory = "service config {{\n  vsz_limit = 1 G\n}}\n"
    with Live(oracle, PAIR["2.3"] % "old" + names) as dovecot:
        dovecot.start()
        assert dovecot.served("imaps") is None and "Out of memory" in dovecot.log()
    with Live(oracle, PAIR["2.3"] % "old" + names + memory) as dovecot:
        dovecot.start()
        assert dovecot.served("imaps", "n1499.test") == dovecot.known["name"][1]
        new = ca.leaf("a.test")
        assert proven(dovecot.deploy(new, "--hostname", "a.test"), dovecot) == set(dovecot.ports) - {"lmtp"}
        assert (dovecot.served("imaps", "a.test"), dovecot.served("imaps")) == (new.sha256, dovecot.known["old"][1])


LONG_NAMES = """service imap-login {
  inet_listener extra {
    inet_listener_port = %d
  }
}
service pop3-login {
  inet_listener_ssl = yes
}
"""


@pytest.mark.parametrize("oracle", ["2.4"], indirect=True)
def test_listeners_by_long_names(oracle, ca):
    """2.4 takes them for a listener, and for all of a service, or of all services."""
    port = wire.free_port()
    with Live(oracle, PAIR["2.4"] % "old") as dovecot:
        with open(dovecot.config, "a", encoding="utf-8") as f:
            f.write("inet_listener_ssl = no\n" + LONG_NAMES % port)
        dovecot.start()
        assert wire.served(port, starttls="imap") == wire.served(dovecot.ports["pop3"]) == dovecot.known["old"][1]
        new = ca.leaf("a.test")
        done = dovecot.deploy(new, "--default").expect()
        shown = {e["listen"]: (e["protocol"], e["verified"]) for e in done.endpoints}
        assert (shown[f"extra/{port}"], shown[f"pop3/{dovecot.ports['pop3']}"]) == (("imap", True), ("pop3s", True))
        assert wire.served(port, starttls="imap") == wire.served(dovecot.ports["pop3"]) == new.sha256
    wire.give_back(port)


class Six(Live):
    listen = "*, [::1]"


@pytest.mark.parametrize("written", ["[::1]", "::1"])
def test_an_address_of_ipv6(oracle, ca, written):
    """In brackets or not: listed for what listens there, and found by --address."""
    with Six(oracle, PAIR[oracle.version] % "old" + block(oracle.version, f"local {written}", "here")) as dovecot:
        dovecot.start()
        old, here, at = dovecot.known["old"][1], dovecot.known["here"][1], {"address": "[::1]"}
        assert (dovecot.served("imaps"), dovecot.served("imaps", **at)) == (old, here)
        listed = {e["listen"]: e["certificate"] for e in dovecot.tool.run("list").expect().endpoints}
        assert listed[f"[::1]:imaps/{dovecot.ports['imaps']}"] == dovecot.known["here"][0]
        new = ca.leaf("a.test")
        proven(dovecot.deploy(new, "--address", f"[::1]:{dovecot.ports['imaps']}"), dovecot)
        assert [dovecot.served(p, **at) for p in ("imap", "imaps", "pop3s")] == [new.sha256] * 3
        assert {dovecot.served(p) for p in ("imap", "imaps", "pop3s")} == {old}
        again = dovecot.deploy(new, "--address", "::1").expect()  # is remembered, and changes nothing in Dovecot
        assert not [f for f in again.files if f.startswith(str(dovecot.config.parent))], again


def test_what_doveconf_refuses(live, ca, oracle):
    """What only Dovecot itself knows: said of the file and its line, not of the copy that it was asked about."""
    live.config.write_text(live.config.read_text() + "no_such_setting = x\n")
    before = live.config.read_bytes()
    done = live.deploy(ca.leaf("a.test"), "--default").expect(REFUSED, "config-syntax")
    problem = done.problem("config-syntax")
    assert (problem["file"], problem["line"]) == (str(live.config), before.count(b"\n")), done
    assert "certdeploy." not in problem["message"], done
    assert live.config.read_bytes() == before


def test_a_warning_that_was_not_there(live, ca):
    """doveconf says something of the copy that it did not say before."""
    script = live.base / "doveconf"
    text = live.tool.config.read_text()
    real = re.search(r'doveconf = "([^"]*)"', text).group(1)
    script.write_text(
        f'#!/bin/sh\ncase "$2" in */certdeploy.*) grep -q {live.base}/store "$2" && '
        f'echo "doveconf: Warning: $2 line 7: odd" >&2 ;; esac\nexec {real} "$@"\n')
    script.chmod(0o755)
    live.tool.config.write_text(text.replace(real, str(script)))
    problem = live.deploy(ca.leaf("a.test"), "--default").expect(REFUSED, "test-failed").problem("test-failed")
    assert (problem["file"], problem["line"]) == (str(live.config), 7)
    assert {p: p.read_bytes() for p in live.files} == live.files
