# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a reload makes of files that are not ours, and of a server that does not run."""

import os
import signal
import subprocess
import threading
import time

import pytest
from apache.plain import Plain, connected
from apache.row import Row, Stage, deploy
from apache.test_lines import B, host_of

from harness import tree
from harness.process import run, wait_for
from harness.tool import OK, REFUSED

pytestmark = pytest.mark.needs("apache")
NOBODY = 65534


@pytest.fixture
def stage(host, pki, ca):
    stage = Stage(Plain(host), pki, ca, Row("MaxRequestWorkers 8\nServerLimit 1\n" + host_of("@a\n") + B))
    stage.write()
    stage.web.start()
    assert stage.ask("a.test") == stage.sha("a") and stage.ask("b.test") == stage.sha("b")
    return stage


def cert(stage):
    return stage.paths["b"][0]


def key(stage):
    return stage.paths["b"][1]


def locked(path):
    run(["openssl", "pkey", "-in", path, "-aes256", "-passout", "pass:secret", "-out", f"{path}.new"])
    os.replace(f"{path}.new", path)


def weak(stage):
    """A pair that httpd loads only where it is told to."""
    name = ["-subj", "/CN=b.test", "-addext", "subjectAltName=DNS:b.test"]
    run(["openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", key(stage), "-out", cert(stage), *name])


def converted(path, *argv):
    run(["openssl", *argv, "-in", path, "-out", f"{path}.new"])
    os.replace(f"{path}.new", path)


# What became of the neighbour's files since the server started. httpd's own test sees this …
SEEN = {
    "certificate missing": lambda s: cert(s).unlink(),
    "key missing": lambda s: key(s).unlink(),
    "certificate empty": lambda s: cert(s).write_text(""),
    "a directory": lambda s: (cert(s).unlink(), cert(s).mkdir()),
    "syntax": lambda s: s.web.config.write_text(s.web.config.read_text() + "</IfModule>\n"),
}
# … and this it does not, and ends at its reload.
UNSEEN = {
    "certificate garbage": lambda s: cert(s).write_text("garbage\n"),
    "certificate cut off": lambda s: cert(s).write_text(cert(s).read_text()[:400]),
    "second certificate cut off": lambda s: cert(s).write_text(cert(s).read_text()[:-200]),
    "another key": lambda s: key(s).write_text(s.leaves["c"].key_pem),
    "another certificate": lambda s: cert(s).write_text(s.leaves["c"].fullchain_pem),
    "intermediate first": lambda s: cert(s).write_text(s.new[0].chain_pem + cert(s).read_text()),
    "key under a passphrase": lambda s: locked(key(s)),
    "too weak": weak,
    "key garbage": lambda s: key(s).write_text("garbage\n"),
    "DER": lambda s: converted(cert(s), "x509", "-outform", "DER"),
    "a link to another": lambda s: (key(s).unlink(), key(s).symlink_to(s.paths["c"][1])),
}
# This it loads.
LOADED = {
    "CRLF": lambda s: cert(s).write_bytes(cert(s).read_bytes().replace(b"\n", b"\r\n")),
    "text before": lambda s: cert(s).write_text("Bag Attributes\n  x: y\n" + cert(s).read_text()),
    "a byte order mark before": lambda s: cert(s).write_bytes(b"\xef\xbb\xbf" + cert(s).read_bytes()),
    "key for everybody": lambda s: key(s).chmod(0o666),
    "key for nobody": lambda s: key(s).chmod(0),
    "key of another user": lambda s: os.chown(key(s), 65534, 65534),
    "touched": lambda s: os.utime(key(s)),
}


@pytest.mark.parametrize("what", [*SEEN, *UNSEEN])
def test_a_broken_neighbour(stage, what):
    web = stage.web
    {**SEEN, **UNSEEN}[what](stage)
    assert (web.httpd("-t").returncode == 0) == (what in UNSEEN)
    files, pid = tree.snapshot(web.home, stage.host.etc / "ssl"), web.pid()
    result = deploy(stage).expect(REFUSED, "reload-would-end" if what in UNSEEN else "config-syntax")
    if what in UNSEEN:
        problem = result.problem("reload-would-end")
        assert (problem["file"], problem["severity"]) == (str(web.config), "error")
        assert f"{stage.paths['b'][0].parent.parent}" in problem["message"] and problem["line"]
    assert tree.diff(files, tree.snapshot(web.home, stage.host.etc / "ssl"), tree.UNTOUCHED) == []
    assert "reload" not in web.called() and web.pid() == pid
    assert stage.ask("a.test") == stage.sha("a") and stage.ask("b.test") == stage.sha("b")


