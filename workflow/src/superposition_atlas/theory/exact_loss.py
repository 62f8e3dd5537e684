"""The expected loss of a toy model in closed form: no samples, no noise, and its gradient.

For x_i = 0 with probability 1 - p_i, else U[0, 1], and x' = ReLU(Wᵀ W x + b), the expectation runs over the
supports of x (2^n) and, on each, over the cube of active magnitudes: `moments` has E z₊² of all outputs, and
its slopes.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from superposition_atlas import arguments
from superposition_atlas.backends.numba_cache import compile_function, compile_kernel
from superposition_atlas.covered_models import PLAIN, POSITIVE, require_settings
from superposition_atlas.errors import ArgumentError, TheoryError
from superposition_atlas.sampling.structure import Intervals, intervals_of
from superposition_atlas.schedules.schedule import Schedule, as_schedule, one_schedule
from superposition_atlas.theory.moments import States, go_down, go_up
from superposition_atlas.theory.supports import exact_probability, states_for
from superposition_atlas.theory.vectors import LANES, empty_rows, load, spread, store

if TYPE_CHECKING:
    from superposition_atlas.toy_model import ToyModels

LARGEST_N_FEATURES = 10
"""Work grows with n² 3^n: 5 features take some 8 µs, 8 features 0.3 ms, 10 features 9 ms."""


_COVERED = {"output": ("relu",), "magnitudes": ("uniform",), "centred_inputs": (False,), **PLAIN}
_NO_NORM = 1e-250
"""A squared norm below which a column counts as 0."""

Memory = tuple[Float[np.ndarray, "row lane"], Float[np.ndarray, " support"]]
"""What `fill_losses` works in: rows for `moments`, and P(support)."""


def exact_loss(
    W: "Float[np.ndarray, '*instance hidden feature'] | ToyModels",
    b: Float[np.ndarray, "*instance feature"] | None = None,
    importance: Float[np.ndarray, "*#instance feature"] | Schedule | None = None,
    probability: Float[np.ndarray, "*#instance feature"] | None = None,
    structure: Intervals | None = None,
) -> Float[np.ndarray, "*instance feature"]:
    """I_i E(x_i - x'_i)² of every feature, float64: exact up to rounding, never negative.

    Rounding is a few 1e-16 of I_i (p_i / 3 + E x'_i²), of which the loss is what is left.

    The training loss is its mean over the features. With centred inputs, h = W (x - E x), give
    b - Wᵀ W E x in b's place.

    Args:
        W: weights; or `ToyModels`, which need nothing else.
        b: biases of the outputs.
        importance: I_i ≥ 0; or a `Schedule` (or toy models), which brings probability.
        probability: 0 ≤ p_i ≤ 1; one that is 0 says that the feature is never active.
        structure: [.., feature, 2] where features depend on one another (`sampling.structure`), else None; a
            schedule or toy models bring theirs.

    Raises:
        TheoryError: if an argument is missing, shapes do not fit, a value is out of its range, there are more
            than LARGEST_N_FEATURES features, or toy models compute something else than ReLU(Wᵀ W x + b) on
            magnitudes U[0, 1].
    """
    arrays, structure = _checked(W, b, importance, probability, structure)
    lead, n_features = arrays[1].shape[:-1], arrays[1].shape[-1]
    flat = [array.reshape(-1, *array.shape[len(lead) :]) for array in arrays]
    loss = np.empty((len(flat[1]), n_features))
    steps = _states(flat, structure)
    memory = memory_for(steps, n_features)
    fill_losses(*flat, steps, memory, False, loss, np.empty_like(flat[0]), np.empty_like(flat[1]))
    return loss.reshape(*lead, n_features)


def exact_gradient(
    W: "Float[np.ndarray, '*instance hidden feature'] | ToyModels",
    b: Float[np.ndarray, "*instance feature"] | None = None,
    importance: Float[np.ndarray, "*#instance feature"] | Schedule | None = None,
    probability: Float[np.ndarray, "*#instance feature"] | None = None,
    structure: Intervals | None = None,
) -> tuple[
    Float[np.ndarray, "*instance feature"],
    Float[np.ndarray, "*instance hidden feature"],
    Float[np.ndarray, "*instance feature"],
]:
    """`exact_loss` of every feature, and the gradient of their sum with respect to W and b.

    Raises:
        TheoryError: as `exact_loss` does.
    """
    arrays, structure = _checked(W, b, importance, probability, structure)
    lead, n_features = arrays[1].shape[:-1], arrays[1].shape[-1]
    flat = [array.reshape(-1, *array.shape[len(lead) :]) for array in arrays]
    loss, dW, db = np.empty((len(flat[1]), n_features)), np.empty_like(flat[0]), np.empty_like(flat[1])
    steps = _states(flat, structure)
    fill_losses(*flat, steps, memory_for(steps, n_features), True, loss, dW, db)
    return loss.reshape(*lead, n_features), dW.reshape(arrays[0].shape), db.reshape(arrays[1].shape)


Objective = Callable[
    [Float[np.ndarray, "hidden feature"], Float[np.ndarray, " feature"]],
    tuple[float, Float[np.ndarray, "hidden feature"], Float[np.ndarray, " feature"]],
]


def objective_of(
    importance: Float[np.ndarray, " feature"],
    probability: Float[np.ndarray, " feature"],
    structure: Intervals | None = None,
) -> Objective:
    """For a search: W, b ↦ sum of `exact_loss` and its gradient, without checks, in arrays used again."""
    n_features = len(probability)
    p = np.array(exact_probability(probability, structure), np.float64)[None]
    schedule = np.array(importance, np.float64)[None], p
    loss, db = np.empty((1, n_features)), np.empty((1, n_features))
    steps = states_for(p, None if structure is None else structure[None])
    memory = memory_for(steps, n_features)

    def objective(
        W: Float[np.ndarray, "hidden feature"], b: Float[np.ndarray, " feature"]
    ) -> tuple[float, Float[np.ndarray, "hidden feature"], Float[np.ndarray, " feature"]]:
        dW = np.empty((1, *W.shape))
        fill_losses(W[None], b[None], *schedule, steps, memory, True, loss, dW, db)
        return float(loss.sum()), dW[0], db[0]

    return objective


def checked_schedule(
    importance: Any, probability: Any = None, n_hidden: Any = None, takes_structure: bool = False
) -> tuple[Float[np.ndarray, " feature"], Float[np.ndarray, " feature"], int]:
    """One schedule of a search, and m ≥ 1, in the types that they should have; see `one_schedule`.

    Raises:
        TheoryError: unless both are [feature], of LARGEST_N_FEATURES at most, 0 ≤ I_i and 0 < p_i ≤ 1, and
            n_hidden an integer of at least 1, and features independent or takes_structure true.
    """
    try:
        require_settings(importance, "a search for best solutions", PLAIN | POSITIVE)
        importance, probability, n_hidden = one_schedule(importance, probability, n_hidden, takes_structure)
    except ArgumentError as error:
        raise TheoryError(str(error)) from None
    check_n_features(len(probability))
    return importance, probability, n_hidden


def check_n_features(n_features: int) -> None:
    """Raises TheoryError if there are too many features for an exact loss."""
    if n_features > LARGEST_N_FEATURES:
        raise TheoryError(
            f"the exact loss of {n_features} features has 3^{n_features} terms: "
            f"at most {LARGEST_N_FEATURES} features are covered"
        )


def _states(flat: list[np.ndarray], structure: Intervals | None) -> States:
    """The states of the schedules among the arguments, whose probabilities become those of the supports."""
    if structure is not None:
        structure = structure.reshape(*flat[3].shape, 2)
        flat[3] = np.ascontiguousarray(exact_probability(flat[3], structure))
    return states_for(flat[3], structure)


def _checked(
    W: Any, b: Any, importance: Any, probability: Any, structure: Any
) -> tuple[list[np.ndarray], Intervals | None]:
    """The arguments as float64 arrays of fitting shapes, contiguous, and the structure, likewise."""
    if structure is None:
        structure = getattr(W if hasattr(W, "settings") else importance, "structure", None)
    try:
        if hasattr(W, "settings"):
            W, b, importance, probability = _of_models(W, b, importance, probability)
        elif hasattr(importance, "importance"):
            if probability is not None:
                raise ArgumentError("probability is given twice: must be left out beside a schedule")
            schedule = as_schedule(importance, "importance")
            importance, probability = schedule.importance, schedule.probability
        for name, value in (("b", b), ("importance", importance), ("probability", probability)):
            if value is None:
                raise ArgumentError(f"{name} is missing: must be an array [.., feature]")
        within: dict[str, Any] = {"most": arguments.LARGEST, "may_be_empty": True}
        W = arguments.numbers("W", W, "[.., hidden, feature]", least=-arguments.LARGEST, **within)
        b = arguments.numbers("b", b, "[.., feature]", least=-arguments.LARGEST, **within)
        importance = arguments.numbers("importance", importance, "[.., feature]", least=0, may_be_empty=True)
        probability = arguments.numbers(
            "probability", probability, "[.., feature]", least=0, most=1, may_be_empty=True
        )
    except ArgumentError as error:
        raise TheoryError(str(error)) from None
    if W.ndim < 2 or b.ndim < 1 or W.shape[:-2] != b.shape[:-1] or W.shape[-1] != b.shape[-1]:
        raise TheoryError(
            f"W has shape {W.shape} and b {b.shape}: must be [.., hidden, feature] and [.., feature]"
        )
    if not W.shape[-1] or not W.shape[-2]:
        raise TheoryError(f"W has shape {W.shape}: must have a hidden dimension and a feature at least")
    check_n_features(b.shape[-1])
    rows = []
    for name, array in (("importance", importance), ("probability", probability)):
        try:
            rows.append(np.array(np.broadcast_to(array, b.shape), order="C"))
        except ValueError:
            raise TheoryError(f"{name} has shape {array.shape}: must fit b's, {b.shape}") from None
    if structure is not None:
        structure = intervals_of(structure, rows[1])
    if structure is not None:
        structure = np.ascontiguousarray(np.broadcast_to(structure, (*b.shape, 2)))
    # Arrays that can't be written would be another type, for which the kernel would be compiled again.
    return [array if array.flags.writeable else array.copy() for array in (W, b)] + rows, structure


def _of_models(models: Any, *others: Any) -> tuple[Any, Any, Any, Any]:
    """W, b, importance and probability of toy models."""
    if any(other is not None for other in others):
        raise ArgumentError("W is an ensemble of toy models: must be all that is given")
    require_settings(models, "an exact loss", _COVERED)
    return models.W, models.b, models.importance, models.probability


def memory_for(states: States, n_features: int) -> Memory:
    """For these states, or fewer, of so many features."""
    n_rows = 5 * (len(states.starts) - 1) + 2 * n_features + 3
    return empty_rows(n_rows), np.empty(len(states.members))


@compile_kernel(fastmath={"contract"})
def fill_losses(W, b, importance, probability, states, memory, gradient, loss, dW, db):  # type: ignore[no-untyped-def]
    """Fill loss, and dW and db where `gradient` says so. Arrays as `_checked` returns them."""
    n_instances, n_hidden, n = W.shape
    lanes, weight = memory
    n_states = len(states.starts) - 1
    squares, firsts, lows, highs, slopes = (
        lanes,
        lanes[n_states:],
        lanes[2 * n_states :],
        lanes[3 * n_states :],
        lanes[4 * n_states :],
    )
    rest = lanes[5 * n_states :]
    g, dg, bias, dbias, total = rest, rest[n:], rest[2 * n :], rest[2 * n + 1 :], rest[2 * n + 2 :]
    nothing = spread(0.0)
    for k in range(n_instances):
        _fill_weights(k, probability, states, weight)
        for h in range(n_hidden):
            for i in range(n):
                dW[k, h, i] = 0.0
        for start in range(0, n, LANES):
            n_own = min(LANES, n - start)
            for row in range(2 * n + 3):
                store(rest, row, nothing)
            for i in range(n_own):
                bias[0, i] = b[k, start + i]
                for j in range(n):
                    for h in range(n_hidden):
                        g[j, i] += W[k, h, start + i] * W[k, h, j]
                # Squares that are no more than rounding of the smallest numbers would be divided by.
                if g[start + i, i] < _NO_NORM:
                    for j in range(n):
                        g[j, i] = 0.0
            go_up(states, g, bias, squares, firsts, lows, highs)
            for state in range(n_states):
                store(slopes, state, nothing)
            _fill_slopes(states, weight, start, n_own, g, squares, lows, highs, slopes, total, dg, dbias)
            if gradient:
                go_down(states, g, firsts, lows, highs, slopes, dg, dbias)
            for own in range(n_own):
                i = start + own
                expected = probability[k, i] / 3.0 + total[0, own]
                # Where nothing is lost, rounding may leave less than nothing; NaN stays.
                loss[k, i] = 0.0 if expected < 0.0 else importance[k, i] * expected
                db[k, i] = importance[k, i] * dbias[0, own]
                for j in range(n if gradient else 0):
                    slope = importance[k, i] * dg[j, own]
                    for h in range(n_hidden):
                        dW[k, h, i] += slope * W[k, h, j]
                        dW[k, h, j] += slope * W[k, h, i]


@compile_function(fastmath={"contract"})
def _fill_slopes(states, weight, start, n_own, g, squares, lows, highs, slopes, total, dg, db):  # type: ignore[no-untyped-def]
    """Add up E z₊² - 2 E x_i z₊ over the supports, and fill its slopes with respect to each E z₊².

    Where z can have either sign, E u_i z₊ = (E[z₊² | u_i = 1] - E z₊²) / (2 g_i): g_i is the square of a
    norm, so that neither term is large beside it. Where z is positive it is E z / 2 + g_i / 12.
    """
    program, starts, _, _ = states
    for state in range(len(starts) - 1):
        at = starts[state]
        support = program[at + 5]
        if support < 0 or weight[support] == 0.0:
            continue
        w = weight[support]
        store(slopes, state, load(slopes, state) + w)
        store(total, 0, load(total, 0) + w * load(squares, state))
        for entry in range(at + 6, at + 6 + 3 * program[at], 3):
            i = program[entry]
            own, at_one = i - start, program[entry + 1]
            if not 0 <= own < n_own or highs[state, own] <= 0.0:
                continue
            if lows[state, own] < 0.0:
                share = w / g[i, own]
                total[0, own] -= share * (squares[at_one, own] - squares[state, own])
                slopes[at_one, own] -= share
                slopes[state, own] += share
                # Their slopes in g_i itself are those of the squares and that of 1 / g_i.
                dg[i, own] += share / g[i, own] * (squares[at_one, own] - squares[state, own])
            else:
                total[0, own] -= w * ((lows[state, own] + highs[state, own]) / 2 + g[i, own] / 6)
                db[0, own] -= w
                dg[i, own] -= w / 6
                for other in range(at + 6, at + 6 + 3 * program[at], 3):
                    dg[program[other], own] -= w / 2


@compile_function(fastmath={"contract"})
def _fill_weights(instance, probability, states, weight):  # type: ignore[no-untyped-def]
    """P(support) of each support."""
    for support in range(len(states.members)):
        if len(states.weight) > 0:
            weight[support] = states.weight[instance, support]
            continue
        weight[support] = 1.0
        for j in range(probability.shape[1]):
            p = probability[instance, j]
            weight[support] *= p if states.members[support, j] else 1.0 - p
