"""Hand in a file, and be told what it proves.

    GET  /verify             the form
    POST /verify             a form, or a file as it is; answers with the result's address
    POST /verify.json        the same; answers with the result
    GET  /v/<id>             a result, for as long as it is kept
    GET  /v/<id>/file        of a proof, the file that was handed in
    GET  /v/<id>/file/<n>    of evidence, a file that was handed in
    GET  /v/<id>/p/<id>      of a proof, the page of a statement in it

Endorsements come from beside the evidence and from this machine's archive; nothing is fetched, and
nothing that a client sends is taken for an address or a path.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from teeproof.core.clock import format_time
from teeproof.core.errors import Unavailable
from teeproof.core.text import plain
from teeproof.explorer.answering import HEADERS, download, json_answer
from teeproof.explorer.desk import Desk, Judged, JudgedEvidence, JudgedOther, JudgedProof
from teeproof.explorer.log.content import Page, page_of
from teeproof.explorer.log.kept import VERDICT
from teeproof.explorer.log.kept import Kept as Lately
from teeproof.explorer.pages.family import Site, aside, digest_of
from teeproof.explorer.pages.proof import proof_json, proof_values
from teeproof.explorer.shelf import KEPT_FOR, Kept
from teeproof.explorer.telling.answer import sentence
from teeproof.explorer.telling.evidence import told_evidence
from teeproof.explorer.telling.fields import sections
from teeproof.explorer.telling.times import moment
from teeproof.explorer.uploads import MOST_BYTES, MOST_FILES, on_disk, read_upload
from teeproof.proof.file import ProofFile

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["VerifyPages"]

_HOURS = int(KEPT_FOR.total_seconds() // 3600)
_VERDICT_WEIGHT = 4  # a verdict in memory takes some times the bytes that it is about
_LEAST_WEIGHT = 64 << 10
_AT_ONCE = 8  # uploads in memory at the same time
_PAGES = 16  # of proofs, that are shown again


class VerifyPages:
    """The form, and results."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pages: Lately[tuple[str, bytes | None], Page] = Lately(most=_PAGES, seconds=VERDICT)

    async def form(self, _: Request) -> Response:
        """The form."""
        return self._site.pages.html(
            "verify.html", title="Check a file", choices=self._desk.choices, hours=_HOURS,
            most=MOST_BYTES >> 20, files=MOST_FILES,
        )  # fmt: skip

    async def form_json(self, _: Request) -> Response:
        """What may be sent, for programs."""
        choices = [{"name": c.name, "description": c.description} for c in self._desk.choices]
        return json_answer(
            {"send": "POST /verify.json", "fields": ["file", "text", "policy", "at"],
             "policies": choices, "most_bytes": MOST_BYTES, "most_files": MOST_FILES,
             "kept_hours": _HOURS}
        )  # fmt: skip

    async def submit(self, request: Request) -> Response:
        """Judge what was sent, and lead to the result; of an id, to what it names."""
        from starlette.responses import RedirectResponse  # noqa: PLC0415  only a server needs it

        kept = await self._judge(request, leading=self._site.book is not None)
        href = f"/search?q={kept}" if isinstance(kept, str) else f"/v/{kept.id}"
        return RedirectResponse(href, status_code=303, headers=HEADERS)

    async def submit_json(self, request: Request) -> Response:
        """Judge what was sent, and answer with the result."""
        kept = await self._judge(request)
        assert not isinstance(kept, str)  # no id leads on
        return await self._json(kept)

    async def result(self, request: Request) -> Response:
        """A result."""
        kept = self._site.shelf.get(request.path_params["id"])
        value = kept.value
        if isinstance(value, JudgedProof):
            return self._proof(kept, value, await self._page(kept, value))
        if isinstance(value, JudgedEvidence):
            return self._site.pages.html("evidence.html", **_evidence(kept, value))
        until = moment(int(kept.until.timestamp()))
        return self._site.pages.html(
            "other.html", title=value.name, told=_told(value), kept=kept, other=value, until=until,
            forked=value.answer.get("error") == "log_forked",
        )  # fmt: skip

    async def result_json(self, request: Request) -> Response:
        """The same for programs."""
        return await self._json(self._site.shelf.get(request.path_params["id"]))

    async def statement(self, request: Request) -> Response:
        """A statement of a proof that was handed in."""
        kept = self._site.shelf.get(request.path_params["id"])
        value, one = _proof_of(kept), digest_of(request.path_params["statement"])
        return self._proof(kept, value, await self._page(kept, value, one))

    async def file(self, request: Request) -> Response:
        """The proof that was handed in."""
        value = _proof_of(self._site.shelf.get(request.path_params["id"]))
        return download(value.data, value.name)

    async def piece(self, request: Request) -> Response:
        """One file of the evidence that was handed in, as it came."""
        kept = self._site.shelf.get(request.path_params["id"])
        files = kept.value.files if isinstance(kept.value, JudgedEvidence) else ()
        number = request.path_params["number"]
        if number >= len(files):
            raise Unavailable("this result has no such file", code="result_unknown")
        name, data = files[number]
        return download(data, name)

    @property
    def _desk(self) -> Desk:
        if self._site.desk is None:
            raise Unavailable(
                "this explorer takes no files: start one with teeproof explorer",
                code="route_unknown",
            )
        return self._site.desk

    async def _judge(self, request: Request, *, leading: bool = False) -> Kept[Judged] | str:
        """Return what came of an upload; where ids lead on, an id that was pasted."""
        desk, site = self._desk, self._site
        with site.judged_at_once(_AT_ONCE):
            upload = await read_upload(request)
            if leading and upload.id is not None:
                return upload.id

            def work() -> Judged:
                with on_disk(upload) as paths:
                    return desk.judge(paths, policy=upload.policy, at=upload.at)

            judged = await aside(site, work)
        return site.shelf.put(judged, size=_LEAST_WEIGHT + _VERDICT_WEIGHT * upload.size)

    async def _page(
        self, kept: Kept[Judged], value: JudgedProof, statement: bytes | None = None
    ) -> Page:
        """Return a page of a proof; its file is read again at most once a minute, by few at once.

        That takes seconds for a large one, and an address costs whoever asks nothing.
        """
        key, now = (kept.id, statement), time.monotonic()
        page = self._pages.get(key, now)
        if page is None:
            with self._site.judged_at_once(_AT_ONCE):
                page = await aside(self._site, lambda: _page(value, statement))
            self._pages.put(key, page, now)
        return page

    async def _json(self, kept: Kept[Judged]) -> Response:
        value = kept.value
        page = await self._page(kept, value) if isinstance(value, JudgedProof) else None
        return json_answer(await aside(self._site, lambda: _json(kept, page)))

    def _proof(self, kept: Kept[Judged], value: JudgedProof, page: Page) -> Response:
        values = proof_values(
            page, command=value.command, href=lambda one: f"/v/{kept.id}/p/{one}",
            download=f"/v/{kept.id}/file", twin=f"/v/{kept.id}.json", note=_note(kept, value.name),
            taken=value.name,
        )  # fmt: skip
        return self._site.pages.html("proof.html", **values)


