# SPDX-License-Identifier: LGPL-2.1-or-later
"""Address sets, names, TLS or not, pairs and chains: what a client gets, and what an edit makes of it."""

import json
import subprocess

import pytest
from apache.plain import MODULES, Plain, leaf_of
from apache.row import Row, Stage, check, check_refused, deploy
from apache.test_lines import AB, KEY, NEW, B, host_of
from apache.test_reading import PAIR, A

from harness.process import run, wait_for
from harness.scene import material
from harness.tool import OK

pytestmark = pytest.mark.needs("apache")

ALL = "Listen @port\n"
SPECIAL = "127.0.0.2:port"
INSERT = "«|SSLCertificateFile @full\nSSLCertificateKeyFile @key\n»"

ADDRESSES = {
    "several addresses": Row(
        A.replace("*:@port", "127.0.0.1:@port 127.0.0.2:@port"),
        {"a.test": "a", "a.test@127.0.0.2:port": "a"},
        ("a.test", "a.test@127.0.0.2:port"),
        listen=ALL,
    ),
    "_default_ and 0.0.0.0 and *": Row(
        A.replace("*:", "_default_:") + B.replace("*:", "0.0.0.0:") + host_of("@c\n", "c.test"),
        {**AB, "c.test": "c"},
        NEW,
        listen=ALL,
    ),
    "[::1]": Row(
        A + B.replace("*:", "[::1]:"),
        {"a.test": "a", "b.test": "a", "b.test@::1:port": "b"},
        ("a.test", "b.test"),
        listen=ALL,
    ),
    "::1 without brackets": Row(host_of("@c\n").replace("*:@port", "::1") + A + B, AB, NEW),
    "a host name": Row(A.replace("*:", "localhost:") + B, {"a.test": "a", f"b.test@{SPECIAL}": "b"}, listen=ALL),
    "a name that does not resolve": Row(host_of("@c\n").replace("*:", "no-such-host.invalid:") + A + B, AB, NEW),
    "without a port": Row(
        A + B.replace("*:@port", "127.0.0.2"),
        {"a.test": "a", f"b.test@{SPECIAL}": "b", f"a.test@{SPECIAL}": "b"},
        listen=ALL,
    ),
    "port *": Row(
        A.replace("@port", "*") + B,
        {"a.test": "b", "a.test@127.0.0.1:other": "a"},
        ("a.test@127.0.0.1:other",),
        listen=ALL + "Listen @other\n",
    ),
    "the port of the main server": Row(
        "ServerName main.test:@port\n" + A.replace("*:@port", "127.0.0.1") + B,
        {"a.test": "a", f"b.test@{SPECIAL}": "b"},
        listen=ALL,
    ),
    "a port without Listen": Row(A + host_of("@c\n").replace("@port", "@other") + B, AB, NEW),
    "only a port without Listen": Row(
        B + A.replace("«@a.pem|@full»", "@a.pem").replace("«@a.key|@key»", "@a.key").replace("@port", "@other"),
        {"b.test": "b"},
        refused="no-endpoint",
    ),
    "a specific set hides the other": Row(
        A + B.replace("*:", "127.0.0.2:"), {"a.test": "a", f"a.test@{SPECIAL}": "b"}, ("a.test",), listen=ALL
    ),
    "no set: the main server": Row(
        "SSLEngine on\n" + PAIR + B.replace("*:", "127.0.0.2:"),
        {"main.test": "a", "x.test": "a", f"b.test@{SPECIAL}": "b"},
        ("main.test", "x.test"),
        ("--hostname", "main.test"),
        listen=ALL,
    ),
    "twins on all addresses": Row(
        A + A.replace("*:", "127.0.0.2:").replace("a.pem", "c.pem").replace("a.key", "c.key") + B,
        {**AB, f"a.test@{SPECIAL}": "c"},
        ("a.test", None, f"a.test@{SPECIAL}"),
        listen=ALL,
    ),
}

