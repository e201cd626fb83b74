"""Bodies of requests and answers: one object for each, which both reads the JSON and documents itself.

The framework's own decoding would forgive what must not be forgiven (a number that is text, a field that nobody
knows), and answer with its own sentences and without our codes.
"""

from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar, cast

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIMediaType, RequestBody, Schema

from fondaco.gateways.asgi import Receive
from fondaco.gateways.rest.problems import ProblemError

MAX_BODY_BYTES: Final = 65_536
"""Longest body of a request. The largest batch of orders takes half of it."""
_REFERENCE: Final = "#/{name}"

Shape = TypeVar("Shape", bound=msgspec.Struct)


class Body(Generic[Shape]):
    """The JSON body of an endpoint.

    Args:
        shape: what it decodes to.
        example: one that works, for the document.
        further: what a schema can say of some of its structs and their types cannot, by the structs' names.
    """

    def __init__(
        self, shape: type[Shape], example: Shape, further: Mapping[str, Mapping[str, object]] | None = None
    ) -> None:
        self._decode = msgspec.json.Decoder(shape).decode
        self._shape = shape
        self._example = example
        self._further = further or {}

    def read(self, body: bytes) -> Shape:
        """Decode a body, or raise `ProblemError`."""
        try:
            return self._decode(body)
        except msgspec.ValidationError as error:
            raise ProblemError("bad_body", f"{error}.") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProblemError("bad_json", "The body is no JSON that can be read.") from error

    def documented(self) -> RequestBody:
        """Its entry in the OpenAPI document."""
        (schema,), parts = msgspec.json.schema_components((self._shape,), ref_template=_REFERENCE)
        for name, said in self._further.items():
            parts[name] |= said
        written = cast("Schema", _inlined(schema, parts))  # a plain dictionary is written out as it is
        example = Example(value=_without_blanks(msgspec.json.decode(msgspec.json.encode(self._example))))
        media = OpenAPIMediaType(schema=written, examples={self._shape.__name__: example})
        return RequestBody(content={"application/json": media}, required=True)


async def read_body(receive: Receive) -> bytes:
    """Read the body of a plain ASGI request, whatever length it announced."""
    chunks: list[bytes] = []
    size = 0
    is_complete = False
    while not is_complete:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ProblemError("bad_request", "The request ended before its body.")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MAX_BODY_BYTES:
            raise body_too_large()
        is_complete = not message.get("more_body", False)
    return b"".join(chunks)


def body_too_large() -> ProblemError:
    """What is said of a body that is too long."""
    return ProblemError("body_too_large", f"A body may have at most {MAX_BODY_BYTES} bytes.")


def success(
    struct: type[msgspec.Struct], description: str, example: msgspec.Struct, *, status: int = 200
) -> dict[int, ResponseSpec]:
    """The documented success of an endpoint, with its example."""
    value = Example(value=msgspec.to_builtins(example))
    return {status: ResponseSpec(struct, generate_examples=False, description=description, examples=[value])}


def _inlined(schema: Any, parts: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON of any kind
    """A JSON schema without references: the document's own components stay the framework's."""
    if isinstance(schema, list):
        return [_inlined(each, parts) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(parts[schema["$ref"].removeprefix(_REFERENCE.format(name=""))], parts)
    return {name: _inlined(each, parts) for name, each in schema.items()}


def _without_blanks(value: Any) -> Any:  # noqa: ANN401 - JSON of any kind
    """An example without what it leaves out."""
    if isinstance(value, list):
        return [_without_blanks(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _without_blanks(each) for name, each in value.items() if each is not None}
