"""The demo's page: the story's lines, its log, and files judged by the story's own policy."""

from __future__ import annotations

from types import SimpleNamespace

import httpx

from teeproof.cli.story.page import serve_page
from teeproof.evidence.collect.simulated import opt_in_policy
from teeproof.proof.log.storage.log import Log
from tests.explorer.browser import PATIENCE
from tests.proof.people import platform, policy


def test_the_story_is_served_with_its_log_and_judges_what_is_handed_in(shown, tmp_path):
    with Log.open(shown.directory, read_only=True) as log:
        logs = f"log {log.verifier.text()}\nquorum none\n"
    (tmp_path / "policy.toml").write_text(opt_in_policy(platform()))
    (tmp_path / "trusted-logs").write_text(logs)
    # What the page asks of the story's world, without the twelve processes of a whole one.
    world = SimpleNamespace(
        notary=SimpleNamespace(directory=shown.directory, policy=logs),
        policy=policy(),
        policy_path=tmp_path / "policy.toml",
        logs_path=tmp_path / "trusted-logs",
        folder=tmp_path, urls={}, kms_policy="", codes={}, contracts={},
    )  # fmt: skip
    one = shown.sealed["answer"]
    lines = ({"label": "4 Answer", "text": "it says <42>", "ids": [one.name], "real": True},)
    with (
        serve_page(world, lambda: lines) as served,
        httpx.Client(base_url=served.url, timeout=PATIENCE) as client,
    ):
        home = client.get("/").text
        assert "What happened" in home
        assert "it says &lt;42&gt;" in home
        page = client.get(f"/p/{one.id.hex()}")
        assert "log.example/explorer signed its checkpoint" in page.text
        proof = client.get(f"/p/{one.id.hex()}.proof").content
        at = {"at": "2026-03-01T12:00:00Z"}
        told = client.post("/verify.json", files={"file": ("a.proof", proof)}, data=at).json()
        assert (told["ok"], told["verdict"]["level"]) == (True, "simulated")
