"""The pages about errors and metrics repeat what the code says, word by word."""

from fondaco.gateways.rest.problems import KINDS
from fondaco.gateways.ws.messages import ERRORS
from fondaco.infra.settings import CHECKOUT

ERRORS_PAGE = (CHECKOUT / "docs" / "errors.md").read_text()


def test_every_problem_is_explained_with_its_status_and_its_sentence() -> None:
    rows = {f"| `{code}` | {kind.status} | {kind.help} |" for code, kind in KINDS.items()}
    assert rows - set(ERRORS_PAGE.splitlines()) == set()


def test_every_error_of_the_stream_is_explained_with_its_sentence() -> None:
    rows = {f"| `{code}` | {sentence} |" for code, sentence in ERRORS.items()}
    assert rows - set(ERRORS_PAGE.splitlines()) == set()
