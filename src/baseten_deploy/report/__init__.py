"""Text for people: the job summary, Markdown that foreign text cannot break out of, timelines, amounts.

Pure text. How a plan reads is `planning.page`; the pull-request comment that carries the same text is `comment`;
lines of the log and annotations are `ci.runner`.
"""
