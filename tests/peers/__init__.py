"""Cases of peers, written anew: at most the Transposes and bytes that the peer leaves, but where a reason is given."""
