"""What others publish: bytes over HTTP, manifests and MP4 files to one record, media segments to units of a stream."""
