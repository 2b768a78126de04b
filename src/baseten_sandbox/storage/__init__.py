"""The bucket that archives go into: a real S3 API behind credentials that are really checked."""
