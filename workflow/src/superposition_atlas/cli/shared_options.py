"""Options that commands share: a spec as JSON, a number of shards."""

import argparse
import json
import sys
from typing import Any

from superposition_atlas import arguments as check


def add_spec(parser: argparse.ArgumentParser, what: str, *keys: str, each: bool = False) -> None:
    """Adds `--spec`: a JSON object that has these keys, or, with `each`, whose values have them."""

    def parsed(text: str) -> dict[str, Any]:
        try:
            # An argument may be 128 KiB at most, and a configuration longer.
            text = sys.stdin.read() if text == "-" else text
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise argparse.ArgumentTypeError(f"no JSON ({error}): {text!r:.60}") from None
        for where, part in value.items() if each and isinstance(value, dict) else (("", value),):
            if not isinstance(part, dict):
                raise argparse.ArgumentTypeError(f"{where or 'it'} is {part!r:.60}: must be a JSON object")
            if missing := [key for key in keys if key not in part]:
                raise argparse.ArgumentTypeError(f"{f'{where}.' if where else ''}{missing[0]} is missing")
        return value

    help_text = f"{what}, as JSON; - reads it from standard input"
    parser.add_argument("--spec", required=True, type=parsed, help=help_text)


def shard(number: int, shards: int) -> tuple[int, int]:
    """Number of a shard, from 0, and how many there are.

    Raises:
        TrainingError: if there is no such shard.
    """
    shards = check.integer("--shards", shards)
    return check.integer("--shard", number, least=0, most=shards - 1), shards
