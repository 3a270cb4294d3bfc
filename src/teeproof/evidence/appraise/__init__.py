"""Hold facts against a policy: one module per question, one check per expectation."""
