"""Vectors of eight float64 for compiled kernels: loaded, computed with and stored without a loop.

numba turns a loop over eight numbers into vector instructions when it can prove enough about it, and silently
does not otherwise. Here a vector is a type that kernels compute with, so it stays in a register: one of
AVX-512, two of AVX2, four of NEON.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float
from llvmlite import ir  # type: ignore[import-untyped]  # llvmlite has no types
from numba import types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

LANES = 8
"""Numbers of a vector."""
_BYTES = 8 * LANES
_DOUBLE, _WORD = ir.DoubleType(), ir.IntType(32)
_VECTOR = ir.VectorType(_DOUBLE, LANES)


class _Vector(types.Type):
    """The type of a vector inside kernels."""

    def __init__(self) -> None:
        super().__init__(name="VectorOfEightFloat64")


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    """A vector is what LLVM calls one."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]  # numba's own


_vector = _Vector()


def _intrinsic(function: Callable[..., Any]) -> Any:
    """A function of kernels; numba passes its typing context, callers don't."""
    return intrinsic(function)


def _row(context: Any, builder: Any, array_type: Any, array: Any, row: Any) -> Any:
    """Pointer to a row of a C-contiguous float64 [row, LANES]."""
    data = context.make_array(array_type)(context, builder, array).data
    offset = builder.mul(row, ir.Constant(row.type, LANES))
    return builder.bitcast(builder.gep(data, [offset]), _VECTOR.as_pointer())


@_intrinsic
def load(typing_context, array, row):  # type: ignore[no-untyped-def]
    """The vector in a row of a float64 [row, LANES] that starts at a multiple of 64 bytes."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        pointer = _row(context, builder, signature.args[0], *arguments)
        return builder.load(pointer, align=_BYTES)

    return _vector(array, types.intp), generate


@_intrinsic
def store(typing_context, array, row, vector):  # type: ignore[no-untyped-def]
    """Write a vector to a row of such an array."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        pointer = _row(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], pointer, align=_BYTES)
        return context.get_dummy_value()

    return types.void(array, types.intp, _vector), generate


def _spread(builder: Any, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(_WORD, 0))
    everywhere = ir.Constant(ir.VectorType(_WORD, LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), everywhere)


@_intrinsic
def spread(typing_context, number):  # type: ignore[no-untyped-def]
    """A vector of one number."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return _spread(builder, arguments[0])

    return _vector(types.float64), generate


def _operate(python_operator: Callable[..., Any], operation: str) -> None:
    """Teach kernels an operator on vectors, and on a vector and a number, which fills all lanes.

    Typed and lowered directly: as an inlined overload each use would go through numba's compiler again, which
    takes three times as long.
    """

    @type_callable(python_operator)
    def of_vectors(context):  # type: ignore[no-untyped-def]
        def typed(left, right):  # type: ignore[no-untyped-def]
            if {left, right} == {_vector} or {left, right} == {_vector, types.float64}:
                return _vector
            return None

        return typed

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        vectors = [
            value if kind is _vector else _spread(builder, value)
            for kind, value in zip(signature.args, arguments, strict=True)
        ]
        return getattr(builder, operation)(*vectors, flags=("contract",))

    for kinds in ((_Vector, _Vector), (_Vector, types.Float), (types.Float, _Vector)):
        lower_builtin(python_operator, *kinds)(generate)  # type: ignore[no-untyped-call]  # numba


for _python_operator, _operation in (
    (operator.add, "fadd"),
    (operator.iadd, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operate(_python_operator, _operation)


@_intrinsic
def where_positive(typing_context, test, value, otherwise):  # type: ignore[no-untyped-def]
    """In each lane the value where the test is above 0, else the other."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        test, value, otherwise = arguments
        return builder.select(builder.fcmp_ordered(">", test, ir.Constant(_VECTOR, None)), value, otherwise)

    return _vector(_vector, _vector, _vector), generate


@_intrinsic
def is_any_around_zero(typing_context, low, high):  # type: ignore[no-untyped-def]
    """Whether in any lane low < 0 < high."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        zero = ir.Constant(_VECTOR, None)
        below = builder.fcmp_ordered("<", arguments[0], zero)
        above = builder.fcmp_ordered(">", arguments[1], zero)
        bits = builder.bitcast(builder.and_(below, above), ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(_vector, _vector), generate


def empty_rows(n_rows: int) -> Float[np.ndarray, "row lane"]:
    """An array of rows that `load` and `store` take, with any content."""
    flat = np.empty((n_rows + 1) * LANES)
    start = (-(flat.ctypes.data // 8)) % LANES
    return flat[start : start + n_rows * LANES].reshape(n_rows, LANES)
