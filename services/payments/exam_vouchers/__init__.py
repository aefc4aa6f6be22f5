"""What an exam voucher may become, how long it is usable, who may retake, what vendors report, what is left. Pure."""
