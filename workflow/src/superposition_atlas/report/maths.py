"""Formulas: as typst sets them, as a screen reader says them, and in letters for a terminal."""

from typing import NamedTuple


class Formula(NamedTuple):
    """One formula in three notations."""

    typst: str
    spoken: str
    plain: str


FORMULAS: dict[str, Formula] = {
    name: Formula(*notations)
    for name, notations in {
        "i": ("i", "i", "i"),
        "j": ("j", "j", "j"),
        "k": ("k", "k", "k"),
        "n": ("n", "n", "n"),
        "m": ("m", "m", "m"),
        "p": ("p", "p", "p"),
        "W": ("W", "W", "W"),
        "p_i": ("p_i", "p i", "p_i"),
        "I_i": ("I_i", "I i", "I_i"),
        "V_i": ("V_i", "V i", "V_i"),
        "W_i": ("W_i", "W i", "W_i"),
        "D_i": ("D_i", "D i", "D_i"),
        "1-p_i": ("1 - p_i", "1 minus p i", "1 − p_i"),
        "i=0": ("i = 0", "i equals 0", "i = 0"),
        "n-1": ("n - 1", "n minus 1", "n − 1"),
        "p_i/2": ("p_i \\/ 2", "p i over 2", "p_i/2"),
        "theta": ("theta", "theta", "θ"),
        "lambda": ("lambda", "lambda", "λ"),
        "norm_i": ("norm(W_i)", "the norm of W i", "‖W_i‖"),
        "norm_i>0.5": ("norm(W_i) > 0.5", "the norm of W i is above 0.5", "‖W_i‖ > 0.5"),
        "D_i>0.9": ("D_i > 0.9", "D i is above 0.9", "D_i > 0.9"),
        "norm": ("norm(W)_F", "the Frobenius norm of W", "‖W‖_F"),
        "WtW": ("W^top W", "W transposed times W", "WᵀW"),
        "I=.9^i": ("I_i = 0.9^i", "I i equals 0.9 to the power of i", "I_i = 0.9^i"),
        "geometric": (
            "p_i = p_0 (p_(n-1) \\/ p_0)^(i \\/ (n-1))",
            "p i equals p 0 times the ratio of p n minus 1 and p 0 to the power of i over n minus 1",
            "p_i = p_0 (p_{n−1}/p_0)^{i/(n−1)}",
        ),
        "linear": (
            "p_i = p_0 + (p_(n-1) - p_0) i \\/ (n-1)",
            "p i equals p 0 plus the difference of p n minus 1 and p 0 times i over n minus 1",
            "p_i = p_0 + (p_{n−1} − p_0) i/(n−1)",
        ),
        "h=Wx": ("h = W x", "h equals W x", "h = W x"),
        "h=ReLU(Wx)": ('h = op("ReLU")(W x)', "h equals ReLU of W x", "h = ReLU(W x)"),
        "|x|": ("abs(x)", "the absolute value of x", "|x|"),
        "model": (
            'x\' = op("ReLU")(W^top h + b)',
            "x prime equals ReLU of W transposed h plus b",
            "x' = ReLU(Wᵀ h + b)",
        ),
        "loss": (
            "sum_i I_i (x_i - x'_i)^2",
            "the sum over i of I i times the square of x i minus x prime i",
            "Σ I_i (x_i − x'_i)²",
        ),
        "V": (
            'V_i = I_i op("Var") x_i = I_i (p_i / 3 - p_i^2 / 4)',
            "V i equals I i times the variance of x i, which is I i times, p i over 3 minus p i squared "
            "over 4",
            "V_i = I_i (p_i/3 − p_i²/4)",
        ),
        "c": (
            "c_(i j) = p_i p_j (I_i + I_j) / 6",
            "c i j equals p i times p j times the sum of I i and I j, over 6",
            "c_ij = p_i p_j (I_i + I_j)/6",
        ),
        "pair": ("V_i + V_j - c_(i j)", "V i plus V j minus c i j", "V_i + V_j − c_ij"),
        "partner": (
            "p_j < (2 - 1.5 p_i) I_i / (I_i + I_j)",
            "p j is smaller than 2 minus 1.5 p i, times I i, over the sum of I i and I j",
            "p_j < (2 − 1.5 p_i) I_i/(I_i + I_j)",
        ),
        "crowded": (
            "V_i < V_j + V_k - c_(j k)",
            "V i is smaller than V j plus V k minus c j k",
            "V_i < V_j + V_k − c_jk",
        ),
        "D": (
            "D_i = norm(W_i)^2 / (sum_j (hat(W)_i dot W_j)^2)",
            "D i equals the squared norm of W i over the sum over j of the squared product of the direction "
            "of W i and W j",
            "D_i = ‖W_i‖² / Σ_j (Ŵ_i · W_j)²",
        ),
        "interference": (
            "sum_(j != i) (hat(W)_i dot W_j)^2",
            "the sum over the other features j of the squared product of the direction of W i and W j",
            "Σ_{j≠i} (Ŵ_i · W_j)²",
        ),
        "score": (
            '1 / sqrt(d) (W_Q q) dot (W_K k) = sum_(i j) a_i c_j B_(i j) + "error"',
            "one over the square root of d times W Q q times W K k equals the sum over i and j of a i times "
            "c j times B i j, plus an error",
            "(W_Q q)·(W_K k)/√d = Σ_ij a_i c_j B_ij + error",
        ),
        "B": (
            "B_(i j) = d_i^top W_Q^top W_K d_j \\/ sqrt(d)",
            "B i j equals d i transposed times W Q transposed times W K times d j, over the square root of d",
            "B_ij = d_iᵀ W_Qᵀ W_K d_j/√d",
        ),
        "d_i": ("d_i", "d i", "d_i"),
        "sum D<=m": ("sum_i D_i <= m", "the sum of all D i is at most m", "Σ D_i ≤ m"),
    }.items()
}
"""Formulas by the name that sentences and captions use."""

LATEX = {
    r"\|W_i\|": "norm_i",
    r"\|W\|_F": "norm",
    r"\sum_{j\neq i}(\hat{W}_i\cdot W_j)^2": "interference",
    r"W^\top W": "WtW",
}
"""Names of formulas that captions have in LaTeX, which Snakemake's report sets; others are alike."""
