# SPDX-License-Identifier: LGPL-2.1-or-later
"""verify, doctor and expiry tell what is wrong with real servers, and nothing when nothing is."""

import json
import os
import re

import pytest

from harness.scene import Scene, material
from harness.tool import DIFFERENT

NAMES = ("www.example.test", "mail.example.test", "old.example.test")


@pytest.fixture
def new(ca):
    return ca.leaf(*NAMES)


def errors(result):
    return {p["code"] for p in result.problems if p["severity"] == "error"}


# verify


def test_verify_agrees_after_a_deploy_and_changes_nothing(one, host, new):
    host.tool("deploy", *material(new), "--all").expect()
    scene = Scene(host)
    result = host.tool("verify").expect()
    assert errors(result) == set()
    assert all(e["verified"] and e["served_sha256"] == new.sha256 for e in result.endpoints if e["tls"])
    scene.assert_untouched()


def test_verify_before_anything_was_deployed(one, host):
    result = host.tool("verify").expect()
    assert {e["served_sha256"] for e in result.endpoints if e["tls"]} == {host.old.sha256}


def test_verify_sees_a_configuration_changed_by_hand(one, host, new):
    before = {p: p.read_bytes() for p in host.etc.rglob("*") if p.is_file()}
    host.tool("deploy", *material(new), "--all").expect()
    for path, content in before.items():
        if not path.is_symlink() and host.store not in path.parents and path.read_bytes() != content:
            path.write_bytes(content)
    one.reload()
    result = host.tool("verify").expect(DIFFERENT, "configured-other")
    assert result.problem("configured-other")["service"] == one.name
    # and a deploy without arguments puts it right
    host.tool("deploy").expect()
    host.tool("verify").expect()


def test_verify_says_what_does_not_run(one, host):
    one.stop()
    result = host.tool("verify").expect(0, "not-running")
    assert not any(e["verified"] for e in result.endpoints)


def test_verify_one_name(one, host, new):
    host.tool("deploy", *material(new), "--all").expect()
    assert host.tool("verify", "--hostname", "absent.example.org").status != 0 or one.name == "dovecot"


# doctor


def test_doctor_finds_nothing_on_a_healthy_host(one, host, new):
    host.tool("deploy", *material(new), "--all", "--accept", "chain-unknown-root").expect()
    scene = Scene(host)
    result = host.tool("doctor").expect()
    assert errors(result) == set()
    scene.assert_untouched()
    assert "reload" not in scene.new_calls(one.name)


def test_doctor_stopped(one, host):
    one.stop()
    result = host.tool("doctor").expect(DIFFERENT, "stopped")
    # ports of a server that does not run are not complained about one by one
    assert "not-listening" not in result.codes


def test_doctor_certificate_missing(one, host):
    host.old_cert.unlink()
    result = host.tool("doctor").expect(DIFFERENT, "not-found")
    # Dovecot names it through a link
    assert re.search(r"/(old|dovecot)\.pem is not there", result.problem("not-found")["message"])


def test_doctor_key_mismatch(one, host, ca):
    host.old_key.write_text(ca.leaf("else.example.test").key_pem)
    host.tool("doctor").expect(DIFFERENT, "key-mismatch")


def test_doctor_key_for_everybody(one, host):
    host.old_key.chmod(0o644)
    result = host.tool("doctor").expect(DIFFERENT, "key-exposed")
    assert os.path.realpath(result.problem("key-exposed")["file"]) == str(host.old_key)
    assert result.problem("key-exposed")["fix"]


def test_doctor_stale_process(one, host, new):
    if one.name == "postfix":
        pytest.skip("new processes of Postfix read the new file by themselves")
    host.old_cert.write_text(new.fullchain_pem)
    host.old_key.write_text(new.key_pem)
    result = host.tool("doctor").expect(DIFFERENT, "served-other")
    assert "eload" in result.problem("served-other")["fix"]


def test_doctor_expired(one, host, ca):
    late = ca.leaf("old.example.test", not_before=-90, not_after=-1)
    host.old_cert.write_text(late.fullchain_pem)
    host.old_key.write_text(late.key_pem)
    one.reload()
    host.tool("doctor").expect(DIFFERENT, "expired")


def test_doctor_leaf_alone(one, host, new):
    host.old_cert.write_text(new.pem)
    host.old_key.write_text(new.key_pem)
    one.reload()
    host.wait_served(new.sha256)
    result = host.tool("doctor")
    assert "chain-not-served" in result.codes


