"""Put the files of one machine together: a quote, and what explains it.

A directory is one bundle. Loose files are one bundle if they hold one quote; with several quotes, a
piece goes to the quote that it fits: collateral by platform family, a chip's certificate by the
chip, an event log by replaying to the quote's registers, a compose file or MrConfigV3 document by
its digest, GPUs by the nonce that they answer, a firmware's log by replaying, a TPM's evidence by
naming the quote. What fits none or several is an error, never a guess. GPUs without any quote are a
bundle of their own, whose machine is unknown.

Trusts: nothing; fitting only sorts, the verifier checks.  Does not trust: names, order, copies.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from teeproof.core.errors import Usage
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.files.fitting import fits, tpm_fits
from teeproof.evidence.files.kinds import Kind, Piece
from teeproof.evidence.files.reading import read_files, read_folder
from teeproof.evidence.files.refusing import no_quote
from teeproof.evidence.files.unpack import Unpacked, as_pem, unpack
from teeproof.evidence.nvidia.bundle import joined
from teeproof.evidence.recognise import kind_of
from teeproof.evidence.record import Evidence

__all__ = ["Bundle", "bundle", "gather"]

_ROLES: dict[Kind, str] = {
    "collateral": "collateral",
    "event-log": "event_log",
    "app-compose": "compose",
    "mr-config": "mr_config",
    "vendor-certificates": "certificates",
    "gpu-evidence": "gpus",
    "gpu-manifest": "manifests",
    "ocsp-answer": "ocsp",
    "firmware-log": "firmware_log",
    "platform-key": "platform_key",
}

_KEYS: tuple[Kind, ...] = ("key-document", "identity-record")

# These may be several machines'.
_SHARED: tuple[Kind, ...] = ("collateral", "vendor-certificates", "gpu-manifest", "ocsp-answer")


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one machine.

    Attributes:
        evidence: what the verifier takes.
        files: what was used: what it is, and the file's name.
        ignored: what was not: the file's name, and why.
        remarks: sentences about copies that differ from what is signed.
        keys: the workload's key document, or its identity record, which names one; this layer knows
            their digest only (``Evidence.keyset_digest``), so whoever knows them has to read them.
    """

    evidence: Evidence
    files: tuple[tuple[Kind, str], ...]
    ignored: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    keys: tuple[Piece, ...] = ()

    @property
    def name(self) -> str:
        """What to call it."""
        return self.evidence.name


def gather(paths: Sequence[Path], *, pieces: Sequence[Piece] = ()) -> list[Bundle]:
    """Return the bundles in directories, files and pieces read before, directories first.

    Raises:
        Usage: no quote, or a piece that fits no quote or several.
        Malformed: a file that is not understood; TooLarge, Unavailable: one that cannot be read.
    """
    folders = [_folder(path) for path in paths if os.path.isdir(path)]
    loose = [*read_files([path for path in paths if not os.path.isdir(path)]), *pieces]
    quotes, others = _split(loose, machines=bool(folders))
    alone, tpms = _apart(quotes)
    machines = [[quote] for quote in alone if quote.kind in _QUOTES] or ([alone] if alone else [])
    bundles = folders + [bundle(each, name=each[0].name) for each in machines]
    for piece in tpms:
        bundles = _join_tpm(bundles, piece)
    if not bundles:
        raise no_quote(loose)
    # A compose file fits by the log or the document that names it, so it comes last.
    for piece in sorted(others, key=lambda piece: piece.kind == "app-compose"):
        bundles = _join(bundles, piece)
    return bundles


def bundle(
    pieces: Iterable[Piece], *, name: str, ignored: Sequence[tuple[str, str]] = ()
) -> Bundle:
    """Return the one bundle that these pieces form.

    Raises:
        Usage: no quote, two different quotes, or two different pieces of one kind.
    """
    found = list(pieces)
    quotes, others = _split(found)
    if not quotes:
        raise no_quote(found, ignored)
    alone, tpms = _apart(quotes)
    quotes, beside = (alone, tpms) if alone else (tpms, [])
    made = _from_quote(unpack(quotes[0]), name)
    for quote in quotes[1:]:
        made = _merge(made, unpack(quote))
    for piece in beside:
        made = _add_tpm(made, piece)
    for piece in others:
        made = _add(made, piece)
    return msgspec.structs.replace(made, ignored=tuple(ignored))


def _folder(path: Path) -> Bundle:
    pieces, ignored = read_folder(path)
    ignored += [(p.name, _NOT_EVIDENCE[p.kind]) for p in pieces if p.kind in _NOT_EVIDENCE]
    evidence = [piece for piece in pieces if piece.kind not in _NOT_EVIDENCE]
    return bundle(evidence, name=path.name or str(path.absolute()), ignored=ignored)


_NOT_EVIDENCE: dict[Kind, str] = {
    "policy": "a policy comes from you, not from the evidence: name it with --policy",
    "verdict": "a saved verdict proves nothing: the evidence is verified anew",
}


def _split(pieces: Sequence[Piece], *, machines: bool = False) -> tuple[list[Piece], list[Piece]]:
    """Return what makes bundles, and what belongs to them, GPUs first: others belong to these.

    Args:
        pieces: all that was given.
        machines: whether there are machines' bundles already that GPUs may belong to.
    """
    gpus = [piece for piece in pieces if piece.kind == "gpu-evidence"]
    quotes = [piece for piece in pieces if piece.kind in _QUOTES]
    rest = [piece for piece in pieces if piece.kind not in (*_QUOTES, "gpu-evidence")]
    return (quotes, [*gpus, *rest]) if quotes or machines else (gpus, rest)


_QUOTES: tuple[Kind, ...] = (
    "tdx-quote",
    "sgx-quote",
    "snp-report",
    "nitro-document",
    "tpm-document",
    "azure-document",
    "cca-token",
    "quote-response",
    "attestation",
    "certificate",
)


