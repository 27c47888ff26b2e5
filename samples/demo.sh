#!/usr/bin/env bash
# Encode a sample, look into the result, decode it, compare. Results stay in demo/.
set -euo pipefail
cd "$(dirname "$0")/.."
sample=${1:-samples/bunny_180p25.mp4}
name=$(basename "${sample%.*}")
mkdir -p demo
gvideo encode "$sample" -o "demo/$name.gsv"
gvideo info "demo/$name.gsv"
gvideo decode "demo/$name.gsv" -o "demo/$name.mkv"
python samples/compare.py "$sample" "demo/$name.mkv" "demo/$name.gsv" "demo/$name.png"
