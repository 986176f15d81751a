# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tool as each issuer's deploy hook, with the variables and words that the issuer gives."""

import shutil

import pytest

from test_real import root  # noqa: F401


@pytest.fixture
def ca(pki):
    return pki.root().authority("Example CA 1")


@pytest.fixture
def lineage(tmp_path, leaf):
    place = tmp_path / "live/www.example.test"
    place.mkdir(parents=True)
    shutil.copy(leaf.fullchain, place / "fullchain.pem")
    shutil.copy(leaf.key, place / "privkey.pem")
    return place


@pytest.fixture
def deployed(tool, root, leaf):  # noqa: F811
    """A deployment with a target of its own is remembered under the issuer's name."""
    tool("deploy", "--fullchain", leaf.fullchain, "--key", leaf.key, "--name", "www.example.test", "--default").expect(0)
    return tool


def renewed(run, leaf):
    run.expect(0)
    assert run.json["command"] == "deploy"
    assert [c["name"] for c in run.json["certificates"]] == ["www.example.test"]
    assert {e["sha256"] for e in run.endpoints} == {leaf.sha256}


def test_certbot(deployed, lineage, ca):
    new = ca.leaf("www.example.test", again=1)
    shutil.copy(new.fullchain, lineage / "fullchain.pem")
    shutil.copy(new.key, lineage / "privkey.pem")
    renewed(deployed("hook", "certbot", env={"RENEWED_LINEAGE": str(lineage)}), new)
    renewed(deployed("hook", "certbot", env={"RENEWED_LINEAGE": f"{lineage}//"}), new)  # as a shell completes it


def test_lego(deployed, ca):
    new = ca.leaf("www.example.test", again=2)
    for prefix in ("LEGO_HOOK_CERT", "LEGO_CERT"):
        env = {
            f"{prefix}_DOMAIN": "www.example.test",
            f"{prefix}_PATH": str(new.fullchain),
            f"{prefix}_KEY_PATH": str(new.key),
        }
        renewed(deployed("hook", "lego", env=env), new)


def test_dehydrated(deployed, ca):
    new = ca.leaf("www.example.test", again=3)
    words = ["www.example.test", new.key, new.cert, new.fullchain, new.chain, "1795291896"]
    renewed(deployed("hook", "dehydrated", "deploy_cert", *words), new)
    # run at every renewal check: puts right what went wrong, and changes nothing else
    again = deployed("hook", "dehydrated", "unchanged_cert", *words[:5])
    renewed(again, new)
    assert not again.json["changed"]
    for verb in ("startup_hook", "deploy_challenge", "exit_hook", "something_new"):
        assert not deployed("hook", "dehydrated", verb, "x").expect(0).json["changed"]


@pytest.mark.parametrize("words", [
    ["deploy_challenge", "www.example.test", "-hJ3token", "--value"],  # base64url may begin with a dash
    ["clean_challenge", "www.example.test", "-t", "-"],
    ["request_failure", "403", "-reason", "GET", "--"],
])
def test_words_of_dehydrated_are_no_options(deployed, words):
    assert not deployed("hook", "dehydrated", *words).expect(0).json["changed"]


def test_options_stand_before_the_words(fake):
    for words in (["--json", "hook", "dehydrated"], ["hook", "--json", "dehydrated"], ["hook", "dehydrated", "--json"]):
        assert fake(*words, "startup_hook").json["command"] == "hook"
    assert fake("hook", "--help").text == fake("hook", "dehydrated", "--help").text == fake("help", "hook").text


def test_acme_sh(deployed, ca):
    new = ca.leaf("www.example.test", again=4)
    env = {"Le_Domain": "www.example.test", "CERT_FULLCHAIN_PATH": str(new.fullchain), "CERT_KEY_PATH": str(new.key)}
    renewed(deployed("hook", "acme.sh", env=env), new)
    again = deployed("hook", "acme.sh", "www.example.test", new.key, new.cert, new.chain, new.fullchain)
    renewed(again, new)


def test_a_wildcard_has_a_name_in_the_store(tool, root, ca):  # noqa: F811
    leaf = ca.leaf("*.example.test", "old.example.test")
    words = ["*.example.test", leaf.key, leaf.cert, leaf.fullchain, leaf.chain]
    run = tool("hook", "dehydrated", "deploy_cert", *words).expect(0)
    assert run.json["certificates"][0]["name"] == "wildcard.example.test"


@pytest.mark.parametrize("words", [[], ["certbot"], ["lego"], ["acme.sh"], ["nobody"], ["dehydrated", "deploy_cert"]])
def test_misuse(tool, words):
    tool("hook", *words).expect(2, "usage")
