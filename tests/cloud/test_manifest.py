"""What shall run: one file for one manifest, and a digest over all that matters."""

from __future__ import annotations

import dataclasses
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from teeproof.cloud.manifest import MAX_MANIFEST_BYTES, Manifest
from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.eventlog.compose import parse_compose
from teeproof.evidence.eventlog.images import check_images

CODE = "sha256:" + "ab" * 32
GIVEN = Manifest("trainer", "some.module", ("--epochs", "3"), {"SEED": "7", "A": "$x"}, CODE)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,10}", fullmatch=True)


def test_it_reads_back():
    assert Manifest.parse(GIVEN.compose()) == GIVEN
    assert Manifest.parse(Manifest("a", "b.c").compose()) == Manifest("a", "b.c")


@given(st.lists(TEXTS, max_size=4), st.dictionaries(NAMES, TEXTS, max_size=4))
def test_any_text_reads_back(arguments, environment):
    manifest = Manifest("w", "a.b", tuple(arguments), environment, CODE)
    assert Manifest.parse(manifest.compose()) == manifest


@pytest.mark.parametrize(
    "change",
    [
        {"name": "trainers"},
        {"module": "some.modules"},
        {"arguments": ("--epochs", "4")},
        {"arguments": ("--epochs 3",)},
        {"arguments": ()},
        {"environment": {"SEED": "8", "A": "$x"}},
        {"environment": {"SEED": "7", "A": "$$x"}},
        {"environment": {"SEED": "7"}},
        {"code": "sha256:" + "ac" * 32},
    ],
    ids=str,
)
def test_each_change_is_another_compose_hash(change):
    assert dataclasses.replace(GIVEN, **change).compose_hash != GIVEN.compose_hash


def test_the_order_of_variables_is_no_other_application():
    turned = dataclasses.replace(GIVEN, environment={"A": "$x", "SEED": "7"})
    assert turned.compose_hash == GIVEN.compose_hash


def test_dstack_reads_it_as_an_application_with_one_pinned_image():
    app = parse_compose(GIVEN.compose())
    assert (app.name, app.runner, app.scripts, app.unknown) == ("trainer", "docker-compose", (), ())
    assert check_images(GIVEN.compose()).state == "passed"
    inner = yaml.safe_load(app.docker_compose_file)
    service = inner["services"]["trainer"]
    assert service["image"].endswith(f"@{CODE}")
    assert service["environment"]["A"] == "$$x"  # compose puts nothing of the host in its place
    assert service["network_mode"] == "none"


@pytest.mark.parametrize(
    "field",
    [
        {"name": ""}, {"name": "Trainer"}, {"name": "a" * 41}, {"name": "../x"},
        {"module": "nodots"}, {"module": "a.b;c"}, {"module": "a..b"}, {"module": ".a"},
        {"arguments": ("\0",)}, {"arguments": (7,)}, {"arguments": ("a",) * 257},
        {"environment": {"lower": "x"}}, {"environment": {"A=B": "x"}},
        {"environment": {"A": "\0"}}, {"environment": {"A": None}},
        {"code": "sha256:short"}, {"code": "latest"}, {"code": "sha256:" + "AB" * 32},
    ],
    ids=str,
)  # fmt: skip
def test_what_has_no_form_is_refused(field):
    with pytest.raises(Malformed):
        dataclasses.replace(GIVEN, **field)


def test_large_settings_are_refused_with_the_limit():
    with pytest.raises(Malformed) as refused:
        dataclasses.replace(GIVEN, environment={"A": "x" * MAX_MANIFEST_BYTES}).compose()
    assert str(MAX_MANIFEST_BYTES) in refused.value.expected
    with pytest.raises(TooLarge):
        Manifest.parse(b" " * (MAX_MANIFEST_BYTES + 1))


def test_host_writes_the_same_manifest_in_other_words():
    compose = GIVEN.compose()
    value = json.loads(compose)
    inner = json.loads(value["docker_compose_file"])
    service = inner["services"]["trainer"]
    others = [
        compose + b"\n",
        json.dumps(value).encode(),
        json.dumps(value | {"allowed_envs": ["SEED"]}, indent=2).encode(),
        json.dumps(value | {"pre_launch_script": "curl evil"}, indent=2).encode(),
        json.dumps(value | {"public_logs": True}, indent=2).encode(),
    ]
    for change in (
        {"privileged": True}, {"volumes": ["/:/host"]}, {"network_mode": "host"},
        {"command": ["some.module", "$HOME"]}, {"command": []}, {"image": "x:latest"},
    ):  # fmt: skip
        changed = {"services": {"trainer": service | change}}
        text = json.dumps(value | {"docker_compose_file": json.dumps(changed)}, indent=2)
        others.append(text.encode())
    for other in others:
        with pytest.raises(Malformed) as refused:
            Manifest.parse(other)
        assert refused.value.code == "manifest_malformed"


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b'{"name":"a"}'])
def test_what_is_no_compose_file_is_refused(data):
    with pytest.raises(Malformed):
        Manifest.parse(data)
