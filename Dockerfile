# CPU image: docker build -t gvideo . && docker run --rm -v "$PWD:/data" -w /data gvideo encode clip.mp4 -o clip.gsv
FROM python:3.11-slim
WORKDIR /opt/gvideo
RUN pip install --no-cache-dir torch==2.13.0
COPY . .
RUN pip install --no-cache-dir '.[server]'
ENTRYPOINT ["gvideo"]
CMD ["--help"]
