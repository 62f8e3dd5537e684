"""Figures, one module a kind: each reads tidy Parquet and draws; none computes a result.

A module has one function, `draw(paths, **options) -> matplotlib.figure.Figure`: `paths` maps a role
(features, models, schedules …) to a file. `catalogue` says which figures there are.
"""
