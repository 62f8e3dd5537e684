"""Vectors of 16 float32 lanes, written as Python expressions and compiled without a loop vectoriser's whims.

numba turns a loop into vector instructions when it can prove enough about it, and silently does not
otherwise. The training kernels leave nothing to that: a *traced* function is Python that runs once, while a
kernel is compiled, and writes LLVM instructions; its Python loops are thereby unrolled, `loop` makes one that
stays a loop, and values live in vector registers. LLVM fits the 16 lanes to the machine: one AVX-512
register, two of AVX2, four of NEON.

Traced values behave as numbers: a scalar meets a vector by being spread over its lanes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]  # llvmlite has no types
from numba.core import cgutils

LANES = 16

FLOAT = ir.FloatType()
WORD = ir.IntType(32)
LONG = ir.IntType(64)
FLOATS = ir.VectorType(FLOAT, LANES)
WORDS = ir.VectorType(WORD, LANES)
LONGS = ir.VectorType(LONG, LANES // 2)


class Traced:
    """A scalar or vector of the program that is being written: float32, an unsigned integer, or a truth."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder = builder
        self.value = value

    def _is_float(self) -> bool:
        return isinstance(_element(self.value.type), ir.FloatType)

    def alike(self, other: "Traced | float") -> tuple[Any, Any]:
        """Both operands, a number as a constant and a scalar that meets a vector spread over its lanes."""
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

    def __add__(self, other: "Traced | float") -> "Traced":
        operation = self.builder.fadd if self._is_float() else self.builder.add
        return self._new(operation(*self.alike(other)))

    def __sub__(self, other: "Traced | float") -> "Traced":
        operation = self.builder.fsub if self._is_float() else self.builder.sub
        return self._new(operation(*self.alike(other)))

    def __mul__(self, other: "Traced | float") -> "Traced":
        operation = self.builder.fmul if self._is_float() else self.builder.mul
        return self._new(operation(*self.alike(other)))

    def __truediv__(self, other: "Traced | float") -> "Traced":
        return self._new(self.builder.fdiv(*self.alike(other)))

    def __xor__(self, other: "Traced | int") -> "Traced":
        return self._new(self.builder.xor(*self.alike(other)))

    def __and__(self, other: "Traced | int") -> "Traced":
        return self._new(self.builder.and_(*self.alike(other)))

    def __or__(self, other: "Traced | int") -> "Traced":
        return self._new(self.builder.or_(*self.alike(other)))

    def __lshift__(self, other: "Traced | int") -> "Traced":
        return self._new(self.builder.shl(*self.alike(other)))

    def __rshift__(self, other: "Traced | int") -> "Traced":
        return self._new(self.builder.lshr(*self.alike(other)))

    def __floordiv__(self, other: "Traced | int") -> "Traced":
        return self._new(self.builder.udiv(*self.alike(other)))

    def __le__(self, other: "Traced | float") -> "Traced":
        return self._compare("<=", other)

    def __lt__(self, other: "Traced | float") -> "Traced":
        return self._compare("<", other)

    def __gt__(self, other: "Traced | float") -> "Traced":
        return self._compare(">", other)

    def _compare(self, relation: str, other: "Traced | float") -> "Traced":
        compare = self.builder.fcmp_ordered if self._is_float() else self.builder.icmp_unsigned
        return self._new(compare(relation, *self.alike(other)))

    def is_nonzero(self) -> "Traced":
        """Which lanes of a float32 vector are not 0; NaN is not."""
        return self._new(self.builder.fcmp_unordered("!=", self.value, ir.Constant(self.value.type, None)))

    def where(self, condition: "Traced", otherwise: "Traced | None" = None) -> "Traced":
        """This value where the condition holds, else the other (0 if there is none)."""
        alternative = ir.Constant(self.value.type, None) if otherwise is None else otherwise.value
        return self._new(self.builder.select(condition.value, self.value, alternative))

    def low_word(self) -> "Traced":
        """The low 32 bits of a 64-bit scalar."""
        return self._new(self.builder.trunc(self.value, WORD))

    def to_long(self) -> "Traced":
        """A word as a 64-bit scalar."""
        return self._new(self.builder.zext(self.value, LONG))

    def as_words(self) -> "Traced":
        """The bits of eight 64-bit integers as sixteen words, each low word before its high word."""
        return self._new(self.builder.bitcast(self.value, WORDS))

    def to_floats(self) -> "Traced":
        """Sixteen words as float32, rounded to nearest."""
        return self._new(self.builder.uitofp(self.value, FLOATS))

    def as_floats(self) -> "Traced":
        """The bits of sixteen words as float32."""
        return self._new(self.builder.bitcast(self.value, FLOATS))

    def float_bits(self) -> "Traced":
        """The bits of sixteen float32 as words."""
        return self._new(self.builder.bitcast(self.value, WORDS))

    def nearest(self) -> "Traced":
        """Sixteen float32 rounded to whole numbers."""
        return self._new(_call(self.builder, "llvm.rint.v16f32", FLOATS, [self.value]))

    def to_float(self) -> "Traced":
        """An integer scalar, in two's complement, as float32."""
        return self._new(self.builder.sitofp(self.value, FLOAT))

    def to_words(self) -> "Traced":
        """Sixteen whole float32 as words; negative ones as two's complement."""
        return self._new(self.builder.fptosi(self.value, WORDS))

    def to_signed_floats(self) -> "Traced":
        """Sixteen words, in two's complement, as float32."""
        return self._new(self.builder.sitofp(self.value, FLOATS))

    def square_root(self) -> "Traced":
        """Square root of sixteen float32."""
        return self._new(_call(self.builder, "llvm.sqrt.v16f32", FLOATS, [self.value]))

    def count(self) -> "Traced":
        """How many of sixteen truths hold, as a 64-bit scalar."""
        bits = self.builder.bitcast(self.value, ir.IntType(LANES))
        return self._new(self.builder.zext(self.builder.ctpop(bits), LONG))

    def compressed(self, keep: "Traced") -> "Traced":
        """The lanes to keep, moved together at the front; what follows them is anything."""
        undefined = ir.Constant(FLOATS, ir.Undefined)
        name = "llvm.experimental.vector.compress.v16f32"
        return self._new(_call(self.builder, name, FLOATS, [self.value, keep.value, undefined]))

    def lane(self, index: int) -> "Traced":
        """One element of a vector."""
        return self._new(self.builder.extract_element(self.value, ir.Constant(WORD, index)))

    def sum(self) -> "Traced":
        """The sum of a vector's lanes, in an order that is fixed when the kernel is compiled."""
        zero = ir.Constant(FLOAT, 0.0)
        name = "llvm.vector.reduce.fadd.v16f32"
        return self._new(_call(self.builder, name, FLOAT, [zero, self.value], fastmath=("reassoc",)))


