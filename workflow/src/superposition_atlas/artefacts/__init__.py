"""The pipeline's artefacts as objects. One module a kind: what a command reads is what its digest covers."""
