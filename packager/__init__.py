"""Packaging and serving: .gsv streams, sound and subtitles as CMAF files with HLS and DASH manifests."""
