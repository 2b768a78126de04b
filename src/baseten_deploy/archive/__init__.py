"""From the list of files to bytes: the content digest and the gzipped tar, the same on every machine.

Which files those are is `truss`; where the bytes go is `storage`.
"""
