# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shell file that starts a server says what variables hold: a real shell is the judge."""

import os
import random
import subprocess

import pytest

from harness.scene import material
from harness.tool import OK, REFUSED, Tool

HOST = """<VirtualHost *:443>
ServerName {0}.test
SSLEngine on
SSLCertificateFile "/c/${{{1}}}/x"
SSLCertificateKeyFile /k
</VirtualHost>
"""
FILES = {
    "plain": 'export V=a\n',
    "quoted": 'export V="a b"\n',
    "single": "export V='a b'\n",
    "two": 'export V=a W=b\n',
    "later export": 'V=x\nexport V\n',
    "no export": 'V=x\n',
    "export before": 'export V\nV=late\n',
    "nested": 'export A=/etc\nexport V=$A/sub\nexport W=${A}x\n',
    "default": 'export V=${NONE:-dflt}\nexport W=${NONE-d2}\n',
    "assign default": ': ${V:=zz}\nexport V\n',
    "alt": 'A=1\nexport V=${A:+yes}\nexport W=${NONE:+no}n\n',
    "strip": 'A=/etc/apache2-foo\nexport V=${A##/etc/apache2-}\nexport W=${A%/*}\n',
    "strip2": 'A=a.b.c\nexport V=${A#*.}\nexport W=${A%%.*}\n',
    "debian": 'if [ "${APACHE_CONFDIR##/etc/apache2-}" != "${APACHE_CONFDIR}" ] ; then\n\tSUFFIX="-${APACHE_CONFDIR##/etc/apache2-}"\nelse\n\tSUFFIX=\nfi\nexport V=/var/run/apache2$SUFFIX\n',
    "test f": 'if [ -f /nonexistent ]; then\nexport V=1\nelse\nexport V=2\nfi\n',
    "test -n": 'A=x\nif test -n "$A"; then export V=1; else export V=2; fi\n',
    "and": '[ -z "$NONE" ] && export V=ok\n',
    "or": '[ -n "$NONE" ] || export V=ok\n',
    "comment": 'export V=a # comment\nexport W=a#b\n',
    "semicolon": 'A=1; export V=$A; export W=2\n',
    "continuation": 'export V=a\\\nb\n',
    "escape": 'export V=a\\ b\\$c\n',
    "mixed": 'export V=a"b c"\'d e\'f\n',
    "unset": 'export V=a\nunset V\nexport W=1\n',
    "append": 'export V=a\nV=$V:b\n',
    "leading": '  export   V=a\n\texport W=b\n',
    "empty": 'export V=\nexport W=""\n',
    "length": 'A=abc\nexport V=${#A}\n',
    "umask ulimit": 'umask 022\nulimit -n 1024\nexport V=1\n',
    "colon in value": 'export V=a:b=c\n',
    "if elif": 'A=2\nif [ "$A" = 1 ]; then\nexport V=one\nelif [ "$A" = 2 ]; then\nexport V=two\nelse\nexport V=three\nfi\n',
    "nested if": 'if [ -z "$N" ]; then\nif [ -n "$N" ]; then\nexport V=1\nelse\nexport V=2\nfi\nfi\n',
    "readonly": 'readonly V=1\nexport V\n',
    "double bracket off": 'if [ ! -e /nonexistent ]; then export V=1; fi\n',
    "then on line": 'if [ -d / ]\nthen\n\texport V=1\nfi\n',
    "and list": '[ -d / ] && A=5 && export V=$A\n',
    "braces": '{ export V=1; export W=2; }\n',
    "special": 'export V="$HOME|$UNSETVAR|${UNSETVAR}"\n',
    "quote newline": "export V='a\nb'\nexport W=c\n",
    "set": 'set -a\nV=1\nset +a\nW=2\n',
    "pattern strip ?": 'A=abc\nexport V=${A%?}\nexport W=${A#[a-b]}\n',
    "nested default": 'B=q\nexport V=${NONE:-$B/x}\nexport W=${NONE:-"a b"}\n',
    "quotes within a default": "export V=${NONE:-'}'x\"$HOME y\"}\n",
    "a default within a default": "export V=${NONE:-${NIL:-${PATH}}}\n",
    "an assigned default within quotes": ': "${V:=$PATH/a b}" ${W=w}\nexport V W\n',
    "a pattern with slashes": "A=/a/b/c.d\nexport V=${A##*/}\nexport W=${A%.*}\n",
    "a pattern of a variable": "A=abcabc B='*b'\nexport V=${A#$B}\nexport W=${A##$B}\n",
    "continued within quotes": 'export V="a\\\nb"\n',
    "and not": '[ -n "$NONE" ] && export V=no\nexport W=w\n',
    "or not": '[ -z "$NONE" ] || export V=no\n',
    "and, or": '[ -n "$NONE" ] && V=one || V=two\nexport V\n',
    "all words before any": 'export V=a W=x$V\n',
    "assignments one by one": 'V=a W=x$V\nexport V W\n',
    "for one command alone": 'V=1 true\nW=2 :\nexport V W\n',
    "a case": 'A=two\ncase $A in\n  one) V=1 ;;\n  t*|x) V=2;;\n  *) V=3 ;;\nesac\nexport V\n',
    "a case in one line": 'case "$NONE" in "") export V=none;; *) export V=some; esac\n',
    "a case of quoted stars": 'A="*" B=a\ncase $B in "$A") V=1;; \\*) V=2;; (["a-b"]) V=3;; $A) V=4;; esac\nexport V\n',
    "a for": 'for d in a b c; do V="$V/$d"; done\nexport V W=$d\n',
    "a for that splits": 'A="a b"\nfor d in $A "c d"; do V="$V/$d"; done\nexport V\n',
    "a for that ends": 'for d in /nonexistent / /etc; do\n if [ -d "$d" ]; then V=x$d; break; fi\n W=y$d\ndone\nexport V W\n',
    "a for that goes on": 'for d in a b c; do [ $d = b ] && continue; V=$V$d; done; export V\n',
    "for nothing": 'for d in $NONE; do export V=$d; done\nexport W=w\n',
    "for within for": 'for a in 1 2\ndo\nfor b in x y\ndo V=$V$a$b; done\ndone\nexport V\n',
    "a function": 'f() {\n  V=$V-f\n}\nf; f\ng () { W=w; return; W=x; }\ng\nexport V W\n',
    "a function that is not called": 'f() { export V=f; }\nexport W=w\n',
    "a function in a condition": 'yes() { true; }\nno() { ! yes; }\nif no; then V=1; elif yes; then V=2; fi\nexport V\n',
    "a subshell": '(export V=1; W=2)\nexport W=$W$V.\n',
    "a while that does not begin": 'while false; do V=1; done\nuntil true; do W=1; done\nexport V W\n',
    "commands that do not matter": 'export V=1\numask 022 2>&1\nmkdir -p $V >/dev/null || exit 1\n[ -x /bin/sh ] && umask 22\nexport W=2\n',
    "the end": 'export V=1\nreturn 0\nexport W=2\n',
    "else of a command": 'if true; then V=1; else V=2; fi; if ! true; then W=1; else W=2; fi\nexport V W\n',
    "reserved words as words": 'export V=if W=done\n: then fi esac\n',
    "a word that goes": 'A=\n[ -n $A ] && export V=1\n[ -z $A ] && export W=1\n',
}
FOUND = (
    "export F=found V=f\n",
    {
        "another file": 'export V=1\n. @file\nexport W=$F$V\n',
        "another file, if it is there": '[ -f @file ] && . @file\n[ -r /none ] && . /none\nexport W=$V\n',
        "another file by a variable": 'D=@dir\nif test -d "$D"; then for f in file; do . "$D/$f"; done; fi\nexport W=${F}2\n',
        "what another exports": 'set -a\n. @file\nA=1\nset +a\nexport W=$A\n',
    },
)
# What only a shell can tell is said, and what stands behind it is read all the same.
UNKNOWN = {
    "a command": "export V=$(echo hi) W=w\n",
    "a command in backticks": "export V=`echo hi` W=w\n",
    "a command in quotes": 'export V="x$(echo ")")" W=w\n',
    "arithmetic": "export V=$((1+2)) W=w\n",
    "a command within a default": "export V=a${NONE:-$(echo hi)}b W=w\n",
    "by another variable": "A=$(echo hi)\nexport V=x$A W=w\n",
    "a condition on a command": "W=w\nif grep -q x /etc/passwd; then V=1; else V=2; fi\nexport V W\n",
    "a list on a command": "grep -q root /etc/passwd && V=1\nexport V W=w\n",
    "a case of a command": 'case "$(uname)" in Linux) V=1;; *) V=2;; esac\nexport V W=w\n',
    "a case behind a doubt": 'case a in $(echo a)) V=1;; a) V=2;; esac\nexport V W=w\n',
    "a for over files": "for f in /etc/*; do V=$f; done\nexport V W=w\n",
    "a while": "while [ ${#V} -lt 3 ]; do V=${V}x; done\nexport V W=w\n",
    "a chain in a while": 'while read l; do [ "$B" = 1 ] && V=2; [ "$A" = 1 ] && B=1; A=1; done </etc/passwd\nexport V W=w\n',
    "unset perhaps": "V=1\ngrep -q root /etc/passwd && unset V\nexport V W=w\n",
    "export perhaps": "V=1\ngrep -q root /etc/passwd && export V\nexport W=w\n",
    "an end perhaps": "V=1\ngrep -q root /etc/passwd && return\nexport V=2\n",
    "a parameter": "f() { V=$1; }\nf 1\nexport V W=w\n",
    "a home": "export V=~/x W=w\n",
    "of whatever started it": "unset HOME\nexport V=${USER:-x} W=w\n",
    "an addition of bash": "V=1\nV+=2\nexport V W=w\n",
    "a cut of bash": 'V=abc\n[ -n "$BASH_VERSION" ] && V=${V:1}\nexport V W=w\n',
    "a read": "read V </etc/hostname\nexport V W=w\n",
    "a function that may be another": "f() { V=1; }\ngrep -q root /etc/passwd && f() { V=2; }\nf\nexport V\n",
    "a text for a command": "cat >/dev/null <<X\nexport V=1\nX\nexport V=2\n",
    "what is put together": 'eval "export V=1"\n',
    "what a command prints": "export $(echo V=1)\n",
    "without an end": "export V=1\nif true; then\n",
    "no grammar": "export V=1\n)\n",
}


