"""The Gaussians of a segment while they are fitted: parameters, quantised values, symbols, prices."""
