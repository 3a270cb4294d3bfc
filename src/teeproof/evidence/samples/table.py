"""The public samples: real evidence that its owners published, each file by commit and digest.

Every file was published under MIT, Apache-2.0 or CC0-1.0 terms. Collateral lives 30 days, so each
sample has a time at which it verifies; at any later clock its refusal is the right answer.

Trusts: the digests below.  Does not trust: publisher, network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from teeproof.evidence.samples import formats

__all__ = ["SAMPLES", "Sample", "Source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One published file.

    Attributes:
        repository: ``owner/name`` on GitHub.
        commit: the full commit hash.
        path: the file's path in that commit.
        sha256: its digest, 64 hex digits.
        size: its exact length in bytes.
        licence: the SPDX identifier of the terms it was published under.
    """

    repository: str
    commit: str
    path: str
    sha256: str
    size: int
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One piece of real evidence.

    Attributes:
        name: what to call it, also its folder's name.
        about: one line for people.
        kind: ``tdx`` or ``sgx``.
        at: the time at which it verifies as ``expected`` says.
        expected: the TCB status at that time.
        advisories: the advisories that apply at that time.
        sources: the published files by role.
        convert: turns those into the files that are stored.
        vector: the folder of the same evidence among the test vectors, if it is there.
    """

    name: str
    about: str
    kind: str
    at: datetime
    expected: str
    advisories: tuple[str, ...] = ()
    sources: Mapping[str, Source]
    convert: Callable[[formats.Files], dict[str, bytes]]
    vector: str | None = None

    @property
    def size(self) -> int:
        """How many bytes are downloaded."""
        return sum(source.size for source in self.sources.values())


def _from(repository: str, commit: str, licence: str, folder: str) -> Callable[..., Source]:
    def source(name: str, size: int, sha256: str) -> Source:
        return Source(
            repository=repository,
            commit=commit,
            path=folder + name,
            sha256=sha256,
            size=size,
            licence=licence,
        )

    return source


_dcap_qvl = _from(
    "Phala-Network/dcap-qvl", "9bffe30b4da53acc05f2e3a36fafc0f6418973b8", "MIT", "sample/"
)
_go_tdx_guest = _from(
    "google/go-tdx-guest",
    "91f9a52f36c7a6ce140d5f13a2fb4ca03b61349c",
    "Apache-2.0",
    "testing/testdata/",
)
_dstack = _from(
    "Dstack-TEE/dstack",
    "312dc605ebaaf93372534ffb135ea011533d28e9",
    "CC0-1.0",
    "dstack/verifier/fixtures/",
)
_mpc = _from(
    "near/mpc", "b0b6b7167e89c015ad59bfb4b0bbc78fcc8432cc", "MIT", "crates/test-utils/assets/"
)
_automata = _from(
    "automata-network/automata-dcap-attestation",
    "2df31aa53a8d27aa9793b7134c1d58c88044f76f",
    "MIT",
    "solana/automata-dcap-framework/tests/data/",
)

_FEBRUARY_2026 = _dcap_qvl(
    "tdx_quote_outdated_collateral.json",
    18793,
    "05e91466e56352166c15a73654147c3d95d6f4ffa62bd150c3c8cbb1d75c3b15",
)

_TABLE = (
    Sample(
        name="tdx-v4",
        about="a TDX quote of version 4, up to date in June 2025",
        kind="tdx",
        at=datetime(2025, 6, 25, tzinfo=UTC),
        expected="UpToDate",
        sources={
            "quote": _dcap_qvl(
                "tdx_quote",
                5006,
                "c42f9164325024bca2757bc8819b11879a0a369132ea4e2b7c85df4805ea72db",
            ),
            "collateral": _dcap_qvl(
                "tdx_quote_collateral.json",
                16072,
                "b0a5f5fd620a8881b1eda45261fdf30dd930b49aff93231556645c81fcb4c0bc",
            ),
        },
        convert=formats.plain,
        vector="dcap/tdx-v4-b0c06f-uptodate",
    ),
    Sample(
        name="tdx-v5",
        about="a TDX quote of version 5, up to date in February 2026",
        kind="tdx",
        at=datetime(2026, 2, 25, tzinfo=UTC),
        expected="UpToDate",
        sources={
            "quote": _go_tdx_guest(
                "quote_v5_sample.dat",
                5006,
                "cf77a6e91e48291d5d338c5f3b5d0674225a4d13e7d83ff5e537a4914bf22e1d",
            ),
            "collateral": _FEBRUARY_2026,
        },
        convert=formats.plain,
        vector="dcap/tdx-v5-90c06f-google",
    ),
    Sample(
        name="tdx-out-of-date",
        about="a TDX quote of a machine whose firmware was out of date in July 2025",
        kind="tdx",
        at=datetime(2025, 7, 20, tzinfo=UTC),
        expected="OutOfDate",
        advisories=("INTEL-SA-00960", "INTEL-SA-00982", "INTEL-SA-00986"),
        sources={
            "quote": _automata(
                "quote_tdx.bin",
                8000,
                "d7dbcb124e9a734b2dc5bf32c731cd80597c5ca20602e697a6a10c3d17b30009",
            ),
            "tcb_info": _automata(
                "tcb_info_v3_with_tdx_module.json",
                4921,
                "70f6aa85983b9db52eb8307f99138be743b6e9e8f567301efb01961a5c0e6acf",
            ),
            "qe_identity": _automata(
                "qe_identity.json",
                624,
                "c24065c72f8a734c3383ea349e26ac53e8ad20eba946f1133550aa0219ca9a19",
            ),
            "root": _automata(
                "root.der",
                659,
                "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3",
            ),
            "tcb_signing": _automata(
                "signing.der",
                657,
                "c0575e76d0303b61d09cde8cbdb70db34a74f38318300d7c0e6ba8cf4bf45aea",
            ),
            "pck_ca": _automata(
                "platform.der",
                666,
                "22eb770dca215b607b5ccfc21a672b1da5cc660b1ad0365020567979edcaa0e1",
            ),
            "root_crl": _automata(
                "intel_root_ca_crl.der",
                292,
                "ad6f3f4e0673bb14ed4dffa7686f203cdfd25f07183e826ce928a9466801b3ec",
            ),
            "pck_crl": _automata(
                "pck_platform_crl.der",
                2661,
                "91f01f199f90c71eb366ba53a3458351318694a7b9777af919e95f4c80d21ff9",
            ),
        },
        convert=formats.from_vendor_files,
    ),
    Sample(
        name="dstack",
        about="a dstack guest's answer to GetQuote, with its event log",
        kind="tdx",
        at=datetime(2026, 2, 25, tzinfo=UTC),
        expected="UpToDate",
        sources={
            "answer": _dstack(
                "quote-report.json",
                17754,
                "91736754bceb1ddb2677eed951b8a42f3ca382e170fcf8961ff5de774fe09aaa",
            ),
            "collateral": _FEBRUARY_2026,
        },
        convert=formats.from_getquote,
        vector="dcap/dstack-quote-report",
    ),
    Sample(
        name="dstack-compose",
        about="a dstack guest with its event log and the compose file that the log measures",
        kind="tdx",
        at=datetime(2026, 8, 20, tzinfo=UTC),
        expected="UpToDate",
        sources={
            "quote": _mpc(
                "quote.json",
                15705,
                "ef8c64cb3fdf117e1bcc4c7e3a4ab3164210550d399d1eba208ccd7e7442ea04",
            ),
            "tcb_info": _mpc(
                "tcb_info.json",
                10903,
                "bfd44537f299d4b7a1521ae67a2b61bc8a2a5858990cfc5ec3d5c34784d5311f",
            ),
            "collateral": _mpc(
                "collateral.json",
                24238,
                "d55a2b84499b2794925596fadf3eaac557f006521cd6f6c27b368d1d1d6dbd68",
            ),
        },
        convert=formats.from_numbers,
    ),
    Sample(
        name="sgx-v3",
        about="an SGX quote of version 3 whose machine needed another configuration in June 2025",
        kind="sgx",
        at=datetime(2025, 6, 25, tzinfo=UTC),
        expected="ConfigurationAndSWHardeningNeeded",
        advisories=("INTEL-SA-00289", "INTEL-SA-00615"),
        sources={
            "quote": _dcap_qvl(
                "sgx_quote",
                4600,
                "f8b81014b6e443609746822194910f5dc1c92c322fa0584298d1e33e505ca3b5",
            ),
            "collateral": _dcap_qvl(
                "sgx_quote_collateral.json",
                14050,
                "bdd694bbe50f3a2a1cfe12f9e2bd83125921107a368edcf10780a5523b8501ce",
            ),
        },
        convert=formats.plain,
        vector="dcap/sgx-v3-00a067",
    ),
)

SAMPLES: Mapping[str, Sample] = {sample.name: sample for sample in _TABLE}
