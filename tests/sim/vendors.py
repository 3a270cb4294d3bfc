"""The vendors' services on this machine: PCS, PCCS, KDS, RIM and OCSP over real HTTP, with faults.

What is served are the simulators' certificates and documents, or whatever a test puts in their
place. A fault is put before the next answers: a status, a cut connection, a body without an end.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.fetch.services import Services

Headers = Mapping[str, str]
Served = tuple[bytes, Headers]
Fault = Callable[["_Handler"], None]


@dataclass
class Vendors:
    """What is served, and who asked for what."""

    files: dict[str, Served] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    posted: list[bytes] = field(default_factory=list)
    answers: Callable[[bytes], bytes | None] = lambda _: None
    url: str = ""

    def serve(self, path: str, content: bytes, **headers: str) -> None:
        """Serve bytes at a path, with its query as ``?name=value`` in the order of asking."""
        self.files[path] = (content, headers)

    def services(self, **changes: Any) -> Services:
        """Return the configuration that asks here for everything."""
        here = dict.fromkeys(("pcs", "pcs_certificates", "kds", "rim", "ocsp"), self.url)
        return Services(**here | changes)

    def publish(self, collateral: Collateral, *, tee: str = "tdx", query: str = "") -> None:
        """Serve collateral as Intel's service does."""
        info = json.loads(collateral.tcb_info)
        fmspc = info["fmspc"].lower()
        base = f"/{tee}/certification/v4"
        self.serve(
            f"{base}/tcb?fmspc={fmspc}{query and '&' + query}",
            _signed("tcbInfo", collateral.tcb_info, collateral.tcb_info_signature),
            **{"TCB-Info-Issuer-Chain": quote(collateral.tcb_info_issuer_chain)},
        )
        self.serve(
            f"{base}/qe/identity{query and '?' + query}",
            _signed("enclaveIdentity", collateral.qe_identity, collateral.qe_identity_signature),
            **{"SGX-Enclave-Identity-Issuer-Chain": quote(collateral.qe_identity_issuer_chain)},
        )
        for ca in ("platform", "processor"):
            self.serve(
                f"/sgx/certification/v4/pckcrl?ca={ca}&encoding=der",
                collateral.pck_crl,
                **{"SGX-PCK-CRL-Issuer-Chain": quote(collateral.pck_crl_issuer_chain)},
            )
        self.serve("/IntelSGXRootCA.der", collateral.root_ca_crl)

    def publish_as_pccs(self, collateral: Collateral) -> None:
        """Serve collateral as a PCCS does: the lists in hex."""
        self.publish(collateral)
        del self.files["/IntelSGXRootCA.der"]
        self.serve("/sgx/certification/v4/rootcacrl", collateral.root_ca_crl.hex().encode())
        path = "/sgx/certification/v4/pckcrl?ca=platform&encoding=der"
        content, headers = self.files[path]
        self.files[path] = (content.hex().upper().encode(), headers)

    def publish_rim(self, name: str, xml: bytes) -> None:
        """Serve a manifest as NVIDIA's service does."""
        body = {"id": name, "rim": b64encode(xml).decode(), "rim_format": "TCG_RIM"}
        self.serve(f"/v1/rim/{name}", json.dumps(body).encode())


def _signed(name: str, document: bytes, signature: bytes) -> bytes:
    return b'{"%s":%s,"signature":"%s"}' % (name.encode(), document, signature.hex().encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        vendors: Vendors = self.server.vendors
        vendors.asked.append(self.path)
        if vendors.faults:
            vendors.faults.pop(0)(self)
            return
        found = vendors.files.get(self.path)
        if found is None:
            self.answer(404, b"no such thing")
        else:
            self.answer(200, found[0], found[1])

    def do_POST(self) -> None:
        vendors: Vendors = self.server.vendors
        body = self.rfile.read(int(self.headers["Content-Length"]))
        vendors.asked.append(self.path)
        vendors.posted.append(body)
        if vendors.faults:
            vendors.faults.pop(0)(self)
            return
        found = vendors.answers(body)
        self.answer(200 if found is not None else 500, found or b"")

    def answer(self, status: int, content: bytes, headers: Headers | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def status(code: int, content: bytes = b"", **headers: str) -> Fault:
    """Answer with this status in place of what was asked for."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.answer(code, content, named)


def cut(handler: _Handler) -> None:
    """Promise a body, send a part of it, and hang up."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def endless(handler: _Handler) -> None:
    """Send until the other side has had enough."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.close_connection = True
    try:
        while True:
            handler.wfile.write(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")
    except OSError:
        return


@contextmanager
def vendors(certificate: Path | None = None) -> Iterator[Vendors]:
    """Give services that run until the end; with TLS if a PEM of key and certificate is given."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if certificate else "http"
    made = Vendors(url=f"{scheme}://127.0.0.1:{server.server_port}")
    server.vendors = made  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def self_signed() -> tuple[bytes, bytes]:
    """Return a key and a certificate for 127.0.0.1 that it signed itself, each as PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody vouches for it")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    return private, certificate.public_bytes(pem)


def query_of(path: str) -> dict[str, list[str]]:
    """Return the query of what was asked."""
    return parse_qs(urlsplit(path).query)
