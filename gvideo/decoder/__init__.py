"""From bytes to frames, without torch.

source.py         bytes of a file, a buffer or a file object, read where they are needed
coded.py          what all streams have in common: segments, times, symbols
stream.py         a .gsv file: units and headers, where every segment is and when every frame is shown
segments.py       a stream whose segments are got one by one
published.py      which sources are files and which are published
frames.py         what a decoder hands out, as NumPy arrays or torch tensors
render.py         a segment's symbols to planes at any time and any size
video_decoder.py  frames by number or by time, with torchcodec's names
"""
