"""A log's client: it believes nothing that is not proved, whoever stands between."""

from __future__ import annotations

import json

import pytest

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, TooLarge, Unavailable, Usage
from teeproof.proof.log.formats.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.entry import RECEIPT, SALT_BYTES, Entry
from teeproof.proof.log.formats.merkle import Tree, leaf_hash, verify_consistency, verify_inclusion
from teeproof.proof.log.formats.note import NoteSigner
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.formats.tlogproof import TlogProof, verify
from teeproof.proof.log.http.client import LogClient
from teeproof.proof.log.http.promise import Promise
from teeproof.proof.log.http.transport import Transport
from tests.proof.log.http.httplog import ORIGIN, identity, receipt, served, statement, statement_id

NOW = 1_900_000_000
SIZE = 600
TINY = 3


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A served log of 600 entries; what a test changes on the way is changed back."""
    with served(tmp_path_factory.mktemp("log") / "log") as made:
        with made.client() as client:
            client.append_many([statement(n) for n in range(TINY)])
            made.publisher.publish()
            for start in range(TINY, SIZE, 200):
                client.append_many([statement(n) for n in range(start, min(SIZE, start + 200))])
        made.publisher.publish()
        yield made


@pytest.fixture(autouse=True)
def _as_it_was(request):
    yield
    if "log" in request.fixturenames:
        between = request.getfixturevalue("log").between
        between.change = lambda *_: None
        between.headers = []


@pytest.fixture
def client(log):
    with log.client() as made:
        yield made


@pytest.fixture
def fresh(tmp_path):
    with served(tmp_path / "log") as made:
        yield made


def altered(where: str, how):
    """Alter the answer to each path that begins so."""

    def change(path: str, status: int, body: bytes):
        return (status, how(body)) if status == 200 and path.startswith(where) else None

    return change


def flip(at: int):
    return lambda body: body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] if body else body


def reason(error: pytest.ExceptionInfo) -> str:
    return error.value.code


def test_an_append_becomes_a_proof_that_any_client_can_check(fresh):
    with fresh.client() as client:
        promise = client.append(statement())
        fresh.publisher.publish()
        proof = client.wait_included(promise)
    assert proof.extra == promise.salt
    policy = TlogPolicy.parse(f"log {fresh.log.verifier.text()}\nquorum none\n")
    again = TlogProof.parse(proof.encode())
    assert verify(again, promise.entry, policy=policy, now=NOW).log is True


def test_a_batch_is_promised_one_by_one(fresh):
    with fresh.client() as client:
        promises = client.append_many([statement(1), statement(2)])
        fresh.publisher.publish()
        assert [client.wait_included(p).index for p in promises] == [0, 1]
        for wrong in ([], [statement(1)] * 257, [statement(1) + b"\n"]):
            with pytest.raises(Usage) as error:
                client.append_many(wrong)
            assert reason(error) == "batch_malformed"


def test_a_receipt_is_appended_once_its_author_is_known(fresh):
    who = identity()
    with fresh.client() as client:
        with pytest.raises(Unavailable) as error:
            client.append(receipt(who.keyset_digest))
        assert reason(error) == "identity_unknown"
        client.append(who.encode())
        promise = client.append(receipt(who.keyset_digest))
        assert Entry.parse(promise.entry).kind == RECEIPT
        assert Entry.parse(promise.entry).identity == who.digest
    with fresh.client() as another:
        another.introduce(who.encode())
        assert another.append(receipt(who.keyset_digest)).index == promise.index


def test_what_no_log_takes_is_not_even_sent(log, client):
    log.between.asked.clear()
    with pytest.raises(Malformed):
        client.append(b"{}")
    assert log.between.asked == []


@pytest.mark.parametrize("index", [0, 1, 255, 256, 511, 512, 599])
def test_entries_and_their_paths_come_out_of_tiles(log, client, index):
    signed = client.checkpoint()
    tree = client.tree(signed)
    entry = tree.entry(index)
    assert entry == log.log.entry(index)
    proof = client.include(index, signed)
    verify_inclusion(
        leaf_hash(entry), index=index, size=SIZE, proof=proof.hashes, root=signed.checkpoint.root
    )


@pytest.mark.parametrize("old", [0, 1, TINY, 256, 300, 599, SIZE])
def test_consistency_comes_out_of_tiles(log, client, old):
    signed = client.checkpoint()
    tree = Tree(leaf_hash(log.log.entry(index)) for index in range(SIZE))
    verify_consistency(
        old_size=old,
        old_root=tree.root(old),
        new_size=SIZE,
        new_root=signed.checkpoint.root,
        proof=client.consistency_proof(old, signed),
    )


def test_what_is_not_in_the_tree_is_not_asked_for(log, client):
    signed = client.checkpoint()
    tree = client.tree(signed)
    log.between.asked.clear()
    for wrong in (SIZE, -1, 1 << 70):
        with pytest.raises(Usage) as error:
            tree.entry(wrong)
        assert reason(error) == "outside_tree"
    for level, index in ((0, SIZE), (3, 75), (64, 0), (-1, 0), (0, -1), (10, 0)):
        with pytest.raises(Usage):
            tree.node(level, index)
    assert log.between.asked == []


def test_an_old_checkpoint_is_read_from_the_full_tiles_that_replaced_its_partial_ones(log, client):
    old = log.log.first_checkpoint(0, accept=lambda s: s.checkpoint.size == TINY)
    gone = {"/tile/0/000.p/3", "/tile/entries/000.p/3"}
    log.between.change = lambda path, status, body: (404, b"") if path in gone else None
    tree = client.tree(old)
    assert [tree.entry(n) for n in range(TINY)] == [log.log.entry(n) for n in range(TINY)]


def test_a_tile_that_is_missing_altogether_says_so(log, client):
    signed = client.checkpoint()
    log.between.change = lambda path, *_: (404, b"") if path.startswith("/tile") else None
    with pytest.raises(Unavailable) as error:
        client.tree(signed).entry(0)
    assert reason(error) == "tile_missing"


@pytest.mark.parametrize(
    "where", ["/tile/0/000", "/tile/0/002.p/88", "/tile/1/000.p/2", "/tile/entries/000"]
)
@pytest.mark.parametrize(
    ("how", "codes"),
    [
        pytest.param(flip(40), ("tile_mismatch", "entries_mismatch"), id="one bit"),
        pytest.param(lambda b: b[:-32], ("tile_malformed", "entries_malformed"), id="cut short"),
        pytest.param(lambda b: b[32:64] + b[:32] + b[64:], None, id="two hashes swapped"),
        pytest.param(lambda _: b"", ("tile_malformed", "entries_malformed"), id="empty"),
    ],
)
def test_network_altered_tiles_and_bundles_are_noticed(log, client, where, how, codes):
    signed = client.checkpoint()
    log.between.change = altered(where, how)
    tree = client.tree(signed)
    with pytest.raises((NotAuthentic, Malformed)) as error:
        _ = [(tree.entry(index), tree.node(0, index)) for index in (0, 599)]
    assert codes is None or reason(error) in codes


def test_network_more_than_a_tile_can_have_is_not_read(log, client):
    signed = client.checkpoint()
    log.between.change = altered("/tile", lambda body: body * 3000)
    with pytest.raises(TooLarge):
        client.tree(signed).entry(0)


def test_network_an_altered_checkpoint_is_noticed(log, client):
    for how, code in (
        (lambda b: b.replace(b"\n600\n", b"\n601\n"), "checkpoint_signature"),
        (lambda b: b.replace(ORIGIN.encode(), b"log.example/other"), "log_unknown"),
        (lambda b: b[: b.index(b"\n\n") + 1], "note_malformed"),
    ):
        log.between.change = altered("/checkpoint", how)
        with pytest.raises((NotAuthentic, Malformed)) as error:
            client.checkpoint()
        assert reason(error) == code


def test_log_that_forks_is_caught_with_both_checkpoints(fresh):
    signer = NoteSigner(ORIGIN, b"\x07" * 32)
    with fresh.client() as client:
        client.append_many([statement(n) for n in range(5)])
        fresh.publisher.publish()
        seen = client.checkpoint()
        for size in (3, 5):
            root = sha256(b"another history")
            forked = sign_checkpoint(Checkpoint(ORIGIN, size, root), signer)
            fresh.between.change = altered("/checkpoint", lambda _, f=forked: f.encode())
            with pytest.raises(NotAuthentic) as error:
                client.checkpoint()
            assert reason(error) == "log_forked"
            said = {error.value.expected, error.value.got}
            assert said == {seen.encode().decode(), forked.encode().decode()}


def test_network_altered_tiles_do_not_convict_the_log(fresh):
    with fresh.client() as client:
        client.append_many([statement(n) for n in range(5)])
        fresh.publisher.publish()
        client.checkpoint()
        client.append_many([statement(n) for n in range(5, 10)])
        fresh.publisher.publish()
        fresh.between.change = altered("/tile", flip(3))
        with pytest.raises(NotAuthentic) as error:
            client.checkpoint()
        assert reason(error) == "tile_mismatch"


def test_an_older_checkpoint_of_the_same_history_is_no_crime(fresh):
    with fresh.client() as client:
        client.append(statement(1))
        fresh.publisher.publish()
        old = client.checkpoint()
        client.append(statement(2))
        fresh.publisher.publish()
        assert client.checkpoint().checkpoint.size == 2
        fresh.between.change = altered("/checkpoint", lambda _: old.encode())
        assert client.checkpoint() == old


def test_log_that_answers_with_another_index_is_caught(fresh):
    with fresh.client() as client:
        client.append(statement(1))

        def lie(body: bytes) -> bytes:
            return json.dumps(json.loads(body) | {"index": 0}).encode()

        fresh.between.change = altered("/append", lie)
        promise = client.append(statement(2))
        fresh.publisher.publish()
        with pytest.raises(NotAuthentic) as error:
            client.wait_included(promise)
        assert reason(error) == "entry_mismatch"


@pytest.mark.parametrize(
    ("change", "kind", "code"),
    [
        ({"id": named(sha256(b"another"))}, NotAuthentic, "statement_mismatch"),
        ({"id": None}, NotAuthentic, "statement_mismatch"),
        ({"origin": "log.example/other"}, NotAuthentic, "origin_mismatch"),
        ({"index": -1}, Malformed, "answer_malformed"),
        ({"index": True}, Malformed, "answer_malformed"),
        ({"index": 1 << 63}, Malformed, "answer_malformed"),
        ({"index": "0"}, Malformed, "answer_malformed"),
        ({"salt": "00"}, Malformed, "answer_malformed"),
        ({"salt": 7}, Malformed, "answer_malformed"),
        ({"salt": "zz" * 32}, Malformed, "answer_malformed"),
        ({"published_by": "soon"}, Malformed, "answer_malformed"),
        ({"published_by": 7}, Malformed, "answer_malformed"),
    ],
)
def test_log_that_answers_otherwise_is_not_believed(log, client, change, kind, code):
    def lie(body: bytes) -> bytes:
        return json.dumps(json.loads(body) | change).encode()

    log.between.change = altered("/append", lie)
    with pytest.raises(kind) as error:
        client.append(statement(5))
    assert reason(error) == code


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"{}"])
def test_log_that_answers_with_junk_is_not_believed(log, client, body):
    log.between.change = altered("/append", lambda _: body)
    with pytest.raises((Malformed, NotAuthentic)):
        client.append(statement(5))


def test_log_that_gives_another_salt_is_caught(fresh):
    def lie(body: bytes) -> bytes:
        return json.dumps(json.loads(body) | {"salt": "11" * SALT_BYTES}).encode()

    with fresh.client() as client:
        fresh.between.change = altered("/append", lie)
        promise = client.append(statement(1))
        fresh.publisher.publish()
        with pytest.raises(NotAuthentic) as error:
            client.wait_included(promise)
        assert reason(error) == "entry_mismatch"


def test_a_promise_that_is_not_kept_is_said_to_be_late_and_then_broken(fresh):
    ticks = iter(range(10_000))
    with fresh.client(clock=lambda: float(next(ticks))) as client:
        promise = client.append(statement())
        with pytest.raises(Unavailable, match="wait longer") as error:
            client.wait_included(promise, timeout=5)
        assert reason(error) == "not_published"
        past = Promise(promise.index, promise.salt, promise.entry, promise.id, 1)
        with pytest.raises(Unavailable, match="though it promised to"):
            client.wait_included(past, timeout=0)


def test_who_waits_can_ask_for_cosignatures(fresh):
    witness = Cosigner("witness.example/w", b"\x09" * 32)
    policy = TlogPolicy.parse(
        f"log {fresh.log.verifier.text()}\nwitness w {witness.verifier.text()}\nquorum w\n"
    )

    def accept(signed: SignedCheckpoint) -> bool:
        return policy.judge(signed, now=NOW).quorum

    with fresh.client() as client:
        promise = client.append(statement())
        signed = fresh.publisher.publish()
        with pytest.raises(Unavailable):
            client.wait_included(promise, timeout=0, accept=accept)
        fresh.log.add_cosignatures(1, [witness.cosign(signed.note.text, time=NOW)])
        proof = client.wait_included(promise, accept=accept)
    assert verify(proof, promise.entry, policy=policy, now=NOW).time == NOW


def test_the_logs_own_proof_is_checked_before_it_is_believed(log, client):
    proof, entry = client.prove(statement_id(statement(7)))
    assert proof.index == 7
    assert proof.checkpoint.checkpoint.size == SIZE
    assert entry.encode() == log.log.entry(7)


def test_log_that_hands_out_someone_elses_proof_is_caught(log, client):
    others, _ = client.prove(statement_id(statement(8)))
    log.between.change = altered("/proof", lambda _: others.encode())
    with pytest.raises(NotAuthentic) as error:
        client.prove(statement_id(statement(7)))
    assert reason(error) == "statement_mismatch"


def test_log_that_hands_out_a_proof_with_another_path_is_caught(log, client):
    proof, _ = client.prove(statement_id(statement(7)))
    others, _ = client.prove(statement_id(statement(9)))
    mixed = TlogProof(proof.extra, proof.index, others.hashes, proof.checkpoint)
    log.between.change = altered("/proof", lambda _: mixed.encode())
    with pytest.raises(NotAuthentic) as error:
        client.prove(statement_id(statement(7)))
    assert reason(error) == "inclusion_mismatch"


def test_a_statement_that_the_log_does_not_have_is_said_to_be_missing(client):
    with pytest.raises(Unavailable) as error:
        client.prove(sha256(b"nothing"))
    assert reason(error) == "statement_unknown"


def test_blobs_are_checked_by_their_digest(log, client):
    name = client.put_blob(b"evidence")
    assert client.blob(name) == b"evidence"
    log.between.change = altered("/blob", flip(0))
    with pytest.raises(NotAuthentic) as error:
        client.blob(name)
    assert reason(error) == "blob_mismatch"


def test_a_wrong_token_is_told_apart_from_a_wrong_log(log):
    with log.client(token="wrong-wrong-wrong-wrong") as client:
        with pytest.raises(NotAllowed) as error:
            client.append(statement(5))
        assert reason(error) == "token_wrong"
        assert client.checkpoint().checkpoint.size >= SIZE, "reading needs none"


def test_a_client_with_the_key_of_another_log_believes_nothing(log):
    other = NoteSigner(ORIGIN, b"\x08" * 32).verifier
    with log.client(key=other) as client, pytest.raises(NotAuthentic) as error:
        client.checkpoint()
    assert reason(error) == "log_unknown"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_log_is_asked_again_with_longer_pauses(log, status):
    pauses, left = [], [2]

    def busy(path: str, *_: object):
        left[0] -= 1
        return (status, b"busy") if left[0] >= 0 else None

    log.between.change = busy
    with log.client(sleep=pauses.append) as client:
        assert client.append(statement(5)).index == 5
    assert len(pauses) == 2
    assert 0.2 <= pauses[0] <= 0.3 <= pauses[1]


def test_a_log_that_stays_busy_is_given_up_on(log):
    pauses = []
    log.between.change = lambda *_: (503, b"")
    with log.client(sleep=pauses.append) as client, pytest.raises(Unavailable):
        client.checkpoint()
    assert len(pauses) == 4


def test_a_refusal_is_not_asked_again(log):
    log.between.asked.clear()
    with log.client(token="wrong-wrong-wrong-wrong") as client, pytest.raises(NotAllowed):
        client.append(statement(5))
    assert log.between.asked == ["POST /append"]


def test_network_a_log_that_is_not_there_is_unreachable():
    with (
        LogClient(
            "http://127.0.0.1:9",
            NoteSigner(ORIGIN, b"\x07" * 32).verifier,
            sleep=lambda _: None,
        ) as client,
        pytest.raises(Unavailable) as error,
    ):
        client.checkpoint()
    assert reason(error) == "log_unreachable"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_network_no_redirect_is_followed_with_a_token_or_without(log, client, status):
    log.between.headers = [(b"location", b"http://127.0.0.1:9/elsewhere")]
    log.between.change = lambda *_: (status, b"")
    for ask in (client.checkpoint, lambda: client.append(statement(5))):
        with pytest.raises(Unavailable, match="redirect") as error:
            ask()
        assert reason(error) == "log_unreachable"


def test_network_a_compressed_answer_is_refused(log, client):
    log.between.headers = [(b"content-encoding", b"gzip")]
    with pytest.raises(Unavailable, match="compressed"):
        client.checkpoint()


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": "Bad Code\\n", "detail": "x"}',
        b'{"error": 7, "detail": []}',
        b"not json",
        b'{"error": "x", "error": "y"}',
        b"[]",
        b'{"detail": "\\ud800"}',
        b'{"detail": "' + b"x" * 5000 + b'"}',
    ],
)
def test_network_a_strange_refusal_is_a_refusal_all_the_same(log, client, body):
    log.between.change = lambda *_: (400, body)
    with pytest.raises(Malformed) as error:
        client.checkpoint()
    assert reason(error) in ("log_refused", "x")
    assert len(error.value.detail) < 1000


@pytest.mark.parametrize(
    "url",
    ["", "ftp://x", "http://", "log.example", "http://x:port", "http://x/?q", "http://x/#f"],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(Usage) as error:
        Transport(url)
    assert reason(error) == "url_malformed"


def test_network_a_token_never_crosses_it_in_the_clear():
    with pytest.raises(Usage) as error:
        Transport("http://log.example/", token="secret-secret-secret")
    assert reason(error) == "token_in_the_clear"
    for fine in (
        "https://log.example/",
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "http://localhost",
    ):
        Transport(fine, token="secret-secret-secret").close()
    Transport("http://log.example/").close()


def test_network_an_answer_that_drips_for_ever_is_cut_off(log):
    ticks = iter(range(0, 10**9, 400))
    transport = Transport(
        log.url, attempts=1, timeout=30.0, clock=lambda: float(next(ticks)), sleep=lambda _: None
    )
    with log.client(transport=transport) as client, pytest.raises(Unavailable) as error:
        client.checkpoint()
    assert reason(error) == "log_unreachable"
    assert "too long" in error.value.detail


def test_a_log_with_several_keys_is_known_by_any_of_them(log):
    new = NoteSigner(ORIGIN, b"\x08" * 32).verifier
    with log.client(key=(new, log.log.verifier)) as client:
        assert client.origin == ORIGIN
        assert client.checkpoint().checkpoint.size == SIZE
        assert client.prove(statement_id(statement(7)))[0].index == 7
    with log.client(key=(new,)) as client, pytest.raises(NotAuthentic) as error:
        client.checkpoint()
    assert reason(error) == "log_unknown"
    for keys in ((), (new, NoteSigner("log.example/other", b"\x08" * 32).verifier)):
        with pytest.raises(Usage) as several:
            log.client(key=keys)
        assert reason(several) == "log_ambiguous"


def test_a_log_says_which_blobs_it_has(log, client):
    stored = client.put_blob(b"evidence")
    assert client.has_blob(stored)
    assert not client.has_blob(named(sha256(b"nothing")))
    with log.client(token=None) as stranger, pytest.raises(NotAllowed):
        stranger.has_blob(stored)
