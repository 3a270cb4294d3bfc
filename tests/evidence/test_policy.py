"""Policies: a mistake in one is an error that names the field, never a weaker policy."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core import strictjson
from teeproof.core.errors import Error, TooLarge, Usage
from teeproof.evidence.nitro.chain import AWS_NITRO_ROOT
from teeproof.evidence.policy import (
    BUILT_IN,
    INTEL_ROOT,
    MAX_POLICY_BYTES,
    Floor,
    Policy,
    TcbStatus,
    load_policy,
    parse_policy,
    policy_text,
)
from teeproof.evidence.policy_values import AMD_ROOTS

PIN = "sha256:" + "ab" * 32
NONCE = {"nonce": "a nonce", "keyset_digest": PIN}
REPORT = {"report_data": "00" * 64}
AT = "2026-02-25T12:00:00Z"
KEYED = {"id_key_digest": ["ab" * 48]}

# One value of each field that differs from its default, with what it needs beside it.
EXAMPLES: dict[str, dict[str, Any]] = {
    "name": {"name": "another"},
    "description": {"description": "A sentence."},
    "roots": {"roots": []},
    "simulated_roots": {"simulated_roots": [PIN]},
    "tcb_statuses": {"tcb_statuses": ["UpToDate"]},
    "tcb_grace_days": {"tcb_statuses": [], "tcb_grace_days": {"OutOfDate": 30}},
    "denied_advisories": {"denied_advisories": ["INTEL-SA-00615"]},
    "tcb_evaluation_floor": {"tcb_evaluation_floor": [{"since": "2026-01-01", "number": 18}]},
    "max_collateral_age_days": {"max_collateral_age_days": 30},
    "second_path": {"second_path": True},
    "revocation_list": {"revocation_list": True},
    **{
        name: {name: False}
        for name in (
            "debug", "migration", "service_td", "sept_ve_disable", "dynamic_platform",
            "cached_keys", "smt", "vlek", "masked_chip_id", "ciphertext_hiding", "single_socket",
        )
    },
    **{
        name: {name: ["00" * 48]}
        for name in (
            "mrtd", "mrseam", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrconfigid", "mrowner",
            "mrownerconfig", "measurement", "pcr0", "pcr1",
            "pcr2", "pcr3", "pcr4", "pcr8",
        )
    },
    "tee": {"tee": "tdx"},
    "products": {"products": ["Milan"]},
    "minimum_tcb": {"minimum_tcb": [{"product": "Turin", "fmc": 1, "snp": 4}]},
    "vmpl": {"vmpl": [0, 1]},
    "minimum_guest_svn": KEYED | {"minimum_guest_svn": 1},
    "host_data": {"host_data": ["00" * 32]},
    "family_id": KEYED | {"family_id": ["00" * 16]},
    "image_id": KEYED | {"image_id": ["00" * 16]},
    "id_key_digest": {"id_key_digest": ["ab" * 48]},
    "author_key_digest": {"author_key_digest": ["ab" * 48]},
    "mrenclave": {"mrenclave": ["00" * 32]},
    "mrsigner": {"mrsigner": ["00" * 32]},
    "event_log": {"event_log": True},
    "compose_hash": {"compose_hash": ["00" * 32]},
    "compose_images_pinned": {"compose_images_pinned": True},
    "app_id": {"app_id": ["00" * 20]},
    "instance_id": {"instance_id": ["00" * 20]},
    "os_image_hash": {"os_image_hash": ["00" * 32]},
    "key_provider": {"key_provider": ["kms"]},
    "key_provider_id": {"key_provider_id": ["3059"]},
    "mr_system": {"mr_system": ["00" * 32]},
    "mr_aggregated": {"mr_aggregated": ["00" * 32]},
    "report_data": REPORT,
    "user_data": {"user_data": "00" * 64},
    "nonce": NONCE,
    "keyset_digest": NONCE,
    "nonce_issued_at": REPORT | {"nonce_issued_at": AT},
    "max_age_seconds": REPORT | {"nonce_issued_at": AT, "max_age_seconds": 60},
    "allowed_platforms": {"allowed_platforms": [PIN]},
    "blocked_platforms": {"blocked_platforms": [PIN]},
    "tpm": {"tpm": {"pcrs": [{"bank": "sha256", "pcr": 7, "values": ["00" * 32]}]}},
    "boot": {"boot": {"log": True, "images": ["00" * 32]}},
    "cca": {"cca": {"lifecycle": ["secured"], "rim": ["00" * 64]}},
    "gpu": {"gpu": {"min_gpus": 8, "rims": True, "nonce": "00" * 32}},
}  # fmt: skip

fields = pytest.mark.parametrize("name", EXAMPLES)


def _example(name: str) -> Policy:
    return Policy().with_(**EXAMPLES[name])


def _refusal(text: str) -> Error:
    with pytest.raises(Usage) as caught:
        parse_policy(text)
    assert caught.value.code == "policy_malformed"
    assert caught.value.exit_code == 1
    return caught.value


def test_every_field_has_an_example() -> None:
    assert set(EXAMPLES) == set(Policy.__struct_fields__)


# Forms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("mrtdd = []", "mrtdd"),
        ('Debug = "false"', "Debug"),
        ("[debug]\nallowed = true", "debug"),
        ("type = 'urn:teeproof:policy:v1'", "type"),
        ("[[tcb_evaluation_floor]]\nsince = 2026-01-01\nnumber = 1\nuntil = 2027-01-01", "until"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_it(text: str, named: str) -> None:
    assert named in _refusal(text).detail


WRONG = {
    "mrtd": ["", "00" * 47, "00" * 49, "0G" * 48, "AB" * 48, " " + "0" * 95, "00" * 47 + "0\n"],
    "rtmr3": ["00" * 32],
    "compose_hash": ["00" * 31, "sha256:" + "00" * 32, "0x" + "00" * 31],
    "app_id": ["00" * 32, "0x" + "00" * 20],
    "roots": ["00" * 32, "sha256:" + "00" * 31, "SHA256:" + "00" * 32, "sha256:" + "AB" * 32],
    "allowed_platforms": ["00" * 32, "sha256:sha256:" + "00" * 32],
    "blocked_platforms": ["00" * 32],
    "denied_advisories": ["INTEL-SA-615", "intel-sa-00615", "INTEL-SA-00615 ", "SA-00615", ""],
    "measurement": ["00" * 32],
    "host_data": ["00" * 48],
    "family_id": ["00" * 32],
    "tcb_statuses": ["Revoked", "uptodate", "UpToDate "],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_listed_value_of_another_form_is_an_error_that_names_the_field(
    name: str, value: str
) -> None:
    with pytest.raises(Usage, match=name) as caught:
        Policy().with_(**{name: [value]})
    assert caught.value.code == "policy_malformed"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('mrtd = "%s"' % ("00" * 48), "mrtd"),  # one value is no list
        ('debug = "false"', "debug"),
        ("debug = 0", "debug"),
        ("second_path = false", "second_path"),  # who wants none leaves it out
        ("event_log = false", "event_log"),
        ("max_collateral_age_days = -1", "max_collateral_age_days"),
        ("max_collateral_age_days = 1.5", "max_collateral_age_days"),
        ("max_collateral_age_days = 99999999999999999999999", "max_collateral_age_days"),
        ("tcb_statuses = []\ntcb_grace_days = {OutOfDate = -1}", "tcb_grace_days"),
        ("tcb_statuses = []\ntcb_grace_days = {OutOfDate = 1000000000}", "tcb_grace_days"),
        ("tcb_statuses = []\ntcb_grace_days = {Revoked = 1}", "tcb_grace_days"),
        ('tcb_statuses = []\ntcb_grace_days = {OutOfDate = "30"}', "tcb_grace_days"),
        ("tcb_evaluation_floor = [{since = 2026-01-01, number = -1}]", "tcb_evaluation_floor"),
        ("tcb_evaluation_floor = [{since = 2026-01-01}]", "number"),
        ("tcb_evaluation_floor = [{number = 18}]", "since"),
        ('tcb_evaluation_floor = [{since = "yesterday", number = 1}]', "tcb_evaluation_floor"),
        ('report_data = "00"', "report_data"),
        ('report_data = "%s"' % ("AA" * 64), "report_data"),
        (f'nonce = ""\nkeyset_digest = "{PIN}"', "nonce"),
        ('nonce = "n"\nkeyset_digest = "%s"' % ("ab" * 32), "keyset_digest"),
    ],
)
def test_a_value_of_another_form_is_an_error_that_names_the_field(text: str, named: str) -> None:
    assert named in _refusal(text).detail


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nonce": "n"}, "nonce and keyset_digest belong together"),
        ({"keyset_digest": PIN}, "nonce and keyset_digest belong together"),
        (REPORT | NONCE, "report_data and nonce"),
        (REPORT | {"max_age_seconds": 60}, "max_age_seconds needs nonce_issued_at"),
        ({"nonce_issued_at": AT}, "nonce_issued_at needs nonce or report_data"),
        (REPORT | {"nonce_issued_at": "2026-02-25T12:00:00"}, "time zone"),
        (REPORT | {"nonce_issued_at": "2026-02-25"}, "nonce_issued_at"),
        ({"tcb_grace_days": {"OutOfDate": 1}}, "tcb_grace_days needs tcb_statuses"),
    ],
)
def test_fields_that_need_or_exclude_each_other_say_so(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Usage, match=words):
        Policy().with_(**changes)


def test_dates_may_be_tomls_own_or_text() -> None:
    native = parse_policy(
        f'report_data = "{"00" * 64}"\nnonce_issued_at = 2026-02-25T13:00:00+01:00\n'
        "tcb_evaluation_floor = [{since = 2026-01-01, number = 18}]"
    )
    text = parse_policy(
        f'report_data = "{"00" * 64}"\nnonce_issued_at = "2026-02-25T12:00:00Z"\n'
        'tcb_evaluation_floor = [{since = "2026-01-01", number = 18}]'
    )
    assert native.nonce_issued_at == text.nonce_issued_at == datetime(2026, 2, 25, 12, tzinfo=UTC)
    assert native.tcb_evaluation_floor == text.tcb_evaluation_floor
    assert text.tcb_evaluation_floor == (Floor(since=date(2026, 1, 1), number=18),)
    assert _refusal(f'report_data = "{"00" * 64}"\nnonce_issued_at = 2026-02-25T12:00:00')
    assert _refusal(f'report_data = "{"00" * 64}"\nnonce_issued_at = 2026-02-25')
    assert _refusal("tcb_evaluation_floor = [{since = 2026-01-01T00:00:00Z, number = 18}]")


# Files ----------------------------------------------------------------------------------------


def test_text_and_bytes_are_the_same_policy() -> None:
    assert parse_policy('name = "ü"') == parse_policy('name = "ü"'.encode())


@pytest.mark.parametrize(
    "text",
    [b"\xff", "debug =", "debug = false\ndebug = false", "x = " + "[" * 5000, '"' * 3, "=", "\0"],
    ids=repr,
)
def test_what_is_not_toml_is_an_error(text: str | bytes) -> None:
    with pytest.raises(Usage) as caught:
        parse_policy(text)
    assert caught.value.code == "policy_malformed"


def test_deep_tables_are_an_error_and_no_crash() -> None:
    for text in (
        "x = " + "{a = " * 3000 + "1" + "}" * 3000,
        "x." + "a." * 3000 + "b = 1",
        "[" + "a." * 3000 + "b]",
    ):
        assert _refusal(text)


def test_host_a_policy_of_300_kilobytes_is_refused_before_it_is_read() -> None:
    large = "# " + "x" * (300 << 10)
    with pytest.raises(TooLarge) as caught:
        parse_policy(large)
    assert str(MAX_POLICY_BYTES) in str(caught.value.expected)
    assert parse_policy("# " + "x" * (MAX_POLICY_BYTES - 2)) == Policy()


@pytest.mark.parametrize("key", ["a." * 32_000 + "a = 1", "[" + "a." * 32_000 + "a]"])
def test_operator_cannot_fill_the_memory_with_a_dotted_key(key: str) -> None:
    assert "line 2 has more than 16 dots" in _refusal("debug = false\n" + key).detail


@pytest.mark.parametrize(
    "change",
    [{"name": "\ud800"}, {"key_provider": ["kms", "x\udfff"]}, {**NONCE, "nonce": "\udcff"}],
)
def test_text_without_bytes_is_refused_because_the_policy_would_have_no_digest(
    change: dict[str, Any],
) -> None:
    with pytest.raises(Usage, match="must be Unicode text") as caught:
        Policy().with_(**change)
    assert caught.value.code == "policy_malformed"
    assert Policy().with_(name="\U0001f600").digest


@given(st.text(max_size=40))
def test_whatever_the_text_is_it_is_a_policy_or_an_error_of_ours(text: str) -> None:
    try:
        policy = parse_policy(text)
    except Usage as error:
        assert error.code == "policy_malformed"  # noqa: PT017  either outcome is right
    else:
        assert policy.digest.startswith("sha256:")


# Digest and copies ----------------------------------------------------------------------------


@fields
def test_the_digest_changes_with_each_field(name: str) -> None:
    plain, changed = Policy(), _example(name)
    beside = {key: value for key, value in EXAMPLES[name].items() if key != name}
    assert changed.digest != plain.digest
    if name not in {"nonce", "keyset_digest"}:  # each needs the other
        assert Policy().with_(**beside).digest != changed.digest
    assert (changed.roots_digest != plain.roots_digest) is (name in {"roots", "simulated_roots"})


def test_no_two_examples_have_the_same_digest() -> None:
    distinct = {name: _example(name) for name in EXAMPLES if name != "keyset_digest"}
    assert len({policy.digest for policy in distinct.values()}) == len(distinct)


def test_nonce_and_keyset_each_change_the_digest() -> None:
    base = Policy().with_(**NONCE)
    assert base.with_(nonce="other").digest != base.digest
    assert base.with_(keyset_digest="sha256:" + "00" * 32).digest != base.digest


def test_the_digest_does_not_hang_on_how_the_policy_was_written() -> None:
    one = parse_policy("debug = false\nsmt = true  # why\n[tcb_grace_days]\nOutOfDate=1\n"
                       "SWHardeningNeeded=2".replace("[tcb", "tcb_statuses=[]\n[tcb"))  # fmt: skip
    two = parse_policy(
        "tcb_statuses = []\nsmt = true\ndebug = false\n"
        "tcb_grace_days = {SWHardeningNeeded = 2, OutOfDate = 1}"
    )
    assert one == two
    assert one.digest == two.digest
    assert one.digest.startswith("sha256:")


@fields
def test_a_policy_is_the_same_after_json_and_back(name: str) -> None:
    policy = _example(name)
    assert Policy().with_(**policy.to_json()) == policy
    assert Policy().with_(**json.loads(strictjson.dumps(policy.to_json()))) == policy
    assert name in policy.to_json()


@fields
def test_a_field_can_be_taken_back(name: str) -> None:
    cleared = _example(name).with_(
        **{key: msgspec.to_builtins(getattr(Policy(), key)) for key in EXAMPLES[name]}
    )
    assert cleared == Policy()


def test_a_changed_copy_is_checked_like_a_new_policy() -> None:
    with pytest.raises(Usage, match="mrtd"):
        load_policy("standard").with_(mrtd=["zz"])
    with pytest.raises(Usage, match="mrtdd"):
        load_policy("standard").with_(mrtdd=[])


@pytest.mark.parametrize("value", ["OutOfDateConfigurationNeeded", ["UpToDate"]], ids=str)
def test_a_text_or_a_list_where_a_tuple_belongs_is_an_error(value: object) -> None:
    # Otherwise "OutOfDate" would be found inside that text.
    with pytest.raises(Usage, match="tcb_statuses must be a tuple"):
        Policy(tcb_statuses=value)  # type: ignore[arg-type]
    assert Policy(tcb_statuses=("UpToDate",)).tcb_statuses == ("UpToDate",)


def test_a_policy_made_in_python_is_checked_like_one_in_a_file() -> None:
    with pytest.raises(Usage, match="mrtd"):
        Policy(mrtd=("zz",))
    with pytest.raises(Usage, match="nonce and keyset_digest"):
        Policy(nonce="n")
    with pytest.raises(Usage, match="denied_advisories"):
        msgspec.structs.replace(Policy(), denied_advisories=("INTEL-SA-615",))


# Built-in policies ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_built_in_policy_loads_and_describes_itself(name: str) -> None:
    policy = load_policy(name)
    assert policy.name == name
    assert policy.description.endswith(".")
    roots = {"sev-snp": AMD_ROOTS, "azure-snp": AMD_ROOTS, "nitro": (AWS_NITRO_ROOT,)}
    roots |= dict.fromkeys(("nvidia", "tpm", "cca"), ())  # nobody certifies all of these
    assert policy.roots == roots.get(name, (INTEL_ROOT,))
    assert policy.simulated_roots == ()
    assert "Revoked" not in (policy.tcb_statuses or ())
    assert parse_policy(policy_text(name)) == policy
    assert policy_text(name).startswith("#")


def test_no_policy_can_allow_a_revoked_platform() -> None:
    assert "Revoked" not in get_args(TcbStatus)
    assert "tcb_statuses" in _refusal('tcb_statuses = ["UpToDate", "Revoked"]').detail


def test_what_every_production_policy_refuses() -> None:
    for name in BUILT_IN:
        policy = load_policy(name)
        if name == "genuine":
            assert set(policy.to_json()) == {"name", "description", "roots", "simulated_roots"}
            continue
        if name == "nvidia":
            assert (policy.tee, policy.gpu) == ("nvidia", None)  # of no machine, so no debug
            continue
        if name in ("tpm", "cca"):
            assert (policy.tee, policy.debug) == (name, None)  # such evidence tells of no debugging
            continue
        assert policy.debug is False
        assert not {"OutOfDate", "OutOfDateConfigurationNeeded"} & set(policy.tcb_statuses or ())
        if name in ("sev-snp", "azure-snp"):
            assert (policy.migration, policy.vmpl, policy.vlek) == (False, (0,), False)
        elif name not in ("sgx", "nitro"):
            assert (policy.migration, policy.service_td) == (False, False)
        assert (policy.sept_ve_disable is True) is (name in {"standard", "strict", "dstack"})
        assert (policy.second_path is True) is (name in {"standard", "strict", "dstack"})


@pytest.mark.parametrize("name", ["", "Standard", "../standard", "standard.toml", "none"])
def test_an_unknown_name_is_an_error_that_lists_the_known_ones(name: str) -> None:
    with pytest.raises(Usage) as caught:
        load_policy(name)
    assert caught.value.code == "policy_unknown"
    assert caught.value.expected == ", ".join(BUILT_IN)


# SEV-SNP --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('minimum_tcb = [{ product = "Milan" }]', "names no part"),
        ('minimum_tcb = [{ product = "Milan", fmc = 1 }]', "only Turin has"),
        ('minimum_tcb = [{ product = "Rome", snp = 1 }]', "minimum_tcb"),
        ('minimum_tcb = [{ product = "Milan", snp = 256 }]', "from 0 to 255"),
        ('minimum_tcb = [{ product = "Milan", spl = 1 }]', "spl"),
        (
            'minimum_tcb = [{ product = "Milan", snp = 1 }, { product = "Milan", tee = 1 }]',
            "names a product twice",
        ),
        ("vmpl = [4]", "vmpl"),
        ("vmpl = 0", "vmpl"),
        ("minimum_guest_svn = -1", "minimum_guest_svn"),
        ('products = ["Naples"]', "products"),
        ('products = "Milan"', 'write products = ["Milan"]'),
        ('tee = "sev-snp"', "needs roots of AMD's"),
        ('tee = "nitro"', "needs a root of AWS's"),
        ('tee = "tpm"', "needs roots of its own"),
        ('tee = "cca"', "needs roots of its own"),
        ('tee = "azure-snp"', "needs roots of its own: AMD's"),
        ('tpm = { pcrs = [{ bank = "sha1", pcr = 7, values = [] }] }', "tpm.pcrs"),
        ('tpm = { pcrs = [{ bank = "sha256", pcr = 24, values = [] }] }', "from 0 to 23"),
        ('tpm = { pcrs = [{ bank = "sha256", pcr = 7, values = ["ab"] }] }', "64 lower-case"),
        ("tpm = { pcrs = [] }", "expect nothing"),
        (
            'tpm = { pcrs = [{ bank = "sha256", pcr = 7, values = [] },'
            ' { bank = "sha256", pcr = 7, values = [] }] }',
            "names a register twice",
        ),
        ('tpm = { keys = ["ab"] }', "tpm.keys"),
        ('tpm = { roots = "sha256:00" }', 'write tpm.roots = ["sha256:00"]'),
        ("tpm = { pcr = [] }", "pcr"),
        ("boot = { log = false }", "only true has a meaning"),
        ('boot = { secure_boot = "true" }', "without quotes"),
        ('boot = { images = ["ABCD"] }', "boot.images"),
        ('cca = { rim = ["00"] }', "cca.rim"),
        ('cca = { lifecycle = ["safe"] }', "lifecycle"),
        ('cca = { lifecycle = "secured" }', 'write cca.lifecycle = ["secured"]'),
        ('cca = { implementation_id = ["zz"] }', "cca.implementation_id"),
        ("minimum_guest_svn = 1", "any host can sign an ID block"),
        (f'family_id = ["{"ab" * 16}"]', "any host can sign an ID block"),
        (f'image_id = ["{"ab" * 16}"]\nid_key_digest = []', "any host can sign an ID block"),
        (f'id_key_digest = ["{"00" * 48}"]', "there is no such key"),
        ('user_data = "ABCD"', 'write "abcd"'),
        ('user_data = "abc"', "user_data"),
        ('user_data = ""', "user_data"),
    ],
)
def test_a_mistake_about_sev_snp_is_an_error_that_names_it(text: str, named: str) -> None:
    assert named in _refusal(text).detail


def test_a_minimum_of_firmware_is_written_back_as_it_was_read() -> None:
    text = 'minimum_tcb = [{ product = "Turin", fmc = 1, snp = 4 }]'
    policy = parse_policy(text)
    assert policy.to_json()["minimum_tcb"] == [{"product": "Turin", "fmc": 1, "snp": 4}]
    assert policy.with_() == policy
    assert policy.with_(minimum_tcb=[{"product": "Turin", "snp": 4}]).digest != policy.digest
