# CPU:  docker build -t gvideo . && docker run --rm -v "$PWD:/data" -w /data gvideo encode clip.mp4 -o clip.gsv
# CUDA: docker build -t gvideo:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 .
# The same image is the driver, the head and the workers of a Ray cluster (deploy/README.md).
FROM python:3.11-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH=torch==2.13.0
WORKDIR /opt/gvideo
# Triton compiles a launcher for its kernels; KubeRay's probes call wget
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev wget && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir "$TORCH" --index-url "$TORCH_INDEX"
COPY . .
# .git is not copied: docker build --build-arg VERSION=1.2.3 says which version this is
ARG VERSION=0.1.0.dev0
RUN SETUPTOOLS_SCM_PRETEND_VERSION=$VERSION pip install --no-cache-dir '.[encode,server,store,cluster]' 'ray[default]'
RUN gvideo doctor --compile
ENTRYPOINT ["gvideo"]
CMD ["--help"]