def shell(path):
    done = subprocess.run(
        ["env", "-i", "PATH=/usr/bin:/bin", "HOME=/root", "sh", "-c", '. "$0" >/dev/null; env -0', path],
        capture_output=True, cwd="/",
    )
    if done.returncode != 0:
        pytest.skip("no server is started")
    return dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if line)


def listed(root, text):
    """The endpoints of hosts with a certificate in V and in W."""
    place = root / "etc/apache2"
    place.mkdir(parents=True)
    (place / "envvars").write_text("PATH=/usr/bin:/bin HOME=/root\n" + text)
    (place / "apache2.conf").write_text("Listen 443\n" + "".join(HOST.format(v.lower(), v) for v in "VW"))
    return [e for e in Tool(root=root)("list").expect(OK).endpoints if e["name"]]


def check(root, text):
    found = listed(root, text)
    known = shell(root / "etc/apache2/envvars")
    assert [e["note"] for e in found] == [None, None]
    wanted = [os.path.normpath("/c/%s/x" % known.get(v, "${%s}" % v)) for v in "VW"]
    assert [e["certificate"] for e in found] == wanted


@pytest.mark.parametrize("name", FILES)
def test_as_the_shell(name, tmp_path):
    check(tmp_path, FILES[name])


@pytest.mark.parametrize("name", FOUND[1])
def test_other_files(name, tmp_path):
    file = tmp_path / "etc/file"
    file.parent.mkdir()
    file.write_text(FOUND[0])
    # the same path for the shell and for the tree
    inside = tmp_path / str(file)[1:]
    inside.parent.mkdir(parents=True)
    inside.write_text(FOUND[0])
    check(tmp_path, FOUND[1][name].replace("@file", str(file)).replace("@dir", str(file.parent)))


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_only_a_shell_can_tell(name, tmp_path):
    found = listed(tmp_path, UNKNOWN[name])
    assert found[0]["certificate"] == "/c/${V}/x" and "/etc/apache2/envvars:" in found[0]["note"]
    for endpoint, variable in zip(found, "VW", strict=True):
        if endpoint["note"] is None:
            value = shell(tmp_path / "etc/apache2/envvars").get(variable, "${%s}" % variable)
            assert endpoint["certificate"] == f"/c/{value}/x"


