# SPDX-License-Identifier: LGPL-2.1-or-later
"""DER by hand, for certificates and keys that no tool makes: huge, damaged, or with a NUL in a name."""

import base64
import hashlib
import random

_random = random.Random(20261128)


def der(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def seq(*parts):
    return der(0x30, *parts)


def integer(number):
    return der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def octets(text):
    return der(4, text)


def bits(text):
    return der(3, b"\0" + text)


def oid(dotted):
    first, second, *rest = map(int, dotted.split("."))
    out = bytes([first * 40 + second])
    for number in rest:
        group = [number & 127]
        while number := number >> 7:
            group.insert(0, number & 127 | 128)
        out += bytes(group)
    return der(6, out)


def number(size):
    """An odd number of so many bits."""
    return _random.getrandbits(size) | 1 << (size - 1) | 1


def pem(label, body):
    text = base64.b64encode(body).decode()
    lines = "\n".join(text[i:i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


NULL = der(5)
RSA = seq(oid("1.2.840.113549.1.1.1"), NULL)
SHA256_RSA = seq(oid("1.2.840.113549.1.1.11"), NULL)
EC = oid("1.2.840.10045.2.1")
P256 = oid("1.2.840.10045.3.1.7")


def name(common):
    return seq(der(0x31, seq(oid("2.5.4.3"), der(12, common))))


def rsa_public(size, exponent=65537):
    return seq(RSA, bits(seq(integer(number(size)), integer(exponent))))


def names(*dns):
    return seq(oid("2.5.29.17"), octets(seq(*[der(0x82, n) for n in dns])))


def certificate(public, subject=name(b"www.example.test"), extensions=(), serial=5):
    more = der(0xA3, seq(*extensions)) if extensions else b""
    life = seq(der(0x17, b"260101000000Z"), der(0x17, b"490101000000Z"))
    inner = seq(der(0xA0, integer(2)), integer(serial), SHA256_RSA, subject, life, subject, public, more)
    return pem("CERTIFICATE", seq(inner, SHA256_RSA, bits(b"x" * 256)))


def request_of_exponent_one(common):
    """Signed with its own key: a message is its own signature."""
    size = 2048
    inner = seq(integer(0), name(common), rsa_public(size, exponent=1), der(0xA0))
    digest = seq(seq(oid("2.16.840.1.101.3.4.2.1"), NULL), octets(hashlib.sha256(inner).digest()))
    padded = b"\0\1" + b"\xff" * (size // 8 - len(digest) - 3) + b"\0" + digest
    return pem("CERTIFICATE REQUEST", seq(inner, SHA256_RSA, bits(padded)))


def pkcs8(algorithm, key):
    return pem("PRIVATE KEY", seq(integer(0), algorithm, octets(key)))


def dsa_key(size):
    """Reading it as OpenSSL does computes g^x mod p with these numbers."""
    domain = seq(integer(number(size)), integer(number(size - 1)), integer(number(size - 2)))
    return pkcs8(seq(oid("1.2.840.10040.4.1"), domain), integer(number(size - 1)))


def rsa_key(size):
    half = [integer(number(size // 2)) for _ in range(5)]
    return pkcs8(RSA, seq(integer(0), integer(number(size)), integer(65537), integer(number(size - 1)), *half))


def _sealed(derivation):
    cipher = seq(oid("2.16.840.1.101.3.4.1.42"), octets(b"i" * 16))
    scheme = seq(oid("1.2.840.113549.1.5.13"), seq(derivation, cipher))
    return pem("ENCRYPTED PRIVATE KEY", seq(scheme, octets(b"e" * 128)))


def pbkdf2_key(iterations):
    digest = seq(oid("1.2.840.113549.2.9"), NULL)
    return _sealed(seq(oid("1.2.840.113549.1.5.12"), seq(octets(b"saltsalt"), integer(iterations), digest)))


def scrypt_key(n, r, p):
    return _sealed(seq(oid("1.3.6.1.4.1.11591.4.11"), seq(octets(b"salt"), integer(n), integer(r), integer(p))))


def pkcs12(iterations):
    content = seq(oid("1.2.840.113549.1.7.1"), der(0xA0, octets(seq())))
    digest = seq(seq(oid("1.3.14.3.2.26"), NULL), octets(b"m" * 20))
    return seq(integer(3), content, seq(digest, octets(b"salt"), integer(iterations)))


def nested(depth):
    inner = b""
    for _ in range(depth):
        inner = der(0x30, inner)
    return inner
