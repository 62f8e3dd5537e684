"""The PDF: facts are read from tables, sentences are made of facts in Python, and typst lays out.

`gathered.gather` reads the facts, `document.document` puts sentences, figures and tables in order as one JSON
document, and `typesetting.compile_pdf` sets it with the template workflow/report/report.typ.
"""
