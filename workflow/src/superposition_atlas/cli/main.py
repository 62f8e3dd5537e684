"""The command line: runs one command, and turns errors that a user can mend into one line."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import TextIO

from superposition_atlas.backends.optional_packages import explained
from superposition_atlas.errors import AtlasError

FOR_PEOPLE = {
    "check-config": "check configuration files",
    "targets": "list what Snakemake can make of a configuration",
    "summary": "print what was found",
    "explain": "say what a result was made from",
    "export": "write one SAE for SAELens, or one toy model as plain safetensors",
    "prospective": "compare the matching with toy models trained on random schedules",
}
"""Commands that somebody types."""

FOR_RULES = {
    "schedules": "write an experiment's schedules",
    "train": "train the toy models of one case, or of one shard of it",
    "join-models": "join the shards of a case's toy models",
    "map-points": "write the schedules of one shard of a map",
    "map-weights": "train the toy models of one shard of a map",
    "map-solutions": "find the best solutions for one shard of a map",
    "map-measures": "measure a map's toy models beside the best solutions",
    "map-norms": "compare the norms of maps with the published ones",
    "map-predictions": "compare the predictions for a map's schedules with the best solutions",
    "map-branches": "follow the competing structures of a map in which one feature's density varies",
    "map-phases": "write the phase diagram of a map over the importance of its last feature",
    "map-matching": "compare a map's toy models with the matching of their schedules",
    "pair-phases": "write the phase diagram of two features in one dimension",
    "saes": "train SAEs on the toy models of a case that the configuration names",
    "attention": "train layers of attention on a planted rule",
    "pivot-tables": "measure what attention's pivot tables show of the rule",
    "features": "measure which features a case's toy models represent",
    "recovery": "measure what SAEs recover of a case's features",
    "compare-saes": "compare the SAEs of an experiment on the same toy models",
    "losses": "compare an experiment's toy models with the best solutions",
    "matching": "compare an experiment's toy models with the matching of their schedules",
    "collect": "join the tables of an experiment's cases",
    "claims": "test the talk's observations",
    "answer": "judge the talk's observations by the atlas",
    "playground": "train and measure slide 4's networks",
    "figure": "draw one figure",
    "report": "compile the PDF",
    "neurons": "measure what the neurons of a case's toy models represent",
    "motifs": "measure neurons of a case's toy models that represent two features",
    "pairs": "measure how features that depend on one another lie in a case's toy models",
    "sets": "measure the sets of correlated features of a case's toy models",
    "children": "measure what a case's SAEs make of children and their parents",
    "polytopes": "measure fractions of a dimension and polytopes in a case's toy models",
    "jumps": "find jumps of fractions of a dimension while a case's toy models were trained",
    "attacks": "attack a case's toy models with adversarial examples",
    "paper": "compile the PDF of a further paper",
    "explorer": "put the explorer's page together",
}
"""Commands that the rules of the workflow call, in the order of the chain."""

COMMANDS = FOR_PEOPLE | FOR_RULES

_BROKEN_PIPE = 141
"""Exit status as of other programs whose reader has ended: 128 + SIGPIPE."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0, or 1 after an error, 130 after Ctrl-C or SIGTERM, 141 if
    nobody reads its output any more.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal that is not UTF-8 shows escapes instead of the few letters that it lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = _run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except AtlasError as error:
        _say(f"error: {error}")
        return 1
    except ModuleNotFoundError as error:
        if (absent := explained(error)) is None:
            raise
        _say(f"error: {next(iter(arguments), 'it')} can't run: {absent}")
        return 1
    except BrokenPipeError:
        # Whoever read this has had enough, as in `explain FILE | head`.
        _discard(sys.stdout)
        return _BROKEN_PIPE
    except KeyboardInterrupt as interrupt:
        reason = f" ({interrupt})" if interrupt.args else ""
        command = next(iter(arguments), "it")
        _say(f"error: {command} was interrupted{reason}; run the same command again")
        return 130


def _say(line: str) -> None:
    """Prints to stderr; where that is a log on a full disk, to stdout."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)
        print(line)


def _discard(stream: TextIO) -> None:
    """Sends what a stream still holds nowhere: it would fail again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m superposition_atlas",
        description="When features are not equally sparse: what do toy models represent?",
        epilog=_listed(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", help="one of those below; COMMAND --help says more"
    )
    for name, summary in COMMANDS.items():
        # Without `help`, which would list all commands in one row.
        subparser = subparsers.add_parser(name, description=summary)
        # Only the command that runs is imported: each imports what it needs, torch for one of them.
        if arguments[:1] == [name]:
            module = import_module(f"superposition_atlas.cli.commands.{name.replace('-', '_')}")
            module.configure(subparser)
            subparser.set_defaults(run=module.run)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    parsed = parser.parse_args(arguments)
    parsed.run(parsed)
    return 0


def _listed() -> str:
    """All commands by who calls them, with a line each."""
    width = max(map(len, COMMANDS)) + 2
    parts = {"commands for people": FOR_PEOPLE, "commands that the workflow's rules call": FOR_RULES}
    return "\n\n".join(
        "\n".join([f"{title}:", *(f"  {name:{width}}{summary}" for name, summary in commands.items())])
        for title, commands in parts.items()
    )
