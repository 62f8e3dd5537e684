"""Vectors of 16 float32 lanes, written as Python expressions and compiled without a loop vectoriser's whims.

numba's compiler turns a loop into vector instructions when it can prove enough about it, and silently does
not otherwise. The training kernels leave nothing to that: a *traced* function is Python that runs once, while
a kernel is compiled, and writes LLVM instructions; its Python loops are unrolled and its values live in
vector registers. LLVM fits the 16 lanes to the machine: one AVX-512 register, two of AVX2, four of NEON.

Traced values behave as numbers: a scalar meets a vector by being spread over its lanes.
"""

from typing import Any, Union

from llvmlite import ir  # type: ignore[import-untyped]  # llvmlite has no types
from numba.core import cgutils

LANES = 16

FLOAT = ir.FloatType()
WORD = ir.IntType(32)
LONG = ir.IntType(64)
FLOATS = ir.VectorType(FLOAT, LANES)
WORDS = ir.VectorType(WORD, LANES)
LONGS = ir.VectorType(LONG, LANES // 2)

Operand = Union["Traced", int, float]


class Traced:
    """A scalar or vector of the program that is being written: float32, or an unsigned integer."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder = builder
        self.value = value

    @property
    def is_float(self) -> bool:
        """Whether the elements are float32."""
        return isinstance(_element(self.value.type), ir.FloatType)

    def _with(self, other: Operand) -> tuple[Any, Any]:
        """Both values in a common shape."""
        if not isinstance(other, Traced):
            other = Traced(self.builder, ir.Constant(_element(self.value.type), other))
        left, right = self.value, other.value
        if isinstance(left.type, ir.VectorType) and not isinstance(right.type, ir.VectorType):
            right = _spread(self.builder, right, left.type)
        elif isinstance(right.type, ir.VectorType) and not isinstance(left.type, ir.VectorType):
            left = _spread(self.builder, left, right.type)
        return left, right

    def _new(self, value: Any) -> "Traced":
        return Traced(self.builder, value)

    def __add__(self, other: Operand) -> "Traced":
        operation = self.builder.fadd if self.is_float else self.builder.add
        return self._new(operation(*self._with(other)))

    def __sub__(self, other: Operand) -> "Traced":
        operation = self.builder.fsub if self.is_float else self.builder.sub
        return self._new(operation(*self._with(other)))

    def __mul__(self, other: Operand) -> "Traced":
        operation = self.builder.fmul if self.is_float else self.builder.mul
        return self._new(operation(*self._with(other)))

    def __xor__(self, other: Operand) -> "Traced":
        return self._new(self.builder.xor(*self._with(other)))

    def __and__(self, other: Operand) -> "Traced":
        return self._new(self.builder.and_(*self._with(other)))

    def __lshift__(self, other: Operand) -> "Traced":
        return self._new(self.builder.shl(*self._with(other)))

    def __rshift__(self, other: Operand) -> "Traced":
        return self._new(self.builder.lshr(*self._with(other)))

    def __le__(self, other: Operand) -> "Traced":
        return self._compare("<=", other)

    def __lt__(self, other: Operand) -> "Traced":
        return self._compare("<", other)

    def __gt__(self, other: Operand) -> "Traced":
        return self._compare(">", other)

    def _compare(self, relation: str, other: Operand) -> "Traced":
        compare = self.builder.fcmp_ordered if self.is_float else self.builder.icmp_unsigned
        return self._new(compare(relation, *self._with(other)))

    def times_plus(self, factor: Operand, addend: "Traced") -> "Traced":
        """self · factor + addend, rounded once where the machine can."""
        left, right = self._with(factor)
        start = Traced(self.builder, left)._with(addend)[1]
        name = "llvm.fmuladd.v16f32" if isinstance(left.type, ir.VectorType) else "llvm.fmuladd.f32"
        return self._new(_call(self.builder, name, left.type, [left, right, start]))

    def where(self, condition: "Traced") -> "Traced":
        """The lanes of a vector where the condition holds, 0 in the others."""
        zero = ir.Constant(self.value.type, None)
        return self._new(self.builder.select(condition.value, self.value, zero))

    def as_words(self) -> "Traced":
        """The same bits as 32-bit words."""
        return self._new(self.builder.bitcast(self.value, WORDS))

    def to_long(self) -> "Traced":
        """An integer scalar as 64 bits."""
        if self.value.type.width == LONG.width:
            return self
        return self._new(self.builder.zext(self.value, LONG))

    def to_float(self) -> "Traced":
        """Words as float32, rounded to nearest."""
        return self._new(self.builder.uitofp(self.value, FLOATS))

    def sum(self) -> "Traced":
        """The sum of a vector's lanes, pairwise."""
        zero = ir.Constant(FLOAT, 0.0)
        name = "llvm.vector.reduce.fadd.v16f32"
        return self._new(_call(self.builder, name, FLOAT, [zero, self.value], fastmath=("reassoc",)))


class Variable:
    """A traced value that loops change: a register where there is one left."""

    def __init__(self, builder: Any, start: Any) -> None:
        self.builder = builder
        self._slot = cgutils.alloca_once(builder, start.type)
        builder.store(start, self._slot)

    @classmethod
    def zeros(cls, builder: Any) -> "Variable":
        """A vector of zeros."""
        return cls(builder, ir.Constant(FLOATS, None))

    def get(self) -> Traced:
        """The value now."""
        return Traced(self.builder, self.builder.load(self._slot))

    def set(self, value: Traced) -> None:
        """Replace the value."""
        self.builder.store(value.value, self._slot)


class Memory:
    """float32 or 32-bit words in a row, read and written one at a time or 16 at a time."""

    def __init__(self, builder: Any, pointer: Any) -> None:
        self.builder = builder
        self.pointer = pointer

    def _at(self, index: Any) -> Any:
        if isinstance(index, Traced):
            index = index.value
        elif isinstance(index, int):
            index = ir.Constant(LONG, index)
        return self.builder.gep(self.pointer, [index])

    def load(self, index: Any) -> Traced:
        """One element."""
        return Traced(self.builder, self.builder.load(self._at(index), align=4))

    def store(self, value: Traced, index: Any) -> None:
        """One element."""
        self.builder.store(value.value, self._at(index), align=4)

    def load_lanes(self, index: Any) -> Traced:
        """Sixteen float32 elements from `index` on."""
        pointer = self.builder.bitcast(self._at(index), FLOATS.as_pointer())
        return Traced(self.builder, self.builder.load(pointer, align=4))

    def store_lanes(self, value: Traced, index: Any) -> None:
        """Sixteen float32 elements from `index` on."""
        pointer = self.builder.bitcast(self._at(index), FLOATS.as_pointer())
        self.builder.store(value.value, pointer, align=4)


def constant_longs(builder: Any, values: range) -> Traced:
    """A constant vector of eight 64-bit integers."""
    return Traced(builder, ir.Constant(LONGS, list(values)))


def constant_words(builder: Any, values: list[int]) -> Traced:
    """A constant vector of sixteen words."""
    return Traced(builder, ir.Constant(WORDS, values))


def _element(kind: Any) -> Any:
    return kind.element if isinstance(kind, ir.VectorType) else kind


def _spread(builder: Any, scalar: Any, vector_type: Any) -> Any:
    undefined = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(WORD, 0))
    every = ir.Constant(ir.VectorType(WORD, vector_type.count), None)
    return builder.shuffle_vector(first, undefined, every)


def _call(builder: Any, name: str, returns: Any, arguments: list[Any], fastmath: tuple[str, ...] = ()) -> Any:
    function_type = ir.FunctionType(returns, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    return builder.call(function, arguments, fastmath=fastmath)
