# SPDX-License-Identifier: LGPL-2.1-or-later
"""A public key infrastructure in a directory, made with the openssl program.

    pki = Pki(directory)
    root = pki.root("Example Root")
    ca = root.authority("Example CA 1")
    leaf = ca.leaf("www.example.test", "*.example.test", key="rsa")
    leaf.cert  leaf.key  leaf.chain  leaf.fullchain  leaf.combined      paths of PEM files
    leaf.sha256                                                         as wire.served() gives it

Keys: "ec" (P-256), "ec:NAME", "rsa" (2048), "rsa:BITS", "ed25519", or another certificate's key file.
Times are days from now (negative: the past). What was made once in a directory is not made again.
"""

import base64
import hashlib
import re
import time
from pathlib import Path

from .process import run

_CONF = """
[ca]
default_ca = here
[here]
dir = {dir}
database = {dir}/index.txt
new_certs_dir = {dir}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
email_in_dn = no
copy_extensions = none
[any]
countryName = optional
organizationName = optional
commonName = optional
[req]
distinguished_name = dn
string_mask = utf8only
utf8 = yes
[dn]
"""


def stamp(days):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))


def pem_blocks(text):
    return re.findall(r"-----BEGIN [^-]+-----\n.*?-----END [^-]+-----\n", text, re.S)


def sha256_of(pem):
    """Of the first certificate in a PEM text, over its DER."""
    body = re.search(r"-----BEGIN CERTIFICATE-----\n(.*?)-----END", pem, re.S).group(1)
    return hashlib.sha256(base64.b64decode(body)).hexdigest()


class Pki:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._counter = 0
        self._made = {}
        self.conf = self.directory / "openssl.cnf"
        (self.directory / "index.txt").touch()
        self.conf.write_text(_CONF.format(dir=self.directory))

    # files

    def _place(self, label):
        self._counter += 1
        place = self.directory / f"{self._counter:03d}-{re.sub(r'[^A-Za-z0-9.-]+', '_', label)[:40]}"
        place.mkdir(mode=0o700)
        return place

    def new_key(self, path, kind):
        if isinstance(kind, Path):
            path.write_bytes(kind.read_bytes())
        else:
            name, _, size = kind.partition(":")
            options = {
                "rsa": ["-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{size or 2048}"],
                "ec": ["-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{size or 'P-256'}"],
                "ed25519": ["-algorithm", "ED25519"],
            }[name]
            run(["openssl", "genpkey", *options, "-out", path])
        path.chmod(0o600)
        return path

    def _once(self, what, make):
        if what not in self._made:
            self._made[what] = make()
        return self._made[what]

    def issue(self, label, subject, key, issuer, extensions, not_before, not_after, md="sha256"):
        """A Certificate; issuer None: signed by its own key."""
        place = self._place(label)
        keyfile = self.new_key(place / "key.pem", key)
        request, cert, ext = place / "csr.pem", place / "cert.pem", place / "ext.cnf"
        ext.write_text(extensions)
        run(
            [
                "openssl",
                "req",
                "-new",
                "-utf8",
                "-config",
                self.conf,
                "-key",
                keyfile,
                "-subj",
                subject,
                "-out",
                request,
            ]
        )
        argv = [
            "openssl",
            "ca",
            "-batch",
            "-notext",
            "-utf8",
            "-config",
            self.conf,
            "-in",
            request,
            "-out",
            cert,
            "-startdate",
            stamp(not_before),
            "-enddate",
            stamp(not_after),
            "-extfile",
            ext,
            "-md",
            "default" if md == "sha256" and key == "ed25519" else md,
        ]
        if issuer is None:
            argv += ["-selfsign", "-keyfile", keyfile]
        else:
            argv += ["-cert", issuer.cert, "-keyfile", issuer.key]
        run(argv)
        return Certificate(self, place, issuer)

    # what callers ask for

    def root(self, name="Example Root", key="ec", **options):
        return self._once(
            ("root", name, key, *sorted(options.items())),
            lambda: Authority(self._authority(name, key, None, **options), name),
        )

    def _authority(self, name, key, issuer, not_before=-1, not_after=3650, md="sha256", path_length=None):
        limit = "" if path_length is None else f",pathlen:{path_length}"
        return self.issue(
            name,
            f"/O=certdeploy test/CN={name}",
            key,
            issuer,
            f"basicConstraints=critical,CA:TRUE{limit}\nkeyUsage=critical,keyCertSign,cRLSign\n"
            "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
            not_before,
            not_after,
            md,
        )

    def self_signed(self, *names, **options):
        return self._leaf(None, names, **options)

    def _leaf(
        self,
        issuer,
        names,
        key="ec",
        not_before=-1,
        not_after=90,
        common_name=None,
        md="sha256",
        usage="serverAuth",
        ca=False,
        must_staple=False,
        again=0,
    ):
        """again: another number gives another certificate with the same contents."""
        what = (
            issuer and issuer.cert,
            names,
            str(key),
            not_before,
            not_after,
            common_name,
            md,
            usage,
            ca,
            must_staple,
            again,
        )

        def make():
            san = ",".join(n if n.partition(":")[0] in ("IP", "email", "URI") else f"DNS:{n}" for n in names)
            lines = [
                f"basicConstraints=critical,CA:{'TRUE' if ca else 'FALSE'}",
                "subjectKeyIdentifier=hash",
                "keyUsage=critical,digitalSignature" + (",keyCertSign" if ca else ""),
            ]
            lines += [f"subjectAltName={san}"] if san else []
            lines += [f"extendedKeyUsage={usage}"] if usage else []
            lines += ["authorityKeyIdentifier=keyid"] if issuer else []
            lines += ["tlsfeature=status_request"] if must_staple else []
            cn = common_name if common_name is not None else names[0] if names else "none"
            return self.issue(
                names[0] if names else cn,
                f"/CN={cn}",
                key,
                issuer,
                "\n".join(lines) + "\n",
                not_before,
                not_after,
                md,
            )

        return self._once(what, make)


