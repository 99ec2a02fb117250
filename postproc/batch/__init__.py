"""One input to one result: the job, its cache, Dask, and the plugin as an engine. It uses verdicts and below."""
