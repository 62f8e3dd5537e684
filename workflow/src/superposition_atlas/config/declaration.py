"""Every key of a configuration: its type, range, default, and the sentence that documentation shows.

Keys that are settings of the library (`training`, `saes`, `playground`, parts of `attention`) are declared
where the library keeps them; what a configuration adds to them is here. What follows from the declarations:
the check and its messages (`checking`), the JSON schema for editors (`schema`), and the tables of
config/README.md (`document`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from superposition_atlas.attention.attention_settings import AttentionSettings
from superposition_atlas.config.families import (
    NOTHING,
    CaseSchedule,
    Name,
    Positive,
    Schedule,
    Seed,
    Seeds,
    Shards,
    Share,
    Size,
    Structure,
    Title,
)
from superposition_atlas.config.sections import Section
from superposition_atlas.playground.network_settings import Settings as NetworkSettings
from superposition_atlas.sae.settings import SAESettings
from superposition_atlas.settings.rules import (
    DISTINCT,
    ByName,
    Keys,
    Length,
    OneOf,
    Range,
    Worded,
)
from superposition_atlas.toy_model import RecordSteps, TrainingSettings

ExperimentRole = Literal["", "slides", "post", "known_answers", "sae_slides"]
CaseRole = Literal[
    "", "aligned", "reversed", "random", "equal", "densities", "matched", "pentagon", "no_sparsity"
]
MapRole = Literal["", "observations"]
ExperimentFigure = Literal["cases", "planes", "bars", "counts", "norms", "losses", "matching", "saes"]
MapFigure = Literal["atlas", "predictions", "branches", "bias", "training", "phases"]


# --- experiments -------------------------------------------------------------------------------------------

TRAINING = Keys("training", (TrainingSettings,))
Training = Annotated[Mapping[str, Any], TRAINING]


class CaseKeys:
    """Keys of a case."""

    title: Title = ""
    """Name of the case in figures and tables; empty means its key."""
    role: CaseRole = ""
    """Role of the case in the talk's observations: probability falls with importance (`aligned`, its case 1),
    rises (`reversed`, case 2) or is in `random` order, or importance is `equal`; controls are uniform
    sparsity at a range of `densities` or at the `matched` mean density, equal and rare features that form a
    `pentagon`, and `no_sparsity`. Empty means none."""
    slide: Annotated[int, Range(0, 100)] = 0
    """The talk's slide that shows the case, in the experiments of the roles `slides`, `post` and
    `known_answers`; bars are on the next slide. 0 means none."""
    importance: CaseSchedule = "base"
    """Importance I_i of each feature, at least 0, at most 1e36, and not all 0."""
    probability: CaseSchedule = "base"
    """Feature probability p_i, above 0 and at most 1; sparsity is 1 − p_i."""
    structure: Structure | None = None
    """Features that depend on one another, in place of the experiment's; with an empty list all are
    independent."""
    training: Training = NOTHING
    """Training keys in which this case differs from its experiment."""


CASE = Keys("a case", (CaseKeys,))


class SAEKeys:
    """Keys of SAEs in a configuration, beside their settings."""

    seeds: Annotated[int, Range(1)] = 8
    """Number of toy models of a case that get an SAE, the first ones. By default all where there are
    fewer."""
    record_steps: RecordSteps = ()
    """Steps after which the weights are recorded for figures (0 is before training), ascending."""
    source: str = ""
    """SAEs that were trained elsewhere, of `external`: `module:function`, or a file or folder, in whose path
    `{case}` and `{seed}` stand for those of a toy model. Other architectures have none."""


SAE = Keys("an SAE", (SAESettings, SAEKeys))


class ExperimentKeys:
    """Keys of an experiment."""

    title: Title = ""
    """Name of the experiment in figures and tables; empty means its key."""
    role: ExperimentRole = ""
    """Role of the experiment in slides and report; a role belongs to one experiment. `slides`: its cases are
    drawn; `post`: its size is that of the published norms; `known_answers`: its cases are controls;
    `sae_slides`: slides 6 to 10 draw its SAEs (otherwise the first SAEs). Empty means none."""
    section: Section = ""
    """Section of `results/tms.pdf` or `results/structure.pdf` that shows the experiment, with its tables and
    figures; several experiments may share one. The report leaves it out then. Empty means none."""
    like: Annotated[str, Worded("the name of another experiment")] = ""
    """Another experiment whose keys this one takes, except title and role; it states only what differs. Empty
    means none."""
    n_features: Size
    """Number of features, n."""
    n_hidden: Size
    """Number of hidden dimensions, m. It may exceed n; then nothing needs superposition."""
    seeds: Annotated[int, Range(1, 1_000_000)] | Seeds = 8
    """One toy model is trained for each seed of each case: a number means the seeds 0, 1, … up to that many,
    a list means those."""
    shards: Shards = "auto"
    """Number of jobs that the seeds of a case are divided among; `auto` makes jobs of minutes, and mostly
    one. Which shard a seed belongs to depends on the seed and on this number alone."""
    shown_seeds: Annotated[int, Range(1)] = 8
    """Number of toy models that figures draw, the first ones. By default all where there are fewer seeds."""
    family: Name = "auto"
    """Name of the schedule `base` in tables; `auto` is the name of the family of `probability`."""
    importance: Schedule = MappingProxyType({"family": "geometric", "first": 1.0, "ratio": 0.9})
    """The importance of each feature that a case calls `base`."""
    probability: Schedule = MappingProxyType({"family": "geometric", "first": 1.0, "last": 0.02})
    """The feature probability of each feature that a case calls `base`."""
    structure: Structure | None = None
    """Groups of features that depend on one another, no feature in two of them; probabilities stay what they
    are. All other features are independent. It goes with `claims: false` and no role."""
    training: Training = NOTHING
    """How the toy models are trained."""
    claims: bool = False
    """Whether the talk's observations are tested on this experiment, on the cases of their roles."""
    cases: Annotated[Mapping[str, Any], ByName(CASE, 1, words="a mapping of at least one case by name")]
    """The cases by name; a case is one schedule of importance and probability."""
    saes: Annotated[Mapping[str, Any], ByName(SAE, words="a mapping of SAEs by name")] = NOTHING
    """Sparse autoencoders by name; each is trained on toy models of every case."""
    figures: bool | Annotated[tuple[ExperimentFigure, ...], Length(1), DISTINCT] = True
    """Figures of the experiment beside the slides of its role: `true` for all that apply, `false` for none,
    or a list, all of which must apply. `cases`: schedules; `planes`: feature directions in two dimensions;
    `bars`: feature norms in more; `counts`: numbers represented; `norms`: Frobenius norms; `losses`: excess
    over the best solutions, up to 8 features; `matching`: the matching beside toy models, above 8 features;
    `saes`: what SAEs find."""