def test_it_is_left_alone(ca, tmp_path):
    listed(tmp_path, UNKNOWN["a command"])
    plan = ("plan", *material(ca.leaf("v.test", "w.test")), "--hostname")
    Tool(root=tmp_path)(*plan, "w.test").expect(OK)
    done = Tool(root=tmp_path)(*plan, "v.test").expect(REFUSED, "config-not-understood")
    said = next(p for p in done.problems if p["code"] == "config-not-understood")
    assert "/etc/apache2/envvars:2" in said["message"] and said["file"] == "/etc/apache2/apache2.conf"


# Where a variable that only a shell can tell decides what is served, the line is refused; elsewhere it does not matter.
MATTERS = ["ServerName ${V}", "ServerAlias a ${V}", "Include ${V}/x", "Define ${V}", "${V}", "<IfDefine ${V}>\n</IfDefine>",
           "<IfFile ${V}/x>\n</IfFile>", "Define X /${V}\nIncludeOptional ${X}/*.conf", "Listen ${V}", "ServerRoot ${V}"]
DOES_NOT = ["ErrorLog ${V}/x.log", "PidFile ${V}/pid", "DefaultRuntimeDir ${V}", "User ${V}", "Define X ${V}",
            "<Directory ${V}>\n</Directory>", "LoadModule ssl_module ${V}/mod_ssl.so", "<IfDefine NONE>\nListen ${V}\n</IfDefine>",
            "<Macro M $a>\nErrorLog $a\n</Macro>\nUse M ${V}", "Define V 43\nListen 4${V}"]


