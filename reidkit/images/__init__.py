"""Pictures: strict decoding (`decode`), the papers' views (`views`), samplers (`samplers`) and batches (`batches`).

Nothing is imported here, so that checking files needs no torch.
"""
