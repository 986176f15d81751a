# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every message has a Japanese translation with the same arguments, and it is what people see."""

import ast
import re
import shutil
import subprocess

import pytest

from conftest import TOP
from test_usage import COMMANDS, columns

PO = TOP / "po"
JA = {"env": {"LANG": "ja_JP.UTF-8"}}
pytestmark = pytest.mark.skipif(not shutil.which("xgettext"), reason="gettext is not installed")


def entries(path):
    """A list of messages: {"msgid": …, "msgstr": …, "flags": …}."""
    found, flags, field = [], "", None
    for line in path.read_text(encoding="utf-8").splitlines():
        keyword = re.match(r'(msgid|msgid_plural|msgstr(?:\[\d\])?) (".*")$', line)
        if line.startswith("#,"):
            flags = line
        elif keyword:
            field = keyword.group(1)
            if field == "msgid":
                found.append({"flags": flags})
                flags = ""
            found[-1][field] = ast.literal_eval(keyword.group(2))
        elif line.startswith('"'):
            found[-1][field] += ast.literal_eval(line)
    return [entry for entry in found if entry["msgid"]]


@pytest.fixture(scope="session")
def sources():
    return [line for line in (PO / "POTFILES.in").read_text().splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="session")
def messages(sources, tmp_path_factory):
    """What is in the sources now, whatever the .pot says."""
    pot = tmp_path_factory.mktemp("po") / "now.pot"
    makevars = (PO / "Makevars").read_text().replace("\\\n", " ")
    options = re.search(r"^XGETTEXT_OPTIONS = (.*)$", makevars, re.M).group(1).split()
    subprocess.run(["xgettext", "--default-domain=x", f"--output={pot}", f"--directory={TOP}", "--language=C", *options,
                    *sources], check=True, capture_output=True)
    return entries(pot)


@pytest.fixture(scope="session")
def japanese():
    return {entry["msgid"]: entry for entry in entries(PO / "ja.po")}


def translations(entry):
    return [value for key, value in entry.items() if key.startswith("msgstr")]


def arguments(text):
    """The arguments that a format takes: [(position, conversion)]."""
    found, position = [], 0
    for number, flags, conversion in re.findall(r"%(\d+\$)?([-+ #0-9.*]*(?:hh|h|ll|l|j|z|t)?)([a-zA-Z%])", text):
        if conversion == "%":
            continue
        for _ in range(flags.count("*")):
            position += 1
            found.append((position, "*"))
        position += 1
        length = re.sub(r"[-+ #0-9.*]", "", flags)
        found.append((int(number[:-1]) if number else position, length + conversion))
    return sorted(found)


def test_every_source_is_listed(sources):
    listed = {TOP / name for name in sources}
    assert [name for name in sources if not (TOP / name).exists()] == []
    missing = []
    for place in ("libcertdeploy", "adapters", "examples/certdeploy"):
        for suffix in ("*.c", "*.h", "*.def"):
            for path in (TOP / place).rglob(suffix):
                text = re.sub(r"/\*.*?\*/|^#define.*$", "", path.read_text(), flags=re.M | re.S)
                if re.search(r'\b(?:N?_|d?ngettext|tool_plural)\(\s*"', text) and path not in listed:
                    missing.append(str(path.relative_to(TOP)))
    assert missing == []


def test_every_message_is_translated(messages, japanese):
    assert len(messages) > 400
    lacking = [m["msgid"] for m in messages if m["msgid"] not in japanese or "" in translations(japanese[m["msgid"]])]
    assert lacking == [], "without a translation in po/ja.po"
    assert [m for m, entry in japanese.items() if "fuzzy" in entry["flags"]] == []


def test_no_translation_is_left_over(messages, japanese):
    unused = set(japanese) - {message["msgid"] for message in messages}
    assert sorted(unused) == [], "no message of the sources any more: take them out of po/ja.po"


def test_same_arguments(messages, japanese):
    for message in messages:
        entry = japanese.get(message["msgid"])
        if entry and "c-format" in message["flags"]:
            wanted = arguments(message.get("msgid_plural", message["msgid"]))
            for text in translations(entry):
                assert arguments(text) == wanted, (message["msgid"], text)
    done = subprocess.run(["msgfmt", "--check", "-o", "/dev/null", PO / "ja.po"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_manner(japanese):
    """Sentences of a kind end alike: remedies ask politely and have a full stop, errors have none."""
    remedies = set(re.findall(r'N_\("((?:[^"\\]|\\.)*)"\)', (TOP / "libcertdeploy/base/problems.def").read_text()))
    for message, entry in japanese.items():
        for text in translations(entry):
            assert text.endswith("\n") == message.endswith("\n")
            assert not re.search(r"[ｦ-ﾟ]|[Ａ-Ｚａ-ｚ０-９]", text), text
            if message.replace('"', '\\"') in remedies and "certdeploy " not in message:
                assert re.search(r"(ください|ます)(（.*）)?。$", text), text


def test_the_words_of_hosting_manuals(japanese):
    for english, word in {"private key": "秘密鍵", "intermediate certificate": "中間CA証明書", "virtual host": "バーチャルホスト",
                          "signing request": "証明書署名要求"}.items():
        using = [entry for message, entry in japanese.items() if english in message.lower()]
        assert using
        assert [translations(e)[0] for e in using if word not in translations(e)[0]] == [], english
    everything = "".join(text for entry in japanese.values() for text in translations(entry))
    for word in ("SSL証明書", "コモンネーム", "設定ファイル", "再起動", "再読み込み", "有効期限"):
        assert word in everything
    for wrong in ("プライベートキー", "中間証明書", "仮想ホスト", "コンフィグ", "リロード", "リスタート"):
        assert wrong not in everything


def test_japanese_without_its_locale(fake):
    run = fake("deplyo", **JA)
    assert "「deplyo」というコマンドはありません。deploy ではありませんか" in run.errors
    assert fake("deplyo", env={"LANGUAGE": "ja", "LANG": "en_US.UTF-8"}).errors == run.errors
    assert fake("--lang", "ja", "deplyo").errors == run.errors
    assert fake("deplyo", env={"LANG": "C", "LANGUAGE": "ja"}).errors != run.errors
    assert "there is no command" in fake("--lang", "en", "deplyo", **JA).errors


def test_language_of_a_request(fake):
    run = fake("--json", "-", stdin={"command": "deploy", "lang": "ja", "crt": "x"})
    assert run.json["problems"][0]["message"].startswith("「crt」は deploy の要求のキーではありません")
    assert run.json["problems"][0]["code"] == "usage"


@pytest.mark.parametrize("command", COMMANDS)
def test_json_is_the_same_but_for_sentences(fake, command):
    english, japanese = fake("--json", command).json, fake("--json", command, **JA).json
    assert english == japanese


def test_columns_in_japanese(fake):
    lines = fake("list", **JA).text.splitlines()
    assert lines[0].split() == ["サービス", "プロトコル", "待ち受け", "名前", "有効期限", "設定箇所"]
    assert {columns(line[:line.index("2030-")]) for line in lines[1:]} == {columns(lines[0][:lines[0].index("有効期限")])}
    assert "あと 1" in fake("check", **JA).text
