# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shell file that starts a server says what variables hold: a real shell is the judge."""

import os
import subprocess

import pytest

from harness.tool import OK, Tool

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
}
# What only a shell can tell is no value; what stands behind it is read all the same.
UNKNOWN = ["$(echo hi)", "`echo hi`", '"x$(echo ")")"', "$((1+2))", "a${NONE:-$(echo hi)}b"]


def shell(path):
    done = subprocess.run(
        ["env", "-i", "PATH=/usr/bin:/bin", "HOME=/root", "sh", "-c", '. "$0" >/dev/null; env -0', path],
        capture_output=True, check=True, cwd="/",
    )
    return dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if line)


def values(root, text):
    """What certdeploy takes V and W for, as paths."""
    place = root / "etc/apache2"
    place.mkdir(parents=True)
    (place / "envvars").write_text("PATH=/usr/bin:/bin HOME=/root\n" + text)
    (place / "apache2.conf").write_text("Listen 443\n" + "".join(HOST.format(v.lower(), v) for v in "VW"))
    listed = Tool(root=root)("list").expect(OK)
    return [e["certificate"] for e in listed.endpoints if e["name"]]


@pytest.mark.parametrize("name", FILES)
def test_as_the_shell(name, tmp_path):
    found = values(tmp_path, FILES[name])
    known = shell(tmp_path / "etc/apache2/envvars")
    assert found == [os.path.normpath("/c/%s/x" % known.get(v, "${%s}" % v)) for v in "VW"]


@pytest.mark.parametrize("text", UNKNOWN)
def test_what_only_a_shell_can_tell(text, tmp_path):
    assert values(tmp_path, f"export V={text} W=w\nexport U=$V\n") == ["/c/${V}/x", "/c/w/x"]
