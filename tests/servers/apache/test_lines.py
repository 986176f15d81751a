# SPDX-License-Identifier: LGPL-2.1-or-later
"""Physical lines, logical lines and words, each as the real server takes it."""

import pytest
from apache.plain import Plain
from apache.row import Row, check

pytestmark = pytest.mark.needs("apache")


def host_of(inside, name="a.test"):
    return f"<VirtualHost *:@port>\nServerName {name}\nSSLEngine on\n{inside}</VirtualHost>\n"


B = host_of("@b\n", "b.test")
AB = {"a.test": "a", "b.test": "b", None: "a"}
KEY = "SSLCertificateKeyFile «@a.key|@key»\n"
NEW = ("a.test", None)

LINES = {
    "plain": Row(host_of("SSLCertificateFile «@a.pem|@full»\n" + KEY) + B, AB, NEW),
    "backslash-LF": Row(host_of("SSLCertificateFile \\\n «@a.pem|@full»\n" + KEY) + B, AB, NEW),
    "backslash-CRLF": Row(host_of("SSLCertificateFile \\\r\n «@a.pem|@full»\r\n" + KEY) + B, AB, NEW),
    "in a name": Row(host_of("SSLCertif\\\nicateFile «@a.pem|@full»\n" + KEY) + B, AB, NEW),
    "in a word": Row(host_of("SSLCertificateFile «@etc/ssl/ce\\\nrts/a.pem|@full»\n" + KEY) + B, AB, NEW),
    "in quotes": Row(host_of('SSLCertificateFile "«@etc/ssl/ce\\\nrts/a.pem|@full»"\n' + KEY) + B, AB, NEW),
    "two backslashes": Row(
        host_of("# x \\\\\nSSLCertificateFile /none.pem\nSSLCertificateFile «@a.pem|@full»\n" + KEY) + B, AB, NEW
    ),
    "two backslashes and an empty line": Row(
        host_of("# x \\\\\n\nSSLCertificateFile /none.pem\nSSLCertificateFile «@a.pem|@full»\n" + KEY) + B, AB, NEW
    ),
    "backslash and blank": Row(
        host_of("SSLCertificateFile @a.pem \\ \n" + KEY), refused=("config-syntax", "SSLCertificateFile"), starts=False
    ),
    "a comment that swallows": Row(
        host_of("# old \\\nSSLCertificateFile /none.pem\nSSLCertificateFile «@a.pem|@full»\n" + KEY) + B, AB, NEW
    ),
    "onto an empty line": Row(host_of("SSLCertificateFile «@a.pem|@full» \\\n\n" + KEY) + B, AB, NEW),
    "onto a comment": Row(
        host_of("SSLCertificateFile @a.pem \\\n# no\n" + KEY),
        refused=("config-syntax", "SSLCertificateFile"),
        starts=False,
    ),
    "backslash-LF at the end": Row(host_of("SSLCertificateFile «@a.pem|@full»\n" + KEY) + B + "# \\\n", AB, NEW),
    "never into the next file": Row(
        host_of("Include one.inc\n" + KEY) + B,
        AB,
        NEW,
        files={"one.inc": "SSLCertificateFile «@a.pem|@full» \\\n"},
    ),
    "backslash-LF at the end, without a key": Row(
        host_of("Include one.inc\n") + B,
        AB,
        NEW,
        files={"one.inc": "SSLCertificateFile «@a.both|@full»\\\n«| \nSSLCertificateKeyFile @key\n»"},
    ),
    "backslash-CRLF at the end, without a key": Row(
        host_of("Include one.inc\n") + B,
        AB,
        NEW,
        files={"one.inc": "SSLCertificateFile «@a.both|@full»\\\r\n«| \r\nSSLCertificateKeyFile @key\r\n»"},
    ),
    "a backslash at the end": Row(
        host_of("Include one.inc\n") + B,
        AB,
        NEW,
        files={"one.inc": "SSLCertificateFile «@etc/ssl/certs/odd\\|@full»«| \nSSLCertificateKeyFile @key»"},
    ),
    "a backslash at the end, in an open quote": Row(
        host_of("Include one.inc\n") + B,
        AB,
        NEW,
        files={"one.inc": KEY + "SSLCertificateFile «\"@a.pem|\"@full\"»\\\n"},
    ),
    "no newline at the end": Row(
        host_of("Include one.inc\n") + B,
        AB,
        NEW,
        files={"one.inc": "SSLCertificateFile «@a.both|@full»«|\nSSLCertificateKeyFile @key»"},
    ),
    "CRLF": Row((host_of("SSLCertificateFile «@a.pem|@full»\n" + KEY) + B).replace("\n", "\r\n"), AB, NEW),
    "CRLF, inserted": Row(
        "@m\n"
        + host_of("")
        .replace("SSLEngine on\n", "\tSSLEngine on\n«|\tSSLCertificateFile @full\n" "\tSSLCertificateKeyFile @key\n»")
        .replace("\n", "\r\n")
        + B,
        {"a.test": "m", "b.test": "b"},
    ),
    "CR only": Row("<VirtualHost *:@port>\r</VirtualHost>\r", refused="config-syntax", starts=False),
    "a bare CR is a blank": Row(host_of("SSLCertificateFile\r«@a.pem|@full»\n" + KEY) + B, AB, NEW),
    "VT and FF are blanks": Row(host_of("\v SSLCertificateFile\f«@a.pem|@full» \v\n" + KEY) + B, AB, NEW),
    "NUL": Row(host_of("SSLCertificateFile «@a.pem|@full»\0 more \\\n" + KEY) + B, AB, NEW),
    "BOM": Row(
        host_of("@a\n") + "Include bom.conf\n",
        refused=("config-syntax", "bom.conf", 1),
        files={"bom.conf": b"\xef\xbb\xbf# comment\n"},
        starts=False,
    ),
    "not UTF-8": Row(host_of("# \xe9\xff\xa0\nSSLCertificateFile «@a.pem|@full»\n" + KEY) + B, AB, NEW),
    "a long line": Row(host_of("# " + "x" * 100000 + "\nSSLCertificateFile «@a.pem|@full»\n" + KEY) + B, AB, NEW),
    "too long a line": Row(
        "Include long.inc\n",
        refused=("config-syntax", "long.inc", 1),
        files={"long.inc": "# " + "x" * (17 << 20)},
        starts=False,
    ),
}

