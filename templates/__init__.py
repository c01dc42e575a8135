"""Composing of mail: what a marketer writes becomes a compiled plan, and the plan becomes bytes, a few µs each.

Read in this order: source (the model), environment (the sandbox), reduction (what is known before a recipient
is), links (what is measured), encoding (bytes on the wire), plan (the finished bytes), preview (the same in
a process that can be killed). docs/templates.md is what a marketer reads.
"""
