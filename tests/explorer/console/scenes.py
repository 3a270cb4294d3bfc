"""A console in this process, its clients, and what a browser would send."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import httpx

from teeproof.explorer.app import make_app
from teeproof.explorer.console.port import Console

TOKEN = "t" * 43
PORT = 8123
OWN = f"http://127.0.0.1:{PORT}"


def app_of(**parts: Any) -> Any:
    return make_app(None, command=lambda name: name, console=Console(token=TOKEN, **parts))


class Person:
    """A browser at one application: it keeps cookies, and says where its requests come from."""

    def __init__(self, app: Any, *, url: str = OWN, client: tuple[str, int] = ("127.0.0.1", 9)):
        self.app, self.url, self.client = app, url, client
        self.cookies = httpx.Cookies()

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, client=self.client)
            async with httpx.AsyncClient(
                transport=transport, base_url=self.url, cookies=self.cookies
            ) as client:
                answer = await client.request(method, path, **more)
                self.cookies.update(client.cookies)
                return answer

        return asyncio.run(one())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def enter(self, token: str = TOKEN) -> httpx.Response:
        return self.get("/console", params={"token": token})

    def secret(self, path: str = "/console/talk") -> str:
        found = re.search(r'name="form" value="([^"]+)"', self.get(path).text)
        assert found is not None
        return found[1]

    def post(
        self, path: str, data: dict[str, str] | None = None, *, headers: Any = None, **more: Any
    ) -> httpx.Response:
        """Send a form as a page of the console sends it."""
        own = {"origin": self.url, "sec-fetch-site": "same-origin"}
        return self.ask("POST", path, data=data, headers=own | (headers or {}), **more)


def multipart(fields: Sequence[tuple[str, str]], *, boundary: str = "b") -> tuple[bytes, dict]:
    """A form written by hand: what no browser would send."""
    lines = [
        f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    ]
    body = "".join(lines) + f"--{boundary}--\r\n"
    return body.encode(), {"content-type": f"multipart/form-data; boundary={boundary}"}
