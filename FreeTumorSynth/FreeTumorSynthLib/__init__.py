"""Logic of the module FreeTumor Synth, in small parts that are tested one by one."""
