"""A host puts back what the KMS wrote earlier, and the log shows it."""

from __future__ import annotations

import contextlib
import shutil

import pytest

from teeproof.cloud.inside import LOG_POLICY, Peer
from teeproof.cloud.kms.keeper import Refused
from teeproof.core.clock import wall_clock
from teeproof.core.errors import Error, NotAuthentic, Unavailable
from teeproof.proof.envelope import Envelope
from teeproof.proof.identity import Rotation
from teeproof.proof.statement import Statement
from tests.cloud.keeping import KMS, Clock, Kms, changed
from tests.proof.log.http.httplog import TOKEN, served


@contextlib.contextmanager
def logged(folder):
    """A KMS over a real log that is served and publishes by itself."""
    with served(folder / "log", every=0.05) as log:
        policy = f"log {log.log.verifier.text()}\nquorum none\n"
        settings = dict(KMS.environment) | {LOG_POLICY: policy}
        made = Kms(
            folder / "kms", clock=Clock(wall_clock()), peers={"log": Peer(log.url, token=TOKEN)},
            manifest=changed(KMS, environment=settings),
        )  # fmt: skip
        yield log, made
        made.close()


@pytest.fixture
def town(tmp_path):
    with logged(tmp_path) as made:
        yield made


def put_back(kms, copy):
    shutil.copyfile(copy, kms.state)
    for extra in ("-journal", "-wal", "-shm"):
        kms.state.with_name(kms.state.name + extra).unlink(missing_ok=True)


def copied(kms, name):
    copy = kms.folder / name
    shutil.copyfile(kms.state, copy)
    return copy


def test_restarts_are_rotations_and_nothing_is_lost(town):
    log, kms = town
    file = kms.file()
    first = kms.journal.me
    kms.restart()
    second = kms.journal.me
    kms.restart()
    assert kms.journal.guarded
    assert file.read(kms.train(file)[file.id]) == b"orders"
    assert second.record.keys.previous == first.name
    rotations = rotations_in(log)
    assert [one.author for one in rotations][:2] == [first.digest, second.digest]


def rotations_in(log):
    found = []
    for one in log.log.iterate():
        with contextlib.suppress(Error):
            statement = Statement.parse(Envelope.parse(one.record).payload)
            if isinstance(statement.predicate, Rotation):
                found.append(statement)
    return found


def test_host_restores_an_old_state_file_of_the_same_session(town):
    _, kms = town
    file = kms.file()
    old = copied(kms, "old")
    kms.withdraw(file)
    put_back(kms, old)
    with pytest.raises(NotAuthentic) as caught:
        kms.restart()
    assert caught.value.code == "state_rolled_back"


def test_host_restores_an_old_state_file_of_an_earlier_session(town):
    _, kms = town
    file = kms.file()
    old = copied(kms, "old")
    kms.restart()
    kms.withdraw(file)
    kms.restart()
    put_back(kms, old)
    with pytest.raises(NotAuthentic) as caught:
        kms.restart()
    assert caught.value.code == "state_rolled_back"


def test_host_restores_the_state_file_of_just_before_a_restart(town):
    _, kms = town
    kms.file()
    old = copied(kms, "old")
    kms.restart()
    put_back(kms, old)
    with pytest.raises(NotAuthentic) as caught:
        kms.restart()
    assert caught.value.code == "state_rolled_back"


def test_host_runs_a_second_kms_on_a_copy_of_the_state(town, tmp_path):
    _, kms = town
    kms.file()
    (tmp_path / "twin" / "state").mkdir(parents=True)
    shutil.copyfile(kms.state, tmp_path / "twin" / "state" / kms.state.name)
    twin = Kms(
        tmp_path / "twin", clock=kms.clock, peers=kms.peers, manifest=kms.manifest
    )  # the first to begin a session
    assert twin.journal.guarded
    twin.close()
    with pytest.raises(NotAuthentic) as caught:
        kms.restart()
    assert caught.value.code == "state_rolled_back"


def test_the_newest_state_put_back_is_accepted(town):
    _, kms = town
    file = kms.file()
    kms.withdraw(file)
    newest = copied(kms, "newest")
    put_back(kms, newest)
    kms.restart()
    with pytest.raises(Refused):
        kms.train(file)


def test_log_that_lies_about_where_an_entry_stands_hides_no_rollback(tmp_path):
    with served(tmp_path / "log") as log:
        policy = f"log {log.log.verifier.text()}\nquorum none\n"
        settings = dict(KMS.environment) | {LOG_POLICY: policy}
        far = b'"index":9'

        def lie(path, status, body):
            if path == "/append" and status == 200:
                return status, body.replace(b'"index":', far, 1)
            return None

        log.between.change = lie
        kms = Kms(
            tmp_path / "kms", clock=Clock(wall_clock()),
            peers={"log": Peer(log.url, token=TOKEN)},
            manifest=changed(KMS, environment=settings),
        )  # fmt: skip
        file = kms.file()
        old = copied(kms, "old")
        kms.withdraw(file)
        log.between.change = lambda *_: None
        log.publisher.publish()
        put_back(kms, old)
        with publishing(log), pytest.raises(NotAuthentic) as caught:
            kms.restart()
        assert caught.value.code == "state_rolled_back"


@contextlib.contextmanager
def publishing(log):
    log.publisher.start()
    try:
        yield
    finally:
        log.publisher.stop()


def test_nothing_is_released_while_the_log_takes_nothing(town):
    log, kms = town
    kms.peers["log"] = Peer(log.url, token="not-the-token-that-was-given")
    with pytest.raises(Error):
        kms.restart()  # it cannot even begin


def test_a_statement_that_the_log_did_not_take_is_appended_before_the_next(town):
    log, kms = town
    file, other = kms.file(), kms.file()
    client, policy = kms.journal._log
    kms.journal._log = (Deaf(client), policy)
    with pytest.raises(Unavailable):
        kms.withdraw(file)
    assert kms.keeper._state.get(f"recipient/{file.recipient.digest.hex()}") is None
    with pytest.raises(Unavailable):
        kms.train(other)
    kms.journal._log = (client, policy)
    said = kms.withdraw(file)  # again, and now it is in the log
    log.publisher.publish()
    assert Statement.parse(said.payload).id in ids(log)
    kms.restart()
    with pytest.raises(Refused) as refused:
        kms.train(file)
    assert refused.value.code == "withdrawn"


def ids(log):
    return {one.statement_id for one in log.log.iterate()}


class Deaf:
    """A log's client whose log does not answer appends."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        return getattr(self._client, name)

    def append(self, _data):
        raise Unavailable("the log does not answer", code="log_unreachable")


def test_each_entry_of_the_kms_names_its_identity(town):
    log, kms = town
    file = kms.file()
    kms.train(file)
    log.publisher.publish()
    mine = [one for one in log.log.iterate() if one.identity == kms.journal.me.digest]
    assert len(mine) == 3  # the identity, the recipient, the release


def test_without_a_log_the_kms_says_that_nothing_guards_its_state(kms):
    assert not kms.journal.guarded