NAMES = {
    "an earlier wildcard": Row(
        host_of("ServerAlias *.test\n" + PAIR, "w.test") + B,
        {"w.test": "a", "b.test": "a", "a.test": "a", None: "a"},
        ("w.test", "b.test", "a.test", None),
    ),
    "a later wildcard": Row(
        A + host_of("ServerAlias *.test\n@b\n", "w.test"), {"a.test": "a", "b.test": "b", "x.y.test": "b"}
    ),
    "a wildcard matches dots": Row(
        B + host_of("ServerAlias *.w.test\n" + PAIR, "a.test"),
        {"q.r.w.test": "a", "w.test": "b", ".w.test": "a"},
        ("q.r.w.test", ".w.test"),
        ("--hostname", "q.r.w.test"),
    ),
    "the last ServerName": Row(
        B + host_of("ServerName other.test\n" + PAIR, "first.test"),
        {"other.test": "a", "first.test": "b"},
        ("other.test",),
        ("--hostname", "other.test"),
    ),
    "scheme and port": Row(
        B + A.replace("ServerName a.test", "ServerName https://a.test:443"), AB | {None: "b"}, ("a.test",)
    ),
    "an alias with a port": Row(
        B + A.replace("ServerName a.test", "ServerName a.test\nServerAlias c.test:443"), {"a.test": "a", "c.test": "b"}
    ),
    "capital letters": Row(
        B + A.replace("ServerName a.test", "ServerName A.Test"), {"a.test": "a", "A.TEST": "a"}, ("a.test", "A.TEST")
    ),
    "no ServerName": Row(
        B + A.replace("ServerName a.test\n", ""),
        {"main.test": "a", "b.test": "b"},
        ("main.test",),
        ("--hostname", "main.test"),
    ),
    "a name that only the default catches": Row(B + host_of("@c\n", "c.test"), {"a.test": "b"}, refused="no-endpoint"),
    "an empty alias": Row(
        B + host_of('ServerAlias "" c.test\n' + PAIR), {"a.test": "a", "c.test": "a"}, ("a.test", "c.test")
    ),
    "a twin behind": Row(A + host_of("@c\n") + B, AB, NEW),
}

