# The action's image. A release has it prebuilt; GitHub builds it on the runner where a workflow uses a branch of this
# repository. docs/image.md says which base and why, and how to pin, mirror and check it.
# The tag is exact, and Dependabot raises it; the Debian release is named so that it does not change unasked.
FROM python:3.13.16-slim-trixie AS build

# Wheels of known hashes only, nothing built or resolved here. requirements.txt leaves out what actions-toolkit declares
# but the action never imports, hence --no-deps; `make test` checks that nothing that is imported is missing.
COPY requirements.txt /build/
RUN python -B -m pip install --no-cache-dir --no-compile --no-deps --only-binary :all: --require-hashes \
        --disable-pip-version-check --root-user-action ignore --quiet -r /build/requirements.txt \
        --target /packages/usr/local/lib/python3.13/site-packages

# Everything below /packages and /code leaves this stage with one time, one owner and the same bytes each time: so the
# two layers are the same whoever builds them and when, with any builder. scripts/image_root.py says what is left out.
ARG SOURCE_DATE_EPOCH=0
COPY scripts/image_root.py /build/
COPY entrypoint.py post_entrypoint.py requirements.txt /code/app/
COPY src/baseten_deploy /code/app/src/baseten_deploy
RUN PYTHONHASHSEED=0 SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" python -s -B /build/image_root.py /packages /code

FROM python:3.13.16-slim-trixie AS action

LABEL org.opencontainers.image.title="baseten-deploy" \
      org.opencontainers.image.description="Put a Truss into production on Baseten, and prove that it got there" \
      org.opencontainers.image.licenses="MIT"

# Two layers: that of the dependencies stays when only the code changes.
COPY --from=build /packages/ /
COPY --from=build /code/ /

# Exec form and an absolute path: a shell would drop the INPUT_ variables that have a hyphen in their name, and the
# job's PATH arrives here too. -I: neither does the job's PYTHONPATH matter, nor a module in the workspace. -B: nothing is
# written beside the code. -u: a line is in the log when it is printed. -X utf8: whatever locale the job sets.
# No USER: GitHub requires root, because the workspace and its command files belong to another user.
ENTRYPOINT ["/usr/local/bin/python3", "-I", "-B", "-u", "-X", "utf8", "/app/entrypoint.py"]

# For Chains: `truss` in an environment of its own. A stage of its own, so that it stays when only the code changes; one
# time and one order here too, and the same bytes each time.
FROM python:3.13.16-slim-trixie AS truss
COPY requirements-chain.txt scripts/image_root.py scripts/chain_root.py /build/
RUN export PYTHONHASHSEED=0 \
    && python -B -m venv --without-pip /opt/truss \
    && python -B -m pip --python /opt/truss/bin/python install --no-cache-dir --no-compile --no-deps \
        --only-binary :all: --require-hashes --disable-pip-version-check --root-user-action ignore --quiet \
        -r /build/requirements-chain.txt \
    && python -B -m compileall -q -j 1 --invalidation-mode unchecked-hash -x "/tests/" /opt/truss/lib \
    && /opt/truss/bin/python -s -B /build/chain_root.py /chain
ARG SOURCE_DATE_EPOCH=0
RUN mkdir -p /chain/app /chain/opt \
    && mv /opt/truss /chain/opt/ \
    && install -m 0644 /build/requirements-chain.txt /chain/app/ \
    && find /chain -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# The target of `chain/action.yml`: the action, and beside it `truss`. Nothing of it is imported by the action; its
# interpreter is only started.
FROM action AS chain
COPY --from=truss /chain/ /
ENV BASETEN_DEPLOY_TRUSS_PYTHON=/opt/truss/bin/python

# What is built without a target.
FROM action
