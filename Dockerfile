# CPU image: docker build -t gvideo . && docker run --rm -v "$PWD:/data" -w /data gvideo encode clip.mp4 -o clip.gsv
FROM python:3.11-slim
WORKDIR /opt/gvideo
RUN pip install --no-cache-dir torch==2.13.0
COPY . .
# .git is not copied: docker build --build-arg VERSION=1.2.3 says which version this is
ARG VERSION=0.1.0.dev0
RUN SETUPTOOLS_SCM_PRETEND_VERSION=$VERSION pip install --no-cache-dir '.[encode,server]'
ENTRYPOINT ["gvideo"]
CMD ["--help"]
