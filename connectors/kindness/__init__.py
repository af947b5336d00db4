"""Kindness to agencies: how many calls an agency gets, when, how often again, and when none at all."""