EXPERIMENT = Keys("an experiment", (ExperimentKeys,))


# --- maps --------------------------------------------------------------------------------------------------


class RangeKeys:
    """Keys of an axis that is written as a range."""

    from_: Positive
    """First value."""
    to: Positive
    """Last value."""
    count: Annotated[int, Range(2, 100_000)]
    """Number of values."""
    scale: Literal["linear", "log"] = "linear"
    """Equal steps, `linear`, or equal ratios, `log`."""


AXIS_RANGE = Keys("a range", (RangeKeys,), words="a mapping with from, to and count")

Shares = Annotated[tuple[Share, ...], Length(1), DISTINCT] | Annotated[Mapping[str, Any], AXIS_RANGE]
Steepness = Annotated[float, Range(1)]
RelativeImportance = Annotated[float, Range(above=0, most=1000)]

KINDS: dict[str, type] = {}
POINTS = OneOf("kind", KINDS)


class Grid:
    """Every combination of the values of its axes for which there is such a schedule. Takes either
    `mean_density` and `steepness`, or `first` and `last`.
    """

    family: Annotated[
        tuple[Literal["geometric", "linear"], ...],
        Length(1),
        DISTINCT,
        Worded("a list of geometric and linear"),
    ] = ("geometric",)
    """Families of the probabilities over the features, before they are put in order."""
    mean_density: Shares | None = None
    """Mean of p_i over the features."""
    steepness: (
        Annotated[tuple[Steepness, ...], Length(1), DISTINCT]
        | Annotated[Mapping[str, Any], AXIS_RANGE]
        | None
    ) = None
    """Largest p_i over smallest; 1 is uniform sparsity."""
    first: Shares | None = None
    """Probability at the first end of the family."""
    last: Shares | None = None
    """Probability at the other end."""
    importance_ratio: Shares = (0.9,)
    """Importance of a feature over that of the one before: I_i = ratio^i. At 1 all orders are one schedule up
    to the names of the features, and only the first order is used."""
    order: Annotated[
        tuple[Literal["aligned", "reversed"] | Seed, ...],
        Length(1),
        DISTINCT,
        Worded("a list of aligned, reversed and seeds"),
    ] = ("aligned",)
    """Which feature has which probability: `aligned`, from the first end to the last over the falling
    importance (as in case 1), `reversed` (as in case 2), or a number, the seed of a random order."""


