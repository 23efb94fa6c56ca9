"""The weights in an ONNX file, without its 60 MB of tools: what a conversion needs, once.

An ONNX file is one Protocol Buffers message (encoding: protobuf.dev/programming-guides/encoding,
fields: onnx.proto3 in github.com/onnx/onnx). Of its hundreds of fields a weight needs seven. Tests
write such files by hand; what is read of the file that the course fetches was compared with the
package `onnx` once, and its checksum keeps it the same file.
"""

import numpy as np

FLOAT = 1  # TensorProto.DataType


def read(file: bytes) -> dict[str, np.ndarray]:
    """Every float32 weight of the model by its name, in the order of the file.

    An exporter that has changed a weight (transposed a matrix, cut a table) gives it a name that
    says nothing, "onnx::…". Such a weight goes by the name of the first node that reads it:
    "/encoder/fc1/MatMul". Raises ValueError for a file that is cut short or no such model.
    """
    graph, reader = b"".join(_values(file, 7)), {}  # a message in pieces is their sum
    for node in _values(graph, 1):
        for used in _values(node, 1):
            reader.setdefault(bytes(used).decode(), bytes(*_values(node, 3)).decode())
    weights = {}
    for tensor in _values(graph, 5):
        name = bytes(*_values(tensor, 8)).decode()
        if _values(tensor, 2) == [FLOAT]:
            array = np.frombuffer(*_values(tensor, 9), dtype="<f4").reshape(_shape(tensor))
            weights[reader[name] if name.startswith("onnx::") else name] = array
    return weights


def _shape(tensor):
    """Field 1, a number each or, packed, all in one."""
    shape = []
    for value in _values(tensor, 1):
        if isinstance(value, int):
            shape.append(value)
            continue
        at = 0
        while at < len(value):
            size, at = _varint(value, at)
            shape.append(size)
    return shape


def _values(message, wanted):
    """What a message has in the field of this number: ints, or bytes as a memoryview."""
    message, at, found = memoryview(message), 0, []
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(message, at)
        elif kind in (1, 2, 5):  # 8 bytes, as many as are told, 4 bytes
            size, at = _varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = message[at : at + size], at + size
        else:
            raise ValueError(f"a field of kind {kind} at byte {at}: not an ONNX file")
        if number == wanted:
            found.append(value)
    if at > len(message):
        raise ValueError("the file is cut short")
    return found


def _varint(message, at):
    """A number in groups of seven bits, the lowest first, and where it ends."""
    number, shift = 0, 0
    while True:
        if at >= len(message):
            raise ValueError("the file is cut short")
        number |= (message[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 128:
            return number, at
