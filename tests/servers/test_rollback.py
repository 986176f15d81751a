# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever fails on the way leads back: files to the byte, servers with the old certificate."""

import os
import re
import shutil

import pytest

from harness import process, tree, wire
from harness.conf import document
from harness.host import TRIO
from harness.scene import Clock, Scene, assert_keys_are_private, fake, material
from harness.tool import BROKEN, FAILED, REFUSED, ROLLED_BACK

NAMES = ("www.example.test", "mail.example.test", "old.example.test")


@pytest.fixture
def new(ca):
    return ca.leaf(*NAMES)


def assert_back(scene, result, status=ROLLED_BACK):
    result.expect(status)
    assert result.json["ok"] is False
    scene.assert_files_are_back(ignore=[scene.host.store])
    assert not list(scene.host.store.glob("*/current")), "the store still points at what was taken back"
    scene.assert_serves_as_before()
    scene.assert_no_litter()
    assert_keys_are_private(scene.host.etc / "ssl", scene.host.state)
    # the way is free for the next one
    assert "interrupted" not in scene.host.tool("history").expect().codes


def killer(one):
    """Ends the server as a reload with a bad key does: Apache's main process takes its children along."""
    signal = "TERM" if one.name == "apache" else "KILL"
    return f"kill -{signal} $(cat {one.pidfile}); sleep 0.5; exit 0"


def test_the_reload_kills_the_server(one, host, new):
    kill = fake(host, "kill", killer(one))
    host.write_config({one.name: {"reload": kill}})
    scene = Scene(host)
    first = one.pid()
    result = host.tool("deploy", *material(new), "--all")
    assert_back(scene, result)
    assert result.states == {one.name: "rolled-back"}
    assert set(result.codes) & {"reload-failed", "not-listening"}
    assert one.running and one.pid() != first, "a server that died is started again"


def test_the_reload_fails(one, host, new):
    host.write_config({one.name: {"reload": fake(host, "no", "echo 'no, thank you' >&2; exit 3")}})
    scene = Scene(host)
    result = host.tool("deploy", *material(new), "--all")
    assert_back(scene, result)
    assert "no, thank you" in result.problem("reload-failed")["message"]
    assert one.running


def test_the_reload_hangs(one, host, new):
    own = os.getpid()  # tests run side by side
    hang = fake(host, "hang", f"sleep 611{own} & sleep 612{own}")
    host.write_config({one.name: {"reload": hang, "timeout": 6}})  # postfix check takes three sometimes
    scene = Scene(host)
    with Clock() as clock:
        result = host.tool("deploy", *material(new), "--all")
    assert_back(scene, result)
    assert "reload-failed" in result.codes
    assert clock.seconds < 45
    left = process.run(["pgrep", "-f", f"^sleep 61[12]{own}$"], check=False).stdout
    assert left == "", "what the command started is ended with it"


def test_the_reload_says_done_and_does_nothing(one, host, new):
    host.write_config({one.name: {"reload": ("/bin/true",)}})
    scene = Scene(host)
    result = host.tool("deploy", *material(new), "--all", "--verify-timeout", "2s")
    if one.name != "apache":  # a restart helps; or Postfix's processes read the new files by themselves
        result.expect(0)
        assert set(host.served().values()) == {new.sha256}
        assert one.name == "postfix" or result.service(one.name)["action"] == "restart"
        return
    assert_back(scene, result)
    assert result.problem("served-other")["service"] == one.name


def test_a_reload_that_works_only_once(one, host, new):
    """The new certificate is taken, a port does not answer, and the reload back is refused."""
    once = host.base / "once"
    script = f"test ! -e {once} || exit 1; touch {once}; exec {one.ctl} reload"
    protocol = {"apache": "https", "postfix": "smtps", "dovecot": "imaps"}[one.name]
    probe = [{"protocol": protocol, "address": "127.0.0.1", "port": host.port()}]  # nobody listens there
    host.write_config({one.name: {"reload": fake(host, "once-only", script), "probe": probe}})
    scene = Scene(host)
    result = host.tool("deploy", *material(new), "--all", "--verify-timeout", "2s")
    assert once.exists()
    assert_back(scene, result)
    assert "restart" in scene.new_calls(one.name)


