"""The parts of the fused engine's kernels: each is compiled by itself, for one form, and inlined by LLVM.

numba's own inlining copies syntax trees, and takes more than proportionally long in large functions: kernels
in one piece took up to twice as long to compile. LLVM puts a part's loops into vector lanes before it inlines
the part, and must know the form's constants by then: so each function here makes the part of a form.

An index has the type uint64, or begins at 0 in what the part gets: where numba cannot tell that an index is
not negative, it asks for each element, and nothing is put into lanes. Arguments `n_hidden` repeat a constant
for loops that gain nothing from being unrolled.

Gradients lack the factor 2 / (n_hidden · batch_size), which `end_step` applies.
"""

import numpy as np

from superposition_atlas.backends.numba_cache import compile_part
from superposition_atlas.sae.architecture import NORM_EPSILON
from superposition_atlas.sae.fused.fused_form import Form, Part
from superposition_atlas.sae.fused.fused_rows import (
    BLOCK,
    TILE,
    add_scaled,
    clear_behind_batch,
    correlate,
    draw,
    draw_groups,
    weighted_sum,
)
from superposition_atlas.sampling import stream
from superposition_atlas.training.adam import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON

_SAE_INPUTS = int(stream.Purpose.SAE_INPUTS)


def begin_step(form: Form) -> Part:
    """Ŵ_dec, the norms of W_dec's rows, and sums of 0."""
    own, sizes = form.module, form.sizes
    N_HIDDEN, N_LATENTS, N_PARAMETERS = form.n_hidden, form.n_latents, form.n_parameters
    FIRST, ROW, COLUMN = form.decoder

    @compile_part
    def begin(model, sums):  # type: ignore[no-untyped-def]
        zero = np.float32(0.0)
        for j in range(N_LATENTS):
            squared = zero
            for d in range(N_HIDDEN):
                weight = model.parameters[FIRST + j * ROW + d * COLUMN]
                squared += weight * weight
            model.norm[j] = np.sqrt(squared)
            inverse = np.float32(1.0) / (model.norm[j] + np.float32(NORM_EPSILON))
            for d in range(N_HIDDEN):
                model.unit[j * N_HIDDEN + d] = model.parameters[FIRST + j * ROW + d * COLUMN] * inverse
            sums.slopes[j] = zero
            sums.activity[j] = zero
        for p in range(N_PARAMETERS):
            sums.gradient[p] = zero
        own.prepare(sizes, model)

    return begin


def encode_block(form: Form) -> Part:
    """Draws x of a block, and computes c and π."""
    N_FEATURES, N_HIDDEN, N_LATENTS = form.n_features, form.n_hidden, form.n_latents
    STRUCTURED, RECTIFIES = form.structured, form.module.RECTIFIES
    B_ENC = 2 * N_HIDDEN * N_LATENTS
    B_DEC = B_ENC + N_LATENTS
    NEVER = np.float32(0.0 if RECTIFIES else -np.inf)
    sum_features, sum_dimensions = weighted_sum(N_FEATURES), weighted_sum(N_HIDDEN)

    @compile_part
    def encode_it(  # type: ignore[no-untyped-def]
        centred, pre_activations, x, shared, W, own_threshold, threshold, scale, groups, seed_words,
        parameters, first_quad, step, n_samples,
    ):  # fmt: skip
        key0, key1 = seed_words[0], seed_words[1]
        draw(x, N_FEATURES, first_quad, step, _SAE_INPUTS, own_threshold, scale, key0, key1)
        if STRUCTURED:
            draw_groups(x, shared, N_FEATURES, first_quad, step, _SAE_INPUTS, threshold, groups, key0, key1)
        for d in range(N_HIDDEN):
            sum_features(
                centred, d * BLOCK, -parameters[B_DEC + d], x, -1, W, d * N_FEATURES, 1, x, N_FEATURES, False
            )
        for j in range(N_LATENTS):
            sum_dimensions(
                pre_activations, j * BLOCK, parameters[B_ENC + j], x, -1, parameters, j, N_LATENTS, centred,
                N_HIDDEN, RECTIFIES,
            )  # fmt: skip
        if n_samples < BLOCK:
            clear_behind_batch(centred, N_HIDDEN, n_samples, np.float32(0.0))
            clear_behind_batch(pre_activations, N_LATENTS, n_samples, NEVER)

    return encode_it


