"""Requirements on maps whose norms are compared with the published ones."""

from collections.abc import Mapping

from superposition_atlas.config.configuration import Map
from superposition_atlas.config.messages import refused


def check_norm_maps(maps: Mapping[str, Map]) -> None:
    """Holds maps with `compare_norms` to be grids with toy models, of one size, each variant of one meaning.

    Raises:
        ConfigError: one line that names the first key that is wrong.
    """
    compared = [map_ for map_ in maps.values() if map_.compare_norms]
    for number, map_ in enumerate(compared):
        key, first = ("maps", map_.name), compared[0]
        if map_.points["kind"] != "grid":
            raise refused((*key, "points", "kind"), map_.points["kind"], "grid (where norms are compared)")
        if not map_.seeds:
            raise refused((*key, "seeds"), 0, "at least one seed (where norms are compared)")
        for size in ("n_features", "n_hidden"):
            if getattr(map_, size) != getattr(first, size):
                allowed = f"{getattr(first, size)}, as in maps.{first.name} (both compare norms)"
                raise refused((*key, size), getattr(map_, size), allowed)
        for variant, training in map_.variants.items():
            for other in compared[:number]:
                if other.variants.get(variant, training) != training:
                    allowed = f"another name: in maps.{other.name} this variant is trained otherwise"
                    raise refused((*key, "variants"), variant, allowed)