def _page(value: JudgedProof, statement: bytes | None = None) -> Page:
    with ProofFile.from_bytes(value.data) as proof:
        one = proof.roots[0] if statement is None else statement
        return page_of(proof, one, value.verdict, size=len(value.data))


def _proof_of(kept: Kept[Judged]) -> JudgedProof:
    if not isinstance(kept.value, JudgedProof):
        raise Unavailable("this result is of no proof", code="result_unknown", got=kept.id)
    return kept.value


def _told(value: JudgedOther) -> str:
    """Return the answer in a sentence."""
    detail = str(value.answer.get("detail") or "")
    return sentence(detail[:1].upper() + detail[1:]) if detail else "What the file says holds."


def _note(kept: Kept[Judged], name: str) -> str:
    since, until = (moment(int(at.timestamp())) for at in (kept.since, kept.until))
    return f"{plain(name[:80])}, uploaded {since}; this page is kept until {until} at the latest."


def _evidence(kept: Kept[Judged], value: JudgedEvidence) -> dict[str, Any]:
    return {
        "title": value.verdict.checks[0].detail, "judged": value, "verdict": value.verdict,
        "told": told_evidence(value.verdict, command=value.command), "command": value.command,
        "takes": [(f"/v/{kept.id}/file/{number}", name)
                  for number, (name, _) in enumerate(value.files)],
        "note": _note(kept, value.name), "twin": f"/v/{kept.id}.json",
        "files": [(one, sections(one)) for one in value.claims],
        "downloads": [
            (f"/v/{kept.id}/file/{number}", name, len(data))
            for number, (name, data) in enumerate(value.files)
        ],
    }  # fmt: skip


def _json(kept: Kept[Judged], page: Page | None) -> dict[str, Any]:
    value = kept.value
    head: dict[str, Any] = {
        "id": kept.id, "page": f"/v/{kept.id}", "name": value.name,
        "kept_until": format_time(int(kept.until.timestamp())),
        "check_it_yourself": value.command,
    }  # fmt: skip
    if isinstance(value, JudgedOther):
        return {"ok": value.answer.get("ok"), "kind": "other", "answer": dict(value.answer)} | head
    head |= {"ok": value.verdict.ok, "exit_code": value.verdict.exit_code}
    if isinstance(value, JudgedProof):
        assert page is not None
        shown = proof_json(page, command=value.command)
        return head | {"kind": "proof"} | {k: shown[k] for k in ("statement", "told", "verdict")}
    told = told_evidence(value.verdict, command=value.command).to_json()
    claims = [dict(one) for one in value.claims]
    return head | {
        "kind": "evidence", "told": told, "verdict": value.verdict.to_json(), "claims": claims,
    }  # fmt: skip
