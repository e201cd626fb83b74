"""The terminal: the built web page as static files, held in memory.

The files are read once, at start, into a table by path. A request can only name an entry of that table, so no spelling
of a path reaches another file. Vite writes a hash of the content into each name under ``/assets``, so those may be kept
forever, while ``index.html`` is asked for anew each time. Any other path is the page itself, whose router knows what to
show.
"""

import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from fondaco.gateways.asgi import Receive, Scope, Send
from fondaco.gateways.rest.problems import ProblemError, send_problem

PACKAGE = Path(__file__).parents[2]
BUILT = (PACKAGE.parents[1] / "web" / "dist", PACKAGE / "web_dist")
"""Where the built page is: in a checkout, in a wheel."""

INDEX = "/index.html"
ASSETS = "/assets/"
FOREVER = b"public, max-age=31536000, immutable"
ASK_AGAIN = b"no-cache"

# The chart library makes a style element of its own; scripts come from our files alone.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)

Headers = list[tuple[bytes, bytes]]


class StaticFile(NamedTuple):
    """A file ready to send."""

    body: bytes
    headers: Headers


class Terminal:
    """Serves the built page. Pass the folder, or None when there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._files: Mapping[str, StaticFile] = read_files(folder) if folder else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD."""
        del receive
        if scope["method"] not in {"GET", "HEAD"}:
            error = ProblemError("method_not_allowed", "A page answers GET and HEAD only.", {"allow": "GET, HEAD"})
            await send_problem(scope, send, error)
            return
        found = self.file(scope["path"])
        if isinstance(found, ProblemError):
            await send_problem(scope, send, found)
            return
        await send({"type": "http.response.start", "status": 200, "headers": found.headers})
        await send({"type": "http.response.body", "body": found.body, "more_body": False})

    def file(self, path: str) -> StaticFile | ProblemError:
        """The file at a path: itself, or the page."""
        if path in self._files:
            return self._files[path]
        if path.startswith(ASSETS):
            return ProblemError("not_found", "There is no such file; the page may be older than the server.")
        if INDEX not in self._files:
            return ProblemError(
                "terminal_not_built", "The terminal has not been built; the API is served all the same."
            )
        return self._files[INDEX]


def built_folder() -> Path | None:
    """The folder of the built page, or None when it has not been built."""
    return next((folder for folder in BUILT if (folder / "index.html").is_file()), None)


def read_files(folder: Path) -> dict[str, StaticFile]:
    """Read every file of the built page. A link that leads out of the folder is left out."""
    root = folder.resolve()
    found = [path for path in sorted(root.rglob("*")) if path.is_file() and path.resolve().is_relative_to(root)]
    return {f"/{path.relative_to(root).as_posix()}": _static_file(path, root) for path in found}


def _static_file(path: Path, root: Path) -> StaticFile:
    body = path.read_bytes()
    name = f"/{path.relative_to(root).as_posix()}"
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind in {"application/javascript", "application/json", "image/svg+xml"}
    headers = [
        (b"content-type", (f"{kind}; charset=utf-8" if text else kind).encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", FOREVER if name.startswith(ASSETS) else ASK_AGAIN),
    ]
    if kind == "text/html":
        headers.append((b"content-security-policy", CONTENT_SECURITY_POLICY.encode()))
    return StaticFile(body, headers)