@pytest.mark.parametrize("what", LOADED)
def test_a_neighbour_that_is_loaded(stage, what):
    LOADED[what](stage)
    deploy(stage).expect(OK)
    assert stage.ask("a.test") == stage.new[0].sha256 and stage.ask("b.test") == stage.sha("b")


def changed(stage, old, new):
    """Another configuration for the running server."""
    text = stage.web.config.read_text()
    assert old in text
    stage.web.config.write_text(text.replace(old, new))
    stage.web.control("reload")
    return stage


# Certificates that httpd only warns of, or says nothing about.
WARNED = {
    "expired": {"not_before": -60, "not_after": -1},
    "not valid yet": {"not_before": 5},
    "of a CA": {"ca": True},
    "for clients": {"usage": "clientAuth"},
}


@pytest.mark.parametrize("what", WARNED)
def test_a_neighbour_that_clients_may_not_like(stage, pki, what):
    other = pki.root().leaf("b.test", **WARNED[what])
    stage.host.install("b", other)
    deploy(stage).expect(OK)
    assert stage.ask("a.test") == stage.new[0].sha256 and stage.ask("b.test") == other.sha256


def test_a_neighbour_with_a_certificate_of_another_name_signed_with_sha1(stage):
    """OpenSSL looks at how others have signed, not at a certificate that has signed itself."""
    name = ["-subj", "/CN=elsewhere.test", "-sha1", "-nodes"]
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-keyout", key(stage), "-out", cert(stage), *name])
    deploy(stage).expect(OK)
    assert stage.ask("a.test") == stage.new[0].sha256
    assert stage.ask("b.test") not in (None, stage.sha("b"))


def test_a_neighbour_that_was_renewed(stage, pki):
    """By another tool, and not loaded yet: our reload lets it serve its own new certificate."""
    renewed = pki.root().leaf("b.test", again=1)
    stage.host.install("b", renewed)
    deploy(stage).expect(OK)
    assert stage.ask("a.test") == stage.new[0].sha256 and stage.ask("b.test") == renewed.sha256
    stage.host.tool("rollback").expect(OK)
    assert stage.ask("a.test") == stage.sha("a") and stage.ask("b.test") == renewed.sha256


def test_a_weak_neighbour_that_is_allowed(stage):
    changed(stage, "ServerName b.test", "ServerName b.test\nSSLCipherSuite DEFAULT@SECLEVEL=0")
    weak(stage)
    deploy(stage).expect(OK)
    assert stage.ask("a.test") == stage.new[0].sha256 and stage.ask("b.test") != stage.sha("b")


def test_a_host_that_nothing_reaches(stage):
    """Its certificate is loaded with all the others."""
    changed(stage, "<VirtualHost *:%d>\nServerName b.test" % stage.web.port, "<VirtualHost *:9>\nServerName b.test")
    key(stage).write_text("garbage\n")
    deploy(stage).expect(REFUSED, "reload-would-end")
    assert stage.ask("a.test") == stage.sha("a")


def test_a_pair_that_stays_beside_the_new_one(stage, pki):
    """The new one is of another key type: the host's old one is loaded once more."""
    other = stage.host.install("other", pki.root().leaf("a.test", "b.test", "*.a.test", "c.test", key="rsa"))
    lines = f"SSLCertificateFile {other[0]}\nSSLCertificateKeyFile {other[1]}\n</VirtualHost>\n<VirtualHost"
    changed(stage, "</VirtualHost>\n<VirtualHost", lines)
    other[1].write_text(stage.leaves["c"].key_pem)
    deploy(stage).expect(REFUSED, "reload-would-end")
    assert stage.ask("a.test") is not None


