"""The terminal's page: what is served, how it may be kept, and that no path leads out of its folder."""

from pathlib import Path

import pytest

from fondaco.gateways.rest.problems import ProblemError
from fondaco.gateways.rest.terminal import StaticFile, Terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    (tmp_path / "secret.txt").write_text("secret")
    built = tmp_path / "dist"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<!doctype html><title>Fondaco</title>")
    (built / "favicon.svg").write_text("<svg/>")
    (built / "assets" / "index-abc123.js").write_text("export {}")
    (built / "assets" / "out.txt").symlink_to(tmp_path / "secret.txt")
    return Terminal(built)


def headers_of(found: StaticFile | ProblemError) -> dict[bytes, bytes]:
    assert isinstance(found, StaticFile)
    return dict(found.headers)


def test_assets_may_be_kept_for_ever_and_the_page_may_not(terminal: Terminal) -> None:
    asset = headers_of(terminal.file("/assets/index-abc123.js"))
    assert asset[b"cache-control"] == b"public, max-age=31536000, immutable"
    assert asset[b"content-type"].split(b";")[0] in {b"text/javascript", b"application/javascript"}
    assert headers_of(terminal.file("/index.html"))[b"cache-control"] == b"no-cache"
    assert headers_of(terminal.file("/favicon.svg"))[b"cache-control"] == b"no-cache"


@pytest.mark.parametrize("path", ["/", "/index.html", "/markets/BTCUSDT", "/anything/else", ""])
def test_every_path_that_is_no_file_is_the_page(terminal: Terminal, path: str) -> None:
    found = terminal.file(path)
    assert isinstance(found, StaticFile)
    assert b"Fondaco" in found.body
    policy = dict(found.headers)[b"content-security-policy"]
    assert b"frame-ancestors 'none'" in policy
    assert b"script-src" not in policy  # so default-src 'self' holds: no inline script
    assert b"'unsafe-eval'" not in policy


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/assets/out.txt",
        "//etc/passwd",
        "/assets/..%2f..%2fsecret.txt",
        "/./../secret.txt",
        "/assets\\..\\..\\secret.txt",
    ],
)
def test_no_path_leads_out_of_the_folder(terminal: Terminal, path: str) -> None:
    found = terminal.file(path)
    body = found.body if isinstance(found, StaticFile) else b""
    assert b"secret" not in body
    assert b"root:" not in body


def test_an_asset_that_is_gone_is_not_the_page(terminal: Terminal) -> None:
    found = terminal.file("/assets/index-old.js")
    assert isinstance(found, ProblemError)
    assert found.problem.code == "not_found"


def test_without_a_built_page_the_answer_says_how_to_build_it() -> None:
    found = Terminal(None).file("/")
    assert isinstance(found, ProblemError)
    assert found.problem.code == "terminal_not_built"
