"""Sequences of tokens, the planted rule, and what a layer that follows it writes.

A sequence is an empty token, `n_keys` tokens to look back on, and the query, which looks. Each token is a
sample of the toy model's features. The rule is a table with a row for each feature: where feature i is active
in the query, output o(i) is the largest magnitude of feature j(i) among the tokens before; all other outputs
are 0. j and o are permutations, drawn by the seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas.sampling import stream
from superposition_atlas.toy_model import ToyModels

Tokens = Float[np.ndarray, "instance sequence token feature"]
"""The query is the last one. The empty token has no features, and is left out."""


@dataclass(frozen=True)
class Rule:
    """The key feature and the output of each query feature: two permutations for each seed."""

    key_of: Integer[np.ndarray, "instance feature"]
    output_of: Integer[np.ndarray, "instance feature"]


def planted_rule(seeds: Sequence[int] | Integer[np.ndarray, " instance"], n_features: int) -> Rule:
    """The rule of each seed: it depends on nothing else but the number of features."""
    u = stream.uniform(seeds, 0, 2, n_features, stream.Purpose.ATTENTION_RULE)
    order = np.argsort(u, axis=-1, kind="stable")
    return Rule(key_of=order[:, 0], output_of=order[:, 1])


def sample_tokens(
    models: ToyModels, step: int, n_sequences: int, n_keys: int, purpose: stream.Purpose
) -> Tokens:
    """The features of all tokens, float32, from each toy model's own stream."""
    x = models.sample(step, n_sequences * (n_keys + 1), purpose)
    return x.reshape(len(x), n_sequences, n_keys + 1, -1)


def hidden(models: ToyModels, tokens: Tokens) -> Float[np.ndarray, "instance sequence token hidden"]:
    """h = W x, float32."""
    flat = tokens.reshape(len(tokens), -1, tokens.shape[-1])
    return models.encode(flat).reshape(*tokens.shape[:-1], -1)


def targets(tokens: Tokens, rule: Rule) -> Float[np.ndarray, "instance sequence output"]:
    """Outputs that the rule asks for; there are as many as features."""
    query, largest = tokens[:, :, -1], tokens[:, :, :-1].max(axis=2)
    wanted = np.where(query > 0, np.take_along_axis(largest, rule.key_of[:, None, :], axis=2), 0.0)
    result = np.zeros_like(query)
    np.put_along_axis(result, np.broadcast_to(rule.output_of[:, None, :], query.shape), wanted, axis=2)
    return result
