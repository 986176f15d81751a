# SPDX-License-Identifier: LGPL-2.1-or-later
"""The wire: free ports, and what a port serves according to `openssl s_client`."""

import base64
import hashlib
import random
import re
import socket
import subprocess

from .process import CLEAN, Failed, wait_for

ADDRESS = "127.0.0.1"
RSA_ONLY = "RSA-PSS+SHA256:RSA+SHA256"
ECDSA_ONLY = "ECDSA+SHA256"

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n(.*?)-----END CERTIFICATE-----", re.S)
_held = {}


def free_port():
    """A port that nobody listens on and that no other test process will be given while this one lives.

    Below the kernel's own range, so that no outgoing connection takes it. The promise is an abstract
    socket, which the kernel takes back with the process. Binding without SO_REUSEPORT fails where a
    forgotten Postfix still listens, which shares its ports.
    """
    for _ in range(2000):
        port = random.randrange(15000, 32000)
        if port in _held:
            continue
        promise = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            promise.bind(f"\0certdeploy-test-port-{port}")
            probe.bind(("0.0.0.0", port))
        except OSError:
            promise.close()
            continue
        finally:
            probe.close()
        _held[port] = promise
        return port
    raise Failed("no free port")


def give_back(port):
    promise = _held.pop(port, None)
    if promise:
        promise.close()


def listening(port, address=ADDRESS):
    try:
        socket.create_connection((address, port), timeout=2).close()
        return True
    except OSError:
        return False


def handshake(port, sni=None, starttls=None, sigalgs=None, address=ADDRESS, extra=(), timeout=20):
    """Everything that s_client says. starttls: smtp, imap, pop3, lmtp, sieve, or None for TLS at once."""
    argv = ["openssl", "s_client", "-connect", f"{address}:{port}", "-showcerts"]
    argv += ["-servername", sni] if sni else ["-noservername"]
    if starttls:
        argv += ["-starttls", starttls]
    if sigalgs:
        argv += ["-sigalgs", sigalgs]
    try:
        return subprocess.run(
            argv + list(extra), env=CLEAN, input="", capture_output=True, timeout=timeout, encoding="latin-1"
        ).stdout
    except subprocess.TimeoutExpired:
        return ""


def served_chain(port, **how):
    """SHA-256 of each certificate that the port sends, leaf first."""
    text = handshake(port, **how)
    return [
        hashlib.sha256(base64.b64decode(body)).hexdigest()
        for body in _PEM.findall(text.partition("Server certificate")[0])
    ]


def served(port, sni=None, starttls=None, sigalgs=None, **how):
    """SHA-256 of the leaf that the port serves, 64 lower-case digits, or None when there is none."""
    chain = served_chain(port, sni=sni, starttls=starttls, sigalgs=sigalgs, **how)
    return chain[0] if chain else None


def wait_served(sha256, port, timeout=10.0, **how):
    """Wait until the port serves that leaf: a reload is not done when its command is."""
    last = []

    def look():
        last[:] = [served(port, **how)]
        return last[0] == sha256

    wait_for(lambda: f"port {port} {how} serves {last[0]}, not {sha256}", look, timeout, 0.1)