WORDS = {
    "double quotes": Row(host_of('SSLCertificateFile "«@a.pem|@full»"\n' + KEY) + B, AB, NEW),
    "single quotes": Row(host_of("SSLCertificateFile '«@a.pem|@full»'\n" + KEY) + B, AB, NEW),
    "escapes in quotes": Row(
        host_of('SSLCertificateFile "«@etc/ssl/certs/\\"odd\\\\ one|@full»"\n' + KEY) + B,
        AB,
        NEW,
    ),
    "escapes without": Row(
        host_of("SSLCertificateFile «@etc/ssl/certs/odd\\\\two|@full»\n" + KEY) + B,
        AB,
        NEW,
    ),
    "another backslash is itself": Row(
        host_of("SSLCertificateFile «@etc/ssl/certs/odd\\two|@full»\n" + KEY) + B,
        AB,
        NEW,
    ),
    "a quote within a word": Row(
        host_of('SSLCertificateFile «@etc/ssl/certs/od"d|@full»\n' + KEY) + B,
        AB,
        NEW,
    ),
    "text behind a closing quote": Row(
        host_of('SSLCertificateFile "@a.pem"x\n' + KEY), refused=("config-syntax", "SSLCertificateFile"), starts=False
    ),
    "a quote that is not closed": Row(host_of('SSLCertificateFile «"@a.pem|"@full"»  \n' + KEY) + B, AB, NEW),
    "a quoted directive": Row(
        host_of("\"SSLCertificateFile\" «@a.pem|@full»\n'SSLCertificateKeyFile' «@a.key|@key»\n") + B, AB, NEW
    ),
    "case": Row(
        "<virtualHOST *:@port>\nSERVERname A.TEST\nsslengine ON\nsslcertificatefile «@a.pem|@full»\n"
        "SSLCERTIFICATEKEYFILE «@a.key|@key»\n</VIRTUALhost>\n" + B,
        AB,
        NEW,
    ),
    "case of modules": Row(
        "<IfModule SSL_module>\n"
        + host_of("@c\n")
        + "</IfModule>\n"
        + host_of("SSLCertificateFile «@a.pem|@full»\n" + KEY)
        + B,
        AB,
        NEW,
    ),
    "a comment behind a directive": Row(
        host_of("SSLCertificateFile @a.pem # old\n" + KEY),
        refused=("config-syntax", "SSLCertificateFile"),
        starts=False,
    ),
    "a variable that is #": Row(
        'Define hash "#"\nDefine file SSLCertificateFile\n' + host_of("# ${hash}\n${file} «@a.pem|@full»\n" + KEY) + B,
        AB,
        NEW,
    ),
    "a new path that needs quotes": Row(
        host_of(
            'SSLCertificateFile «@a.pem|"@etc/new certs/full #1.pem"»\n'
            'SSLCertificateKeyFile «@a.key|"@etc/new certs/key 1.pem"»\n'
        )
        + B,
        AB,
        NEW,
        target=(
            "--hostname",
            "a.test",
            "--install-fullchain",
            "@etc/new certs/full #1.pem",
            "--install-key",
            "@etc/new certs/key 1.pem",
        ),
    ),
}


@pytest.mark.parametrize("row", [pytest.param(r, id=n) for n, r in {**LINES, **WORDS}.items()])
def test_row(host, pki, ca, row):
    web = Plain(host)
    leaf = pki.root().leaf("a.test", "*.a.test")
    for name in ('"odd\\ one', "odd\\two", 'od"d'):
        (host.etc / "ssl/certs" / name).write_text(leaf.fullchain_pem)
    (host.etc / "ssl/certs/odd\\").write_text(leaf.key_pem + leaf.fullchain_pem)
    (host.etc / "new certs").mkdir()
    row.target = tuple(a.replace("@etc", str(host.etc)) for a in row.target)
    check(web, pki, ca, row)
