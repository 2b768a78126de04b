"""The service on the wire: the management API's calls and answers, HTTP, retries, and what a refusal means for people.

Here is also which model and team a run means, and at which URLs a model is asked. Knows no files. The way to the
network is `network`, the upload to S3 is `storage`, the NeMo Platform's API is `nemo`, requests to the model itself
are `checks`, how a promotion is followed is `environment`.
"""
