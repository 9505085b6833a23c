"""The tool that runs the experiments, records what happened and writes the pages."""
