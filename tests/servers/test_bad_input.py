# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input: a clear sentence with the place and the next step, the documented status, nothing changed."""

import json
import os

import pytest

from harness.host import Host
from harness.scene import Scene, can_be_run_by_others, material, other_user
from harness.skip import skip_without
from harness.tool import FAILED, NOT_PERMITTED, OK, REFUSED, USAGE, Tool

NAME = "old.example.test"


@pytest.fixture(scope="module")
def scene(pki):
    skip_without("apache")
    with Host(pki) as host:
        host.apache()
        host.start()
        yield Scene(host)


@pytest.fixture
def leaf(ca):
    return ca.leaf(NAME)


def judge(result, status, code=None, file=None):
    """One error, told in a sentence, in both forms of output."""
    result.expect(status, *([code] if code else []))
    errors = [p for p in result.problems if p["severity"] == "error"]
    assert errors, result
    assert all(p["message"] and p["message"][0] != " " for p in errors)
    assert all("%" not in p["message"] or "%" in result.out for p in errors)
    if file is not None:
        assert str(file) in [p.get("file") for p in errors] or any(str(file) in p["message"] for p in errors), result
    assert result.json["ok"] is False


def test_missing_file(scene, leaf):
    result = scene.host.tool("deploy", "--cert", "/nonexistent/cert.pem", "--key", leaf.key, "--all")
    judge(result, FAILED, "not-found", "/nonexistent/cert.pem")
    scene.assert_untouched()


CONTENTS = {
    "empty": b"",
    "text": b"this is not PEM\n",
    "binary": bytes(range(256)) * 16,
    "half a block": b"-----BEGIN CERTIFICATE-----\nMIIB\n",
    "garbage in a block": b"-----BEGIN CERTIFICATE-----\nAAAAAAAAAAAA\n-----END CERTIFICATE-----\n",
    "a request": b"-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n",
    "NULs": b"\0" * 5000,
}


@pytest.mark.parametrize("what", sorted(CONTENTS))
def test_not_pem(scene, leaf, what, tmp_path):
    path = tmp_path / "cert.pem"
    path.write_bytes(CONTENTS[what])
    judge(scene.host.tool("deploy", "--cert", path, "--key", leaf.key, "--all"), REFUSED, file=path)
    judge(scene.host.tool("deploy", "--cert", leaf.cert, "--chain", leaf.chain, "--key", path, "--all"), REFUSED)
    scene.assert_untouched()


def test_too_large(scene, leaf, tmp_path):
    path = tmp_path / "large.pem"
    with open(path, "wb") as f:
        f.truncate(1 << 30)
    judge(scene.host.tool("deploy", "--cert", path, "--key", leaf.key, "--all"), REFUSED, "too-large")
    scene.assert_untouched()


def test_a_directory_and_a_fifo(scene, leaf, tmp_path):
    assert scene.host.tool("deploy", "--cert", tmp_path, "--key", leaf.key, "--all").status in (FAILED, REFUSED)
    os.mkfifo(tmp_path / "fifo")
    result = scene.host.tool("deploy", "--cert", tmp_path / "fifo", "--key", leaf.key, "--all", timeout=20)
    assert result.status in (FAILED, REFUSED)
    scene.assert_untouched()


@pytest.mark.parametrize(
    "argv",
    [
        ["deploy", "--no-such-option"],
        ["no-such-command"],
        [],
        ["deploy", "--cert"],
        ["plan", "--exit-code", "--listener"],
        ["rollback", "--nonsense"],
        ["deploy", "surplus"],
    ],
)
def test_usage(scene, argv):
    result = scene.host.tool(*argv)
    judge(result, USAGE, "usage")
    text = scene.host.tool.text(*argv)
    assert text.status == USAGE and text.out == "" and text.err.strip()
    scene.assert_untouched()


def test_unknown_service(scene, leaf):
    judge(scene.host.tool("deploy", *material(leaf), "--service", "nginx"), REFUSED, "unknown-service")
    scene.assert_untouched()


def test_no_endpoint_names_the_nearest(scene, leaf):
    judge(scene.host.tool("deploy", *material(leaf), "--hostname", "absent.example.test"), REFUSED)
    judge(scene.host.tool("deploy", *material(leaf), "--address", "192.0.2.1"), REFUSED, "no-endpoint")
    judge(scene.host.tool("deploy", *material(leaf), "--listener", "*:1"), REFUSED, "no-endpoint")
    scene.assert_untouched()


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".", "..", "-x", "a\nb", "x" * 300, "ä"])
def test_names_for_the_store(scene, leaf, name):
    result = scene.host.tool("deploy", *material(leaf), "--all", "--name", name)
    assert result.status in (USAGE, REFUSED), result
    scene.assert_untouched()


SETTINGS = {
    "syntax": ("store = ;\n", 1),
    "unknown key": ('\nstroe = "/x";\n', 2),
    "wrong type": ('keep = "many";\n', 1),
    "relative path": ('store = "here";\n', 1),
    "service without adapter": ('services = (\n{ name = "x"; adapter = "nginx"; config = "/x"; } );\n', 2),
    "command is no list": ('services = (\n{ name = "apache"; config = "/x";\n  reload = { a = 1; }; } );\n', 3),
}


