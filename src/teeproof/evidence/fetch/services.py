"""Which servers are asked for endorsements: the vendors' own, unless the user configured others.

A file ``services.toml`` in the data directory, or the one that ``TEEPROOF_SERVICES`` names, changes
them; options of the command change them once more. Nothing else does.

Sources: Intel's "PCS API documentation" (version 4) and PCCS; AMD 57230; NVIDIA/nvtrust for the
addresses of the RIM and OCSP services.

Trusts: whoever wrote the configuration.  Does not trust: the evidence; nothing here comes from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from teeproof.core import stricttoml
from teeproof.core.errors import Usage
from teeproof.core.home import data_directory
from teeproof.core.hosts import is_this_machine
from teeproof.core.reading import read_bounded

__all__ = ["FILE", "NAMES", "VARIABLE", "Services", "load_services", "with_options"]

FILE = "services.toml"
VARIABLE = "TEEPROOF_SERVICES"
MAX_FILE_BYTES = 16 << 10

NAMES = {
    "pcs": "Intel's Provisioning Certification Service",
    "pcs-certificates": "Intel's certificate server",
    "pccs": "the PCCS",
    "kds": "AMD's key server",
    "rim": "NVIDIA's RIM service",
    "ocsp": "NVIDIA's OCSP responder",
}
"""Each service in words."""


class Services(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where each vendor is asked; every address is https, or http on this machine.

    Attributes:
        pcs: of TCB info, QE identity and PCK revocation lists.
        pcs_certificates: of the root's revocation list.
        pccs: a cache of Intel's service, asked in place of both; None to ask Intel.
        kds: of AMD's certificates and revocation lists.
        rim: of NVIDIA's manifests.
        ocsp: of NVIDIA's answers about certificates.
        ca_file: PEM certificates that servers which are not the vendors' own must chain to; None
            for those that the system trusts. A self-signed certificate of a PCCS belongs here.
        ocsp_nonce: whether an OCSP answer must repeat the nonce of its request; a responder that
            hands out stored answers cannot.
        offline: whether to ask nobody.
    """

    pcs: str = "https://api.trustedservices.intel.com"
    pcs_certificates: str = "https://certificates.trustedservices.intel.com"
    pccs: str | None = None
    kds: str = "https://kdsintf.amd.com"
    rim: str = "https://rim.attestation.nvidia.com"
    ocsp: str = "https://ocsp.ndis.nvidia.com"
    ca_file: str | None = None
    ocsp_nonce: bool = True
    offline: bool = False

    def __post_init__(self) -> None:
        """Check every address; Usage names the one that is wrong."""
        for name in NAMES:
            url = getattr(self, name.replace("-", "_"))
            if url is not None:
                _require_address(name, url)

    def is_vendors_own(self, service: str) -> bool:
        """Whether a service is asked at the vendor's own address."""
        field = service.replace("-", "_")
        return bool(getattr(self, field) == getattr(Services(), field))


def load_services(environment: Mapping[str, str]) -> Services:
    """Return the configured services; the vendors' own where nothing is configured.

    Raises:
        Usage: an unknown field, or an address that is none.
        Unavailable: ``TEEPROOF_SERVICES`` names no file.
        Malformed, TooLarge: the file is no TOML of a reasonable size.
    """
    named = environment.get(VARIABLE)
    path = Path(named) if named else data_directory(environment) / FILE
    if not named and not path.exists():
        return Services()
    data = read_bounded(path, limit=MAX_FILE_BYTES, what="configuration")
    value = stricttoml.loads(data, limit=MAX_FILE_BYTES, what=path.name)
    fields = {key.replace("-", "_"): each for key, each in value.items()}
    try:
        return msgspec.convert(fields, Services, strict=True)
    except msgspec.ValidationError as error:
        raise Usage(
            f"{path.name}: {error}",
            code="services_malformed",
            expected=", ".join(Services.__struct_fields__),
            got=", ".join(map(ascii, value))[:200],
        ) from None


def with_options(
    services: Services,
    changes: Iterable[str] = (),
    *,
    ca_file: Path | None = None,
    offline: bool = False,
) -> Services:
    """Return the services with changes written ``NAME=URL``.

    Raises:
        Usage: there is no such service, or the address is none.
    """
    fields = msgspec.structs.asdict(services)
    for change in changes:
        name, given, url = change.partition("=")
        if not given or name not in NAMES:
            raise Usage(
                "a service is changed as NAME=URL",
                code="service_unknown",
                expected=" or ".join(f"{each}=URL" for each in NAMES),
                got=change[:200],
            )
        fields[name.replace("-", "_")] = url
    if ca_file is not None:
        fields["ca_file"] = str(ca_file)
    return Services(**fields | {"offline": services.offline or offline})


def _require_address(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        plain = not set(url) & set("@?#")  # as marks, since one may stand before nothing
        good = bool(host) and plain and url.isascii() and url.isprintable() and " " not in url
    except ValueError:
        good, parts, host = False, urlsplit(""), None
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(host or ""))
    if not good or not safe:
        raise Usage(
            f"{name} has no address that may be asked",
            code="service_address",
            expected="https://HOST, or http:// on this machine, without a name, ? or #",
            got=ascii(url[:200])[1:-1],
        )
