"""From a segment's symbols to pictures: components summed, stages over the sum, then the form that is asked for.

symbols ─► components: planes each ─ + ─► stages: base colour, grain ─► planes ─► size, crop, R'G'B'
"""
