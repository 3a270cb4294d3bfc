"""What the pages tell a visitor to type: files as they are downloaded, none of the server's."""

from __future__ import annotations

import pytest

from teeproof.cli.visiting import visiting
from teeproof.core.errors import TooLarge
from teeproof.explorer.app import make_app
from tests.explorer.conftest import ask

NAME = "sha256:" + "ab" * 32


def test_a_command_names_files_as_the_pages_give_them(tmp_path):
    policy, logs = tmp_path / "my policy.toml", tmp_path / "logs"
    policy.write_bytes(b"name = 'mine'\n")
    logs.write_bytes(b"log x\n")
    visit = visiting(policy, logs)
    assert visit.command(NAME) == (
        "teeproof verify abababababababab.proof --policy policy.toml --logs trusted-logs"
    )
    assert str(tmp_path) not in visit.command(NAME)
    app = make_app(None, command=visit.command, given=visit.given)
    for one, data in (("policy.toml", policy.read_bytes()), ("trusted-logs", logs.read_bytes())):
        answer = ask(app, "GET", f"/given/{one}")
        assert answer.content == data
        assert answer.headers["content-disposition"] == f'attachment; filename="{one}"'


def test_a_built_in_policy_is_named_and_is_no_file():
    visit = visiting("strict", None)
    assert visit.command(NAME) == "teeproof verify abababababababab.proof --policy strict"
    assert visit.given == ()
    assert visiting(None, None).command(NAME) == "teeproof verify abababababababab.proof"


def test_client_asks_for_other_files_of_the_server(tmp_path):
    (tmp_path / "policy.toml").write_text("name = 'mine'")
    (tmp_path / "secret").write_text("secret")
    visit = visiting(tmp_path / "policy.toml", None)
    app = make_app(None, command=visit.command, given=visit.given)
    for one in ("secret", "trusted-logs", "..%2Fsecret", "%2Fetc%2Fpasswd", ""):
        assert ask(app, "GET", f"/given/{one}").status_code == 404, one


def test_operator_swaps_the_policy_for_one_without_end(tmp_path):
    (tmp_path / "policy.toml").write_bytes(b"#" * (1 << 20))
    visit = visiting(tmp_path / "policy.toml", None)
    with pytest.raises(TooLarge):
        visit.given[0].read()
