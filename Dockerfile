# The action's image: GitHub builds it on the runner when a workflow uses this repository, so it is kept quick to build.
# The tag is exact, and Dependabot raises it; the Debian release is named so that it does not change unasked.
FROM python:3.13.16-slim-trixie AS action

LABEL org.opencontainers.image.title="baseten-deploy" \
      org.opencontainers.image.description="Put a Truss into production on Baseten, and prove that it got there" \
      org.opencontainers.image.licenses="MIT"

# Dependencies and the standard library come first: their layer stays when only the code changes.
# - Wheels of known hashes only, nothing built or resolved here. requirements.txt leaves out what actions-toolkit declares
#   but the action never imports, hence --no-deps; `make test` checks that nothing that is imported is missing.
# - botocore describes every AWS service in 28 MB of JSON; S3 is the one that is used.
# - actions-toolkit installs its own tests as a top-level package.
# - The base image has no bytecode. Compiling what is imported would cost each run 0.6 s; unchecked hashes keep it valid
#   whatever happens to the files' times in a layer. (-B: else importing would write some of it with times, first.)
COPY requirements.txt /app/
RUN lib=/usr/local/lib/python3.13 \
    && python -B -m pip install --no-cache-dir --no-compile --no-deps --only-binary :all: --require-hashes \
        --disable-pip-version-check --root-user-action ignore --quiet -r /app/requirements.txt \
    && find "$lib/site-packages/botocore/data" -mindepth 1 -maxdepth 1 -type d ! -name s3 -exec rm -r {} + \
    && rm -r "$lib/site-packages/tests" \
    && python -B -m compileall -q -j 0 --invalidation-mode unchecked-hash \
        -x '/(ensurepip|idlelib|pydoc_data|turtledemo|pip)/' "$lib"

# The runner starts `post-entrypoint` of action.yml by its name, so it is on the PATH.
COPY entrypoint.py post_entrypoint.py /app/
COPY src/baseten_deploy /app/src/baseten_deploy
RUN python -B -m compileall -q --invalidation-mode unchecked-hash /app/src \
    && ln -s /app/post_entrypoint.py /usr/local/bin/post_entrypoint.py

# Exec form and an absolute path: a shell would drop the INPUT_ variables that have a hyphen in their name, and the
# job's PATH arrives here too. -I: neither does the job's PYTHONPATH matter, nor a module in the workspace. -B: nothing is
# written beside the code. -u: a line is in the log when it is printed. -X utf8: whatever locale the job sets.
# No USER: GitHub requires root, because the workspace and its command files belong to another user.
ENTRYPOINT ["/usr/local/bin/python3", "-I", "-B", "-u", "-X", "utf8", "/app/entrypoint.py"]

# For Chains (`chain/action.yml`), with `--target chain`: the same, and `truss` in an environment of its own. Nothing of it
# is imported by the action; its interpreter is only started.
FROM action AS chain
COPY requirements-chain.txt /app/
RUN python -B -m venv --without-pip /opt/truss \
    && python -B -m pip --python /opt/truss/bin/python install --no-cache-dir --no-compile --no-deps \
        --only-binary :all: --require-hashes --disable-pip-version-check --root-user-action ignore --quiet \
        -r /app/requirements-chain.txt \
    && python -B -m compileall -q -j 0 --invalidation-mode unchecked-hash -x "/tests/" /opt/truss/lib
ENV BASETEN_DEPLOY_TRUSS_PYTHON=/opt/truss/bin/python

# What is built without a target.
FROM action