def test_what_is_broken_is_mended(stage):
    """Its own files are no obstacle: they are what is replaced."""
    stage.paths["a"][1].write_text("garbage\n")
    deploy(stage).expect(OK)
    assert stage.ask("a.test") == stage.new[0].sha256


def test_without_a_reload_nothing_is_risked(stage):
    key(stage).write_text("garbage\n")
    deploy(stage, "--no-reload").expect(OK)
    assert "reload" not in stage.web.called() and stage.ask("b.test") == stage.sha("b")


def test_a_new_generation_waits_for_the_old_one(stage):
    """The only process ends with its last client; until then new ones wait, and nothing is put back."""
    began = time.monotonic()
    with connected(stage.web.port, "b.test") as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: b.test\r\n")
        rest = threading.Timer(4, slow.sendall, [b"Connection: close\r\n\r\n"])
        rest.start()
        deploy(stage).expect(OK)
        waited = time.monotonic() - began
        rest.join()
        assert slow.recv(4096).startswith(b"HTTP/1.1 ")
    assert waited > 4 and stage.ask("a.test") == stage.new[0].sha256


def test_a_stale_pid_file_hits_nobody(stage):
    """httpd itself would send its signal for a reload to whoever has the number now."""
    stage.web.stop()
    with subprocess.Popen(["sleep", "60"]) as innocent:
        stage.web.pidfile.write_text(f"{innocent.pid}\n")
        deploy(stage).expect(OK, "not-running")
        assert innocent.poll() is None
        innocent.kill()
    assert not {"reload", "start", "restart"} & set(stage.web.called())
    stage.web.pidfile.unlink()
    stage.web.start()
    assert stage.ask("a.test") == stage.new[0].sha256 and stage.ask("b.test") == stage.sha("b")


# What became, since the server loaded it, of a neighbour's files or of those that a rollback leads back to.
BACK = {
    "a neighbour": lambda s: key(s).write_text("garbage\n"),
    "its own old files": lambda s: s.paths["a"][1].write_text(s.leaves["c"].key_pem),
}


@pytest.mark.parametrize("what", BACK)
def test_a_rollback_that_would_end_the_server(stage, what):
    deploy(stage).expect(OK)
    BACK[what](stage)
    files, pid, called = tree.snapshot(stage.web.home), stage.web.pid(), stage.web.called()
    result = stage.host.tool("rollback").expect(REFUSED, "reload-would-end")
    assert result.problem("reload-would-end")["file"] == str(stage.web.config)
    assert tree.diff(files, tree.snapshot(stage.web.home), tree.UNTOUCHED) == []
    assert stage.web.pid() == pid and "reload" not in stage.web.called()[len(called) :]
    assert stage.ask("a.test") == stage.new[0].sha256 and stage.ask("b.test") == stage.sha("b")
    stage.host.tool("rollback", "--no-reload").expect(OK)
    assert f"SSLCertificateFile {stage.paths['a'][0]}" in stage.web.config.read_text()


class OfNobody(Plain):
    """An httpd that an ordinary user starts."""

    def __init__(self, host, **settings):
        super().__init__(host, **settings)
        self.user = ""
        for place in (self.run_dir, host.log):
            place.chmod(0o777)
        (host.etc / "ssl/private").chmod(0o711)

    def verbs(self):
        drop = f"exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {self.binary} "
        return super().verbs().replace(f"exec {self.binary} ", drop)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to start a server as another user")