@pytest.mark.needs("apache")
def test_doctor_one_host(host, new):
    host.apache().add_site("www.example.test")
    host.start()
    result = host.tool("doctor", "www.example.test").expect(DIFFERENT, "name-mismatch")
    assert {e["name"] for e in result.endpoints} == {"www.example.test"}
    host.tool("deploy", *material(new), "--hostname", "www.example.test").expect()
    host.tool("doctor", "www.example.test").expect()
    line = host.tool.text("doctor", "www.example.test", "--format", "nagios")
    assert line.status in (0, 1) and line.out.startswith("CERTDEPLOY ") and line.out.count("\n") == 1
    assert host.tool("doctor", "absent.example.test").problem("no-endpoint")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become nobody")
@pytest.mark.needs("postfix")
def test_doctor_for_somebody_else(host):
    """The server's own test needs the rights of its user: what it says to others is no finding."""
    host.postfix()
    host.start()
    if any("/root/" in word for word in host.tool.argv()[0]):
        pytest.skip("the build directory cannot be read by others")
    result = host.tool("doctor", user=65534)
    assert "test-failed" not in result.codes, result
    told = [p for p in result.problems if "could not be tested" in p["message"]]
    assert [(p["code"], p["severity"], p["service"]) for p in told] == [("not-permitted", "warning", "postfix")], result
    assert not any(p["code"] == "not-permitted" for p in host.tool("doctor").problems)


# expiry


def test_expiry_fractions(one, host, ca):
    """90 days of life: 40 left are enough, 20 are a warning, 5 are critical."""
    for left, state, status in ((40, "good", 0), (20, "warning", 1), (5, "critical", 2), (-1, "expired", 2)):
        leaf = ca.leaf("old.example.test", not_before=left - 90, not_after=left)
        host.old_cert.write_text(leaf.fullchain_pem)
        host.old_key.write_text(leaf.key_pem)
        one.reload()
        host.wait_served(leaf.sha256)
        result = host.tool("expiry").expect()
        assert {e["expiry"] for e in result.endpoints if e["tls"]} == {state}, result
        assert {e["expiry"] for e in result.endpoints if not e["tls"]} <= {None}
        wanted = {"good": set(), "expired": {"expired"}}.get(state, {"expires-soon"})
        assert {c for c in result.codes if c.startswith("expire")} == wanted
        line = host.tool.text("expiry", "--format", "nagios")
        assert line.status == status, line
        assert re.fullmatch(r"CERTDEPLOY [A-Z]+ - [^|\n]+ \| 'days'=-?\d+;;;0 'endpoints'=\d+;;;0\n", line.out)


def test_expiry_limits_as_asked(one, host):
    assert {e["expiry"] for e in host.tool("expiry", "--crit", "100%").endpoints if e["tls"]} == {"critical"}
    assert {e["expiry"] for e in host.tool("expiry", "--warn", "9999d").endpoints if e["tls"]} == {"warning"}
    assert {e["expiry"] for e in host.tool("expiry", "--warn", "1s", "--crit", "0%").endpoints if e["tls"]} == {"good"}


def test_expiry_of_what_is_served_counts(one, host, ca):
    """The file was renewed; the server still serves the one that runs out."""
    if one.name == "postfix":
        pytest.skip("new processes of Postfix read the new file by themselves")
    short = ca.leaf("old.example.test", not_before=-88, not_after=2)
    host.old_cert.write_text(short.fullchain_pem)
    host.old_key.write_text(short.key_pem)
    one.reload()
    host.wait_served(short.sha256)
    fresh = ca.leaf("old.example.test", not_before=-1, not_after=89)
    host.old_cert.write_text(fresh.fullchain_pem)
    host.old_key.write_text(fresh.key_pem)
    result = host.tool("expiry").expect(0, "expires-soon")
    assert {e["expiry"] for e in result.endpoints if e["tls"]} == {"critical"}


def test_expiry_formats(one, host):
    assert json.loads(host.tool.text("expiry", "--format", "json").out)["command"] == "expiry"
    text = host.tool.text("expiry").expect().out
    assert str(one.ready_port) in text or one.name != "apache"
    metrics = host.tool.text("expiry", "--format", "prometheus").expect().out
    for line in metrics.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+\{(\w+="[^"\n]*",?)+\} \d+', line), line
    assert 'certdeploy_served_matches_installed{service="' in metrics and "} 1\n" in metrics
    page = host.tool.text("expiry", "--format", "html").expect().out
    assert page.startswith("<!DOCTYPE html>") and page.count("<tr class=\"good\">") >= 1
