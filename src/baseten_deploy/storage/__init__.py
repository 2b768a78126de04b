"""The way of the archive into S3: the upload, its client and connections, and what S3's refusals mean.

What is uploaded is `archive`; who issues the credentials, and for which bucket, is `service`.
"""