TLS = {
    "Listen … https": Row(A.replace("SSLEngine on\n", "") + B, AB, NEW, listen="Listen @port https\n"),
    "Protocol https": Row(A.replace("SSLEngine on\n", "Protocol https\n") + B, AB, NEW),
    "SSLEngine on for all": Row(
        "SSLEngine on\n@m\n" + A.replace("SSLEngine on\n", "") + B.replace("SSLEngine on\n", ""), AB, NEW
    ),
    "a first host without TLS": Row(
        "<VirtualHost *:@port>\nServerName p.test\n</VirtualHost>\n" + host_of("@a\n"),
        {"a.test": None},
        refused="tls-off",
    ),
    "SSLEngine optional": Row(
        host_of("@a\n").replace("SSLEngine on", "SSLEngine optional"), {"a.test": None}, refused="no-endpoint"
    ),
    "a host without TLS behind": Row(
        B + host_of("@a\n").replace("SSLEngine on", "SSLEngine off"),
        {"a.test": "b", "b.test": "b"},
        refused=("tls-off", "<VirtualHost"),
    ),
    "inherited": Row("@m\n" + host_of(INSERT) + host_of("", "b.test"), {"a.test": "m", "b.test": "m", None: "m"}, NEW),
    "inherited from behind": Row(
        host_of(INSERT) + host_of("", "b.test") + "@m\n", {"a.test": "m", "b.test": "m", None: "m"}, NEW
    ),
    "inherited, no SSLEngine in the host": Row(
        "SSLEngine on\n@m\n"
        + host_of(INSERT.replace("|", "|"))
        .replace("SSLEngine on\n", "")
        .replace("ServerName a.test\n" + INSERT, INSERT + "ServerName a.test\n")
        + host_of("", "b.test"),
        {"a.test": "m", "b.test": "m"},
    ),
    "inherited, all": Row(
        PAIR.replace("a.", "m.") + host_of("") + host_of("", "b.test"),
        {"a.test": "m", "b.test": "m"},
        ("a.test", "b.test"),
        ("--all",),
    ),
    "two pairs": Row(
        host_of(
            "SSLCertificateFile «@c.pem|@full»\nSSLCertificateFile «@a.pem|@full»\n"
            "SSLCertificateKeyFile «@c.key|@key»\nSSLCertificateKeyFile «@a.key|@key»\n"
        )
        + B,
        AB,
        NEW,
    ),
    "combined": Row(host_of("SSLCertificateFile «@a.both|@full»\n«|SSLCertificateKeyFile @key\n»") + B, AB, NEW),
    "two combined": Row(
        host_of(
            "SSLCertificateFile «@c.both|@full»\nSSLCertificateFile «@a.both|@full»\n"
            "«|SSLCertificateKeyFile @key\nSSLCertificateKeyFile @key\n»"
        )
        + B,
        AB,
        NEW,
    ),
    "key before certificate": Row(host_of(KEY + "SSLCertificateFile «@a.pem|@full»\n") + B, AB, NEW),
    "a key too many": Row(host_of(PAIR + "SSLCertificateKeyFile @b.key\n") + B, AB, NEW),
    "own by position over inherited": Row(
        "@m\n@c\n"
        + host_of(PAIR + "«|SSLCertificateFile @full\nSSLCertificateKeyFile @key\n»")
        + host_of("", "b.test"),
        {"a.test": "c", "b.test": "c"},
    ),
    "another key type": Row(host_of(PAIR) + B, AB, NEW, key="rsa"),
    "an own chain file": Row(
        host_of("SSLCertificateFile «@a.pem|@cert»\n" + KEY + "SSLCertificateChainFile «@m.pem|@chain»\n") + B, AB, NEW
    ),
    "the last chain file": Row(
        host_of(
            "SSLCertificateChainFile @b.pem\nSSLCertificateFile «@a.pem|@cert»\n"
            + KEY
            + "SSLCertificateChainFile «@m.pem|@chain»\n"
        )
        + B,
        AB,
        NEW,
    ),
    "an inherited chain file": Row(
        "SSLCertificateChainFile @m.pem\n"
        + host_of("SSLCertificateFile «@a.pem|@cert»\n" + KEY + "«|SSLCertificateChainFile @chain\n»")
        + B,
        AB,
        NEW,
    ),
    "SSLOpenSSLConfCmd": Row(
        host_of("@a\nSSLOpenSSLConfCmd Certificate @c.pem\nSSLOpenSSLConfCmd PrivateKey @c.key\n") + B,
        {"a.test": "c", "b.test": "b"},
        refused="config-not-understood",
    ),
    "a passphrase from a program": Row(
        "SSLPassPhraseDialog exec:@phrase\n"
        + host_of("SSLCertificateFile «@a.pem|@full»\nSSLCertificateKeyFile «@a.enc|@key»\n")
        + B,
        AB,
        NEW,
    ),
    "a neighbour with a passphrase from a program": Row(
        "SSLPassPhraseDialog exec:@phrase\n"
        + host_of("SSLCertificateFile @a.pem\nSSLCertificateKeyFile @a.enc\n", "n.test")
        + A
        + B,
        {"n.test": "a", "b.test": "b", "a.test": "a"},
    ),
    "other SSLOpenSSLConfCmd": Row(host_of(PAIR + "SSLOpenSSLConfCmd Options -SessionTicket\n") + B, AB, NEW),
    "what is never touched": Row(
        host_of(
            "SSLCACertificateFile @m.pem\nSSLCACertificatePath @etc/ssl/certs\nSSLCADNRequestFile @m.pem\n"
            + PAIR
            + "SSLProxyCACertificateFile @m.pem\nSSLProxyMachineCertificateFile @m.both\nSSLVerifyClient none\n"
            "SSLOCSPResponderCertificateFile @m.pem\n"
        )
        + B,
        AB,
        NEW,
    ),
    "no influence": Row(
        "NameVirtualHost *:@port\nSSLStrictSNIVHostCheck off\n" + host_of("Protocols http/1.1\n" + PAIR) + B, AB, NEW
    ),
    "disabled sites": Row(
        "Include sites-enabled/*.conf\n",
        AB,
        NEW,
        files={"sites-enabled/1.conf": A, "sites-enabled/2.conf": B, "sites-available/3.conf": host_of("@c\n")},
    ),
}

# what is in front of the server is played by our own probe: openssl s_client does not speak the protocol
PROXIED = {
    "every port": ("RemoteIPProxyProtocol On\n", ""),
    "one host's": ("", "RemoteIPProxyProtocol On\n"),
    "but for its own host": ("RemoteIPProxyProtocol On\nRemoteIPProxyProtocolExceptions 10.0.0.0/8 127.0.0.0/8\n", ""),
}

