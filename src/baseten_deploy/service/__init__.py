"""The service on the wire: the management API's calls and answers, HTTP, retries, and what a refusal means for people.

Knows no files. The upload to S3 is `storage`, the NeMo Platform's API is `nemo`, requests to the model itself are
`checks`, how a promotion is followed is `environment`.
"""
