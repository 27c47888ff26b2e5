"""What a stream is made of, to look at: `gvideo inspect` and `gvideo info --plot`.

collect.py  a segment's Gaussians in numbers: ellipses, lives, paths, bits
page.py     these numbers and pictures of every frame in one HTML file, with page.js and page.css
timeline.py bits, Gaussians and lives of a stream over time, as SVG
"""
