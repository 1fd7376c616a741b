"""Non-local blocks inside the models of other libraries."""
