"""The static files of the page: read once, sent with an address that changes with their content, so that a browser may keep them."""

import hashlib
from importlib import resources

from aiohttp import web

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_KEEP = "public, max-age=31536000, immutable"


class StaticFiles:
    """Serves the files of the folder `static`. Their addresses hold a digest of all of them."""

    def __init__(self) -> None:
        folder = resources.files("forwarder.web.page") / "static"
        self._files = {file.name: file.read_bytes() for file in folder.iterdir() if _ending(file.name) in _TYPES}
        digest = hashlib.sha256()
        for name, data in sorted(self._files.items()):
            digest.update(name.encode() + b"\0" + data + b"\0")
        self._digest = digest.hexdigest()[:16]

    @property
    def names(self) -> list[str]:
        """The names of the files."""
        return sorted(self._files)

    def address_of(self, name: str) -> str:
        """Return the address of a file. Raises `KeyError` for a file that is not there."""
        self._files[name]
        return f"/static/{self._digest}/{name}"

    async def serve(self, request: web.Request) -> web.Response:
        """Answer with a file. A page of another version gets none, for its parts would not fit together."""
        data = self._files.get(request.match_info["name"])
        if data is None or request.match_info["digest"] != self._digest:
            raise web.HTTPNotFound
        etag = f'"{self._digest}"'
        headers = {"Cache-Control": _KEEP, "ETag": etag}
        if etag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        return web.Response(
            body=data, headers=headers, content_type=_TYPES[_ending(request.match_info["name"])], charset="utf-8"
        )


def _ending(name: str) -> str:
    return name[name.rfind(".") :]