REQUESTS = {
    "the default": Row(A + B, AB, ("a.test", None), ("--default",)),
    "everything": Row(
        A + host_of("SSLCertificateFile «@b.pem|@full»\nSSLCertificateKeyFile «@b.key|@key»\n", "b.test"),
        AB,
        ("a.test", "b.test", None),
        ("--all",),
    ),
    "an address": Row(
        B + A.replace("*:", "127.0.0.2:"),
        {f"a.test@{SPECIAL}": "a", "b.test": "b"},
        (f"a.test@{SPECIAL}",),
        ("--address", "127.0.0.2"),
        listen="Listen 127.0.0.1:@port\nListen 127.0.0.2:@port\n",
    ),
    "an address of a host that has two": Row(
        host_of("@a\n").replace("*:@port", "127.0.0.1:@port 127.0.0.2:@port"),
        target=("--address", "127.0.0.2"),
        refused="shared-lines",
        listen="Listen 127.0.0.1:@port\nListen 127.0.0.2:@port\n",
    ),
    "both addresses of a host that has two": Row(
        A.replace("*:@port", "127.0.0.1:@port 127.0.0.2:@port") + B.replace("*:", "127.0.0.1:"),
        {"a.test": "a", f"a.test@{SPECIAL}": "a", f"b.test@{SPECIAL}": "a", "b.test": "b"},
        ("a.test", f"a.test@{SPECIAL}", f"b.test@{SPECIAL}"),
        ("--address", "127.0.0.2", "--address", "127.0.0.1:@port"),
        listen="Listen 127.0.0.1:@port\nListen 127.0.0.2:@port\n",
    ),
    "both addresses of a host that is the second on one": Row(
        B.replace("*:", "127.0.0.1:") + host_of("@a\n").replace("*:@port", "127.0.0.1:@port 127.0.0.2:@port"),
        {f"a.test@{SPECIAL}": "a", "a.test": "a", "b.test": "b"},
        target=("--address", "127.0.0.2", "--address", "127.0.0.1"),
        refused="shared-lines",
        listen="Listen 127.0.0.1:@port\nListen 127.0.0.2:@port\n",
    ),
    "an address of a listener on all": Row(
        host_of("@a\n"), target=("--address", "127.0.0.2"), refused=("no-endpoint", "<VirtualHost"), listen=ALL
    ),
    "an address of the wildcard set": Row(
        host_of("@a\n"),
        target=("--address", "127.0.0.2"),
        refused="shared-lines",
        listen="Listen 127.0.0.1:@port\nListen 127.0.0.2:@port\n",
    ),
}
ROWS = {**ADDRESSES, **NAMES, **TLS, **REQUESTS}


@pytest.mark.parametrize("row", [pytest.param(r, id=n) for n, r in ROWS.items()])
def test_row(host, pki, ca, row):
    check(Plain(host), pki, ca, row)


def test_names_that_share_a_connection(host, pki, ca):
    """httpd answers 421 on a connection of another name once the two have no longer one certificate."""
    web = Plain(host)
    row = Row(host_of("@m\n") + host_of("@m\n", "b.test") + host_of("@c\n", "c.test"))
    stage = Stage(web, pki, ca, row)
    cert, key = host.install("m", pki.root().leaf("a.test", "b.test"))
    stage.write()
    web.start()
    assert web.status_of("b.test", over="a.test") == 404
    result = deploy(stage).expect(OK, "misdirected-request")
    problem = result.problem("misdirected-request")
    assert problem["severity"] == "warning" and "a.test and b.test" in problem["message"]
    assert web.status_of("b.test", over="a.test") == 421
    # with both as the target, or where the server does not mind, there is nothing to say
    assert "misdirected-request" not in stage.host.tool("plan", *material(stage.new[0]), "--all").expect(OK).codes
    web.write("httpd.conf", stage.texts(1)["httpd.conf"] + b"SSLVHostSNIPolicy insecure\n")
    assert "misdirected-request" not in deploy(stage, "--dry-run").expect(OK).codes


def test_a_domain_of_mod_md_is_left_alone(host, pki, ca):
    """Unless that is accepted: httpd takes a host's own lines before mod_md's files."""
    row = Row(
        f"LoadModule md_module {MODULES}/mod_md.so\n"
        "MDomain a.test\nMDCertificateAgreement accepted\nMDStoreDir @etc/md\nMDRenewMode manual\n" + host_of("") + B,
        serves={"b.test": "b"},
        refused="managed-elsewhere",
    )
    web = Plain(host)
    check(web, pki, ca, row)
    stage = Stage(web, pki, ca, row)
    assert "mod_md" in next(e["note"] for e in host.tool("list").expect(OK).endpoints if e["name"] == "a.test")
    deploy(stage, "--accept", "managed-elsewhere").expect(OK, "managed-elsewhere")
    assert stage.ask("a.test") == stage.new[0].sha256 and stage.ask("b.test") == stage.sha("b")
    assert deploy(stage, "--accept", "managed-elsewhere").expect(OK).json["changed"] is False


