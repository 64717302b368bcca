"""Who people are: accounts, API tokens, and who may sign up."""
