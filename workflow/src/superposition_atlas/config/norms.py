"""What maps must have in common for their norms to be compared with the published ones."""

from collections.abc import Mapping

from superposition_atlas.config.configuration import Map
from superposition_atlas.config.schema import wrong


def check_norm_maps(maps: Mapping[str, Map]) -> None:
    """Holds maps with `compare_norms` to be grids with toy models, of one size, each variant of one meaning.

    Raises:
        ConfigError: one line that names the first key that is wrong.
    """
    compared = [described for described in maps.values() if described.compare_norms]
    for number, described in enumerate(compared):
        key, first = ("maps", described.name), compared[0]
        if described.points["kind"] != "grid":
            raise wrong((*key, "points", "kind"), described.points["kind"], "grid (where norms are compared)")
        if not described.seeds:
            raise wrong((*key, "seeds"), 0, "at least one seed (where norms are compared)")
        for size in ("n_features", "n_hidden"):
            if getattr(described, size) != getattr(first, size):
                allowed = f"{getattr(first, size)}, as in maps.{first.name} (both compare norms)"
                raise wrong((*key, size), getattr(described, size), allowed)
        for variant, training in described.variants.items():
            for other in compared[:number]:
                if other.variants.get(variant, training) != training:
                    allowed = f"another name: in maps.{other.name} this variant is trained otherwise"
                    raise wrong((*key, "variants"), variant, allowed)
