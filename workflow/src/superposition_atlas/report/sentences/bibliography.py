"""References, by the key that sentences cite."""

REFERENCES: dict[str, str] = {
    "post": (
        "S. Jain. Effects of non-uniform sparsity on superposition in toy models. LessWrong, 2024. Long form "
        "of the talk *Experiments with Mechanistic Interpretability*. "
        "<https://www.lesswrong.com/posts/WwxG8RRHrorJgpoAk/effects-of-non-uniform-sparsity-on-superposition-in-toy>"
    ),
    "tms": (
        "N. Elhage, T. Hume, C. Olsson, N. Schiefer, et al. Toy models of superposition. Transformer "
        "Circuits Thread, 2022. <https://arxiv.org/abs/2209.10652>"
    ),
    "notebook": (
        "Anthropic. Notebook *toy_models.ipynb* of *Toy models of superposition*, commit 562710e, 2022. "
        "<https://github.com/anthropics/toy-models-of-superposition>"
    ),
    "counted": (
        "djhulme1. *ecdysis-core*, tms/test_check.py: counts in the figures that this notebook has saved, "
        "commit c07692d. <https://github.com/djhulme1/ecdysis-core>"
    ),
    "capacity": (
        "A. Scherlis, K. Sachan, A. S. Jermyn, J. Benton, B. Shlegeris. Polysemanticity and capacity in "
        "neural networks. 2022. <https://arxiv.org/abs/2210.01892>"
    ),
    "kgons": (
        "Z. Chen, E. Lau, J. Mendel, S. Wei, D. Murfet. Dynamical versus Bayesian phase transitions in a toy "
        "model of superposition. 2023. <https://arxiv.org/abs/2310.06301>"
    ),
    "computation": (
        "K. Hänni, J. Mendel, D. Vaintrob, L. Chan. Mathematical models of computation in superposition. "
        "2024. <https://arxiv.org/abs/2408.05451>"
    ),
    "nonlinear": (
        "J. Engels, E. J. Michaud, I. Liao, W. Gurnee, M. Tegmark. Not all language model features are "
        "one-dimensionally linear. 2024. <https://arxiv.org/abs/2405.14860>"
    ),
    "arena": (
        "C. McDougall. ARENA 3.0, chapter 1: transformer interpretability. "
        "<https://github.com/callummcdougall/ARENA_3.0>"
    ),
    "monosemantic": (
        "T. Bricken, A. Templeton, J. Batson, B. Chen, A. Jermyn, et al. Towards monosemanticity: "
        "decomposing language models with dictionary learning. Transformer Circuits Thread, 2023. "
        "<https://transformer-circuits.pub/2023/monosemantic-features>"
    ),
    "cunningham": (
        "H. Cunningham, A. Ewart, L. Riggs, R. Huben, L. Sharkey. Sparse autoencoders find highly "
        "interpretable features in language models. 2023. <https://arxiv.org/abs/2309.08600>"
    ),
    "mmcs": (
        "L. Sharkey, D. Braun, B. Millidge. Taking features out of superposition with sparse autoencoders. "
        "AI Alignment Forum, 2022. <https://www.alignmentforum.org/posts/z6QQJbtpkEAX3Aojj>"
    ),
    "gated": (
        "S. Rajamanoharan, A. Conmy, L. Smith, T. Lieberum, V. Varma, et al. Improving dictionary learning "
        "with gated sparse autoencoders. 2024. <https://arxiv.org/abs/2404.16014>"
    ),
    "jumprelu": (
        "S. Rajamanoharan, T. Lieberum, N. Sonnerat, A. Conmy, V. Varma, et al. Jumping ahead: improving "
        "reconstruction fidelity with JumpReLU sparse autoencoders. 2024. <https://arxiv.org/abs/2407.14435>"
    ),
    "topk": (
        "L. Gao, T. Dupré la Tour, H. Tillman, G. Goh, R. Troll, et al. Scaling and evaluating sparse "
        "autoencoders. 2024. <https://arxiv.org/abs/2406.04093>"
    ),
    "batchtopk": (
        "B. Bussmann, P. Leask, N. Nanda. BatchTopK sparse autoencoders. 2024. "
        "<https://arxiv.org/abs/2412.06410>"
    ),
    "matryoshka": (
        "B. Bussmann, N. Nabeshima, A. Karvonen, N. Nanda. Learning multi-level features with Matryoshka "
        "sparse autoencoders. 2025. <https://arxiv.org/abs/2503.17547>"
    ),
    "absorption": (
        "D. Chanin, J. Wilken-Smith, T. Dulka, H. Bhatnagar, J. Bloom. A is for absorption: studying feature "
        "splitting and absorption in sparse autoencoders. 2024. <https://arxiv.org/abs/2409.14507>"
    ),
    "hedging": (
        "D. Chanin, T. Dulka, A. Garriga-Alonso. Feature hedging: correlated features break narrow sparse "
        "autoencoders. 2025. <https://arxiv.org/abs/2505.11756>"
    ),
    "sanity": (
        "A. Korznikov, A. Galichin, A. Dontsov, O. Rogov, I. Oseledets, E. Tutubalina. Sanity checks for "
        "sparse autoencoders: do SAEs beat random baselines? 2026. <https://arxiv.org/abs/2602.14111>"
    ),
    "saebench": (
        "A. Karvonen, C. Rager, J. Lin, C. Tigges, J. Bloom, et al. SAEBench: a comprehensive benchmark for "
        "sparse autoencoders in language model interpretability. 2025. <https://arxiv.org/abs/2503.09532>"
    ),
    "saelens": (
        "J. Bloom, C. Tigges, A. Duong, D. Chanin. SAELens. 2024. <https://github.com/decoderesearch/SAELens>"
    ),
    "dictionary": "S. Marks, A. Karvonen, A. Mueller. dictionary_learning. 2024. "
    "<https://github.com/saprmarks/dictionary_learning>",
    "updates": "Anthropic interpretability team. Circuits updates, July 2024. Transformer Circuits Thread. "
    "<https://transformer-circuits.pub/2024/july-update/index.html>",
    "framework": (
        "N. Elhage, N. Nanda, C. Olsson, T. Henighan, N. Joseph, et al. A mathematical framework for "
        "transformer circuits. Transformer Circuits Thread, 2021. "
        "<https://transformer-circuits.pub/2021/framework/index.html>"
    ),
    "playground": (
        "D. Smilkov, S. Carter, D. Sculley, F. B. Viégas, M. Wattenberg. Direct-manipulation visualization "
        "of deep networks. 2017. <https://arxiv.org/abs/1708.03788>"
    ),
    "adam": (
        "D. P. Kingma, J. Ba. Adam: a method for stochastic optimization. 2014. "
        "<https://arxiv.org/abs/1412.6980>"
    ),
    "philox": (
        "J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw. Parallel random numbers: as easy as 1, 2, 3. "
        "SC11, 2011. <https://doi.org/10.1145/2063384.2063405>"
    ),
    "edmonds": "J. Edmonds. Paths, trees, and flowers. Canadian Journal of Mathematics 17, 1965. "
    "<https://doi.org/10.4153/CJM-1965-045-4>",
    "highs": (
        "Q. Huangfu, J. A. J. Hall. Parallelizing the dual revised simplex method. Mathematical Programming "
        "Computation 10, 2018. <https://doi.org/10.1007/s12532-017-0130-5>"
    ),
    "clopper": (
        "C. J. Clopper, E. S. Pearson. The use of confidence or fiducial limits illustrated in the case of "
        "the binomial. Biometrika 26, 1934. <https://doi.org/10.1093/biomet/26.4.404>"
    ),
    "snakemake": (
        "F. Mölder, K. P. Jablonski, B. Letcher, M. B. Hall, C. H. Tomkins-Tinch, et al. Sustainable data "
        "analysis with Snakemake. F1000Research 10, 2021. <https://doi.org/10.12688/f1000research.29032>"
    ),
}