@pytest.mark.parametrize("what", sorted(SETTINGS))
def test_our_own_configuration(scene, leaf, what, tmp_path):
    text, line = SETTINGS[what]
    path = tmp_path / "certdeploy.conf"
    path.write_text(text)
    path.chmod(0o644)
    result = Tool(path)("deploy", *material(leaf), "--all")
    judge(result, REFUSED, "settings", path)
    assert result.problem("settings")["line"] == line
    scene.assert_untouched()


def test_our_own_configuration_is_missing(scene, leaf):
    assert Tool("/nonexistent/certdeploy.conf")("list").status in (FAILED, REFUSED)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: others own the file")
def test_our_own_configuration_belongs_to_others(scene, leaf, tmp_path):
    path = tmp_path / "certdeploy.conf"
    path.write_text(scene.host.config.read_text())
    path.chmod(0o666)
    judge(Tool(path)("deploy", *material(leaf), "--all"), REFUSED, "unsafe-path")
    path.chmod(0o644)
    os.chown(path, other_user(), other_user())
    judge(Tool(path)("deploy", *material(leaf), "--all"), REFUSED, "unsafe-path")
    scene.assert_untouched()


def test_a_server_file_is_missing(host, leaf):
    web = host.apache()
    host.write_config({"apache": {"config": f"{web.home}/absent.conf"}})
    result = host.tool("deploy", *material(leaf), "--all")
    assert result.status in (FAILED, REFUSED)
    assert "absent.conf" in json.dumps(result.json)
    assert not host.store.exists()


def test_no_service(host, leaf):
    """An empty list of services is empty: the servers of this machine are not searched, nor ever touched."""
    host.write_config()
    assert host.tool("discover").expect().json["services"] == []
    judge(host.tool("plan", *material(leaf), "--all"), REFUSED, "no-service")
    judge(host.tool("plan", *material(leaf)), REFUSED, "no-service")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_not_root(scene, leaf):
    if not can_be_run_by_others():
        pytest.skip("the build directory cannot be reached by others")
    public = scene.host.base / "given.pem"
    public.write_text(leaf.key_pem + leaf.fullchain_pem)
    public.chmod(0o644)
    try:
        for command in ("list", "discover"):
            scene.host.tool(command, user=other_user()).expect(OK)
        result = scene.host.tool("deploy", "--cert", public, "--all", user=other_user())
        judge(result, NOT_PERMITTED, "not-permitted")
        assert result.problem("not-permitted")["fix"]
        scene.assert_untouched()
    finally:
        public.unlink()


def test_unwritable_places(host, leaf):
    """A file where a directory is needed: even root cannot write there."""
    host.apache()
    host.start()
    for setting in ("state", "store"):
        wall = host.base / f"wall-{setting}"
        wall.write_text("")
        host.write_config(**{setting: wall / "below"})
        scene = Scene(host)
        result = host.tool("deploy", *material(leaf), "--all")
        assert result.status in (FAILED, REFUSED, NOT_PERMITTED), result
        assert [p for p in result.problems if p["severity"] == "error"]
        assert str(wall) in result.out
        scene.assert_untouched()


REQUESTS = {
    "nothing": "",
    "not JSON": "{",
    "a list": "[]",
    "a number": "1",
    "unknown key": '{"cret": "x"}',
    "duplicate key": '{"cert": "a", "cert": "b"}',
    "wrong type": '{"cert": 1}',
    "surplus": "{} {}",
    "deep": "[" * 100000,
    "not UTF-8": '{"cert": "\udcff"}',
    "a flag as text": '{"cert": "x", "all": "yes"}',
    "NUL": '{"hostname": "a\\u0000b"}',
}


@pytest.mark.parametrize("what", sorted(REQUESTS))
def test_bad_requests(scene, what):
    argv, own = scene.host.tool.argv("deploy", "-")
    import subprocess

    from harness.process import CLEAN

    done = subprocess.run(
        argv,
        env={**CLEAN, **own},
        input=REQUESTS[what].encode("utf-8", "surrogateescape"),
        capture_output=True,
        timeout=60,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert done.returncode == answer["exit"] == USAGE, answer
    assert answer["ok"] is False and answer["problems"][0]["code"] == "usage"
    scene.assert_untouched()


def test_names_of_files_are_never_read_from_material(scene):
    """A panel passes what a customer typed: a path there is no certificate."""
    result = scene.host.tool(
        "deploy", "-", stdin=json.dumps({"cert": "/etc/shadow", "key": "/etc/shadow", "all": True})
    )
    result.expect(REFUSED)
    assert "root:" not in result.out
    scene.assert_untouched()


def test_request_needs_json(scene):
    assert scene.host.tool.text("deploy", "-", stdin="{}").status == USAGE


@pytest.mark.parametrize(
    "text,line", [("<VirtualHost *:443>\n", None), ("<If >\n", None), ("SSLCertificateFile\n", None)]
)
def test_server_configuration_not_understood(host, leaf, text, line):
    skip_without("apache")
    web = host.apache()
    path = web.site_file("broken", text)
    scene = Scene(host)
    result = host.tool("deploy", *material(leaf), "--all").expect(REFUSED)
    errors = [p for p in result.problems if p["severity"] == "error"]
    assert errors and any("broken.conf" in (p.get("file") or p["message"]) for p in errors), result
    assert path.read_text() == text
    assert scene.changed() == []