def test_the_servers_test_fails(one, host, new):
    count = host.base / "tested"
    test = fake(host, "test", f"test ! -e {count} || {{ echo 'I do not like it' >&2; exit 1; }}; touch {count}")
    host.write_config({one.name: {"test": fake(host, "no", "echo 'I do not like it' >&2; exit 1")}})
    scene = Scene(host)
    result = host.tool("deploy", *material(new), "--all")
    assert result.status in (ROLLED_BACK, REFUSED)
    code = "test-failed" if result.status == ROLLED_BACK else "config-syntax"
    assert "I do not like it" in result.problem(code)["message"]
    assert_back(scene, result, result.status)
    assert "reload" not in scene.new_calls(one.name)
    assert scene.new_reloads(one.name) == 0
    # the first test passes, a later one does not
    if one.name == "apache":  # the others are rehearsed by tools of their own
        host.write_config({one.name: {"test": test}})
        scene.remember()
        result = host.tool("deploy", *material(new), "--all")
        assert "I do not like it" in result.problem("test-failed")["message"]
        assert_back(scene, result)


@pytest.mark.parametrize("culprit", TRIO)
def test_one_fails_and_all_go_back(trio, new, culprit):
    trio.write_config({culprit: {"reload": fake(trio, "no", "exit 1")}})
    scene = Scene(trio)
    result = trio.tool("deploy", *material(new))
    assert_back(scene, result)
    assert result.problem("reload-failed")["service"] == culprit
    assert all(s.running for s in trio.services)
    assert "verified" not in result.states.values()


def test_a_renewal_that_fails_leaves_the_last_certificate(trio, new, ca):
    trio.tool("deploy", *material(new)).expect()
    trio.write_config({"dovecot": {"reload": fake(trio, "no", "exit 1")}})
    scene = Scene(trio)
    renewed = ca.leaf(*NAMES, again=1)
    trio.tool("deploy", *material(renewed)).expect(ROLLED_BACK)
    assert set(trio.served().values()) == {new.sha256}
    outside = [p for p in scene.changed() if not p.startswith(str(trio.store))]
    assert outside == []
    for server in trio.services:
        server.reload()
    assert set(trio.served().values()) == {new.sha256}


def test_a_server_that_cannot_be_brought_back_needs_a_person(one, host, new):
    kill = fake(host, "kill", killer(one))
    no = fake(host, "no", "exit 1")
    host.write_config({one.name: {"reload": kill, "start": no, "restart": no, "timeout": 6}})
    scene = Scene(host)
    result = host.tool("deploy", *material(new), "--all").expect(BROKEN)
    assert result.json["ok"] is False and result.json["changed"]
    scene.assert_files_are_back(ignore=[host.store])
    assert [p for p in result.problems if p.get("service") == one.name and p["severity"] == "error"]
    one.start()
    scene.assert_serves_as_before()


def test_broken_configuration_before_we_start(one, host, new):
    with open(one.config, "a", encoding="utf-8") as f:
        f.write("\nthis is { nonsense\n")
    lines = len(one.config.read_text().splitlines())
    scene = Scene(host)
    result = host.tool("deploy", *material(new), "--all").expect(REFUSED)
    scene.assert_untouched(look=one.name != "postfix")  # whose processes die of it without our help
    assert set(result.codes) & {"config-syntax", "config-not-understood"}
    errors = [p for p in result.problems if p["severity"] == "error"]
    places = [(p.get("file"), p.get("line")) for p in errors]
    said = f"line {lines} of {one.config}"  # by the server's own test
    assert (str(one.config), lines) in places or said in errors[0]["message"], result


def test_a_broken_neighbour_does_not_stop_the_named_service(trio, new):
    trio.service("postfix").set(nonsense=None)
    with open(trio.service("postfix").config, "a", encoding="utf-8") as f:
        f.write("no equals sign\n")
    trio.service("postfix").cool()
    scene = Scene(trio)
    trio.tool("deploy", *material(new)).expect(REFUSED)
    assert scene.changed() == []
    trio.tool("deploy", *material(new), "--service", "apache", "--service", "dovecot").expect()
    for name in ("apache", "dovecot"):
        assert set(trio.service(name).served().values()) == {new.sha256}


# the way back when asked for


