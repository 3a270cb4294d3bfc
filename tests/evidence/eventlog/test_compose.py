"""The compose file: measured byte for byte, and what its images are."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Error, Malformed
from teeproof.evidence.eventlog import verify
from teeproof.evidence.eventlog.compose import (
    app_id_of,
    check_compose,
    compose_hash,
    parse_compose,
)
from teeproof.evidence.eventlog.images import check_images, images
from teeproof.evidence.eventlog.mrconfig import mrconfigid_v1
from teeproof.evidence.eventlog.yamltree import parse_yaml
from tests.evidence.eventlog import logs

DIGEST = "@sha256:" + "ab" * 32


def deep(levels):
    """Lists in each other, so many deep."""
    value = []
    for _ in range(levels - 1):
        value = [value]
    return value


def compose_check(compose, *, log=True, **more):
    log = logs.encode(logs.whole()) if log else None
    checks, _ = verify(log, rtmrs=logs.rtmrs(logs.whole()), compose=compose, **more)
    return checks[4]


def app(yaml="services:\n  a:\n    image: x" + DIGEST, **fields):
    body = {"manifest_version": 2, "name": "app", "runner": "docker-compose"}
    return json.dumps(body | {"docker_compose_file": yaml} | fields).encode()


def test_the_measured_compose_file_passes():
    check = compose_check(logs.COMPOSE)
    assert (check.state, check.got) == ("passed", logs.COMPOSE_HASH.hex())


def test_operator_hands_over_the_same_json_in_other_bytes():
    check = compose_check(json.dumps(json.loads(logs.COMPOSE), indent=2).encode())
    assert (check.state, check.code) == ("failed", "compose_reformatted")
    assert "same JSON, other bytes" in check.detail
    assert check.expected == logs.COMPOSE_HASH.hex()


def reformatted(value):
    """The measured bytes of a compose file, and the same JSON as another tool writes it."""
    return json.dumps(value).encode(), json.dumps(value, indent=2).encode()


def judged(measured, given):
    return check_compose(given, facts=None, mrconfigid=mrconfigid_v1(compose_hash(measured)))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"z": "x" * 60_000}, "compose_reformatted"),
        ({"z": "x" * 66_000}, "compose_mismatch"),
        ({"z": deep(7)}, "compose_reformatted"),
        ({"z": deep(8)}, "compose_mismatch"),
        ({"z": [[0] * 9] * 300}, "compose_reformatted"),
    ],
    ids=["large", "too large", "deep", "too deep", "wide"],
)
def test_host_cannot_make_the_verifier_write_a_huge_file_in_every_form(more, code):
    measured, given_ = reformatted({"runner": "bash"} | more)
    assert judged(measured, measured).state == "passed"
    check = judged(measured, given_)
    assert (check.state, check.code) == ("failed", code)
    # Where nothing was compared, the words leave open that the file was only reformatted.
    assert "reformatted" in check.detail


def test_host_cannot_make_the_verifier_hold_more_than_one_form_at_a_time(monkeypatch):
    written = []

    def counting(value, **options):
        written.append(options)
        return real(value, **options)

    real = json.dumps
    measured = real({"runner": "bash"}, separators=(",", ":")).encode()
    monkeypatch.setattr(json, "dumps", counting)
    assert judged(measured, measured + b" ").code == "compose_reformatted"
    assert len(written) == 1
    huge = b'{"runner":"x","z":' + b"[" * 60 + b",".join([b"1"] * 520_000) + b"]" * 60 + b"}"
    assert judged(b"", huge).code == "compose_mismatch"
    assert len(written) == 1


def test_operator_hands_over_another_compose_file():
    check = compose_check(logs.COMPOSE.replace(b'"app"', b'"spy"'))
    assert (check.state, check.code) == ("failed", "compose_mismatch")


@pytest.mark.parametrize("more", [b" ", b"\n"])
def test_operator_appends_one_byte_to_the_compose_file(more):
    assert compose_check(logs.COMPOSE + more).state == "failed"


def test_operator_gives_one_key_of_the_compose_file_twice():
    twice = logs.COMPOSE.replace(b"{", b'{"name":"other",', 1)
    log = logs.whole()
    log[logs.place(log, "compose-hash")] = logs.v1("compose-hash", compose_hash(twice))
    checks, _ = verify(logs.encode(log), rtmrs=logs.rtmrs(log), compose=twice)
    assert (checks[4].state, checks[4].code) == ("failed", "json_duplicate_key")


def test_without_a_log_the_quoted_configuration_speaks_for_the_compose_file():
    ours, other = mrconfigid_v1(logs.COMPOSE_HASH), mrconfigid_v1(bytes(32))
    assert compose_check(logs.COMPOSE, log=False, mrconfigid=ours).state == "passed"
    assert compose_check(logs.COMPOSE, log=False, mrconfigid=other).state == "failed"
    assert compose_check(logs.COMPOSE, log=False).state == "not_checked"
    foreign = ours[:-1] + b"\1"
    assert compose_check(logs.COMPOSE, log=False, mrconfigid=foreign).state == "not_checked"


def test_an_app_id_is_normally_the_beginning_of_the_compose_hash():
    assert app_id_of(logs.COMPOSE_HASH) == hashlib.sha256(logs.COMPOSE).digest()[:20]


def test_a_real_compose_file_is_read(vectors):
    data = (vectors / "dstack/fixtures/simulator_app_compose.json").read_bytes()
    found = parse_compose(data)
    assert (found.runner, found.unknown) == ("docker-compose", ())
    assert found.scripts == ("pre_launch_script",)
    assert [i.reference for i in images(found.docker_compose_file)] == [
        "ubuntu",
        "dstacktee/dstack-verifier:0.5.4",
    ]
    assert check_images(data).code == "image_not_pinned"


@pytest.mark.parametrize("data", [b"[]", b"{}", b'{"runner":1}', b'{"runner":"bash","name":[]}'])
def test_what_is_no_compose_file_is_refused(data):
    with pytest.raises(Malformed):
        parse_compose(data)


@pytest.mark.parametrize("image", ["x", "ghcr.io/a/b", "localhost:5000/x:1.2"])
def test_an_image_named_by_digest_passes_and_its_twin_with_a_tag_does_not(image):
    pinned = check_images(app(f"services:\n  a:\n    image: {image}{DIGEST}"))
    assert pinned.state == "passed"
    loose = check_images(app(f"services:\n  a:\n    image: {image}"))
    assert (loose.state, loose.code, loose.concern) == ("failed", "image_not_pinned", "policy")
    assert loose.got == image


@pytest.mark.parametrize(
    "body",
    [
        f"image: x{DIGEST}0",
        f"image: x{DIGEST[:-1]}",
        f"image: x@sha256:{'AB' * 32}",
        f"image: x@sha512:{'ab' * 64}",
        "image: x:latest",
        f"image: ${{IMAGE:-x{DIGEST}}}",
        f"image: $REPOSITORY{DIGEST}",
        "image: [x]",
        "build: .",
        f"build: .\n    image: x{DIGEST}",
        f"pull_policy: build\n    image: x{DIGEST}",
        f"extends: {{file: other.yml, service: b}}\n    image: x{DIGEST}",
        f"provider: {{type: model}}\n    image: x{DIGEST}",
        f"image: x{DIGEST}\n    volumes: [{{type: image, source: 'y:1', target: /m}}]",
        "command: x",
    ],
)
def test_operator_names_an_image_that_may_change(body):
    check = check_images(app(f"services:\n  a:\n    {body}"))
    assert (check.state, check.code) == ("failed", "image_not_pinned")


@pytest.mark.parametrize(
    "yaml",
    [
        "",
        "services: {}",
        "services: [a]",
        "services:\n  a: x",
        f"include: [other.yml]\nservices:\n  a:\n    image: x{DIGEST}",
        f"services:\n  a:\n    image: x{DIGEST}\n  a:\n    image: y",
        f"services:\n  a: &s\n    image: x{DIGEST}\n  b: *s",
        f"services:\n  a:\n    image: x{DIGEST}\n    <<: {{image: y}}",
        f"services:\n  a:\n    image: !!str x{DIGEST}",
        f"services:\n  a:\n    image: x{DIGEST}\n---\nservices: {{}}",
        "services: [" + "[" * 100,
        "a: b: c",
        "? [a]\n: b",
        "x" * (256 * 1024 + 1),
        "\x00",
    ],
)
def test_operator_writes_yaml_that_two_readers_might_read_differently(yaml):
    with pytest.raises(Malformed):
        images(yaml)


def test_a_file_with_extensions_volumes_and_networks_is_understood():
    text = f"""
