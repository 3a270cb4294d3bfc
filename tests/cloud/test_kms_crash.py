"""kill -9 at any time: what the KMS acknowledged stays so, and its state opens."""

from __future__ import annotations

import io
import threading

import pytest

from teeproof.cloud.kms.client import KmsClient
from teeproof.cloud.kms.workload import FILE, MACHINES
from teeproof.cloud.launch import launch
from teeproof.cloud.manifest import Manifest
from teeproof.core.clock import to_epoch, wall_clock
from teeproof.core.errors import Error, NotAllowed
from teeproof.core.sealed import seal
from teeproof.evidence.policy import parse_policy
from tests.cloud.keeping import OWNER, Vaulted, boot, job_of, machines, release_policy
from tests.cloud.scenes import image, platform


class Life:
    """A KMS as a real process behind the best wall there is, which can be killed."""

    def __init__(self, folder):
        self.folder = folder
        self.manifest = Manifest(
            "kms", "teeproof.cloud.kms.workload", (), {MACHINES: machines()}, image().digest
        )
        self.policy = release_policy(not_after=to_epoch(wall_clock()) + 86_400)
        self.start()

    def start(self):
        self.running = launch(
            self.manifest, image=image(), platform=platform(), folder=self.folder, serve=True
        ).ready()
        expected = parse_policy(machines(self.manifest.compose_hash))
        self.client = KmsClient(self.running.url, policy=expected)
        _ = self.client.identity

    def kill(self):
        self.running.kill()
        self.client.close()

    def file(self):
        made = self.client.recipient(self.policy, owner=OWNER)
        out = io.BytesIO()
        header = seal(
            io.BytesIO(b"x"), out, recipients=[made.recipient], policy_digest=self.policy.digest
        )
        return Vaulted(header, self.policy, made.recipient, out.getvalue())

    def opens(self, file):
        job, challenge = job_of(file), self.client.challenge()
        me = boot(job, challenge, now=wall_clock)
        try:
            keys = self.client.release(
                me, job, challenge=challenge, files=[(file.header, file.policy)]
            )
        except NotAllowed as error:
            if error.code != "withdrawn":
                raise
            return False
        return file.read(keys[file.id]) == b"x"


@pytest.fixture
def life(tmp_path):
    made = Life(tmp_path)
    yield made
    made.kill()


@pytest.mark.parametrize("busy", ["recipients", "withdraw"])
def test_host_kills_the_kms_while_it_works(life, busy):
    files = [life.file() for _ in range(40)]
    made, gone, begun = [], [], threading.Event()

    def work():
        try:
            for file in files:
                if busy == "withdraw":
                    life.client.withdraw(file.recipient, owner=OWNER, file=file.id)
                    gone.append(file)
                else:
                    made.append(life.file())
                if len(made) + len(gone) == 5:
                    begun.set()
        except Error:
            begun.set()

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    life.running.kill()
    thread.join()
    assert len(made) + len(gone) >= 5
    life.client.close()
    life.start()
    assert all(life.opens(file) for file in made[-5:])
    assert not any(life.opens(file) for file in gone[-5:])
    untouched = files if busy == "recipients" else files[len(gone) + 1 :]
    assert all(life.opens(file) for file in untouched[-3:])
    if busy == "withdraw" and len(gone) < len(files):
        # Whether the one under way was erased or not: asking again ends well.
        life.client.withdraw(files[len(gone)].recipient, owner=OWNER, file=files[len(gone)].id)
        assert not life.opens(files[len(gone)])


def test_the_state_of_a_kms_holds_no_plaintext_and_nobody_elses_access(life):
    life.file()
    data = (life.folder / "state" / FILE).read_bytes()
    assert b"teeproof-seal-secret" not in data
    assert OWNER.public.encode() not in data