def multiply_add(left: Traced, right: Traced, addend: Traced) -> Traced:
    """left · right + addend over the lanes, rounded once where the machine has an instruction for it."""
    zeros = Traced(left.builder, ir.Constant(FLOATS, None))
    operands = [zeros.alike(operand)[1] for operand in (left, right, addend)]
    return Traced(left.builder, _call(left.builder, "llvm.fmuladd.v16f32", FLOATS, operands))


def lane_sums(vectors: Sequence[Traced]) -> Traced:
    """The sums of sixteen vectors' lanes, in one vector: four rounds in which pairs of vectors merge."""
    builder, merged = vectors[0].builder, [vector.value for vector in vectors]
    group = LANES
    while group > 1:
        half = group // 2
        starts = range(0, 2 * LANES, group)  # of the groups of both vectors, one behind the other
        lower = _constant_words([start + lane for start in starts for lane in range(half)])
        upper = _constant_words([start + half + lane for start in starts for lane in range(half)])
        merged = [
            builder.fadd(
                builder.shuffle_vector(left, right, lower), builder.shuffle_vector(left, right, upper)
            )
            for left, right in zip(merged[0::2], merged[1::2], strict=True)
        ]
        group = half
    return Traced(builder, merged[0])


def transposed(vectors: Sequence[Traced]) -> list[Traced]:
    """Lane k of sixteen vectors as vector k, in four rounds.

    Each round turns the address (vector, lane) of every element by one of its eight bits.
    """
    builder, turned = vectors[0].builder, [vector.value for vector in vectors]
    half = LANES // 2
    lower, upper = (
        _constant_words([lane for low in range(start, start + half) for lane in (low, low + LANES)])
        for start in (0, half)
    )
    for _ in range(4):
        turned = [
            builder.shuffle_vector(left, right, lanes)
            for left, right in zip(turned[:half], turned[half:], strict=True)
            for lanes in (lower, upper)
        ]
    return [Traced(builder, vector) for vector in turned]


def long(builder: Any, value: int) -> Traced:
    """A 64-bit constant."""
    return Traced(builder, ir.Constant(LONG, value))


def longs(builder: Any, values: Sequence[int]) -> Traced:
    """Eight 64-bit constants."""
    return Traced(builder, ir.Constant(LONGS, list(values)))


def words(builder: Any, values: Sequence[int]) -> Traced:
    """Sixteen 32-bit constants."""
    return Traced(builder, _constant_words(values))


@contextmanager
def loop(count: Traced) -> Iterator[Traced]:
    """A loop of the compiled program over 0 … count - 1; gives the index."""
    with cgutils.for_range(count.builder, count.value) as compiled_loop:
        yield Traced(count.builder, compiled_loop.index)


@contextmanager
def loop_while(builder: Any, condition: Callable[[], Traced]) -> Iterator[None]:
    """A loop of the compiled program for as long as the condition, asked before every turn, holds."""
    head, body, behind = (builder.append_basic_block(name) for name in ("head", "body", "behind"))
    builder.branch(head)
    builder.position_at_end(head)
    builder.cbranch(condition().value, body, behind)
    builder.position_at_end(body)
    yield
    builder.branch(head)
    builder.position_at_end(behind)


@contextmanager
def if_holds(condition: Traced) -> Iterator[None]:
    """Body that the compiled program runs only if the (scalar) condition holds."""
    with condition.builder.if_then(condition.value):
        yield


def loop_over_tiles(builder: Any, length: int, largest: int, body: Callable[[Traced, int], None]) -> None:
    """`body(start, size)` for consecutive tiles of 0 … length - 1, all but the last of one size."""
    n_tiles = -(-length // largest)
    size = -(-length // n_tiles)
    with loop(long(builder, length // size)) as tile:
        body(tile * size, size)
    if length % size:
        body(long(builder, length - length % size), length % size)


def _constant_words(values: Sequence[int]) -> Any:
    return ir.Constant(WORDS, list(values))


def _element(kind: Any) -> Any:
    return kind.element if isinstance(kind, ir.VectorType) else kind


def _spread(builder: Any, scalar: Any, vector_type: Any) -> Any:
    undefined = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(WORD, 0))
    every = ir.Constant(ir.VectorType(WORD, vector_type.count), None)
    return builder.shuffle_vector(first, undefined, every)


def _call(builder: Any, name: str, returns: Any, arguments: list[Any], fastmath: tuple[str, ...] = ()) -> Any:
    function_type = ir.FunctionType(returns, [argument.type for argument in arguments])
    module = builder.module
    function = cgutils.get_or_insert_function(module, function_type, name)  # type: ignore[no-untyped-call]
    return builder.call(function, arguments, fastmath=fastmath)
