"""Which container images an application runs, and whether each is named by digest.

A tag names whatever its registry serves today: a measured compose file with a tag says nothing
about the program that runs. ``name@sha256:…`` does.

Source: the Compose Specification, https://github.com/compose-spec/compose-spec.

Trusts: nothing; it only reads.  Does not trust: whoever wrote the compose file, registries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from teeproof.core.errors import Error, Malformed
from teeproof.evidence.eventlog.compose import AppCompose, parse_compose
from teeproof.evidence.eventlog.yamltree import parse_yaml
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["Image", "check_images", "images"]

_NAME = "compose-images"
# Image reference grammar of the distribution project; "$" would be replaced at run time.
_PINNED = re.compile(
    r"[a-z0-9][A-Za-z0-9._:/-]*(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?@sha256:[0-9a-f]{64}"
)
_TOP = frozenset({"configs", "name", "networks", "secrets", "services", "version", "volumes"})
_ELSEWHERE = ("extends", "provider", "models", "develop", "use_api_socket")


class Image(msgspec.Struct, frozen=True):
    """One thing that a service runs.

    Attributes:
        service: the service's name.
        reference: the image as the file names it, or the reason why nobody can know it.
        pinned: whether the reference names exactly one image.
    """

    service: str
    reference: str
    pinned: bool


def images(docker_compose_file: str) -> tuple[Image, ...]:
    """Return what each service runs, in the file's order.

    Raises:
        TooLarge, Malformed: the YAML is refused; see ``yamltree.parse_yaml``.
        Malformed: no services, or a part that may run something else (``include``, ``extends``).
    """
    tree = parse_yaml(docker_compose_file)
    services = tree.get("services") if isinstance(tree, dict) else None
    if not isinstance(services, dict) or not services:
        raise _malformed("services", "at least one service", "none")
    for name in tree:
        if name not in _TOP and not name.startswith("x-"):
            raise _malformed(name, "a field that runs nothing by itself", name)
    return tuple(image for name, body in services.items() for image in _service(name, body))


def check_images(compose: bytes) -> Check:
    """Return the check ``compose-images``: each image of the application is named by digest.

    It concerns policy: a file with tags is authentic, and says little. *Not checked* where scripts
    run beside the images, because they may start anything.
    """
    try:
        app = parse_compose(compose)
        if app.unknown:
            raise _malformed(app.unknown[0], "a field of app-compose.json", app.unknown[0])
        found = images(app.docker_compose_file) if app.docker_compose_file else ()
    except Error as error:
        return failed(
            _NAME, error.code, error.detail, "policy", expected=error.expected, got=error.got
        )
    loose = [image for image in found if not image.pinned]
    if loose:
        return failed(
            _NAME,
            "image_not_pinned",
            f'service "{loose[0].service}" runs what its registry serves today: name the image as'
            " name@sha256:digest",
            "policy",
            expected="name@sha256:<64 hex digits>",
            got=loose[0].reference[:200],
        )
    return _beside_images(app, found)


def _beside_images(app: AppCompose, found: tuple[Image, ...]) -> Check:
    if app.scripts:
        scripts = ", ".join(app.scripts)
        return not_checked(
            _NAME, f"the application also runs {scripts}, which may start anything", "policy"
        )
    if not found:
        return not_checked(_NAME, "the application has no docker compose file", "policy")
    return passed(_NAME, f"all {len(found)} images are named by digest", "policy")


def _service(name: str, body: Any) -> Iterator[Image]:
    if not isinstance(body, dict):
        raise _malformed(f"service {name}", "an object", type(body).__name__)
    for field in _ELSEWHERE:
        if field in body:
            yield Image(name, f"{field}: (decided outside this file)", False)
    if "build" in body or body.get("pull_policy") == "build":
        yield Image(name, "build: (built on the machine)", False)
    elif "image" in body:
        yield _image(name, body["image"])
    elif not any(field in body for field in _ELSEWHERE):
        yield Image(name, "(no image)", False)
    volumes = body.get("volumes")
    for volume in volumes if isinstance(volumes, list) else ():
        if isinstance(volume, dict) and volume.get("type") == "image":
            yield _image(name, volume.get("source"))


def _image(service: str, reference: Any) -> Image:
    if not isinstance(reference, str):
        return Image(service, "(not text)", False)
    return Image(service, reference, _PINNED.fullmatch(reference) is not None)


def _malformed(field: str, expected: str, got: str) -> Malformed:
    return Malformed(
        f'"{field}" of the compose file cannot be judged: expected {expected}',
        code="compose_field_unknown",
        expected=expected,
        got=got[:100],
    )
