"""An identity's page: one machine that ran one program, with keys that it made inside.

    GET /identity/<id>             the page
    GET /identity/<id>.json        the same for programs
    GET /identity/<id>.tar         its evidence, as the files that teeproof verify reads
    GET /code/<hash>[.json]        every identity whose evidence names this code

What is told of the identity was checked. What is listed beside it is read from the log and from
evidence as it claims, and says so: each entry leads to a page of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from teeproof.core.clock import format_time, to_epoch
from teeproof.core.errors import Unavailable, Usage
from teeproof.explorer.answering import download, json_answer
from teeproof.explorer.log.roll import CODE
from teeproof.explorer.machines.beside import SHOWN, Beside, around, lately, named, names
from teeproof.explorer.machines.machine import MachinePage, Machines, packed
from teeproof.explorer.pages.family import Site, aside, digest_of, proof_file
from teeproof.explorer.telling.evidence import machine_words
from teeproof.explorer.telling.fields import sections
from teeproof.explorer.telling.identity import ROLES, told_identity
from teeproof.explorer.telling.sentences import label_words
from teeproof.proof.keys import Key

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["IdentityPages"]

_FURTHEST = 1_000_000


class IdentityPages:
    """Pages of identities, and of the code that they run."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._machines = None if site.book is None else Machines(site.book, site.desk)

    async def page(self, request: Request) -> Response:
        """The page."""
        page, beside = await self._read(request)
        values = _values(page, beside, commands=self._commands(page, beside))
        return self._site.pages.html("identity.html", **values)

    async def twin(self, request: Request) -> Response:
        """The same for programs."""
        page, beside = await self._read(request)
        commands = self._commands(page, beside)
        told = told_identity(
            page.verdict, page.record, code=page.code, now=page.at, commands=commands
        )
        verdict = page.verdict
        return json_answer({
            "id": page.record.name, "told": told.to_json(), "ok": verdict.ok,
            "exit_code": verdict.exit_code,
            "level": None if verdict.evidence is None else verdict.evidence.level,
            "as_of": format_time(to_epoch(page.at)),
            "checks": [_check(check) for check in verdict.checks],
            "evidence": None if verdict.evidence is None else verdict.evidence.to_json(),
            "keys": [_key(key, page) for key in page.record.keys.keys],
            "code": None if page.code is None else page.code.to_json(),
            "claims": [] if page.laid_out is None else [dict(c) for c in page.laid_out.claims],
            "beside": beside.to_json(), "check_it_yourself": list(commands),
        })  # fmt: skip

    async def file(self, request: Request) -> Response:
        """Its evidence, packed."""
        digest, machines = digest_of(request.path_params["id"]), self._of_log()
        page = await aside(self._site, lambda: machines.page(digest))
        if page.laid_out is None:
            raise Unavailable(
                "this identity's evidence cannot be handed out", code="evidence_missing",
                got=page.problem or "this explorer reads no files",
            )  # fmt: skip
        data = packed(page.laid_out.files, folder=page.folder)
        return download(data, f"{page.folder}.tar")

    async def code(self, request: Request) -> Response:
        """The page of a code."""
        values = await self._code(request)
        return self._site.pages.html("code.html", **values)

    async def code_twin(self, request: Request) -> Response:
        """The same for programs."""
        values = await self._code(request)
        code = values["code"]
        return json_answer({
            "value": values["value"], "named_by": values["label"],
            "code": None if code is None else code.to_json(),
            "read_from": named(values["source"]), "checked": False,
            "count": values["count"], "latest": names(values["machines"]),
        })  # fmt: skip

    def _commands(self, page: MachinePage, beside: Beside) -> tuple[str, ...]:
        """Return how to check it: from its files, or else as the author of what it said last."""
        if page.laid_out is not None:
            return page.laid_out.commands
        return tuple(self._site.command(f"sha256:{one.id}") for one in beside.said[:1])

    def _of_log(self) -> Machines:
        _ = self._site.log  # says so where there is none
        assert self._machines is not None
        return self._machines

    async def _read(self, request: Request) -> tuple[MachinePage, Beside]:
        digest, start = digest_of(request.path_params["id"]), _start(request)
        machines, book = self._of_log(), self._site.log

        def work() -> tuple[MachinePage, Beside]:
            known = book.roll.machine(digest.hex())  # receipts name it by its keyset
            page = machines.page(digest if known is None else bytes.fromhex(known.id))
            return page, around(book, page.record, start=start)

        return await aside(self._site, work)

    async def _code(self, request: Request) -> dict[str, Any]:
        value = request.path_params["hash"].removeprefix("sha256:")
        machines = self._of_log()

        def work() -> dict[str, Any]:
            roll = self._site.log.roll
            found = roll.alike(value[:128], count=SHOWN)
            label = next((n for m in found for n in CODE if m.labels.get(n) == value), None)
            if label is None:
                raise Unavailable(
                    "no identity in this log claims to run such code", code="code_unknown",
                    expected="a compose hash, a launch measurement, MRENCLAVE, PCR0 or MRTD",
                    got=value[:100],
                )  # fmt: skip
            code, source = None, None
            for machine in found[:5]:  # the first whose evidence holds and has the file
                page = machines.page(bytes.fromhex(machine.id))
                if page.code is not None and page.code.hash == value:
                    code, source = page.code, machine.id
                    break
            return {
                "title": f"Code {value[:16]}…", "value": value, "label": label,
                "label_words": label_words(label), "code": code, "source": source,
                "machines": found, "count": roll.alike_count(value),
                "lately": lately(roll, found),
            }  # fmt: skip

        return await aside(self._site, work)


