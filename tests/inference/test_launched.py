"""The service behind the wall: a child process, its sockets, kill -9, and the openai package."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openai import OpenAI

from teeproof.cloud.image import Image
from teeproof.cloud.launch import launch
from teeproof.cloud.manifest import Manifest
from teeproof.cloud.running import Running
from teeproof.core.digests import sha256
from teeproof.inference.client import Service
from teeproof.inference.verify import Expected
from teeproof.inference.workload import MODEL
from tests.inference import models
from tests.inference.serving import NAME, Hosted, platform, policy
from tests.inference.talk import body, events, get, hang_up_after, receipt_of


class Walled:
    """A host that starts the workload as it should be started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        model = models.make(folder / "m", max_position_embeddings=32768, eos_token_id=None)
        self.hosted = Hosted(folder / "h", model, limits={"tokens": 30_000})
        self.inputs = folder / "in"
        shutil.copytree(model, self.inputs / "model")
        (self.inputs / "serve.json").write_text(json.dumps(self.hosted.document))
        (self.inputs / "training.json").write_bytes(self.hosted.envelope.encode())
        self.image = Image.snapshot(folder / "image")
        self.runs = 0

    @contextmanager
    def run(self, **measured: str) -> Iterator[Running]:
        self.runs += 1
        running = launch(
            Manifest(
                "inference",
                "teeproof.inference.workload",
                environment=measured,
                code=self.image.digest,
            ),
            image=self.image,
            platform=platform(),
            folder=self.folder / f"run{self.runs}",
            inputs=self.inputs,
            state=self.folder / "state",
            serve=True,
        )
        try:
            yield running
        finally:
            running.kill()

    @staticmethod
    def ready(running: Running) -> dict[str, Any]:
        until = time.monotonic() + 300
        while running.returncode is None and time.monotonic() < until:
            if said := running.progress():
                return dict(said)
            time.sleep(0.02)
        raise AssertionError(running.stderr_path.read_text())


def test_host_kills_the_service_and_every_receipt_is_still_there(tmp_path: Path) -> None:
    walled = Walled(tmp_path)
    root = walled.hosted.root.name
    with walled.run(**{MODEL: root}) as running:
        assert walled.ready(running)["model"] == root
        with OpenAI(base_url=f"{running.url}/v1", api_key="k", max_retries=0) as client:
            answer = client.chat.completions.create(
                model=NAME, messages=[{"role": "user", "content": "hi"}], max_tokens=8
            )
        hang_up_after(running.url, body(stream=True, max_tokens=30_000), 1000)
        until = time.monotonic() + 300
        while get(running.url, "/health").json()["receipts"] < 2:
            assert time.monotonic() < until
            time.sleep(0.02)
        hang_up_after(running.url, body(stream=True, max_tokens=30_000), 1000)
        running.kill()
    with walled.run() as running:
        walled.ready(running)
        found = receipt_of(running.url, answer.id, authorization="Bearer k")
        assert events(found)["x.model"]["digest"] == root
        assert get(running.url, "/health").json()["receipts"] in (2, 3)
        with Service.connect(running.url, policy=policy()) as service:
            fresh = service.ask("hi", max_tokens=8, expected=Expected(model=root))
        assert fresh.text == answer.choices[0].message.content
        assert fresh.receipt.keyset_digest != found["workload_keyset_digest"]


def test_host_hands_a_walled_service_other_weights(tmp_path: Path) -> None:
    walled = Walled(tmp_path)
    wanted = f"sha256:{sha256(b'another').hex()}"
    with walled.run(**{MODEL: wanted}) as running:
        assert running.wait(300) == 4
        said = json.loads(running.stderr_path.read_text().splitlines()[-1])
    assert (said["error"], said["expected"]) == ("model_not_expected", wanted)
    assert said["got"] == walled.hosted.root.name
