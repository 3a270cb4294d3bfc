"""MRCONFIGID of a dstack guest: what the host fixes of the application before the start.

Source: dstack-types, ``mr_config.rs``; see ``eventlog.mrconfig``.

Trusts: SHA-2.  Does not trust: the documents, of which only bytes count.
"""

from __future__ import annotations

from teeproof.core.errors import Usage
from teeproof.evidence.eventlog.compose import compose_hash, parse_compose
from teeproof.evidence.eventlog.mrconfig import mrconfigid_v1, mrconfigid_v3, parse_mr_config
from teeproof.evidence.measure.steps import Register

__all__ = ["configuration"]


def configuration(*, compose: bytes | None, document: bytes | None) -> Register:
    """Return MRCONFIGID: by a compose file version 1, by a MrConfigV3 document version 3.

    Version 2 also fixes an app id and a key provider, and comes with an event log that names them:
    ``teeproof verify`` computes it there.

    Args:
        compose: bytes of app-compose.json.
        document: bytes of the MrConfigV3 document, which decides where both are given.

    Raises:
        TooLarge, Malformed: a document is not what it should be.
        Usage: the document pins another compose file than the one given, or neither is given.
    """
    if compose is not None:
        parse_compose(compose)
    if document is not None:
        pinned = parse_mr_config(document).compose_hash
        if compose is not None and compose_hash(compose) != pinned:
            raise Usage(
                "the MrConfigV3 document pins another compose file than this",
                code="compose_mismatch",
                expected=pinned.hex(),
                got=compose_hash(compose).hex(),
            )
        return Register(name="MRCONFIGID", values=(mrconfigid_v3(document),))
    if compose is None:
        raise Usage("MRCONFIGID is of a compose file or a MrConfigV3 document: give one of them")
    return Register(name="MRCONFIGID", values=(mrconfigid_v1(compose_hash(compose)),))
