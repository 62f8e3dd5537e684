"""The commands that the workflow's rules call, one module each.

A command module has two functions: `configure(parser)` adds its arguments, `run(arguments)` does the work.
The rule that calls it carries the digest of the module's code.
"""
