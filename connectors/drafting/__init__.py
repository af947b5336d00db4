"""Drafts of manifests: out of a sample of what an agency's system answers, or of a table's columns.

A draft holds the agency's names, of columns and elements, and never a value of a row: only such words as mean nothing,
and the code by which the sample said that it went well.
"""
