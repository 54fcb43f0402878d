# What the image is built with and what its notebooks run with; sourced by postBuild and start.
# One thread: a container has a share of a processor, and numba and OpenBLAS count the host's.
export NUMBA_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# The image is built on one machine and runs on others. numba takes a kernel from its cache only where
# the name and the features of the processor are those it was compiled for: a level that all have.
if [ "$(uname -m)" = x86_64 ]; then
  export NUMBA_CPU_NAME=x86-64-v3 NUMBA_CPU_FEATURES=
fi
