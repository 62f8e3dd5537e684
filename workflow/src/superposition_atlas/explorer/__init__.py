"""The explorer: one page, offline, that trains toy models live and draws what the results say beside them.

`gather` makes the page's data from tables, `assemble` puts the page together from the files in `page/`, and
`notebook` shows it where a schedule is at hand.
"""
