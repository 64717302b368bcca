"""Django's PostgreSQL engine with our pool (backend.event_store.pool). Django loads `base` from here."""
