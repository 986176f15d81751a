# SPDX-License-Identifier: LGPL-2.1-or-later
"""One row of what is known of Apache's grammar, on the real server.

    Row(SITE, serves={"a.test": "a", "b.test": "b"})

SITE is the configuration behind the modules and Listen lines. «left|right» in it stands for left before
and for right after a.test was given the new certificate; where there is none, nothing may be written.
@a.pem and @a.key are the files of the old certificate a, @a the two lines that name them; @full, @cert,
@chain, @key are the files of the new one; @port, @other ports; @home the directory of the configuration; @a.enc the key of a under a passphrase,
that @phrase prints.

serves: what clients that ask for a name get before; None for a client that asks for no name. new: the
names that get the new certificate. refused: the problem's code, or (code, line), or (code, file, line).
"""

import re
from dataclasses import dataclass, field

from harness import tree, wire
from harness.process import run
from harness.scene import material
from harness.tool import OK, REFUSED

from .prediction import Listing, sets_of

MARK = re.compile(r"«([^»|]*)\|([^»]*)»", re.S)
LABELS = "abcdm"


@dataclass
class Row:
    site: str
    serves: dict = field(default_factory=lambda: {"a.test": "a"})
    new: tuple = ("a.test",)
    target: tuple = ("--hostname", "a.test")
    files: dict = field(default_factory=dict)
    links: dict = field(default_factory=dict)
    listen: str = "Listen 127.0.0.1:@port\n"
    refused: object = None
    starts: bool = True  # httpd accepts it
    flags: tuple = ()
    environment: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    key: object = None  # of the new certificate: "ec" unless said
    warns: tuple = ()  # codes that the result must have
    accept: tuple = ("name-mismatch",)


def side(text, number):
    """The left (1) or right (2) text of every mark."""
    if isinstance(text, bytes):
        return side(text.decode("latin-1"), number).encode("latin-1")
    return MARK.sub(lambda m: m.group(number), text)


class Stage:
    """A Plain server with certificates, for one row."""

    def __init__(self, web, pki, ca, row):
        self.web, self.host, self.row = web, web.host, row
        self.leaves = {label: pki.root().leaf(f"{label}.test", f"*.{label}.test") for label in LABELS}
        kinds = row.key if isinstance(row.key, tuple) else (row.key or "ec",)
        self.new = [ca.leaf("a.test", "b.test", "*.a.test", "c.test", key=kind) for kind in kinds]
        self.paths = {label: self.host.install(label, leaf) for label, leaf in self.leaves.items()}
        current = self.host.store / "x/current"
        self.tokens = {
            "@full": current / "fullchain.pem",
            "@cert": current / "cert.pem",
            "@chain": current / "chain.pem",
            "@key": current / "key.pem",
            "@home": web.home,
            "@etc": self.host.etc,
            "@port": web.port,
            "@other": web.other,
        }
        for label, (cert, key) in self.paths.items():
            both = self.host.etc / f"ssl/private/{label}.both"
            leaf = self.leaves[label]
            both.write_text(leaf.key_pem + leaf.fullchain_pem)
            self.tokens[f"@{label}.pem"], self.tokens[f"@{label}.key"] = cert, key
            self.tokens[f"@{label}.both"] = both
            self.tokens[f"@{label}.sha"] = leaf.sha256
        if "@a.enc" in row.site:
            self.lock("a")
        for label, (cert, key) in self.paths.items():
            self.tokens[f"@{label}"] = f"SSLCertificateFile {cert}\nSSLCertificateKeyFile {key}"

    def lock(self, label):
        """Its key once more, encrypted, and a program that prints the passphrase."""
        key = self.host.etc / f"ssl/private/{label}.enc"
        run(["openssl", "pkey", "-in", self.paths[label][1], "-aes256", "-passout", "pass:secret", "-out", key])
        program = self.host.etc / "phrase"
        program.write_text("#!/bin/sh\necho secret\n")
        program.chmod(0o755)
        self.tokens[f"@{label}.enc"], self.tokens["@phrase"] = key, program

    def fill(self, text):
        if isinstance(text, bytes):
            return self.fill(text.decode("latin-1")).encode("latin-1")
        for token in sorted(self.tokens, key=len, reverse=True):
            text = text.replace(token, str(self.tokens[token]))
        return text

    def texts(self, number):
        """{name: bytes} of every file on one side."""
        site = self.row.site
        site = site.encode("latin-1") if isinstance(site, str) else site
        head = (self.web.head() + self.row.listen + "ServerName main.test\n").encode()
        files = {"httpd.conf": head + site}
        for name, text in self.row.files.items():
            files[name] = text if isinstance(text, bytes) else text.encode("latin-1")
        return {name: self.fill(side(text, number)) for name, text in files.items()}

    def write(self):
        for name, data in self.texts(1).items():
            self.web.write(name, data)
        for name, target in self.row.links.items():
            (self.web.home / name).symlink_to(self.fill(target))

    def sha(self, label):
        return None if label is None else self.leaves[label].sha256

    def ask(self, name):
        """name, or name@address:port for elsewhere than 127.0.0.1:@port."""
        sni, address, port = self.where(name)
        return wire.served(port, sni=sni, address=f"[{address}]" if ":" in address else address)

    def where(self, name):
        sni, _, place = (name or "").partition("@")
        address, _, port = place.rpartition(":")
        port = {"": self.web.port, "port": self.web.port, "other": self.web.other}[port]
        return sni or None, address or "127.0.0.1", port

    def check_predicted(self, name, served, known, listing):
        sni, address, port = self.where(name)
        listen, wanted = listing.predict(address, port, sni, known)
        assert wanted == served, f"{name} ({listen}): served {served}, predicted {wanted}"


