# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real Dovecots of both versions: what they serve is what the adapter says, before and after its edits."""

import random

import pytest

from harness import wire
from harness.tool import REFUSED, Tool

from . import generate
from .private import Private, why_not
from .test_generated import effective

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


class WithFiles(generate.Generator):
    """Certificates that exist, all over one key; ssl stays on."""

    def __init__(self, r, version, certificates, key):
        super().__init__(r, version)
        self.certificates, self.one_key = certificates, key

    def shape(self, key, value, indent):
        if key == "ssl":
            value = "yes"
        if "key" in key:
            value = value.replace(value.strip("<\"'\t "), self.one_key)
        return super().shape(key, value, indent)

    def path(self):
        return self.r.choice(self.certificates)

    def materials(self, indent, certain=False):
        return [line for line in super().materials(indent, certain) if "alt_" not in line]


@pytest.mark.parametrize("part", range(2))
def test_what_is_served(oracle, soak, part):
    """Nested filters, too, which doveconf of 2.4 merges in another order than the server."""
    asked = [None, *generate.NAMES]
    for i in range(40 if soak else 2):
        seed = 9000 + 100 * part + i
        with Private(oracle) as dovecot:
            key = dovecot.key()
            known = dict(dovecot.certificate(f"c{n}", key) for n in range(8))
            key.chmod(0o644)
            made = WithFiles(random.Random(seed), oracle.version, list(known), dovecot.inside(key))
            config = made.write(dovecot.base)
            text = config.read_text().rstrip("\\\n") + "\n"
            first = "\n".join(
                f"{k} = {m}{v}" for k, m, v in zip(
                    ("ssl_server_cert_file", "ssl_server_key_file") if oracle.v24 else ("ssl_cert", "ssl_key"),
                    ("", "") if oracle.v24 else ("<", "<"), (next(iter(known)), dovecot.inside(key)))) + "\n"
            head, mark, rest = text.partition("protocols =")
            config.write_text(head + first + mark + rest + dovecot.settings())
            if not oracle.accepts(config):
                continue
            questions = [(p, "127.0.0.1", name) for p in ("imap", "pop3") for name in asked]
            answers = effective(dovecot.base, oracle, questions, services=True)
            dovecot.start()
            for (protocol, _, name), answer in zip(questions, answers):
                want = None if answer == "conflict" else known[answer[0].lstrip("<")]
                for listener in (protocol, protocol + "s"):
                    assert dovecot.served(listener, name) == want, (
                        f"seed {seed} {listener} {name} {answer}\n{config.read_text()}\n{dovecot.log()[-2000:]}")


TWO_NAMES = {
    "2.3": """protocols = imap pop3
ssl_cert = <{old}
ssl_key = <{key}
local_name *.b.test {{
  ssl_cert = <{wild}
  ssl_key = <{key}
}}
local_name mail.b.test {{
  ssl_cert = <{dead}
  ssl_key = <{key}
}}
""",
    "2.4": """dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
protocols = imap pop3
ssl_server {{
  cert_file = {old}
  key_file = {key}
}}
local_name mail.b.test {{
  ssl_server_cert_file = {dead}
  ssl_server_key_file = {key}
}}
local_name *.b.test {{
  ssl_server_cert_file = {wild}
  ssl_server_key_file = {key}
}}
""",
}


@pytest.fixture
def running(oracle):
    with Private(oracle) as dovecot:
        key = dovecot.key()
        files = {n: dovecot.certificate(n, key) for n in ("old", "wild", "dead")}
        dovecot.config.write_text(TWO_NAMES[oracle.version].format(
            key=dovecot.inside(key), **{n: path for n, (path, _) in files.items()}) + dovecot.settings())
        dovecot.sha = {n: sha for n, (_, sha) in files.items()}
        yield dovecot.start()


def deploy(dovecot, certificate, *args):
    """Into the tree that is Dovecot's root; the reload is ours."""
    config = dovecot.base / "certdeploy.conf"
    config.write_text(
        f'store = "{dovecot.inside(dovecot.base)}/store";\nstate = "{dovecot.inside(dovecot.base)}/cdstate";\n'
        f'services = ( {{ name = "dovecot"; adapter = "dovecot"; config = "{dovecot.inside(dovecot.config)}"; '
        f'version = "{dovecot.oracle.version}"; }} );\n')
    return Tool(config, root=dovecot.oracle.top).run(
        "deploy", "--cert", certificate.cert, "--key", certificate.key, "--chain", certificate.chain, *args)


NAMES = ["a.test", "mail.b.test", "www.b.test"]


@pytest.mark.parametrize("name", ["a.test", "mail.b.test"])
def test_a_name(running, ca, name):
    """New beside the default; or hidden by a pattern, and moved to where it counts."""
    before = running.everything(NAMES)
    assert before["imaps", "mail.b.test"] == running.sha["wild"]
    new = ca.leaf(name)
    done = deploy(running, new, "--hostname", name).expect()
    assert ("sessions-end" in done.codes) == running.oracle.outside  # in a tree nothing is reloaded
    running.reload()
    want = {where: new.sha256 if where[1] == name else sha for where, sha in before.items()}
    wire.wait_served(new.sha256, running.ports["imaps"], sni=name)
    assert running.everything(NAMES) == want
    assert not deploy(running, new, "--hostname", name).expect().json["changed"]


def test_the_default(running, ca):
    before = running.everything(NAMES)
    new = ca.leaf("a.test")
    deploy(running, new, "--default").expect()
    running.reload()
    wire.wait_served(new.sha256, running.ports["imaps"])
    assert running.everything(NAMES) == {
        where: new.sha256 if sha == running.sha["old"] else sha for where, sha in before.items()}


def test_two_key_types(running, pki, ca):
    """An ECDSA and an RSA certificate beside each other; then only one is renewed and the other stays."""
    ec, rsa = ca.leaf("a.test", key="ec"), ca.leaf("a.test", key="rsa")
    deploy(running, ec, "--cert", rsa.cert, "--key", rsa.key, "--chain", rsa.chain, "--hostname", "a.test").expect()
    running.reload()
    port = running.ports["imaps"]
    wire.wait_served(ec.sha256, port, sni="a.test", sigalgs=wire.ECDSA_ONLY)
    assert wire.served(port, sni="a.test", sigalgs=wire.RSA_ONLY) == rsa.sha256
    assert running.served("pop3", "a.test") in (ec.sha256, rsa.sha256)
    assert running.served("pop3") == running.sha["old"]


def test_conflict(running, ca, oracle):
    """2.3 would end every connection that a protocol's and a name's certificate apply to."""
    block = ("protocol imap {\n  ssl_server_cert_file = %s\n}\n" if oracle.v24 else "protocol imap {\n  ssl_cert = <%s\n}\n")
    text = running.config.read_text() + block % running.inside(running.base / "dead.pem")
    running.config.write_text(text)
    running.reload()
    wire.wait_served(running.sha["dead"], running.ports["imaps"])
    new = ca.leaf("a.test")
    done = deploy(running, new, "--hostname", "a.test")
    if oracle.v24:
        done.expect()
        running.reload()
        wire.wait_served(new.sha256, running.ports["imaps"], sni="a.test")
    else:
        done.expect(REFUSED, "conflicting-filters")
        assert running.config.read_text() == text
        assert running.served("imaps", "mail.b.test") is None
