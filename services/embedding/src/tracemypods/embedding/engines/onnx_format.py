"""The few messages of ONNX's file format (protobuf, onnx.proto3) that are needed here.

`read_tensors` takes the weights out of a model's file, and the `…_message` functions write a model
of our own around them. The package `onnx` does the same and more in 18 MB, with another protobuf
runtime that would stay in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[Any]

FLOAT, UINT8, INT8, INT32, INT64 = 1, 2, 3, 6, 7
"""TensorProto.DataType."""

_TYPES: Mapping[int, type[Any]] = {
    FLOAT: np.float32,
    UINT8: np.uint8,
    INT8: np.int8,
    INT32: np.int32,
    INT64: np.int64,
}
_NUMBERS: Mapping[np.dtype[Any], int] = {np.dtype(kind): number for number, kind in _TYPES.items()}

_IR_VERSION = 10
_OPSET = 17
MICROSOFT = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""

_VARINT, _LENGTH, _FIXED32 = 0, 2, 5


def read_tensors(model: memoryview) -> dict[str, Tensor]:
    """The initializers of a model by name, as views into its bytes.

    Those of other types than _TYPES are left out. Raises ValueError for what is no model.
    """
    graph = next((value for field, value in _fields(model) if field == 7), None)
    if not isinstance(graph, memoryview):
        raise ValueError("the file holds no ONNX graph")
    found: dict[str, Tensor] = {}
    for field, value in _fields(graph):
        if field == 5 and isinstance(value, memoryview):
            name, tensor = _tensor(value)
            if tensor is not None:
                found[name] = tensor
    return found


def _tensor(message: memoryview) -> tuple[str, Tensor | None]:
    shape: list[int] = []
    kind, name = 0, ""
    raw = memoryview(b"")
    for field, value in _fields(message):
        if field == 1 and isinstance(value, memoryview):
            shape += _varints(value)
        elif field == 1 and isinstance(value, int):
            shape.append(value)
        elif field == 2 and isinstance(value, int):
            kind = value
        elif field == 8 and isinstance(value, memoryview):
            name = bytes(value).decode()
        elif field == 9 and isinstance(value, memoryview):
            raw = value
    if kind not in _TYPES:
        return name, None
    return name, np.frombuffer(raw, _TYPES[kind]).reshape(shape)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: numbers, or the bytes of what has a length."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == _VARINT:
            value, place = _varint(message, place)
            yield key >> 3, value
        elif kind == _LENGTH:
            length, place = _varint(message, place)
            yield key >> 3, message[place : place + length]
            place += length
        elif kind == _FIXED32:
            place += 4
        else:
            raise ValueError("the file is no ONNX model")


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number, and where the next begins."""
    number = shift = 0
    while True:
        if place >= len(message):
            raise ValueError("the file is no ONNX model: it ends too early")
        byte = message[place]
        place += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, place


def _varints(message: memoryview) -> list[int]:
    found: list[int] = []
    place = 0
    while place < len(message):
        number, place = _varint(message, place)
        found.append(number)
    return found


def model_message(
    nodes: Sequence[bytes],
    tensors: Mapping[str, Tensor],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
) -> bytes:
    """A whole model, as a session takes it."""
    graph = b"".join(
        [
            *(_bytes(1, node) for node in nodes),
            _text(2, "graph"),
            *(_bytes(5, _tensor_message(name, tensor)) for name, tensor in tensors.items()),
            *(_bytes(11, one) for one in inputs),
            *(_bytes(12, one) for one in outputs),
        ]
    )
    opsets = [_text(1, "") + _number(2, _OPSET), _text(1, MICROSOFT) + _number(2, 1)]
    return b"".join(
        [_number(1, _IR_VERSION), _bytes(7, graph), *(_bytes(8, opset) for opset in opsets)]
    )


def node_message(
    operator: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    domain: str = "",
    **attributes: float,
) -> bytes:
    """One operation. An input that is left out is an empty name."""
    return b"".join(
        [
            *(_text(1, name) for name in inputs),
            *(_text(2, name) for name in outputs),
            _text(3, outputs[0]),
            _text(4, operator),
            *(_bytes(5, _attribute(name, value)) for name, value in attributes.items()),
            _text(7, domain),
        ]
    )


def value_message(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    """An input or output of the graph. A dimension that varies is a name."""
    dimensions = b"".join(
        _bytes(1, _number(1, size) if isinstance(size, int) else _text(2, size)) for size in shape
    )
    tensor_type = _number(1, kind) + _bytes(2, dimensions)
    return _text(1, name) + _bytes(2, _bytes(1, tensor_type))


def _tensor_message(name: str, tensor: Tensor) -> bytes:
    return b"".join(
        [
            *(_number(1, size) for size in tensor.shape),
            _number(2, _NUMBERS[tensor.dtype]),
            _text(8, name),
            _bytes(9, tensor.tobytes()),
        ]
    )


def _attribute(name: str, value: float) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, 2)
    fixed = _write_varint(2 << 3 | _FIXED32) + struct.pack("<f", value)
    return _text(1, name) + fixed + _number(20, 1)


def _number(field: int, value: int) -> bytes:
    return _write_varint(field << 3 | _VARINT) + _write_varint(value & (1 << 64) - 1)


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _bytes(field: int, value: bytes) -> bytes:
    return _write_varint(field << 3 | _LENGTH) + _write_varint(len(value)) + value


def _write_varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