def test_a_key_in_a_token(host, pki, ca):
    """httpd's own test looks at no token: its host is refused, its neighbour is not hindered."""
    token = "SSLCertificateFile pkcs11:object=a?pin-value=1\nSSLCertificateKeyFile pkcs11:object=a?pin-value=1\n"
    web = Plain(host)
    stage = Stage(web, pki, ca, Row(host_of(token) + B, refused="config-not-understood"))
    stage.write()
    assert "Syntax OK" in web.httpd("-t").stderr
    check_refused(stage)
    stage.row.target = ("--hostname", "b.test")
    before = stage.texts(1)["httpd.conf"]
    deploy(stage).expect(OK, "not-running")
    changed = [(old, new) for old, new in zip(before.splitlines(), web.config.read_bytes().splitlines()) if old != new]
    assert len(changed) == 2 and b"b.pem" in changed[0][0] and b"b.key" in changed[1][0]


@pytest.mark.parametrize("where", PROXIED)
def test_behind_a_proxy(host, pki, ca, where):
    """RemoteIPProxyProtocol: who connects must say for whom, before the handshake."""
    first, within = PROXIED[where]
    web = Plain(host)
    remote = f"LoadModule remoteip_module {MODULES}/mod_remoteip.so\n"
    stage = Stage(web, pki, ca, Row(remote + first + host_of(within + "@a\n") + B))
    stage.write()
    web.start()
    excepted = "Exceptions" in first
    assert (leaf_of(web.port, "a.test") == stage.sha("a")) == excepted
    assert leaf_of(web.port, "a.test", proxied=True) == (None if excepted else stage.sha("a"))
    deploy(stage).expect(OK)
    assert leaf_of(web.port, "a.test", proxied=not excepted) == stage.new[0].sha256
    assert leaf_of(web.port, "b.test", proxied=not excepted) == stage.sha("b")
    assert all(e["verified"] for e in host.tool("verify").expect(OK).endpoints if e["name"] == "a.test")


NETWORK = "ip link set lo up && ip addr add 10.9.9.9/8 dev lo && echo up && exec sleep 600"
WITHOUT_IPV6 = {
    "a set of ::1": (A + B.replace("*:", "[::1]:"), "Listen @port\n"),
    "https on 0.0.0.0": (A.replace("*:", "0.0.0.0:").replace("SSLEngine on\n", "") + B, "Listen *:@port https\n"),
    "all but one have sets": (
        B.replace("*:", "127.0.0.1:@port 127.0.0.2:@port 127.0.0.3:@port 127.0.0.4:") + A,
        "Listen @port\n",
    ),
}


@pytest.fixture
def without_ipv6():
    """The start of a command in a network that has an address of IPv4, and of IPv6 only ::1."""
    started = subprocess.Popen(["unshare", "--net", "sh", "-c", NETWORK], stdout=subprocess.PIPE, text=True)
    if started.stdout.readline() != "up\n":
        started.wait()
        pytest.skip("a network of its own cannot be made here")
    yield ["nsenter", "--net", "--target", str(started.pid)]
    started.kill()
    started.wait()


@pytest.mark.parametrize("case", WITHOUT_IPV6)
def test_a_host_without_ipv6(host, pki, ca, without_ipv6, case):
    """httpd leaves ::1 out of a Listen for all addresses there: so does the listing, and the proof."""
    site, listen = WITHOUT_IPV6[case]
    web = Plain(host)
    stage = Stage(web, pki, ca, Row(site, listen=listen))
    stage.write()
    run([*without_ipv6, web.ctl, "start"])
    wait_for("httpd to run", lambda: web.running and "resuming normal operations" in web.log_text())

    def within(*args):
        argv, env = host.tool.argv(*args)
        return json.loads(run([*without_ipv6, *argv], env=env, check=False).stdout)

    def served(address):
        argv = ["openssl", "s_client", "-connect", f"{address}:{web.port}", "-servername", "a.test"]
        return "BEGIN CERTIFICATE" in run([*without_ipv6, *argv], check=False).stdout

    assert served("10.9.9.9") and not served("[::1]")
    assert not [e for s in within("list")["services"] for e in s["endpoints"] if e["listen"].startswith("[::1]")]
    done = within("deploy", *material(stage.new[0]), "--hostname", "a.test", "--accept", "name-mismatch")
    assert done["exit"] == OK and {p["severity"] for p in done["problems"]} <= {"notice"}, done
    assert all(e["verified"] for s in done["services"] for e in s["endpoints"])
