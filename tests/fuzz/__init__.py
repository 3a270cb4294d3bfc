"""Every parser under strange input: bounded in ``make test``, long in ``make fuzz``.

How to add a target: write ``tests/fuzz/targets_<area>.py`` with

    def fuzz_<name>(data: bytes) -> None:
        # call the parser; catch the errors that it promises, and nothing else
        with suppress(Malformed):
            parse(data)

    SEEDS = {"fuzz_<name>": lambda: [b"a valid document", b"another"]}

A target may also assert: what was accepted must read back, two parsers must agree. Whatever it
raises is a finding. Seeds are made when they are needed; each target has at least one, and inputs
under ``tests/fuzz/found/<name>/`` (findings of the past) are tried every time.
"""
