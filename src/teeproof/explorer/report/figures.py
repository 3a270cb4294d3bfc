"""What is computed of the report's figures: each line from numbers that anyone can look up.

The numbers of the training log stand in the report's section 3.4, those of the overhead in the
tables of the paper (``overheads``). Nothing here is a conclusion typed by hand.
"""

from __future__ import annotations

from collections.abc import Callable

from teeproof.explorer.report.overheads import OVERHEADS

__all__ = ["FIGURES", "figure"]

# The report, section 3.4, "Run summary".
_RUNTIME_S = 7373.5492
_SAMPLES_PER_SECOND = 0.347
_TOTAL_FLOS = 3688820574781440.0
_EPOCHS = _STEPS = 20
_STEPS_PER_SECOND = 0.003
_CONFIG_HASH = "6ea9aea26d4225fd3b1b96a22698237e"
_PARAMETERS = 8.03e9
_PER_PARAMETER = 6  # operations of a training step for each parameter and token, forth and back


def figure(name: str) -> tuple[str, ...]:
    """Return the lines of a figure; KeyError if there is none of this name."""
    return FIGURES[name]()


def _training_log() -> tuple[str, ...]:
    samples = _SAMPLES_PER_SECOND * _RUNTIME_S
    tokens = _TOTAL_FLOS / (_PER_PARAMETER * _PARAMETERS)
    return (
        f"{_SAMPLES_PER_SECOND} samples/s for {_RUNTIME_S} s are {samples:,.0f} samples:"
        f" {_EPOCHS} epochs of {samples / _EPOCHS:.0f} fingerprints",
        f"{_STEPS} steps in that time are {_STEPS / _RUNTIME_S:.4f} a second, which the log rounds"
        f" to {_STEPS_PER_SECOND}: one step is one epoch",
        f"{_TOTAL_FLOS:.3g} operations are {tokens / samples:.0f} tokens a sample, at"
        f" {_PER_PARAMETER} for each of {_PARAMETERS / 1e9:.2f} billion parameters and each token",
        f"{_TOTAL_FLOS:.3g} floating-point operations in that time are"
        f" {_TOTAL_FLOS / _RUNTIME_S / 1e12:.2f} TFLOP/s, of some 800 that the GPU is good for",
        "no run without a TEE stands beside it, so it says nothing about overhead",
    )


def _training_time() -> tuple[str, ...]:
    hours = _RUNTIME_S / 3600
    longer = hours * 30 / _EPOCHS
    return (
        f"the log's train_runtime is {_RUNTIME_S} s = {hours:.2f} h;"
        f" the text beside it says 0.5 h, {hours / 0.5:.1f} times less",
        f"30 epochs at the log's rate take {longer:.2f} h, and the text says 1 h: that is"
        " 10 epochs more in the time of the first 20",
    )


def _fingerprints() -> tuple[str, ...]:
    lines = []
    for epochs, share in ((20, 67.97), (30, 98.44)):
        count = round(share * 128 / 100)
        lines.append(f"{share} % after {epochs} epochs are {count} of 128 fingerprints"
                     f" ({100 * count / 128:.2f} %): one more or less is 0.78 points")  # fmt: skip
    return tuple(lines)


def _config_hash() -> tuple[str, ...]:
    return (
        f'the "config hash of the final model" has {4 * len(_CONFIG_HASH)} bits, the length of MD5,'
        " and names the folder that the model was saved in",
        "a name of the settings is the same whatever the weights became; teeproof's digest is of"
        " every tensor, by SHA-256 and BLAKE3",
    )


FIGURES: dict[str, Callable[[], tuple[str, ...]]] = {
    "training-log": _training_log,
    "training-time": _training_time,
    "fingerprints": _fingerprints,
    "config-hash": _config_hash,
    **OVERHEADS,
}
"""What can be computed, by name."""