def test_rollback_puts_everything_back(trio, new):
    scene = Scene(trio)
    deployed = trio.tool("deploy", *material(new)).expect()
    name = deployed.json["transaction"]
    diff = trio.tool("diff", name).expect()
    assert diff.json["diff"] == deployed.json["diff"]
    shown = trio.tool("show", name).expect()
    assert {f["path"] for f in deployed.json["files"]} <= {f["path"] for f in shown.json["files"]}
    assert trio.tool("show", name).json["history"][0]["result"] == "committed"
    back = trio.tool("rollback").expect()
    assert back.json["changed"] is True
    scene.assert_files_are_back(ignore=[trio.store])
    scene.assert_serves_as_before()
    for server in TRIO:
        assert scene.new_reloads(server) == 2
    entries = trio.tool("history").expect().json["history"]
    assert [e["command"] for e in entries] == ["rollback", "deploy"]
    # and forth again
    trio.tool("deploy", *material(new)).expect()
    assert set(trio.served().values()) == {new.sha256}


@pytest.mark.needs("apache")
def test_rollback_of_a_renewal(host, new, ca):
    host.apache()
    host.start()
    host.tool("deploy", *material(new), "--all").expect()
    renewed = ca.leaf(*NAMES, again=1)
    second = host.tool("deploy", *material(renewed), "--all").expect()
    assert set(host.served().values()) == {renewed.sha256}
    host.tool("rollback", second.json["transaction"]).expect()
    assert set(host.served().values()) == {new.sha256}
    host.tool("verify").expect()


def test_rollback_does_not_overwrite_what_others_changed(one, host, new):
    scene = Scene(host)
    result = host.tool("deploy", *material(new), "--all").expect()
    edited = next(f["path"] for f in result.json["files"] if f["change"] == "edited")
    with open(edited, "a", encoding="utf-8") as f:
        f.write("# an administrator was here\n")
    refused = host.tool("rollback").expect(REFUSED, "changed-since")
    assert refused.problem("changed-since")["file"] == edited
    with open(edited, encoding="utf-8") as f:
        assert "an administrator was here" in f.read()
    assert set(host.served().values()) == {new.sha256}
    host.tool("rollback", "--force").expect()
    scene.assert_files_are_back(ignore=[host.store])
    scene.assert_serves_as_before()


@pytest.mark.needs("apache")
def test_rollback_without_anything_to_roll_back(host):
    host.apache()
    host.start()
    scene = Scene(host)
    result = host.tool("rollback")
    assert result.status == FAILED and "no-transaction" in result.codes
    result = host.tool("rollback", "20200101T000000Z-1")
    assert result.status == FAILED and "no-transaction" in result.codes
    assert host.tool("recover").expect().json["changed"] is False
    scene.assert_untouched()


@pytest.mark.needs("apache")
def test_killed_while_the_server_reloads_and_recovered(host, new):
    web = host.apache()
    host.start()
    waiting = host.base / "waiting"
    slow = fake(host, "slow", f"touch {waiting}; while :; do sleep 0.2; done")
    host.write_config({"apache": {"reload": slow, "timeout": 4}})
    scene = Scene(host)
    child = host.tool.start("deploy", *map(str, material(new)), "--all")
    process.wait_for("the reload", waiting.exists, timeout=30)
    child.kill()
    child.wait()
    child.stdout.close()
    child.stderr.close()
    for pid in process.processes_of(host.bin):
        process._signal(pid, 9)
    assert scene.changed() != []
    host.write_config()
    result = host.tool("recover").expect()
    assert result.json["changed"] is True and "interrupted" in result.codes
    scene.files = {p: e for p, e in scene.files.items() if p != str(host.config)}
    scene.assert_files_are_back(ignore=[host.store, host.config])
    scene.assert_serves_as_before()
    assert web.test()
    host.tool("deploy", *material(new), "--all").expect()
    assert set(host.served().values()) == {new.sha256}


@pytest.mark.needs("apache")
def test_two_at_once(host, new):
    host.apache()
    host.start()
    waiting = host.base / "waiting"
    slow = fake(host, "slow", f"touch {waiting}; sleep 3; exec {host.service('apache').ctl} reload")
    host.write_config({"apache": {"reload": slow}})
    child = host.tool.start("deploy", *map(str, material(new)), "--all")
    process.wait_for("the reload", waiting.exists, timeout=30)
    host.tool("deploy", *material(new), "--all", "--wait", "0s").expect(7, "locked")
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, out + err
    assert set(host.served().values()) == {new.sha256}