def _from_quote(found: Unpacked, name: str) -> Bundle:
    piece = found.piece
    return Bundle(
        evidence=Evidence(
            quote=found.quote,
            event_log=found.event_log,
            compose=found.compose,
            mr_config=found.mr_config,
            certificate=found.certificate,
            certificates=found.certificates,
            name=name,
        ),
        files=((piece.kind, piece.name),),
        remarks=found.remarks,
    )


def _merge(made: Bundle, found: Unpacked) -> Bundle:
    """Add a second file that carries the same quote, such as the response it came in."""
    piece = found.piece
    if piece.kind == "gpu-evidence":
        return _noted(_changed(made, quote=joined(made.evidence.quote, found.quote)), piece)
    if found.quote != made.evidence.quote:
        raise Usage(
            f"{made.files[0][1]} and {piece.name} hold two different quotes: name one of them",
            code="quotes_differ",
            expected="one quote per directory",
            got=f"{made.files[0][1]}, {piece.name}",
        )
    for field in ("event_log", "compose", "mr_config", "certificate"):
        value = getattr(found, field)
        if value is not None:
            made = _with(made, field, value, piece)
    if found.certificates:
        made = _with_certificates(made, found.certificates)
    return _noted(msgspec.structs.replace(made, remarks=made.remarks + found.remarks), piece)


def _add(made: Bundle, piece: Piece) -> Bundle:
    """Add a piece that is no quote."""
    if piece.kind not in (*_ROLES, *_KEYS):
        raise Usage(
            f"{piece.name} is a {piece.words}, which is no evidence: {_NOT_EVIDENCE[piece.kind]}",
            code="not_evidence",
            got=piece.words,
        )
    return _noted(_added(made, piece), piece)


def _added(made: Bundle, piece: Piece) -> Bundle:
    if piece.kind in _KEYS:
        return msgspec.structs.replace(made, keys=(*made.keys, piece))
    evidence, field = made.evidence, _ROLES[piece.kind]
    if piece.kind == "vendor-certificates":
        return _with_certificates(made, as_pem(piece.data, form=piece.form))
    if piece.kind in ("gpu-manifest", "ocsp-answer"):
        return _changed(made, **{field: (*getattr(evidence, field), piece.data)})
    if piece.kind == "gpu-evidence":
        return _changed(
            made, gpus=joined(evidence.gpus, piece.data) if evidence.gpus else piece.data
        )
    value = Collateral.parse(piece.data) if piece.kind == "collateral" else piece.data
    return _with(made, field, value, piece)


def _noted(made: Bundle, piece: Piece) -> Bundle:
    return msgspec.structs.replace(made, files=(*made.files, (piece.kind, piece.name)))


def _changed(made: Bundle, **fields: Any) -> Bundle:
    """Return the bundle with other parts of its evidence."""
    return msgspec.structs.replace(made, evidence=msgspec.structs.replace(made.evidence, **fields))


def _with_certificates(made: Bundle, pem: bytes) -> Bundle:
    """Add to the certificates: each file holds one of a chain, or some."""
    return _changed(made, certificates=(made.evidence.certificates or b"") + pem)


def _with(made: Bundle, field: str, value: object, piece: Piece) -> Bundle:
    present = getattr(made.evidence, field)
    if present is not None and present != value:
        raise Usage(
            f"{piece.name} is a second, different {field.replace('_', ' ')}: name the one to use",
            code="pieces_differ",
            expected=f"one {field.replace('_', ' ')} per quote",
            got=piece.name,
        )
    return _changed(made, **{field: value})


def _apart(quotes: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Return the quotes, and the evidence of TPMs, which may stand beside another's quote."""
    tpms = [piece for piece in quotes if piece.kind == "tpm-document"]
    return [piece for piece in quotes if piece.kind != "tpm-document"], tpms


def _add_tpm(made: Bundle, piece: Piece) -> Bundle:
    if kind_of(made.evidence.quote) != "tdx":
        raise Usage(
            f"{piece.name} is a TPM's evidence, and nothing ties one to {made.files[0][1]}: verify"
            " it by itself",
            code="quotes_differ",
            expected="a TPM's evidence alone, or beside a TDX quote",
            got=f"{made.files[0][1]}, {piece.name}",
        )
    return _noted(_with(made, "tpm", piece.data, piece), piece)


def _join_tpm(bundles: list[Bundle], piece: Piece) -> list[Bundle]:
    """Add a loose TPM's evidence to the TDX quote that it names; else it stands alone."""
    fitting = [index for index, made in enumerate(bundles) if tpm_fits(piece, made.evidence)]
    if len(fitting) != 1:
        return [*bundles, bundle([piece], name=piece.name)]
    return [_add_tpm(made, piece) if i in fitting else made for i, made in enumerate(bundles)]


def _join(bundles: list[Bundle], piece: Piece) -> list[Bundle]:
    """Add a loose piece to the bundles that it belongs to."""
    if len(bundles) == 1 or piece.kind not in (*_ROLES, *_KEYS):
        return [_add(bundles[0], piece), *bundles[1:]]
    fitting = [index for index, made in enumerate(bundles) if fits(piece, made.evidence)]
    if not fitting or (len(fitting) > 1 and piece.kind not in _SHARED):
        names = [bundles[index].name for index in fitting]
        raise Usage(
            f"{piece.name} fits {'several quotes' if names else 'none of the quotes'}: verify one"
            " quote at a time, with its own files",
            code="piece_without_quote",
            expected="exactly one quote that it belongs to",
            got=", ".join(names) or "none",
        )
    return [_add(made, piece) if i in fitting else made for i, made in enumerate(bundles)]