def first_line(text, wanted):
    return text[: text.index(wanted)].count("\n") + 1


def check(web, pki, ca, row):
    stage = Stage(web, pki, ca, row)
    stage.write()
    host = web.host
    if not row.starts:
        assert web.httpd("-t").returncode != 0, "httpd accepts it"
        return check_refused(stage)
    web.start()
    known = sets_of(web.httpd("-t", "-D", "DUMP_VHOSTS").stdout)
    listed = Listing(host.tool("list").expect(OK))
    before = {name: stage.ask(name) for name in row.serves}
    assert before == {name: stage.sha(label) for name, label in row.serves.items()}
    for name, sha in before.items():
        stage.check_predicted(name, sha, known, listed)
    if row.refused:
        check_refused(stage)
        assert {name: stage.ask(name) for name in row.serves} == before
        return None
    files = tree.snapshot(web.home)
    result = deploy(stage).expect(OK, *row.warns)
    wanted = {web.home / name: data for name, data in stage.texts(2).items()}
    for path, data in wanted.items():
        assert show(path.read_bytes()) == show(data)
    known_files = {web.home, *wanted, *(web.home / name for name in row.links)}
    assert all((web.home / name).is_symlink() for name in row.links)
    assert {p for p in tree.snapshot(web.home)} <= {str(d) for p in known_files for d in (p, *p.parents)}
    listed = Listing(host.tool("list").expect(OK))
    after = {name: stage.ask(name) for name in row.serves}
    expected = {n: stage.new[-1].sha256 if n in row.new else sha for n, sha in before.items()}
    assert after == expected
    for name, sha in after.items():
        stage.check_predicted(name, sha, known, listed)
    again = deploy(stage).expect(OK)
    assert again.json["changed"] is False
    host.tool("rollback").expect(OK)
    assert tree.diff(files, tree.snapshot(web.home)) == []
    assert {name: stage.ask(name) for name in row.serves} == before
    return result


def deploy(stage, *more):
    argv = [a for leaf in stage.new for a in material(leaf)]
    argv += [a for code in stage.row.accept for a in ("--accept", code)]
    return stage.host.tool("deploy", *argv, "--name", "x", *map(stage.fill, stage.row.target), *more)


def check_refused(stage):
    row, web = stage.row, stage.web
    files = tree.snapshot(web.home)
    code, *place = (row.refused,) if isinstance(row.refused, str) else row.refused
    result = deploy(stage).expect(REFUSED, code)
    assert {p["code"] for p in result.problems if p["severity"] != "error"} >= set(row.warns)
    assert tree.diff(files, tree.snapshot(web.home), tree.UNTOUCHED) == []
    assert not (stage.host.store / "x").exists()
    problem = next(p for p in result.problems if p["code"] == code and p["severity"] == "error")
    if place:
        name, line = place if len(place) == 2 else ("httpd.conf", place[0])
        assert problem["file"] == str(web.home / name)
        if isinstance(line, str):
            text = (web.home / name).read_bytes().decode("latin-1")
            line = first_line(text, stage.fill(line))
        assert problem["line"] == line
    return result


def show(data):
    return data.decode("latin-1").split("\n")
