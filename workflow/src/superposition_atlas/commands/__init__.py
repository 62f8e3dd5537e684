"""What the workflow's rules call, one module a command: `python -m superposition_atlas COMMAND`.

A command module has two functions: `configure(parser)` adds its arguments, `run(arguments)` does the work.
Its digest, `digest.code_digest("superposition_atlas.commands.COMMAND")`, stands in the rule that calls it.
"""
