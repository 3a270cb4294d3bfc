"""A job: what a machine commits to before it is given any key.

Its digest goes into the evidence (``evidence.binding.job_nonce``) and into each key that is granted
for it, so a key that was released for one job opens nothing in another.

    {"files":["<file id>"],"materials":[{"digest":"sha256:…","role":"held-out"}],
     "parameters":{"seed":"7"},"purpose":"train","type":"urn:teeproof:job:v1"}
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

import msgspec

from teeproof.cloud.document import Document
from teeproof.core.digests import named, parse_named
from teeproof.core.errors import Malformed

__all__ = [
    "JOB_TYPE",
    "MAX_FILES",
    "MAX_JOB_BYTES",
    "Input",
    "Job",
    "check_file_id",
    "check_purpose",
]

JOB_TYPE: Final = "urn:teeproof:job:v1"
MAX_JOB_BYTES = 128 << 10
MAX_FILES = 1024
MAX_PURPOSE = 64
_FILE_ID_DIGITS = 32  # core.sealed.header: 16 bytes


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that the job will use beside sealed files.

    Attributes:
        role: what for.
        digest: ``sha256:…`` of it, or of the statement about it.
    """

    role: str
    digest: str


class Job(Document, frozen=True, kw_only=True):
    """What a workload is going to do.

    Attributes:
        purpose: what the files' owners are asked for: ``train``, ``validate``.
        files: ids of the sealed files, hex, ascending; none where the grant is a standing one.
        parameters: whatever else determines the result, as text.
        materials: other inputs.
        type: always ``urn:teeproof:job:v1``.
    """

    WHAT: ClassVar[str] = "job"
    MOST: ClassVar[int] = MAX_JOB_BYTES

    purpose: str
    files: tuple[str, ...] = ()
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    materials: tuple[Input, ...] = ()
    type: Literal["urn:teeproof:job:v1"] = JOB_TYPE

    @property
    def name(self) -> str:
        """The digest as text, ``sha256:…``."""
        return named(self.digest)

    def check(self) -> None:
        """Raise Malformed unless the fields have their forms."""
        check_purpose(self.purpose)
        if len(self.files) > MAX_FILES:
            raise _malformed(f"at most {MAX_FILES} files", f"{len(self.files)}")
        for file in self.files:
            check_file_id(file)
        if list(self.files) != sorted(set(self.files)):
            raise _malformed("file ids in ascending order, each once", "another order")
        for material in self.materials:
            parse_named(material.digest)


def check_purpose(purpose: str) -> None:
    """Raise Malformed unless a purpose is a short word or a few."""
    if not 1 <= len(purpose) <= MAX_PURPOSE or not purpose.isprintable():
        raise _malformed(f"a purpose of 1 to {MAX_PURPOSE} printable characters", purpose[:80])


def check_file_id(text: str) -> None:
    """Raise Malformed unless this is the id of a sealed file, in lower-case hex."""
    if len(text) != _FILE_ID_DIGITS or text.strip("0123456789abcdef"):
        raise _malformed(f"a file id of {_FILE_ID_DIGITS} lower-case hex digits", text[:80])


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not a job", code="job_malformed", expected=expected, got=ascii(got)[:200]
    )