def reconstruct_block(form: Form) -> Part:
    """The activations of a block, and the residual a Ŵ_dec - c of all latents or of each prefix."""
    own, sizes = form.module, form.sizes
    N_HIDDEN, N_LATENTS = form.n_hidden, form.n_latents
    sum_latents = weighted_sum(N_LATENTS)
    RECTIFIES, HAS_GATE, HAS_PREFIXES = own.RECTIFIES, own.HAS_GATE, own.HAS_PREFIXES

    @compile_part
    def reconstruct_it(rows, model, goal):  # type: ignore[no-untyped-def]
        own.activate(rows, sizes, model, goal)
        activations = rows.pre_activations if RECTIFIES else rows.activations
        if not HAS_PREFIXES or len(rows.residual) == 1:
            residual = rows.residual[0]
            for d in range(N_HIDDEN):
                sum_latents(
                    residual, d * BLOCK, np.float32(0.0), rows.centred, d * BLOCK, model.unit, d, N_HIDDEN,
                    activations, N_LATENTS, False,
                )  # fmt: skip
        if HAS_GATE:
            for d in range(N_HIDDEN):
                sum_latents(
                    rows.other_residual, d * BLOCK, np.float32(0.0), rows.centred, d * BLOCK, model.unit, d,
                    N_HIDDEN, rows.other_activations, N_LATENTS, False,
                )  # fmt: skip

    return reconstruct_it


def reconstruct_prefixes(form: Form) -> Part:
    """The residual of each prefix of the latents."""
    N_HIDDEN, N_LATENTS = form.n_hidden, form.n_latents

    @compile_part
    def reconstruct_them(rows, model, n_hidden):  # type: ignore[no-untyped-def]
        residual = rows.residual[0]
        for s in range(N_HIDDEN * BLOCK):
            residual[s] = -rows.centred[s]
        for j in range(N_LATENTS):
            residual = rows.residual[model.first_prefix[j]]
            if j > 0 and model.first_prefix[j] > model.first_prefix[j - 1]:
                shorter = rows.residual[model.first_prefix[j - 1]]
                for s in range(N_HIDDEN * BLOCK):
                    residual[s] = shorter[s]
            for d in range(n_hidden):
                add_scaled(residual, d * BLOCK, model.unit[j * N_HIDDEN + d], rows.activations, j * BLOCK)

    return reconstruct_them


def add_gradients(form: Form) -> Part:
    """Adds a block to the sums over the batch.

    With c = h - b_dec, the residual r = a Ŵ_dec - c, ρ_j = Σ_d r_d Ŵ_dec[j, d] and δ_j the slope of the loss
    in (c W_enc)_j, which is the architecture's own:

        W_enc[d, j]: Σ c_d δ_j     b_enc[j]: Σ δ_j     Ŵ_dec[j, d]: Σ a_j r_d
        b_dec[d]: Σ r_d - Σ_j W_enc[d, j] Σ δ_j
    """
    own, sizes = form.module, form.sizes
    N_HIDDEN, N_LATENTS = form.n_hidden, form.n_latents
    RECTIFIES, HAS_GATE, HAS_PREFIXES = own.RECTIFIES, own.HAS_GATE, own.HAS_PREFIXES
    IN_PLANE, IS_TILED = N_HIDDEN == 2, N_HIDDEN > TILE
    LAST_TILE = (N_HIDDEN - 1) // TILE * TILE
    W_DEC = sizes.W_dec
    sum_dimensions = weighted_sum(LAST_TILE)
    B_DEC = sizes.particular - N_HIDDEN

    @compile_part
    def add_them(rows, sums, model, goal, n_hidden):  # type: ignore[no-untyped-def]
        zero = np.float32(0.0)
        unit, gradient, residual = model.unit, sums.gradient, rows.residual[0]
        activations = rows.pre_activations if RECTIFIES else rows.activations
        if HAS_PREFIXES:
            # A prefix's latents are those of the longer ones too.
            for g in range(len(rows.residual) - 1, 0, -1):
                longer, shorter = rows.residual[g], rows.residual[g - 1]
                for s in range(N_HIDDEN * BLOCK):
                    shorter[s] += longer[s]
        for d in range(N_HIDDEN):
            total = zero
            for s in range(goal.block):
                total += residual[d * BLOCK + s]
            gradient[B_DEC + d] += total
        for j in range(N_LATENTS):
            if HAS_PREFIXES:
                residual = rows.residual[model.first_prefix[j]]
            if IS_TILED:
                sum_dimensions(
                    rows.slope, 0, zero, residual, -1, unit, j * N_HIDDEN, 1, residual, LAST_TILE, False
                )
            if IS_TILED and HAS_GATE:
                sum_dimensions(
                    rows.other_slope, 0, zero, residual, -1, unit, j * N_HIDDEN, 1, rows.other_residual,
                    LAST_TILE, False,
                )  # fmt: skip
            slopes, active, encoder_0, encoder_1, decoder_0, decoder_1 = own.add_gradient(
                (zero, zero, zero, zero, zero, zero), sums, sizes, model, goal, rows, residual, j
            )
            if IN_PLANE:
                gradient[j] += encoder_0
                gradient[N_LATENTS + j] += encoder_1
                gradient[W_DEC + 2 * j] += decoder_0
                gradient[W_DEC + 2 * j + 1] += decoder_1
            else:
                correlate(gradient, j, N_LATENTS, rows.slope, 0, rows.centred, n_hidden)
                correlate(gradient, W_DEC + j * N_HIDDEN, 1, activations, j * BLOCK, residual, n_hidden)
            sums.slopes[j] += slopes
            sums.activity[j] += active

    return add_them


