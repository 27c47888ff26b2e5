#!/usr/bin/env bash
# Encode a sample, look into the result, decode it, compare, package it for the web, check the folder and serve it.
# Results stay in demo/. In a terminal the server runs until Ctrl-C; without one, as in a script, it answers once.
set -euo pipefail
cd "$(dirname "$0")/.."
sample=${1:-samples/bunny_180p25.mp4}
name=$(basename "${sample%.*}")
mkdir -p demo
gvideo encode "$sample" -o "demo/$name.gsv" --preset fast
gvideo info "demo/$name.gsv"
gvideo decode "demo/$name.gsv" -o "demo/$name.mkv"
python samples/compare.py "$sample" "demo/$name.mkv" "demo/$name.gsv" "demo/$name.png"
gvideo package "demo/$name.gsv" -o demo/stream --source "$sample" --fallback avc --thumbnails
gvideo package --check demo/stream
if [ -t 1 ]; then
  echo "Open http://127.0.0.1:8000/ in a browser; Ctrl-C ends."
  exec gvideo serve demo/stream --port 8000
fi
gvideo serve demo/stream --port 8123 --quiet &
server=$!
trap 'kill $server' EXIT
python - <<'PYTHON'
import time
import urllib.error
import urllib.request

for attempt in range(100):
    try:
        with urllib.request.urlopen("http://127.0.0.1:8123/master.m3u8", timeout=10) as answer:
            print(answer.read().decode())
        break
    except (urllib.error.URLError, ConnectionError):
        if attempt == 99:
            raise
        time.sleep(0.2)
PYTHON
