"""The further papers, `results/tms.pdf` and `results/structure.pdf`: one module a section.

A section is a function that takes a `Studied` and returns a `Written`: what a source says, what comes out
here, and a verdict that the numbers choose. `paper.paper_document` puts the sections in order.
"""