def end_step(form: Form) -> Part:
    """Turns sums over the batch into the gradient, and takes a step of Adam.

    W_dec[j]: (g - (ŵ · g) w / ‖w‖) / (‖w‖ + ε), g the gradient of Ŵ_dec[j]; tied, it is added to W_enc's. A
    parameter that is not trained has gradient and moments 0 and keeps its value.
    """
    own, sizes, TIED = form.module, form.sizes, form.tied
    N_HIDDEN, N_LATENTS, N_PARAMETERS = form.n_hidden, form.n_latents, form.n_parameters
    FIRST, ROW, COLUMN = form.decoder
    W_DEC = sizes.W_dec
    B_DEC = sizes.particular - N_HIDDEN
    B_ENC = B_DEC - N_LATENTS
    BETA_1, BETA_2, EPSILON = (np.float32(value) for value in (ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON))
    REST_1, REST_2 = np.float32(1.0 - ADAM_BETA_1), np.float32(1.0 - ADAM_BETA_2)

    @compile_part
    def end_it(  # type: ignore[no-untyped-def]
        model, sums, first_moment, second_moment, last_fired, step, bandwidth, gradient_scale, rate,
        correction, trains_decoder,
    ):  # fmt: skip
        zero, one, epsilon = np.float32(0.0), np.float32(1.0), np.float32(NORM_EPSILON)
        parameters, gradient, unit = model.parameters, sums.gradient, model.unit
        for d in range(N_HIDDEN):
            for j in range(N_LATENTS):
                gradient[B_DEC + d] -= parameters[d * N_LATENTS + j] * sums.slopes[j]
        for j in range(N_LATENTS):
            gradient[B_ENC + j] = sums.slopes[j]
            if sums.activity[j] > zero:
                last_fired[j] = step
        own.finish(sums, sizes, model, bandwidth)

        for j in range(N_LATENTS):
            projected = zero
            for d in range(N_HIDDEN):
                projected += unit[j * N_HIDDEN + d] * gradient[W_DEC + j * N_HIDDEN + d]
            if model.norm[j] > zero:
                projected /= model.norm[j]
            inverse = one / (model.norm[j] + epsilon)
            for d in range(N_HIDDEN):
                p = W_DEC + j * N_HIDDEN + d
                weight = parameters[FIRST + j * ROW + d * COLUMN]
                of_weight = (gradient[p] - projected * weight) * inverse
                if TIED:
                    gradient[d * N_LATENTS + j] += of_weight
                gradient[p] = of_weight if trains_decoder and not TIED else zero

        for p in range(N_PARAMETERS):
            g = gradient[p] * gradient_scale
            first = BETA_1 * first_moment[p] + REST_1 * g
            second = BETA_2 * second_moment[p] + REST_2 * g * g
            first_moment[p] = first
            second_moment[p] = second
            parameters[p] -= rate * first / (np.sqrt(second) * correction + EPSILON)

        if trains_decoder:  # its rows are stored with norm 1
            for j in range(N_LATENTS):
                squared = zero
                for d in range(N_HIDDEN):
                    weight = parameters[FIRST + j * ROW + d * COLUMN]
                    squared += weight * weight
                inverse = one / (np.sqrt(squared) + epsilon)
                for d in range(N_HIDDEN):
                    parameters[W_DEC + j * N_HIDDEN + d] = parameters[FIRST + j * ROW + d * COLUMN] * inverse

    return end_it
