"""Entropy coding: one adaptive binary range coder, its contexts, and the visit of a segment's symbols.

    coder.py     one function codes a bit, whether it is counted, written or read
    binarise.py  integers as sequences of bits
    contexts.py  which adaptive probability each bit uses, and where it starts
    walk.py      the order in which a segment's symbols are visited

Price and stream cannot drift apart because counting, writing and reading are the same visit in three modes.
"""
