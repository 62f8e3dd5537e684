"""What a traced program remembers: variables that loops change, and rows of memory. See `lanes`."""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]  # llvmlite has no types
from numba.core import cgutils

from superposition_atlas.training.fused.lanes import FLOAT, FLOATS, LANES, LONG, WORD, Traced, long

_LINE = 4 * LANES  # bytes of a vector, and of a cache line
_DOUBLE = ir.DoubleType()


class Variable:
    """A vector that loops change: a register while there is one left."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        self._slot = cgutils.alloca_once(builder, FLOATS)  # type: ignore[no-untyped-call]  # numba's own
        self.clear()  # at this point of the program: a variable made inside a loop starts each turn at 0

    def clear(self) -> None:
        """Set all lanes to 0."""
        self._builder.store(ir.Constant(FLOATS, None), self._slot)

    def set(self, value: Traced) -> None:
        """Replace all lanes; a scalar is spread over them."""
        zeros = Traced(self._builder, ir.Constant(FLOATS, None))
        self._builder.store(zeros.alike(value)[1], self._slot)

    def get(self) -> Traced:
        """The vector now."""
        return Traced(self._builder, self._builder.load(self._slot))


class Total:
    """A float64 number that gathers float32 sums."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        self._slot = cgutils.alloca_once(builder, _DOUBLE)  # type: ignore[no-untyped-call]  # numba's own
        builder.store(ir.Constant(_DOUBLE, 0.0), self._slot)

    def take(self, lanes: Variable) -> None:
        """Add the sum of the lanes, and set them to 0."""
        self.add(lanes.get().sum())
        lanes.clear()

    def add(self, value: Traced) -> None:
        """Add a float32 number."""
        wide = self._builder.fpext(value.value, _DOUBLE)
        self._builder.store(self._builder.fadd(self._builder.load(self._slot), wide), self._slot)

    def get(self) -> Traced:
        """The number now."""
        return Traced(self._builder, self._builder.load(self._slot))


class Counter:
    """A 64-bit number that loops change."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        self._slot = cgutils.alloca_once(builder, LONG)  # type: ignore[no-untyped-call]  # numba's own
        self.set(long(builder, 0))

    def set(self, value: Traced) -> None:
        """Replace the number."""
        self._builder.store(value.value, self._slot)

    def get(self) -> Traced:
        """The number now."""
        return Traced(self._builder, self._builder.load(self._slot))


class Memory:
    """A row of 32-bit elements, read and written one at a time or sixteen at a time."""

    def __init__(self, builder: Any, pointer: Any) -> None:
        self._builder = builder
        self._pointer = pointer

    def _at(self, index: Traced | int) -> Any:
        offset = index.value if isinstance(index, Traced) else ir.Constant(LONG, index)
        return self._builder.gep(self._pointer, [offset])

    def _lanes_at(self, index: Traced | int) -> Any:
        return self._builder.bitcast(self._at(index), FLOATS.as_pointer())

    def as_words(self) -> "Memory":
        """The same row, read and written one word at a time."""
        return Memory(self._builder, self._builder.bitcast(self._pointer, WORD.as_pointer()))

    def from_index(self, index: Traced | int) -> "Memory":
        """The same row from an element on."""
        return Memory(self._builder, self._at(index))

    def aligned(self) -> "Memory":
        """The same row from the first element on at which a vector fills a cache line."""
        address = self._builder.ptrtoint(self._pointer, LONG)
        aligned = self._builder.and_(
            self._builder.add(address, ir.Constant(LONG, _LINE - 1)), ir.Constant(LONG, -_LINE)
        )
        return Memory(self._builder, self._builder.inttoptr(aligned, self._pointer.type))

    def load(self, index: Traced | int) -> Traced:
        """One element."""
        return Traced(self._builder, self._builder.load(self._at(index), align=4))

    def store(self, value: Traced, index: Traced | int) -> None:
        """One element."""
        self._builder.store(value.value, self._at(index), align=4)

    def load_lanes(self, index: Traced | int) -> Traced:
        """Sixteen float32 elements."""
        return Traced(self._builder, self._builder.load(self._lanes_at(index), align=4))

    def store_lanes(self, value: Traced, index: Traced | int) -> None:
        """Sixteen float32 elements."""
        self._builder.store(value.value, self._lanes_at(index), align=4)

    def add_lanes(self, values: Traced, lanes: range, index: Traced | int) -> None:
        """Add some of sixteen float32, side by side, to as many elements."""
        kind = ir.VectorType(FLOAT, len(lanes))
        chosen = ir.Constant(ir.VectorType(WORD, len(lanes)), list(lanes))
        added = self._builder.shuffle_vector(values.value, ir.Constant(FLOATS, ir.Undefined), chosen)
        place = self._builder.bitcast(self._at(index), kind.as_pointer())
        total = self._builder.fadd(self._builder.load(place, align=4), added)
        self._builder.store(total, place, align=4)
