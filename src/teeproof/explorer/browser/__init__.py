"""The checker that a browser runs: plain JavaScript, no library, no network.

bytes, zip, x509     bytes, proof files, certificates
tdx, identity        a quote, and the keys that it commits to
merkle, notes        the log's tree, checkpoints and witnesses
proof, element       all of it, and how a page shows it
"""
