"""Requests: bounded, retried where it helps, and never led to a server that nobody configured."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from teeproof.core.errors import TooLarge, Unavailable, Usage
from teeproof.evidence.fetch import services as configured
from teeproof.evidence.fetch.services import Services, load_services, with_options
from teeproof.evidence.fetch.web import ATTEMPTS, MAX_WAIT, NotServed, Web
from tests.sim.vendors import cut, endless, self_signed, status
from tests.sim.vendors import vendors as running

LIMIT = 1000


def _ask(web: Web, path: str = "/a") -> bytes:
    return web.get("kds", path, what="the list", limit=LIMIT).content


def test_an_answer_is_given_as_it_came(vendors, web):
    vendors.serve("/a", b"yes", **{"X-Chain": "abc"})
    reply = web().get("kds", "/a", what="the list", limit=3)
    assert (reply.content, reply.headers["x-chain"]) == (b"yes", "abc")


def test_network_an_answer_one_byte_over_its_bound_is_refused(vendors, web):
    vendors.serve("/a", b"yes!")
    with pytest.raises(TooLarge) as caught:
        web().get("kds", "/a", what="the list", limit=3)
    assert caught.value.code == "fetch_too_large"


def test_network_an_answer_without_an_end_is_read_no_further_than_its_bound(vendors, web):
    vendors.faults.append(endless)
    with pytest.raises(TooLarge):
        _ask(web())


def test_network_an_answer_that_never_comes_to_an_end_in_time_is_given_up(vendors, waits):
    vendors.serve("/a", b"yes")
    clock = iter(range(0, 10**6, 100))  # each look at the clock finds it 100 s later
    slow = Web(vendors.services(), sleep=waits.append, clock=lambda: next(clock))
    assert _ask(slow) == b"yes"
    clock = iter(range(0, 10**6, 200))
    with pytest.raises(Unavailable) as caught:
        _ask(slow)
    assert "not done after 120 s" in str(caught.value.got)


def interim(handler):
    """Say that the answer is coming, for ever."""
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.01)


def dripping(handler):
    """Send a header that does not end."""
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nA: ")
        while True:
            handler.wfile.write(b"a")
            time.sleep(0.01)


@pytest.mark.parametrize("fault", [interim, dripping], ids=["interim", "dripping"])
def test_network_a_server_that_never_gets_to_its_answer_is_given_up(fault, vendors, waits):
    vendors.faults += [fault] * ATTEMPTS
    hurried = Web(vendors.services(), sleep=waits.append, whole=0.3)
    with pytest.raises(Unavailable) as caught:
        _ask(hurried)
    assert caught.value.code == "fetch_failed"
    assert len(waits) == ATTEMPTS - 1


@pytest.mark.parametrize(
    "fault", [status(500), status(503), status(429), cut], ids=["500", "503", "429", "cut"]
)
def test_what_fails_for_a_moment_is_asked_again_after_longer_and_longer_waits(
    fault, vendors, web, waits
):
    vendors.serve("/a", b"yes")
    vendors.faults += [fault] * (ATTEMPTS - 1)
    assert _ask(web()) == b"yes"
    assert waits == [1, 2, 4]


@pytest.mark.parametrize("fault", [status(500), cut], ids=["500", "cut"])
def test_what_goes_on_failing_is_an_error_that_says_host_thing_answer_and_what_to_do(
    fault, vendors, web, waits
):
    vendors.serve("/a", b"yes")
    vendors.faults += [fault] * ATTEMPTS
    with pytest.raises(Unavailable) as caught:
        _ask(web())
    error = caught.value
    assert (error.exit_code, error.code) == (3, "fetch_failed")
    assert "AMD's key server (127.0.0.1:" in error.detail
    assert "did not give the list: check the network, or try again later" in error.detail
    assert f"{ATTEMPTS} times" in str(error.got)
    assert len(waits) == ATTEMPTS - 1
    assert vendors.faults == []


def test_a_server_that_nobody_runs_is_not_reached(waits):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"  # nobody else can take it meanwhile
        with pytest.raises(Unavailable) as caught:
            _ask(Web(Services(kds=closed), sleep=waits.append))
    assert "ConnectError" in str(caught.value.got)
    assert len(waits) == ATTEMPTS - 1


def test_a_server_that_says_when_to_come_back_is_obeyed(vendors, web, waits):
    vendors.serve("/a", b"yes")
    vendors.faults.append(status(429, Retry_After="7"))
    assert _ask(web()) == b"yes"
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    vendors.faults.append(status(503, Retry_After=then))
    assert _ask(web()) == b"yes"
    assert waits[0] == 7
    assert 0 < waits[1] <= MAX_WAIT


def test_network_a_server_cannot_make_us_wait_for_long(vendors, web, waits):
    vendors.faults.append(status(429, Retry_After=str(MAX_WAIT)))
    vendors.serve("/a", b"yes")
    assert _ask(web()) == b"yes"
    vendors.faults.append(status(429, Retry_After=str(MAX_WAIT + 1)))
    with pytest.raises(Unavailable) as caught:
        _ask(web())
    assert "to come back in 61 s" in str(caught.value.got)
    assert waits == [MAX_WAIT]


@pytest.mark.parametrize("text", ["soon", "-1", "1e9", "", "Thu, 99 Foo 2026 00:00:00 GMT"])
def test_a_time_that_nobody_understands_is_as_none(text, vendors, web, waits):
    vendors.serve("/a", b"yes")
    vendors.faults.append(status(429, Retry_After=text))
    assert _ask(web()) == b"yes"
    assert waits == [1]


@pytest.mark.parametrize("code", [404, 410])
def test_what_a_server_has_not_is_asked_for_once(code, vendors, web, waits):
    vendors.faults.append(status(code))
    with pytest.raises(NotServed) as caught:
        _ask(web())
    assert (caught.value.exit_code, caught.value.code) == (3, "endorsements_not_served")
    assert waits == []


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_network_a_redirect_elsewhere_is_not_followed(code, vendors, web):
    with running() as other:
        other.serve("/a", b"lies")
        vendors.faults.append(status(code, Location=f"{other.url}/a"))
        with pytest.raises(Unavailable) as caught:
            _ask(web())
        assert "which nobody configured" in str(caught.value.got)
        assert other.asked == []


def test_network_what_was_compressed_is_not_unpacked(vendors, web):
    vendors.serve("/a", b"\x1f\x8b", **{"Content-Encoding": "gzip"})
    with pytest.raises(Unavailable) as caught:
        _ask(web())
    assert "encoding" in str(caught.value.got)


def test_offline_no_socket_is_opened(vendors, monkeypatch):
    def opened(*_: object, **__: object) -> None:
        pytest.fail("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, opened)
    with pytest.raises(Unavailable) as caught:
        _ask(Web(vendors.services(offline=True)))
    assert (caught.value.exit_code, caught.value.code) == (3, "offline")
    assert "teeproof endorsements add" in caught.value.detail
    with pytest.raises(pytest.fail.Exception):  # the guard above can fail
        _ask(Web(vendors.services()))


def test_what_is_asked_is_in_no_log_and_no_error(vendors, web, caplog):
    secret = "ab" * 64
    vendors.serve(f"/vcek/v1/Milan/{secret}", b"yes")
    with caplog.at_level(logging.DEBUG):
        assert _ask(web(), f"/vcek/v1/Milan/{secret}") == b"yes"
        for fault in (status(404), status(500), cut, status(302, Location="http://x/")):
            vendors.faults += [fault] * ATTEMPTS
            with pytest.raises(Unavailable) as caught:
                _ask(web(), f"/vcek/v1/Milan/{secret}")
            vendors.faults.clear()
            assert secret not in f"{caught.value.to_json()}"
        logging.getLogger("httpx").info("others still write here")
    assert secret not in caplog.text
    assert "others still write here" in caplog.text
    assert any(secret in path for path in vendors.asked)


def test_network_what_is_not_encrypted_goes_through_no_proxy(vendors, web, monkeypatch):
    vendors.serve("/a", b"yes")
    with running() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        assert _ask(web()) == b"yes"
        assert proxy.asked == []


# Which servers ----------------------------------------------------------------------------------


def test_the_vendors_own_servers_are_asked_unless_others_are_configured(tmp_path):
    usual = load_services({"TEEPROOF_HOME": str(tmp_path)})
    assert usual == Services()
    assert {usual.pcs, usual.pcs_certificates, usual.kds, usual.rim, usual.ocsp} == {
        "https://api.trustedservices.intel.com",
        "https://certificates.trustedservices.intel.com",
        "https://kdsintf.amd.com",
        "https://rim.attestation.nvidia.com",
        "https://ocsp.ndis.nvidia.com",
    }
    (tmp_path / "services.toml").write_text(
        'pccs = "https://cache.example:8081"\nca-file = "/etc/cache.pem"\noffline = true\n'
    )
    found = load_services({"TEEPROOF_HOME": str(tmp_path)})
    assert (found.pccs, found.ca_file, found.offline) == (
        "https://cache.example:8081", "/etc/cache.pem", True,
    )  # fmt: skip
    (tmp_path / "other.toml").write_text('kds = "http://[::1]:1/mirror"\n')
    named = load_services(
        {"TEEPROOF_HOME": str(tmp_path), "TEEPROOF_SERVICES": str(tmp_path / "other.toml")}
    )
    assert named == Services(kds="http://[::1]:1/mirror")


@pytest.mark.parametrize("text", ['kdss = "https://a"', "kds = 1", 'offline = "yes"', "[kds]\n"])
def test_a_configuration_with_a_mistake_is_refused(text, tmp_path):
    (tmp_path / "services.toml").write_text(text)
    with pytest.raises(Usage) as caught:
        load_services({"TEEPROOF_HOME": str(tmp_path)})
    assert caught.value.code == "services_malformed"
    with pytest.raises(Unavailable):
        load_services({"TEEPROOF_SERVICES": str(tmp_path / "none.toml")})


@pytest.mark.parametrize(
    "url",
    [
        "http://kds.example", "http://10.0.0.1", "http://169.254.169.254", "ftp://localhost",
        "https://", "https://user:word@kds.example", "https://kds.example/?a=b",
        "https://@kds.example", "https://kds.example/?", "https://kds.example/#",
        "https://kds.example#a", "https://kds.example/ a", "kds.example", "", "https://[::1",
        "https://kds.example:99999", "http://localhost.example", "https://kds.ex\u00e4mple",
    ],
)  # fmt: skip
def test_an_address_that_is_not_https_or_not_plain_is_refused(url):
    with pytest.raises(Usage) as caught:
        with_options(Services(), [f"kds={url}"])
    assert caught.value.code == "service_address"
    for good in (
        "https://kds.example",
        "http://127.0.0.9:1",
        "http://localhost:1/a",
        "http://[::1]",
    ):
        assert with_options(Services(), [f"kds={good}"]).kds == good


@pytest.mark.parametrize(
    "change", ["kds", "", "=https://a", "other=https://a", "ca_file=https://a"]
)
def test_a_service_that_is_none_is_refused(change):
    with pytest.raises(Usage) as caught:
        with_options(Services(), [change])
    assert caught.value.code == "service_unknown"
    assert set(configured.NAMES) == {"pcs", "pcs-certificates", "pccs", "kds", "rim", "ocsp"}


# TLS --------------------------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path, waits):
    """A server with a certificate that it signed itself, and the file that says so."""
    public, both = tmp_path / "pccs.pem", tmp_path / "both.pem"
    private, certificate = self_signed()
    public.write_bytes(certificate)
    both.write_bytes(private + certificate)
    with running(both) as served:
        yield served, public


def test_a_certificate_that_a_server_signed_itself_is_believed_only_where_it_is_named(tls, waits):
    served, public = tls
    served.serve("/a", b"yes")
    pinned = Web(served.services(ca_file=str(public)), sleep=waits.append)
    assert _ask(pinned) == b"yes"
    with pytest.raises(Unavailable) as caught:
        _ask(Web(served.services(), sleep=waits.append))
    assert "ConnectError" in str(caught.value.got)
    with pytest.raises(Unavailable) as missing:
        _ask(Web(served.services(ca_file=str(public) + "x")))
    assert missing.value.code == "ca_file_unavailable"


def test_what_is_configured_for_other_servers_says_nothing_of_the_vendors_own():
    web = Web(Services(ca_file="/nowhere", kds="https://mirror.example"))
    assert web._trusted("pcs") is True
    with pytest.raises(Unavailable):
        web._trusted("kds")
