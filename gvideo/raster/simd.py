"""Vectors of eight float32 as a numba type, so that kernels say which lanes do what and users need no compiler.

A Vector is one LLVM <8 x float> (one AVX register). Every operation below is an intrinsic of a line or two; LLVM
lowers them to whatever the machine has. Only what the kernels use is here.

GVIDEO_BOUNDS=1 (at import) makes every load and store check its index: for tests, three times slower.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils as _cgutils
from numba.core import types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic as _intrinsic
from numba.extending import register_model

LANES = 8

cgutils: Any = _cgutils
intrinsic: Any = _intrinsic  # a kernel calls an intrinsic with other arguments than Python would

_FLOAT = ir.FloatType()
_INT = ir.IntType(32)
_FLOATS = ir.VectorType(_FLOAT, LANES)
_INTS = ir.VectorType(_INT, LANES)


class Vector(types.Type):
    """The numba type of eight float32 in a register."""

    def __init__(self) -> None:
        super().__init__(name="float32x8")


@register_model(Vector)
class _VectorModel(PrimitiveModel):
    def __init__(self, manager: Any, frontend_type: Any) -> None:
        super().__init__(manager, frontend_type, _FLOATS)  # type: ignore[no-untyped-call]


_VECTOR: Any = Vector()


def _constant(value: float) -> Any:
    return ir.Constant(_FLOATS, [ir.Constant(_FLOAT, value)] * LANES)


def _constant_int(value: int) -> Any:
    return ir.Constant(_INTS, [ir.Constant(_INT, value)] * LANES)


def _shuffle(builder: Any, first: Any, second: Any, lanes: Sequence[int]) -> Any:
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(_INT, len(lanes)), list(lanes)))


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    name = f"llvm.fmuladd.v{LANES}f32"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_FLOATS, [_FLOATS] * 3), name)
    return builder.call(function, [a, b, c])


def _operation(count: int, emit: Any) -> Any:
    """An intrinsic that takes `count` vectors and gives one; emit(builder, *vectors) writes its instructions."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return emit(builder, *arguments)

    signature = _VECTOR(*[_VECTOR] * count)
    if count == 1:
        return intrinsic(lambda typing, a: (signature, generate))
    if count == 2:
        return intrinsic(lambda typing, a, b: (signature, generate))
    return intrinsic(lambda typing, a, b, c: (signature, generate))


add = _operation(2, lambda builder, a, b: builder.fadd(a, b))
subtract = _operation(2, lambda builder, a, b: builder.fsub(a, b))
multiply = _operation(2, lambda builder, a, b: builder.fmul(a, b))
multiply_add = _operation(3, _multiply_add)  # a * b + c


def _keep_above(builder: Any, values: Any, threshold: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", values, threshold), values, _constant(0.0))


keep_above = _operation(2, _keep_above)  # a where a > b, else 0; NaN gives 0

minimum = _operation(2, lambda builder, a, b: builder.select(builder.fcmp_ordered("<", a, b), a, b))
maximum = _operation(2, lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))


def _square_root(builder: Any, x: Any) -> Any:
    function = ir.FunctionType(_FLOATS, [_FLOATS])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, f"llvm.sqrt.v{LANES}f32"), [x])


square_root = _operation(1, _square_root)

# 2^x = sum c_k x^k on [-1/2, 1/2]: least maximum of the relative error, 1.9e-9, below float32 rounding.
_EXP2 = (
    1.0,
    0.6931472057372429,
    0.24022646890578592,
    0.05550328777004565,
    0.009618488963108032,
    0.001339993120665902,
    0.00015345810394215564,
)


