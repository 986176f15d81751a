# SPDX-License-Identifier: LGPL-2.1-or-later
"""--keep-going: each service is a transaction of its own; and a rollback is proven on the ports like a deployment."""

import re

import pytest

from harness.scene import Clock, Scene, material
from harness.tool import OK, PARTIAL, REFUSED, ROLLED_BACK

NAME = "mail.example.test"


@pytest.fixture
def leaf(ca):
    return ca.leaf(NAME)


@pytest.mark.needs("apache", "dovecot")
def test_one_service_fails_and_the_other_changes(host, leaf):
    web, mail = host.apache(), host.dovecot()
    host.start()
    host.write_config(overrides={"dovecot": {"test": ("/bin/false",)}})
    result = host.tool("deploy", "--keep-going", "--default", *material(leaf)).expect(PARTIAL, "test-failed")
    assert result.states == {"apache": "verified", "dovecot": "rolled-back"}
    # a test that says nothing, as Postfix's without a terminal, is not quoted
    assert result.problem("test-failed")["message"].endswith("and said nothing; look into the server's log")
    assert result.json["changed"] is True
    assert set(web.served().values()) == {leaf.sha256}
    assert set(mail.served().values()) == {host.old.sha256}
    # the transaction is the one that stands
    ids = {s["name"]: s["transaction"] for s in result.json["services"]}
    assert result.json["transaction"] == ids["apache"] != ids["dovecot"]
    assert host.tool("show", ids["dovecot"]).json["history"][0]["result"] == "rolled-back"
    host.tool("rollback", ids["apache"]).expect(OK)
    assert set(host.served().values()) == {host.old.sha256}


@pytest.mark.needs("apache", "dovecot")
def test_how_to_undo_is_said_of_what_stands_and_of_all_of_it(host, leaf):
    host.apache(), host.dovecot()
    host.start()
    host.write_config(overrides={"dovecot": {"test": ("/bin/false",)}})
    asked = ("deploy", "--keep-going", "--default", *material(leaf))
    partly = host.tool.text(*asked)
    assert partly.status == PARTIAL
    ids = [t["id"] for t in host.tool("history").json["history"]]
    assert undone(partly.out) == [ids[1]] and f"Transaction {ids[0]}\n" in partly.out
    host.tool("rollback", ids[1]).expect(OK)
    host.write_config()
    whole = host.tool.text(*asked)
    assert whole.status == OK
    said = undone(whole.out)
    assert said == [t["id"] for t in reversed(host.tool("history").json["history"][:2])]
    for transaction in said:
        host.tool("rollback", transaction).expect(OK)
    assert set(host.served().values()) == {host.old.sha256}


@pytest.mark.needs("apache", "dovecot")
def test_a_renewal_goes_back_for_all_servers(host, leaf, ca):
    """One transaction switches the link, the next only tells the other server: the last change is meant."""
    host.apache(), host.dovecot()
    host.start()
    host.tool("deploy", "--default", *material(leaf)).expect(OK)
    newer = ca.leaf(NAME, again=1)
    host.tool("deploy", "--keep-going", "--default", *material(newer)).expect(OK)
    assert set(host.served().values()) == {newer.sha256}
    files = [t["files"] for t in host.tool("history").json["history"][:2]]
    assert files[0] == [] and files[1] != [], "the last one holds a reload only"
    host.tool("rollback").expect(OK)
    assert set(host.served().values()) == {leaf.sha256}


def undone(text):
    """The transactions that a person is told to roll back."""
    return re.findall(r"^Transaction (\S+)\. To undo it: certdeploy rollback \1$", text, re.M)


@pytest.mark.needs("apache", "dovecot")
def test_without_it_both_are_put_back(host, leaf):
    host.apache(), host.dovecot()
    host.start()
    host.write_config(overrides={"dovecot": {"test": ("/bin/false",)}})
    scene = Scene(host)
    host.tool("deploy", "--default", *material(leaf)).expect(ROLLED_BACK, "test-failed")
    scene.assert_files_are_back(ignore=[host.store])
    assert set(host.served().values()) == {host.old.sha256}


@pytest.mark.needs("apache")
def test_a_target_that_no_service_has_is_refused(host, leaf):
    host.apache()
    host.start()
    host.tool("deploy", "--keep-going", "--hostname", NAME, *material(leaf)).expect(REFUSED, "no-endpoint")


@pytest.mark.needs("apache")
def test_a_rollback_that_the_server_does_not_take_is_undone(host, leaf):
    web = host.apache()
    host.start()
    host.tool("deploy", "--default", *material(leaf)).expect(OK)
    control = web.ctl.read_text()
    web.ctl.write_text('#!/bin/sh\nexit 0\n')  # says that it reloads, and does not
    scene = Scene(host)
    host.tool("rollback", "--verify-timeout", "3").expect(ROLLED_BACK, "served-other")
    scene.assert_files_are_back()
    assert set(web.served().values()) == {leaf.sha256}
    web.ctl.write_text(control)
    host.tool("rollback").expect(OK)
    assert set(web.served().values()) == {host.old.sha256}


@pytest.mark.needs("apache")
def test_a_rollback_is_not_blamed_for_a_port_that_was_silent_before(host, leaf):
    web = host.apache()
    host.start()
    host.tool("deploy", "--default", *material(leaf)).expect(OK)
    silent = {"protocol": "https", "address": "127.0.0.1", "port": host.port()}  # nobody listens there
    serves = {"protocol": "https", "address": "127.0.0.1", "port": web.port}
    host.write_config(overrides={"apache": {"probe": [silent, serves]}})
    with Clock() as clock:
        result = host.tool("rollback").expect(OK, "not-listening")
    assert result.problem("not-listening")["severity"] == "warning"
    assert clock.seconds < 20, "its 30 seconds are for ports that served"
    assert set(web.served().values()) == {host.old.sha256}
