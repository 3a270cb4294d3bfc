"""Turn a file into what it claims: one plain object that ``show`` prints, as a screen or as JSON.

A key that ends in ``_meaning`` says in words what the key before it holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from teeproof.cli.claims.quote import sgx_quote, tdx_quote
from teeproof.core import strictjson
from teeproof.core.clock import format_time
from teeproof.core.digests import named, sha256
from teeproof.evidence.files.kinds import Kind, Piece
from teeproof.evidence.files.unpack import unpack
from teeproof.evidence.recognise import kind_of

__all__ = ["CARRIERS", "claims"]

Claims = dict[str, Any]


CARRIERS: frozenset[Kind] = frozenset(
    {
        "tdx-quote",
        "sgx-quote",
        "snp-report",
        "gpu-evidence",
        "quote-response",
        "attestation",
        "certificate",
    }
)
"""Kinds of files that hold a quote."""


def claims(piece: Piece, *, ppid: bool = False, quotes: dict[bytes, str] | None = None) -> Claims:
    """Return what a file claims.

    Args:
        piece: the file, recognised.
        ppid: whether to give the platform's PPID itself; without it, only its digest.
        quotes: quotes that were told of before, and the names of their files; this one's is added.
            A quote that is among them is not told of again.

    Raises:
        Malformed: it cannot be read.
    """
    head = {
        "kind": piece.kind,
        "name": piece.name,
        "verified": False,
        "written_as": piece.form,
        "bytes": len(piece.data),
    }
    reader = _READERS.get(piece.kind)
    if reader is not None:
        return head | reader(piece)
    return head | _carrier(piece, ppid, {} if quotes is None else quotes)


def _carrier(piece: Piece, ppid: bool, quotes: dict[bytes, str]) -> Claims:
    """A quote, alone or in something that carries it."""
    found = unpack(piece)
    before = quotes.setdefault(found.quote, piece.name)
    body: Claims = _told(found.quote, ppid) if before == piece.name else {"same_quote_as": before}
    if piece.kind == "certificate":
        body = _certificate(piece) | body
    if found.event_log is not None:
        body["event_log"] = events(found.event_log)
    if found.remarks:
        body["remarks"] = list(found.remarks)
    return body


def _told(quote: bytes, ppid: bool) -> Claims:
    kind = kind_of(quote)
    if kind == "sev-snp":
        from teeproof.cli.claims.snp import snp_report  # noqa: PLC0415  most quotes are Intel's

        return snp_report(quote, chip_id=ppid)
    return (sgx_quote if kind == "sgx" else tdx_quote)(quote, ppid=ppid)


def _vendor_certificates(piece: Piece) -> Claims:
    from teeproof.cli.claims.snp import amd_certificates  # noqa: PLC0415

    return amd_certificates(piece.data, form=piece.form)


def _certificate(piece: Piece) -> Claims:
    from teeproof.evidence import ratls  # noqa: PLC0415  few files are certificates

    found = ratls.parse(piece.data, name=piece.name)
    key, _ = ratls.check_binding(found)
    return {
        "certificate": {
            "key": named(sha256(found.spki)),
            "key_meaning": key.detail,
            "app_id": found.app_id.hex() if found.app_id else None,
            "usage": found.usage,
        }
    }


def events(log: bytes) -> list[Claims]:
    """Return each event of a log in words."""
    from teeproof.evidence.eventlog import parse  # noqa: PLC0415  many files hold no log
    from teeproof.evidence.eventlog.labels import label  # noqa: PLC0415

    return [msgspec.to_builtins(found) for found in label(parse(log))]


def _event_log(piece: Piece) -> Claims:
    from teeproof.evidence.eventlog import parse, replay  # noqa: PLC0415

    registers = replay(parse(piece.data))
    return {
        "replays_to": {f"rtmr{index}": value.hex() for index, value in enumerate(registers)},
        "event_log": events(piece.data),
    }


def _collateral(piece: Piece) -> Claims:
    from teeproof.evidence.endorsements import Collateral  # noqa: PLC0415
    from teeproof.evidence.entries import describe  # noqa: PLC0415
    from teeproof.evidence.tdx.documents import parse_qe_identity, parse_tcb_info  # noqa: PLC0415

    collateral = Collateral.parse(piece.data)
    strictjson.loads(collateral.tcb_info, limit=len(collateral.tcb_info), what="TCB info")
    strictjson.loads(collateral.qe_identity, limit=len(collateral.qe_identity), what="QE identity")
    entry = describe(collateral)
    info, identity = parse_tcb_info(collateral.tcb_info), parse_qe_identity(collateral.qe_identity)
    return {
        "id": entry.id,
        "tee": entry.tee,
        "fmspc": entry.fmspc,
        "ca": entry.ca,
        "evaluation_number": entry.evaluation_number,
        "in_force_from": format_time(entry.begins),
        "in_force_until": format_time(entry.ends),
        "tcb_info": {
            "issued": format_time(info.issue_date),
            "next_update": format_time(info.next_update),
            "evaluation_number": info.tcb_evaluation_data_number,
            "tdx_modules": [module.id for module in info.tdx_module_identities],
        },
        "qe_identity": {
            "issued": format_time(identity.issue_date),
            "next_update": format_time(identity.next_update),
            "evaluation_number": identity.tcb_evaluation_data_number,
            "mrsigner": identity.mrsigner.lower(),
        },
        "tcb_levels": [
            {
                "status": level.tcb_status,
                "date": format_time(level.tcb_date)[:10],
                "sgx": _svns(level.sgx),
                "pce": level.tcb.pcesvn,
                "tdx": _svns(level.tdx) or None,
                "advisories": list(level.advisory_ids),
            }
            for level in info.tcb_levels
        ],
    }


def _svns(numbers: tuple[int, ...]) -> str:
    return " ".join(map(str, numbers))


def _app_compose(piece: Piece) -> Claims:
    from teeproof.evidence.eventlog.compose import parse_compose  # noqa: PLC0415
    from teeproof.evidence.eventlog.images import check_images  # noqa: PLC0415

    app = parse_compose(piece.data)
    return {
        "compose_hash": app.hash.hex(),
        "application": app.name,
        "runner": app.runner,
        "scripts": list(app.scripts),
        "scripts_meaning": "run whatever they like, before or beside the containers",
        "allowed_envs": list(app.allowed_envs),
        "allowed_envs_meaning": "variables whose values nobody measures",
        "unknown_fields": list(app.unknown),
        "images_meaning": check_images(piece.data).detail,
        "docker_compose_file": app.docker_compose_file,
    }


def _mr_config(piece: Piece) -> Claims:
    from teeproof.evidence.eventlog.mrconfig import mrconfigid_v3, parse_mr_config  # noqa: PLC0415

    config = parse_mr_config(piece.data)
    pins = {name: getattr(config, name) for name in config.__struct_fields__}
    scripts = pins.pop("init_script_hashes")
    return {
        "mrconfigid": mrconfigid_v3(piece.data).hex(),
        "mrconfigid_meaning": "what a quote must hold for this document to be the one it fixes",
        **{k: v.hex() if isinstance(v, bytes) else v for k, v in pins.items()},
        "init_script_hashes": None if scripts is None else [s.hex() for s in scripts],
    }


def _policy(piece: Piece) -> Claims:
    from teeproof.evidence.policy import parse_policy  # noqa: PLC0415

    policy = parse_policy(piece.data)
    return {"digest": policy.digest, "expects": policy.to_json()}


def _verdict(piece: Piece) -> Claims:
    from teeproof.evidence.verdict import Verdict  # noqa: PLC0415

    return {"verdict": Verdict.from_json(piece.data).to_json()}


def _gpu_evidence(piece: Piece) -> Claims:
    from teeproof.cli.claims.gpu import gpu_evidence  # noqa: PLC0415  most quotes are Intel's

    return gpu_evidence(piece.data)


def _gpu_manifest(piece: Piece) -> Claims:
    from teeproof.cli.claims.gpu import gpu_manifest  # noqa: PLC0415

    return gpu_manifest(piece.data)


def _ocsp_answer(piece: Piece) -> Claims:
    from teeproof.cli.claims.gpu import ocsp_answer  # noqa: PLC0415

    return ocsp_answer(piece.data)


def _keys(piece: Piece) -> Claims:
    from teeproof.cli.keys_beside import keyset_of_piece  # noqa: PLC0415  few files hold keys

    keyset, nonce = keyset_of_piece(piece)
    return {"keyset": keyset, "nonce": nonce}


_READERS: dict[Kind, Callable[[Piece], Claims]] = {
    "key-document": _keys,
    "identity-record": _keys,
    "gpu-evidence": _gpu_evidence,
    "gpu-manifest": _gpu_manifest,
    "ocsp-answer": _ocsp_answer,
    "collateral": _collateral,
    "event-log": _event_log,
    "app-compose": _app_compose,
    "mr-config": _mr_config,
    "vendor-certificates": _vendor_certificates,
    "policy": _policy,
    "verdict": _verdict,
}
