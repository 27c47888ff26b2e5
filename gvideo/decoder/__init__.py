"""From bytes to frames, without torch.

source.py   bytes of a file, a buffer or a file object, read where they are needed
stream.py   units and headers: where every segment is and when every frame is shown
render.py   a segment's symbols to planes at any time and any size
decoder.py  frames by number or by time, with torchcodec's names
"""