class Perturbation:
    """All features at one probability but one."""

    density: Share
    """Probability of all other features."""
    feature: Annotated[int, Range(0)]
    """The feature that differs, counted from 0; below n."""
    varied: Shares
    """Probabilities of that feature."""
    importance_ratio: Shares = (1.0,)
    """Importance of a feature over that of the one before."""


class Phases:
    """All features at one probability and of importance 1, but for the importance of the last: the phase
    diagrams of *Toy Models of Superposition*.
    """

    density: Shares
    """Probabilities, the same for all features."""
    relative_importance: (
        Annotated[tuple[RelativeImportance, ...], Length(1), DISTINCT]
        | Annotated[Mapping[str, Any], AXIS_RANGE]
    )
    """Importances of the last feature."""


class Random:
    """Random schedules of all families, in random orders. A point depends on the seed and its number alone: a
    larger count keeps the former points.
    """

    count: Annotated[int, Range(1, 1_000_000)]
    """Number of schedules."""
    seed: Seed = 0
    """Seed of the draws; another seed, other schedules."""
    order: (
        Annotated[tuple[Literal["drawn", "aligned", "reversed", "uniform"], ...], Length(1), DISTINCT] | None
    ) = None
    """Orders in which each schedule is taken: as it is `drawn`, `aligned` (the more important, the denser),
    `reversed`, or `uniform`, with the mean probability for all features. Equally important features have
    the first order, and `uniform`. None means as drawn."""


KINDS.update(grid=Grid, perturbation=Perturbation, phases=Phases, random=Random)


class MapKeys:
    """Keys of a map."""

    title: Title = ""
    """Name of the map in figures and tables; empty means its key."""
    role: MapRole = ""
    """`observations` for the one map on which the talk's observations are judged, and which the atlas's
    figures draw; empty for others."""
    section: Section = ""
    """Section of `results/tms.pdf` that shows the map, as of an experiment."""
    n_features: Annotated[int, Range(2, 1000)]
    """Number of features, n."""
    n_hidden: Annotated[int, Range(1, 1000)]
    """Number of hidden dimensions, m."""
    seeds: Annotated[int, Range(0, 1_000_000)] | Seeds = 8
    """One toy model is trained for each seed at each point: a number means the seeds 0, 1, … up to that many,
    a list means those. With 0 nothing is trained. They count within a block of seeds that each point has to
    itself, so toy models of different schedules are independent."""
    training: Training = NOTHING
    """How the toy models are trained; all keys but `record_steps`, `hidden`, `output_weights`, `target`."""
    variants: Annotated[
        Mapping[str, Any], ByName(TRAINING, words="a mapping of training settings by name")
    ] = NOTHING
    """Ways of training by name, to be compared: each says what differs from `training`. With none there is
    one, `standard`, that is trained just so."""
    n_starts: Annotated[int, Range(1, 10_000)] = 12
    """Random starts of the search for each schedule's best solutions, beside those that theory suggests. Maps
    of more than 8 features have no such search."""
    compare_norms: bool = False
    """Whether the norms of its toy models are compared with those that the post published, together with
    those of all maps that are; takes points of the kind `grid`."""
    shards: Shards = "auto"
    """Number of jobs that the points are divided among; `auto` makes jobs of minutes. Which shard a point
    belongs to depends on the point and on this number alone."""
    points: Annotated[Mapping[str, Any], POINTS]
    """The schedules that the map runs over."""
    figures: bool | Annotated[tuple[MapFigure, ...], Length(1), DISTINCT] = True
    """Figures of the map: `true` for all that apply, `false` for none, or a list, all of which must apply.
    `atlas`: numbers represented over the schedules of a grid; `predictions` of random schedules; `branches`
    of a perturbation; `bias` and `training`: variants side by side; `phases`: a phase diagram."""


