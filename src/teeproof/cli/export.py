"""``teeproof export``: a proof as one page that checks itself."""

from __future__ import annotations

from pathlib import Path

import click

from teeproof.cli.expectations import policy_of
from teeproof.cli.options import PATH, output_options
from teeproof.cli.outgoing import outgoing, require_out
from teeproof.cli.screen import ColorChoice, standard
from teeproof.core.errors import Usage
from teeproof.core.reading import read_bounded

__all__ = ["command"]

_MOST = 64 << 20  # a proof file's bound


@click.command("export")
@click.argument("proof", metavar="FILE.proof", type=PATH, required=False)
@click.option("--html", "as_html", is_flag=True, help="One page that checks itself, offline.")
@click.option("--out", metavar="FILE", type=PATH, help="Default: FILE.html beside the proof.")
@click.option("--force", is_flag=True, help="Replace what is there.")
@click.option("--policy", metavar="NAME|FILE", help="Whose simulated roots the page accepts.")
@click.option("--logs", metavar="FILE", type=PATH, help="Which logs and witnesses it believes.")
@click.option("--digest", "only_digest", is_flag=True, help="Print the checker's digest, and end.")
@output_options
def command(
    proof: Path | None,
    *,
    as_html: bool,
    out: Path | None,
    force: bool,
    policy: str | None,
    logs: Path | None,
    only_digest: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Make one HTML file of a proof: it checks itself in a browser, with the network off.

    Signatures, machines, inputs, log and witnesses are checked there; patches, revocation and your
    policy need teeproof verify, and the page says so.

    \b
    Examples
      teeproof export --html answer.proof --logs trusted-logs
      teeproof export --html --digest
    """  # noqa: D301  click reads the \b
    from teeproof.explorer import checker  # noqa: PLC0415  only here

    if not as_html:
        raise Usage("say as what: --html", code="form_missing", expected="--html")
    screen, digest = standard(color), checker.script_digest()
    if only_digest:
        if as_json:
            screen.json({"checker": digest})
        else:
            screen.copied("", digest, indent=0)
        return 0
    if proof is None:
        raise Usage("name a proof file", code="proof_missing", expected="FILE.proof")
    target = out or proof.with_suffix(".html")
    require_out(target, force=force, as_json=as_json)
    text = _page(proof, policy=policy, logs=logs)
    with outgoing(target, force=force) as stream:
        stream.write(text.encode())
    if as_json:
        screen.json({"written": str(target), "checker": digest})
        return 0
    screen.copied("written", str(target))
    screen.copied("checker", digest)
    return 0


def _page(path: Path, *, policy: str | None, logs: Path | None) -> str:
    from teeproof.explorer import checker  # noqa: PLC0415  as above
    from teeproof.proof.file import ProofFile  # noqa: PLC0415
    from teeproof.proof.log.formats.policy import MAX_POLICY_BYTES, TlogPolicy  # noqa: PLC0415

    data = read_bounded(path, limit=_MOST, what="proof file")
    with ProofFile.from_bytes(data) as proof:
        root = proof.read(proof.roots[0])
        title = f"Proof of {root.title if root else 'a statement'}"
    text = ""
    if logs is not None:
        given = read_bounded(logs, limit=MAX_POLICY_BYTES, what="log policy")
        text = TlogPolicy.parse(given).encode().decode("utf-8", "backslashreplace")
    roots = policy_of(policy).simulated_roots if policy else ()
    return checker.page(data, name=path.name, title=title, roots=tuple(roots), logs=text)