def test_a_server_of_an_ordinary_user(host, pki, ca):
    """It ends of a file that it may not read, which its own test does not see: a new one or a neighbour's."""
    stage = Stage(OfNobody(host), pki, ca, Row(host_of("@a\n") + B))
    stage.write()
    for label in "ab":
        os.chown(stage.paths[label][1], NOBODY, NOBODY)
    stage.web.start()
    files, pid = tree.snapshot(stage.web.home, host.etc / "ssl"), stage.web.pid()
    readable = ("--permissions", f"key={NOBODY}:{NOBODY}:0600")
    for more, path, denied in (
        ((), host.store / "x/current/key.pem", None),
        (readable, key(stage), key(stage)),
        (readable, cert(stage), cert(stage)),
    ):
        if denied:
            mode = denied.stat().st_mode
            denied.chmod(0)
        problem = deploy(stage, *more).expect(REFUSED, "reload-would-end").problem("reload-would-end")
        assert f"{NOBODY}" in problem["message"] and f"{path}" in problem["message"]
        assert stage.web.pid() == pid and "reload" not in stage.web.called()
        if denied:
            denied.chmod(mode)
    assert tree.diff(files, tree.snapshot(stage.web.home, host.etc / "ssl"), tree.UNTOUCHED) == []
    deploy(stage, *readable).expect(OK)
    assert stage.ask("a.test") == stage.new[0].sha256 and stage.ask("b.test") == stage.sha("b")
    assert deploy(stage, *readable).expect(OK).json["changed"] is False
    host.tool("rollback").expect(OK)
    assert stage.ask("a.test") == stage.sha("a") and stage.ask("b.test") == stage.sha("b")


class OfNobodyTestedByRoot(OfNobody):
    """Its own test, and what sends its signal, may enter every directory."""

    def verbs(self):
        kinds = ((OfNobody, "start"), (Plain, "reload | test"))
        return "\n".join(kind.verbs(self).replace("start | reload | test)", f"{which})") for kind, which in kinds)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to start a server as another user")
def test_a_directory_that_an_ordinary_user_may_not_enter(host, pki, ca):
    """On the way to a neighbour's key, through a link or beside one, and to a new one that all may read."""
    stage = Stage(OfNobodyTestedByRoot(host), pki, ca, Row(host_of("@a\n") + B))
    stage.write()
    for label in "ab":
        os.chown(stage.paths[label][1], NOBODY, NOBODY)
    behind = host.etc / "ssl/behind"
    behind.mkdir()
    key(stage).rename(behind / "b.pem")
    key(stage).symlink_to(behind / "b.pem")
    stage.web.start()
    files, pid = tree.snapshot(stage.web.home, host.etc / "ssl"), stage.web.pid()
    readable = ("--permissions", f"key={NOBODY}:{NOBODY}:0600")
    fresh = host.etc / "fresh"
    fresh.mkdir()
    fresh.chmod(0o700)
    installed = (*readable, "--install-key", fresh / "a.key", "--install-fullchain", host.etc / "a.pem")
    for more, path in ((readable, key(stage).parent), (readable, behind), (installed, fresh)):
        mode = path.stat().st_mode
        path.chmod(0o600)
        problem = deploy(stage, *more).expect(REFUSED, "reload-would-end").problem("reload-would-end")
        assert f"{NOBODY}" in problem["message"] and f"{path} " in problem["message"]
        assert stage.web.pid() == pid and "reload" not in stage.web.called()
        path.chmod(mode)
    assert tree.diff(files, tree.snapshot(stage.web.home, host.etc / "ssl"), tree.UNTOUCHED) == []
    fresh.chmod(0o711)
    deploy(stage, *installed).expect(OK)
    assert stage.ask("a.test") == stage.new[0].sha256 and stage.ask("b.test") == stage.sha("b")
    behind.chmod(0o700)
    os.kill(stage.web.pid(), signal.SIGUSR1)
    wait_for("httpd to end", lambda: not stage.web.running)


@pytest.mark.parametrize("where", ["own.pid", "run/own.pid"])
def test_where_a_relative_pid_file_is(host, pki, ca, where):
    """Below ServerRoot: DefaultRuntimeDir is for other files."""
    web = Plain(host)
    site = f"DefaultRuntimeDir run\nPidFile {where}\n"
    stage = Stage(web, pki, ca, Row(site + host_of("@a\n") + B))
    stage.write()
    (web.home / "run/run").mkdir(parents=True)
    web.pidfile = web.home / where
    web.write_ctl()
    web.start()
    assert host.tool("discover").expect(OK).service("apache")["running"] is True
    assert deploy(stage).expect(OK).states == {"apache": "verified"}
    assert stage.ask("a.test") == stage.new[0].sha256 and stage.ask("b.test") == stage.sha("b")
