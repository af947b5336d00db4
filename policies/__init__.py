"""Who may see what: rules decided by casbin, compiled to tables; masks, consents and publicity periods."""
