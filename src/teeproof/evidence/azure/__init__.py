"""Azure's confidential machines: the paravisor's report (HCL) and the TPM that it keeps.

The hardware's report is made by the paravisor, not by the guest. It commits to a text that names
the TPM's attestation key, and the guest's own word (D) is what that TPM quotes.

hcl        bytes -> HclReport
document   JSON -> AzureEvidence
hardware   the hardware's report inside, verified         (TDX here; SEV-SNP by the caller)
verify     evidence + hardware -> checks, facts of the TPM

Trusts: the verified hardware report.  Does not trust: host, network, the guest.
"""
