"""What the book runs: studies, the census, controlled errors, supercells of growing size (chapters
4, 7 to 12).
"""
