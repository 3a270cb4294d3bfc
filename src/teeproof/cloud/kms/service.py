"""The KMS's routes.

    GET  /v1/identity     who it is: record and evidence
    POST /v1/challenge    a nonce for evidence, {"challenge": hex, "until": epoch}
    POST /v1/recipients   {policy, signature} -> a recipient to seal a file for
    POST /v1/release      {challenge, job, identity, blobs, policies, headers} -> grants
    POST /v1/withdraw     {order, signature} -> the statement of the erasure

Bodies are canonical JSON; a refused release names its statement in ``x-teeproof-statement``.

Trusts: nothing; the keeper decides.  Does not trust: clients.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from teeproof.cloud.kms.journal import Journal
from teeproof.cloud.kms.keeper import Keeper, Refused
from teeproof.cloud.kms.requests import (
    MAX_REQUEST_BYTES,
    Asked,
    RecipientRequest,
    WithdrawRequest,
    read_request,
)
from teeproof.cloud.routes import application, error_answer
from teeproof.core.digests import named
from teeproof.proof.envelope import Envelope
from teeproof.proof.workload import Identity
from teeproof.web.asgi import Answer, Request, json_answer

__all__ = ["described", "service"]


def service(keeper: Keeper, journal: Journal) -> Any:
    """Return the ASGI application of a KMS."""

    async def identity(_request: Request) -> Answer:
        return json_answer(described(journal.me))

    async def challenge(_request: Request) -> Answer:
        nonce, until = await asyncio.to_thread(keeper.challenge)
        return json_answer({"challenge": nonce.hex(), "until": until})

    async def recipients(request: Request) -> Answer:
        asked = read_request(await _body(request), RecipientRequest)
        text, said = await asyncio.to_thread(keeper.recipient, asked.policy, asked.signature)
        return json_answer({"recipient": text, "statement": _json(said)})

    async def release(request: Request) -> Answer:
        asked = Asked.parse(await _body(request))
        try:
            given = await asyncio.to_thread(keeper.release, asked)
        except Refused as refused:
            statement = (b"x-teeproof-statement", named(refused.statement.id).encode())
            return error_answer(refused, headers=(statement,))
        grants = {file: base64.b64encode(grant).decode() for file, grant in given.grants.items()}
        return json_answer({"grants": grants, "statement": _json(given.statement)})

    async def withdraw(request: Request) -> Answer:
        asked = read_request(await _body(request), WithdrawRequest)
        said = await asyncio.to_thread(keeper.withdraw, asked.order, asked.signature)
        return json_answer({"statement": _json(said)})

    return application(
        {
            "GET v1/identity": identity,
            "POST v1/challenge": challenge,
            "POST v1/recipients": recipients,
            "POST v1/release": release,
            "POST v1/withdraw": withdraw,
        }
    )


def described(me: Identity) -> dict[str, Any]:
    """Return an identity as a service shows it: the record, and its evidence in base64."""
    blobs = {name: base64.b64encode(data).decode() for name, data in me.blobs.items()}
    return {"record": json.loads(me.record.encode()), "blobs": blobs}


async def _body(request: Request) -> bytes:
    return await request.body(MAX_REQUEST_BYTES, "request")


def _json(envelope: Envelope) -> Any:
    return json.loads(envelope.encode())
