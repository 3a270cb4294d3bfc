"""Fetch real evidence that others published, when the user asks for it, and find it again.

No evidence is part of this project. A sample is fetched by commit from a public repository, and
nothing of it is interpreted or written before every file has its pinned SHA-256; then it appears in
the data directory whole or not at all.

Trusts: the digests in ``table``.  Does not trust: publisher, network.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from teeproof.core import strictjson
from teeproof.core.clock import format_time
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error, NotAuthentic, TooLarge, Unavailable, Usage
from teeproof.core.home import data_directory
from teeproof.core.reading import read_bounded
from teeproof.evidence.samples.table import SAMPLES, Sample, Source

if TYPE_CHECKING:
    import httpx

__all__ = [
    "BASE_URL",
    "SAMPLES",
    "VECTORS_VARIABLE",
    "Progress",
    "Sample",
    "Source",
    "fetch_sample",
    "find_sample",
    "find_vectors",
    "named_sample",
]

BASE_URL = "https://raw.githubusercontent.com"
VECTORS_VARIABLE = "TEEPROOF_VECTORS"

Progress = Callable[[int, int], None]
"""Called with the bytes so far and the bytes in all, for one sample."""

_FOLDER = "samples"
_MAX_FILE_BYTES = 4 << 20
_ABOUT = "sample.json"  # written with the sample: what it is and where each file came from


def named_sample(name: str) -> Sample:
    """Return a sample by its name; Usage if there is none."""
    if name in SAMPLES:
        return SAMPLES[name]
    raise Usage(
        "there is no such sample: list them with teeproof samples",
        code="sample_unknown",
        expected=", ".join(SAMPLES),
        got=name[:100],
    )


def fetch_sample(
    sample: Sample,
    directory: Path,
    *,
    base_url: str = BASE_URL,
    progress: Progress | None = None,
    timeout: float = 30.0,
) -> Path:
    """Return the folder of a sample, downloading it unless it is already there.

    Args:
        sample: what to fetch.
        directory: the data directory; the sample's folder is made in ``samples/`` below it.
        base_url: where the files are served as ``/<repository>/<commit>/<path>``.
        progress: told how far it is.
        timeout: seconds to wait for the server at any one time.

    Raises:
        Unavailable: the server could not be reached, refused, redirected or hung up.
        TooLarge: a file is longer than it should be.
        NotAuthentic: a file has another digest.
    """
    folder = directory / _FOLDER / sample.name
    if not _is_there(folder, sample):
        sources = _download(sample, base_url=base_url, progress=progress, timeout=timeout)
        _store(folder, _with_about(sample, sample.convert(sources)))
    return folder


def find_sample(
    name: str, environment: Mapping[str, str], *, project_root: Path | None = None
) -> Path | None:
    """Return the folder of a sample that is on this machine, or None.

    A fetched sample comes first, then the same evidence among the test vectors.

    Args:
        name: the sample's name.
        environment: the process's variables; they say where the data directory is.
        project_root: the checkout that the program runs from, if it does.

    Raises:
        Usage: there is no sample of that name.
        Unavailable: ``TEEPROOF_VECTORS`` names no folder of real evidence.
    """
    sample = named_sample(name)
    folder = data_directory(environment) / _FOLDER / name
    if _is_there(folder, sample):
        return folder
    vectors = find_vectors(environment, project_root=project_root)
    found = vectors / sample.vector if vectors and sample.vector else None
    return found if found and found.is_dir() else None


def find_vectors(
    environment: Mapping[str, str], *, project_root: Path | None = None
) -> Path | None:
    """Return the folder of real evidence for tests, or None where there is none.

    ``TEEPROOF_VECTORS`` wins; otherwise ``../shared/vectors`` beside a checkout is looked at.

    Raises:
        Unavailable: ``TEEPROOF_VECTORS`` names no such folder.
    """
    wanted = environment.get(VECTORS_VARIABLE)
    if wanted:
        if not (Path(wanted) / "manifest.json").is_file():
            raise Unavailable(
                f"{VECTORS_VARIABLE} names no folder of real evidence: correct or unset it",
                code="vectors_missing",
                expected="a folder with a manifest.json",
                got=wanted,
            )
        return Path(wanted)
    beside = project_root.parent / "shared" / "vectors" if project_root else None
    return beside if beside and (beside / "manifest.json").is_file() else None


def _download(
    sample: Sample, *, base_url: str, progress: Progress | None, timeout: float
) -> dict[str, bytes]:
    import httpx  # noqa: PLC0415  only who downloads pays for it

    files: dict[str, bytes] = {}
    # Asked to compress nothing: a file's length is known, and a bomb is a longer file.
    headers = {"Accept-Encoding": "identity", "User-Agent": "teeproof"}
    with httpx.Client(headers=headers, timeout=timeout, follow_redirects=False) as client:
        for role, source in sample.sources.items():
            url = f"{base_url.rstrip('/')}/{source.repository}/{source.commit}/{quote(source.path)}"
            done = sum(map(len, files.values()))
            try:
                files[role] = _get(client, url, source, _shifted(progress, done, sample.size))
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise _unavailable(url, str(error) or type(error).__name__) from None
    return files


def _get(client: httpx.Client, url: str, source: Source, progress: Callable[[int], None]) -> bytes:
    data = bytearray()
    with client.stream("GET", url) as response:
        _check_answer(response, url)
        for chunk in response.iter_raw():
            data += chunk
            if len(data) > source.size:
                raise _too_long(source)
            progress(len(data))
    digest = sha256(bytes(data)).hex()
    if digest != source.sha256:
        raise NotAuthentic(
            f"{source.path} is not the file that was published: do not use what {url} serves",
            code="sample_digest",
            expected=f"{source.sha256} ({source.size} bytes)",
            got=f"{digest} ({len(data)} bytes)",
        )
    return bytes(data)


def _check_answer(response: httpx.Response, url: str) -> None:
    if response.is_redirect:
        elsewhere = response.headers.get("Location", "")[:200]
        raise _unavailable(url, f"HTTP {response.status_code}, a redirect to {elsewhere!r}")
    if response.status_code != 200:
        raise _unavailable(url, f"HTTP {response.status_code}")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise _unavailable(url, f"{response.headers['Content-Encoding'][:20]!r} encoding")


def _shifted(progress: Progress | None, done: int, total: int) -> Callable[[int], None]:
    if progress is None:
        return lambda _count: None
    return lambda count: progress(done + count, total)


def _is_there(folder: Path, sample: Sample) -> bool:
    """Is the sample there as this table has it, with every file as it was written?"""
    try:
        about = strictjson.loads(_read(folder / _ABOUT), limit=_MAX_FILE_BYTES)
        digests = about.pop("files")
        unharmed = all(named(sha256(_read(folder / name))) == digests[name] for name in digests)
        return unharmed and about == _about(sample)
    except (Error, AttributeError, KeyError, TypeError):
        return False


def _read(path: Path) -> bytes:
    return read_bounded(path, limit=_MAX_FILE_BYTES)


def _store(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished-") as aside:
            fresh = Path(aside) / "fresh"
            fresh.mkdir()
            for name, data in files.items():
                (fresh / name).write_bytes(data)
            if folder.exists():  # of an older table, or damaged: it goes with the directory aside
                folder.rename(Path(aside) / "old")
            fresh.rename(folder)
    except OSError as error:
        raise Unavailable(
            f"{folder} cannot be written: {error.strerror}", code="sample_unwritable"
        ) from None


def _unavailable(url: str, got: str) -> Unavailable:
    return Unavailable(
        f"{url} cannot be fetched: check the network, then try again",
        code="sample_unavailable",
        expected="the file that was published",
        got=got[:300],
    )


def _too_long(source: Source) -> TooLarge:
    return TooLarge(
        f"{source.path} is longer than the file that was published",
        code="sample_too_large",
        expected=f"{source.size} bytes",
        got="more",
    )


def _with_about(sample: Sample, files: dict[str, bytes]) -> dict[str, bytes]:
    about = _about(sample) | {"files": {name: named(sha256(files[name])) for name in files}}
    return files | {_ABOUT: strictjson.dumps(about, pretty=True).encode() + b"\n"}


def _about(sample: Sample) -> dict[str, Any]:
    return {
        "name": sample.name,
        "about": sample.about,
        "at": format_time(sample.at),
        "expected": sample.expected,
        "advisories": list(sample.advisories),
        "sources": {role: asdict(source) for role, source in sample.sources.items()},
    }
