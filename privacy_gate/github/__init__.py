"""Comment, check run, annotations, summary and outputs on GitHub.

Everything that reaches out (the API, files of the step, standard output) gets its client or stream
passed in. Reports are judged again here, by the terms of the base branch, before anything is shown.
"""
