"""Copies of captures: with comments on packets (annotate.py), or with pseudonyms for what identifies (anonymize.py)."""
