"""The PDF report: every number is read from the results, put into one JSON document, and set by typst.

`contents.gather` makes the document, `typesetting.compile_pdf` the PDF. No sentence stands in Python and no
number in the template, workflow/report/report.typ.
"""
