"""Strict headless execution of notebooks: every run ends with a verdict, a record and pages that open without a kernel.

The rooms of the package, in the order in which a run goes through them: `parameters` (checked before anything starts),
`plan` (what runs, with which limits), `processes` (one process group a notebook), `child` and `engine` (papermill with a
client that cannot miss a wake-up), `guard` (inside the kernel), `scan` (what the executed file says), `record`, `page` and
`index` (what is left behind). `run.run_notebooks` drives them.

This file imports nothing: kernels import `reidkit.runner.guard` before the first cell.
"""
