#!/usr/bin/env bash
# What the rehearsal of a release needs beyond ../shared/image, installed where it is missing: a registry and rsync from
# Debian, act and the judges of what was released in .venv/release, gitlab-ci-local beside them.
set -euo pipefail
cd "$(dirname "$0")/.."
GITLAB_CI_LOCAL=4.65.0 # newer ones want Node 22

apt_install() { # somebody else may hold the lock
  for _ in 1 2 3 4 5 6; do
    apt-get -o DPkg::Lock::Timeout=120 update -qq &&
      DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends "$@" > /dev/null &&
      return
    sleep 10
  done
  echo "apt could not install $*" >&2
  return 1
}

missing=()
command -v docker-registry > /dev/null || missing+=(docker-registry)
command -v rsync > /dev/null || missing+=(rsync) # gitlab-ci-local copies with it
[ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"

venv=.venv/release
stamp=$(sha256sum requirements-release.txt "$0" | sha256sum | cut -c1-16)
if [ "$(cat "$venv/ready" 2> /dev/null)" != "$stamp" ]; then
  "${PYTHON:-.venv/bin/python}" -m venv --clear "$venv"
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-compile --no-deps --only-binary :all: \
    --require-hashes -r requirements-release.txt
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$venv" "gitlab-ci-local@$GITLAB_CI_LOCAL"
  echo "$stamp" > "$venv/ready"
fi