def with_line(root, line):
    place = root / "etc/apache2"
    place.mkdir(parents=True)
    (place / "envvars").write_text("\nexport V=$(echo 43)\n")
    (place / "apache2.conf").write_text("Listen 443\n" + line + "\n" + HOST.format("w", "W"))
    return Tool(root=root)("list")


@pytest.mark.parametrize("line", MATTERS)
def test_where_it_matters(line, tmp_path):
    done = with_line(tmp_path, line).expect(REFUSED, "config-not-understood")
    problem = next(p for p in done.problems if p["code"] == "config-not-understood")
    wanted = 3 if line.startswith("Define X") else 2
    assert (problem["file"], problem["line"]) == ("/etc/apache2/apache2.conf", wanted)
    assert "/etc/apache2/envvars:2" in problem["message"]


@pytest.mark.parametrize("line", DOES_NOT)
def test_where_it_does_not_matter(line, tmp_path):
    found = [e for e in with_line(tmp_path, line).expect(OK).endpoints if e["name"]]
    assert [e["note"] for e in found] == [None]


class Writer:
    """A shell file from a seed, of all that is followed and of what is not known."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.functions = []

    def pick(self, *choices):
        return self.random.choice(choices)

    def name(self):
        return self.pick("A", "B", "V", "W")

    def value(self):
        name, text = self.name(), self.pick("a", "b", "ab", "a/b", "")
        forms = [text, f'"{text}"', f"'{text} c'", f"${name}", f'"${name}"', f"{text}${{{name}}}", f'"${name}"x']
        forms += [f"${{{name}:-{text}}}", f"${{{name}+{text}}}", f"${{{name}:={text}}}", f'"${{{name}-$V y}}"']
        forms += [f"${{{name}#a}}", f"${{{name}%%b*}}", f"${{#{name}}}", f"\\\\{text}", f'"\\$"{text}', "$(echo a)"]
        return self.random.choice(forms)

    def test(self):
        quoted = [f'"${self.name()}"', f'"{self.pick("a", "b", "")}"']
        tests = [f"[ -n {quoted[0]} ]", f"test -z {quoted[0]}", f"[ {quoted[0]} = {quoted[1]} ]", f"[ ! {quoted[0]} != {quoted[1]} ]"]
        tests += ["true", "false", "! true", "[ -d / ]", "test ! -f /nonexistent", "grep -q root /etc/passwd", "[ -n $A ]"]
        tests += [self.pick("f", "g")] if self.functions else []
        return self.random.choice(tests)

    def command(self, depth):
        kind = self.random.random()
        if kind < 0.35 or depth > 3:
            return f"{self.name()}={self.value()}"
        if kind < 0.45:
            return f"export {self.name()}={self.value()} {self.name()}"
        if kind < 0.5:
            return self.pick(f"unset {self.name()}", "set -a", "set +a", "umask 022 2>/dev/null", ":", f"{self.name()}=x true")
        if kind < 0.6:
            return f"{self.test()} {self.pick('&&', '||')} {self.command(depth + 1)}"
        if kind < 0.72:
            other = self.pick("", f"elif {self.test()}; then\n{self.list(depth)}", f"else {self.list(depth)}")
            return f"if {self.test()}; then {self.list(depth)}{other}fi"
        if kind < 0.8:
            patterns = [self.pick("a", "b*", "*b", f'"${self.name()}"', "a|b", "?", "*") for _ in range(3)]
            return f"case {self.value()} in\n" + "".join(f"{p}) {self.list(depth)};;\n" for p in patterns) + "esac"
        if kind < 0.88:
            inside = self.list(depth) + self.pick("", "", f"{self.test()} && {self.pick('break', 'continue')}\n") + self.list(depth)
            return f"for {self.name()} in a {self.value()} $B; do\n{inside}done"
        if kind < 0.92:
            return self.pick(f"{{ {self.list(depth)}}}", f"({self.list(depth)})")
        if kind < 0.95 and depth == 0:
            self.functions.append("f")
            inside = self.list(3) + self.pick("", "return\n", "[ -n \"$A\" ] && return\n") + self.list(3)
            return f"{self.pick('f', 'g')}() {{\n{inside}}}"
        return f"echo x >/dev/null | cat # {self.name()}=1\n:"

    def list(self, depth=-1):
        return "".join(self.command(depth + 1) + self.pick("\n", "\n", "; ", "\n\n") for _ in range(self.pick(1, 2, 3)))


@pytest.mark.parametrize("seed", range(40))
def test_what_is_told_is_so(seed, tmp_path):
    writer = Writer(seed)
    text = "".join(writer.list() for _ in range(3)) + "\nexport V W\n"
    found = listed(tmp_path, text)
    path = tmp_path / "etc/apache2/envvars"
    known = shell(path)
    for endpoint, variable in zip(found, "VW", strict=True):
        wanted = os.path.normpath("/c/%s/x" % known.get(variable, "${%s}" % variable))
        assert endpoint["note"] or endpoint["certificate"] == wanted, text