MAP = Keys("a map", (MapKeys,))


# --- the slides' networks ----------------------------------------------------------------------------------


class NetworkTitle:
    """Keys of networks in a configuration, before their settings."""

    title: Title = ""
    """Name of the networks in figures and tables; empty means their key."""


class NetworkSeeds:
    """Keys of networks in a configuration, beside their settings."""

    seeds: Annotated[int, Range(1, 10_000)] | Seeds = 8
    """One network for each, on points of its own: a number means the seeds 0, 1, … up to that many, a list
    means those. The first one is drawn."""


NETWORK = Keys("a network", (NetworkTitle, NetworkSettings, NetworkSeeds))


class AttentionKeys:
    """Keys of attention in a configuration, beside the settings of its training."""

    title: Title = ""
    """Name of the setting in figures and tables; empty means its key."""
    n_features: Annotated[int, Range(2, 1000)]
    """Number of features, n, and of outputs. Each feature has a row in the planted rule."""
    n_hidden: Annotated[int, Range(1, 1000)]
    """Number of hidden dimensions, m, that a token has, and that each head has inside."""
    seeds: Annotated[int, Range(1, 10_000)] | Seeds = 10
    """A toy model, an SAE, a rule and its layers of attention for each: a number means the seeds 0, 1, … up
    to that many, a list means those. The first one is drawn."""
    probability: Schedule
    """How often a feature is active in a token; the toy models are trained on the same."""
    toy_model: Training = NOTHING
    """How the toy models are trained through which the tokens go, importance constant; `centred_inputs` must
    be false."""
    sae: Annotated[Mapping[str, Any], SAE]
    """The SAE on each toy model, without `seeds` and `record_steps`, with one level of sparsity and at least
    as many latents as features."""
    heads: Annotated[tuple[Annotated[int, Range(1, 64)], ...], Length(1), DISTINCT] = (1, 4)
    """Numbers of heads; for each there is a layer of attention on every toy model."""


ATTENTION = Keys("attention", (AttentionKeys, AttentionSettings), without=("n_heads",))


class TopLevel:
    """Keys of a configuration."""

    engine: Literal["auto", "fused", "torch", "cuda"] = "auto"
    """Engine that trains the toy models. `fused` is compiled for the CPU, `cuda` for a GPU (with Triton; not
    yet run on one), `torch` is the reference and runs on either; `auto` is `fused`, or with the device `cuda`
    the engine `cuda`."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where training runs. `auto` is a GPU with the engine `cuda`, else the CPU."""
    experiments: Annotated[
        Mapping[str, Any], ByName(EXPERIMENT, 1, words="a mapping of at least one experiment by name")
    ]
    """The experiments by name; the name is used in file names and in tables."""
    maps: Annotated[Mapping[str, Any], ByName(MAP, words="a mapping of maps by name")] = NOTHING
    """Maps over schedules by name; the name is used in file names and in tables."""
    attention: Annotated[
        Mapping[str, Any], ByName(ATTENTION, words="a mapping of settings of attention by name")
    ] = NOTHING
    """Settings of slide 3's attention pivot tables by name. The first one's tables are drawn."""
    playground: Annotated[Mapping[str, Any], ByName(NETWORK, words="a mapping of networks by name")] = NOTHING
    """Small networks on data in the plane by name, as on slide 4. The first of them on spirals (else the
    first) is drawn with all its neurons."""


CONFIGURATION = Keys("the configuration", (TopLevel,), words="a mapping with the key experiments")
