"""One page that shows what a segment is made of: `gvideo inspect`.

collect.py  a segment's Gaussians in numbers: ellipses, lives, paths, bits
page.py     these numbers and pictures of every frame in one HTML file, with page.js and page.css
"""
