"""One input -> one result: the job, its cache, Dask, and the plugin as an engine.

It may use `verdicts` and the rooms below; `plugin_engine` also uses `generator`.
"""
