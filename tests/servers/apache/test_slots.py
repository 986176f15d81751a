# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which of several certificates httpd serves, when keys stand in another order than certificates.

OpenSSL has a slot for each key type, and a key goes to the slot of its own. Every row of one to three
certificates and keys with which httpd starts is a virtual host of one server here: what clients of RSA and
of ECDSA get is compared with what certdeploy says. Rows with which it does not start are tried one by one.
"""

import itertools

import pytest
from apache.plain import Plain
from apache.prediction import leaf_in

from harness import tree
from harness.host import Host
from harness.process import Failed, run
from harness.scene import material
from harness.tool import OK, REFUSED

pytestmark = pytest.mark.needs("apache")
CERTIFICATES = ("R1", "R2", "E1", "E2")
FORMS = ("apart", "together", "copied")
TYPES = {"R": "ECDHE-RSA-AES128-GCM-SHA256", "E": "ECDHE-ECDSA-AES128-GCM-SHA256"}


def load(row):
    """({slot: certificate} with a key after httpd has handed the row to OpenSSL, whether a key went to another
    certificate than its own); None: it does not start."""
    certificates, keyed, crossed = {}, {}, False
    for certificate, key in row:
        slot = certificate[0]
        if keyed.get(slot) != certificate:
            keyed.pop(slot, None)
        certificates[slot] = certificate
        if certificates.get(key[0]) == key:
            keyed[key[0]] = key
            crossed = crossed or slot != key[0]
        elif key[0] not in certificates or slot not in keyed:
            return None
        # else it belongs to nothing, and the certificate has its own from before
    return {slot: certificate for slot, certificate in certificates.items() if slot in keyed}, crossed


def rows(most=3):
    for count in range(1, most + 1):
        for certificates in itertools.product(CERTIFICATES, repeat=count):
            for keys in itertools.product(CERTIFICATES, repeat=count):
                yield tuple(zip(certificates, keys))


class Table:
    def __init__(self, host):
        self.host, self.web = host, Plain(host)
        root = host.pki.root()
        self.leaves = {
            name: root.leaf("*.test", key={"R": "rsa", "E": "ec"}[name[0]], again=name) for name in CERTIFICATES
        }
        self.paths = {name: host.install(name, leaf) for name, leaf in self.leaves.items()}
        for name, leaf in self.leaves.items():
            (host.etc / f"ssl/private/{name}.both").write_text(leaf.key_pem + leaf.fullchain_pem)
            copy = host.etc / f"ssl/private/{name}.copy"
            run(["openssl", "pkey", "-traditional", "-in", self.paths[name][1], "-out", copy])

    def lines(self, row, form):
        """together: own keys at the end have no line, the certificates' files hold them. copied: a key that
        comes again is named by another file, where it is in the old form."""
        named = len(row)
        while form == "together" and named > 0 and row[named - 1][0] == row[named - 1][1]:
            named -= 1
        for i, (certificate, key) in enumerate(row):
            both = self.host.etc / f"ssl/private/{certificate}.both"
            yield f"SSLCertificateFile {self.paths[certificate][0] if i < named else both}"
            again = form == "copied" and key in (earlier for _, earlier in row[:i])
            if i < named:
                yield f"SSLCertificateKeyFile {self.paths[key][1].with_suffix('.copy') if again else self.paths[key][1]}"

    def site(self, name, row, form):
        lines = [f"ServerName {name}", "SSLEngine on", *self.lines(row, form)]
        return [f"<VirtualHost *:{self.web.port}>", *lines, "</VirtualHost>"]

    def write(self, sites):
        text = [f"Listen 127.0.0.1:{self.web.port}", "ServerName main.test"]
        for name, (row, form) in sites.items():
            text += self.site(name, row, form)
        self.web.write("httpd.conf", self.web.head() + "\n".join(text) + "\n")

    def served(self, name):
        found = {slot: self.web.ask(name, self.web.port, "127.0.0.1", cipher) for slot, cipher in TYPES.items()}
        return {slot: sha256 for slot, sha256 in found.items() if sha256}


@pytest.fixture
def table(pki):
    with Host(pki) as host:
        yield Table(host)


def test_what_starts_serves_what_is_said(table):
    startable = [row for row in rows() if load(row) is not None]
    sites = {f"s{i}.test": site for i, site in enumerate(itertools.product(startable, FORMS))}
    table.write(sites)
    table.web.start()
    endpoints = {e["name"]: e for e in table.host.tool("list").expect(OK).endpoints if e["name"]}
    for name, (row, _) in sites.items():
        served, endpoint = table.served(name), endpoints[name]
        wanted, crossed = load(row)
        assert served == {slot: table.leaves[one].sha256 for slot, one in wanted.items()}, row
        assert leaf_in(endpoint["certificate"]) in served.values(), row
        assert crossed == (endpoint["note"] is not None), (row, endpoint)
    table.host.tool("verify").expect(OK)


FAILING = [
    (("R1", "R2"),),
    (("R1", "E1"),),
    (("R1", "E1"), ("E1", "R1")),
    (("R1", "R1"), ("E1", "E2")),
    (("R1", "R1"), ("E1", "R2")),
    (("R1", "R1"), ("R2", "R1")),
    (("R1", "R1"), ("R2", "E1")),
    (("R1", "R1"), ("R2", "R2"), ("E1", "R1")),
    (("R1", "R1"), ("E1", "R1"), ("R2", "E2")),
]


def test_a_key_line_behind_a_combined_file_is_for_that(table):
    """Of two certificates the first has its key inside: the line that stands with the second is the first key."""
    both, (cert, key) = table.host.etc / "ssl/private/R1.both", table.paths["E1"]
    lines = [f"SSLCertificateFile {both}", f"SSLCertificateFile {cert}", f"SSLCertificateKeyFile {key}"]
    table.write({})
    text = table.web.config.read_text()
    site = [f"<VirtualHost *:{table.web.port}>", "ServerName a.test", "SSLEngine on", *lines, "</VirtualHost>"]
    table.web.write("httpd.conf", text + "\n".join(site) + "\n")
    assert table.web.httpd("-t").returncode == 0
    with pytest.raises(Failed):
        table.web.start()


@pytest.mark.parametrize("row", FAILING, ids=lambda row: " ".join("".join(pair) for pair in row))
def test_what_does_not_belong_to_anything_does_not_start(table, row):
    assert load(row) is None
    table.write({"a.test": (row, "apart")})
    with pytest.raises(Failed):
        table.web.start()


CROSSED = [
    (("R1", "R1"), ("E1", "R1")),
    (("E1", "E1"), ("R1", "E1")),
    (("E1", "E1"), ("R1", "R1"), ("E2", "R1")),
    (("E1", "E1"), ("R1", "E1"), ("R1", "R1")),
]


@pytest.mark.parametrize("row", CROSSED, ids=lambda row: " ".join("".join(pair) for pair in row))
def test_where_keys_are_crossed_nothing_is_changed(table, row, ca):
    table.write({"a.test": (row, "apart"), "b.test": ((("R1", "R1"),), "apart")})
    table.web.start()
    before, files = table.served("a.test"), tree.snapshot(table.web.home)
    new = ca.leaf("a.test", "b.test", key="ec")
    table.host.tool("deploy", *material(new), "--hostname", "a.test").expect(REFUSED, "config-not-understood")
    assert tree.diff(files, tree.snapshot(table.web.home), tree.UNTOUCHED) == []
    table.host.tool("deploy", *material(new), "--hostname", "b.test").expect(OK)
    assert table.served("a.test") == before
    assert table.served("b.test") == {"E": new.sha256}
    table.host.tool("rollback").expect(OK)
    assert tree.diff(files, tree.snapshot(table.web.home)) == []