def _values(page: MachinePage, beside: Beside, *, commands: tuple[str, ...]) -> dict[str, Any]:
    verdict = page.verdict
    told = told_identity(
        verdict, page.record, code=page.code, now=page.at, commands=commands
    )  # fmt: skip
    one = page.record.digest.hex()
    claims = () if page.laid_out is None else page.laid_out.claims
    return {
        "title": f"Identity {one[:16]}…", "page": page, "told": told, "verdict": verdict,
        "machine": verdict.evidence,
        "failures": verdict.failures, "id": page.record.name, "one": one, "beside": beside,
        "keys": [_key(key, page) for key in page.record.keys.keys], "rows": _rows(page),
        "claims": [(claim, sections(claim)) for claim in claims],
        "takes": _takes(page, beside),
        "command": commands[-1] if commands else "teeproof verify FILE",
        "twin": f"/identity/{one}.json", "file": f"/identity/{one}.tar",
        "names": () if page.laid_out is None else tuple(page.laid_out.files),
    }  # fmt: skip


def _takes(page: MachinePage, beside: Beside) -> list[tuple[str, str]]:
    """Return the file that its commands read."""
    one = page.record.digest.hex()
    if page.laid_out is not None:
        return [(f"/identity/{one}.tar", f"identity-{one[:16]}.tar")]
    return [pair for said in beside.said[:1] for pair in proof_file(said.id)]


def _rows(page: MachinePage) -> list[tuple[str, str]]:
    """Return what stands beside the checks: as of when, by whose expectations, with what."""
    verdict = page.verdict
    vouched = "as witnesses trusted here vouch" if verdict.timed else "this moment"
    rows = [("verified as of", f"{verdict.time}, {vouched}")]
    machine = verdict.evidence
    if machine is None:
        return rows
    simulated = "SIMULATED: " if machine.level == "simulated" else ""
    rows.insert(0, ("machine", f"{simulated}{machine_words(machine.kind)}"))
    how = machine.provenance
    rows.append(("policy", f"{how.policy} {how.policy_digest[:23]}…"))
    issued = machine.facts.get("endorsements")
    if isinstance(issued, dict) and issued.get("issued"):
        until = issued.get("next_update")
        words = (
            f"archived with it: issued {issued['issued']}, to be renewed by {until},"
            f" evaluation {how.tcb_evaluation_number}"
        )
        rows.append(("vendor's word", words))
    elif how.endorsements_digest is None:
        rows.append(("vendor's word", "none was used"))
    status = machine.facts.get("tcb")
    if isinstance(status, dict) and "status" in status:
        rows.append(("patches", f"{status['status']}, as the vendor lists it"))
    return rows


def _key(key: Key, page: MachinePage) -> dict[str, Any]:
    keys, at = page.record.keys, to_epoch(page.at)
    state = "expired" if at > keys.not_after else "valid"
    state = "not valid yet" if keys.begins_after(at) else state
    return {
        "role": key.role, "algorithm": key.algorithm, "public_key": key.public_key,
        "domain": key.domain, "for": ROLES.get(key.role, "unknown"), "state": state,
        "from": format_time(keys.not_before), "until": format_time(keys.not_after),
    }  # fmt: skip


def _check(check: Any) -> dict[str, Any]:
    return {"name": check.name, "state": check.state, "detail": check.detail, "code": check.code,
            "expected": check.expected, "got": check.got}  # fmt: skip


def _start(request: Request) -> int:
    text = request.query_params.get("from", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 7) or int(text) > _FURTHEST:
        raise Usage("this is no place in a list", code="place_malformed", expected="a number",
                    got=text[:40])  # fmt: skip
    return int(text)