def _exp2(builder: Any, x: Any) -> Any:
    """2^x, 0 below 2^-126, clamped above 2^126; NaN gives 0.

    Adding 1.5 * 2^23 rounds x to an integer in the low bits.
    """
    normal = builder.fcmp_ordered(">", x, _constant(-126.0))
    x = builder.select(normal, x, _constant(-126.0))
    x = builder.select(builder.fcmp_ordered("<", x, _constant(126.0)), x, _constant(126.0))
    shifted = builder.fadd(x, _constant(12582912.0))
    fraction = builder.fsub(x, builder.fsub(shifted, _constant(12582912.0)))
    power = _constant(_EXP2[-1])
    for coefficient in reversed(_EXP2[:-1]):
        power = _multiply_add(builder, power, fraction, _constant(coefficient))
    exponent = builder.shl(builder.bitcast(shifted, _INTS), _constant_int(23))
    power = builder.bitcast(builder.add(builder.bitcast(power, _INTS), exponent), _FLOATS)
    return builder.select(normal, power, _constant(0.0))


exp2 = _operation(1, _exp2)


@intrinsic  # type: ignore[untyped-decorator]
def spread(typing: Any, value: Any) -> Any:
    """The same float32 in every lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        undefined = ir.Constant(_FLOATS, ir.Undefined)
        first = builder.insert_element(undefined, arguments[0], ir.Constant(_INT, 0))
        return _shuffle(builder, first, undefined, [0] * LANES)

    return _VECTOR(types.float32), generate


@intrinsic  # type: ignore[untyped-decorator]
def lane_numbers(typing: Any) -> Any:
    """0, 1, ... 7."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(_FLOATS, [ir.Constant(_FLOAT, float(lane)) for lane in range(LANES)])

    return _VECTOR(), generate


def element_address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Where an element of a flat array lies."""
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    return builder.bitcast(element_address(context, builder, array_type, array, index), _FLOATS.as_pointer())


@intrinsic  # type: ignore[untyped-decorator]
def _load(typing: Any, array: Any, index: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = builder.load(_address(context, builder, array, *arguments))
        value.align = 4
        return value

    return _VECTOR(array, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def _store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _address(context, builder, array, *arguments[:2])).align = 4
        return context.get_dummy_value()

    return types.void(array, types.intp, _VECTOR), generate


def _checked_load(array: Any, index: Any) -> Any:
    if index < 0 or index + 8 > array.size:
        raise IndexError("vector load out of bounds")
    return _load(array, index)


def _checked_store(array: Any, index: Any, value: Any) -> None:
    if index < 0 or index + 8 > array.size:
        raise IndexError("vector store out of bounds")
    _store(array, index, value)


_CHECKED = os.environ.get("GVIDEO_BOUNDS") == "1"
load: Any = numba.njit(_checked_load) if _CHECKED else _load  # 8 values of a flat float32 array from index on
store: Any = numba.njit(_checked_store) if _CHECKED else _store


@intrinsic  # type: ignore[untyped-decorator]
def total(typing: Any, vector: Any) -> Any:
    """Sum over the lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, width = arguments[0], LANES
        while width > 1:
            width //= 2
            low = _shuffle(builder, value, value, range(width))
            high = _shuffle(builder, value, value, range(width, 2 * width))
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.Constant(_INT, 0))

    return types.float32(vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def totals(typing: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> Any:
    """The sums over the lanes of eight vectors as one vector: a transpose that adds, in 7 additions.

    Each round halves the part of a vector that belongs to one sum:  [a a a a a a a a], [e e ...] -> [a a a a e e e e].
    Pairing i with i + 4, then i + 2, then i + 1 leaves the sums in order.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors, width = list(arguments), LANES
        while len(vectors) > 1:
            half, width = len(vectors) // 2, width // 2
            starts = range(0, LANES, 2 * width)
            low = [base + start + lane for start in starts for base in (0, LANES) for lane in range(width)]
            high = [index + width for index in low]
            pairs = zip(vectors[:half], vectors[half:], strict=True)
            vectors = [builder.fadd(_shuffle(builder, x, y, low), _shuffle(builder, x, y, high)) for x, y in pairs]
        return vectors[0]

    return _VECTOR(a, b, c, d, e, f, g, h), generate
