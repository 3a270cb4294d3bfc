"""The simulator, judged by a verifier that knows nothing of it."""