class Certificate:
    """One certificate with its key and what lies between it and its root."""

    def __init__(self, pki, place, issuer):
        self.pki, self.place, self.issuer = pki, place, issuer
        self.cert, self.key = place / "cert.pem", place / "key.pem"
        self.pem, self.key_pem = self.cert.read_text(), self.key.read_text()
        self.sha256 = sha256_of(self.pem)
        self.chain_pem = ""
        above = issuer
        while above is not None and above.issuer is not None:
            self.chain_pem += above.pem
            above = above.issuer
        self.chain = self._file("chain.pem", self.chain_pem) if self.chain_pem else None
        self.fullchain_pem = self.pem + self.chain_pem
        self.fullchain = self._file("fullchain.pem", self.fullchain_pem)
        self.combined = self._file("combined.pem", self.key_pem + self.fullchain_pem)

    def _file(self, name, text):
        path = self.place / name
        path.write_bytes(text) if isinstance(text, bytes) else path.write_text(text)
        path.chmod(0o600)
        return path

    def __repr__(self):
        return f"<{self.place.name} {self.sha256[:12]}>"

    @property
    def root_pem(self):
        above = self
        while above.issuer is not None:
            above = above.issuer
        return above.pem

    def der(self):
        return self._file("cert.der", base64.b64decode("".join(self.pem.splitlines()[1:-1])))

    def encrypted_key(self, passphrase):
        path = self.place / "key.encrypted.pem"
        run(["openssl", "pkey", "-in", self.key, "-aes256", "-passout", f"pass:{passphrase}", "-out", path])
        return path

    def pkcs12(self, passphrase):
        path = self.place / "bundle.p12"
        argv = [
            "openssl",
            "pkcs12",
            "-export",
            "-in",
            self.cert,
            "-inkey",
            self.key,
            "-passout",
            f"pass:{passphrase}",
        ]
        run(argv + (["-certfile", self.chain] if self.chain else []) + ["-out", path])
        return path


class Authority(Certificate):
    def __init__(self, certificate, name):
        super().__init__(certificate.pki, certificate.place, certificate.issuer)
        self.name = name

    def authority(self, name, key="ec", **options):
        return self.pki._once(
            ("authority", self.cert, name, str(key), *sorted(options.items())),
            lambda: Authority(self.pki._authority(name, key, self, **options), name),
        )

    def cross_sign(self, other):
        """other's name and key, certified by this authority instead of by other's own issuer."""
        return self.authority(other.name, key=other.key)

    def leaf(self, *names, **options):
        """See Pki._leaf(): key, not_before, not_after, common_name, md, usage, ca, must_staple, again."""
        return self.pki._leaf(self, names, **options)
