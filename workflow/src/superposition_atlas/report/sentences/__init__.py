"""The report's sentences, one module a section: functions that take facts and return lines of markup.

Where data change the meaning of a sentence, a function of its own chooses the words, and a test holds both.
"""