name: app
x-note: hello
services:
  a:
    image: x{DIGEST}
    volumes: ["data:/data", {{type: image, source: "y{DIGEST}", target: /m}}]
  b:
    image: "y:1{DIGEST}"
volumes: {{data: }}
networks: {{n: {{}}}}
"""
    assert [(i.service, i.pinned) for i in images(text)] == [("a", True), ("a", True), ("b", True)]


def test_scripts_beside_pinned_images_leave_the_question_open():
    check = check_images(app(pre_launch_script="docker run evil"))
    assert check.state == "not_checked"
    assert "pre_launch_script" in check.detail
    assert check_images(app(pre_launch_script="")).state == "passed"


def test_an_unknown_field_of_the_compose_file_is_refused_by_name():
    check = check_images(app(post_launch_script="docker run evil"))
    assert (check.code, check.got) == ("compose_field_unknown", "post_launch_script")


def test_an_application_without_a_docker_compose_file_has_no_images_to_judge():
    assert check_images(app(None)).state == "not_checked"


def test_every_yaml_scalar_stays_text():
    assert parse_yaml("a: [yes, 1e3, null, 0o7]") == {"a": ["yes", "1e3", "null", "0o7"]}


@given(st.text(max_size=60) | st.text("ab:-[]{}&*!<\n \"'|>?#%@,", max_size=60))
def test_arbitrary_yaml_raises_nothing_but_our_errors(text):
    with suppress(Error):
        images(text)
