"""The OpenAI-compatible endpoint under /v1: programs call models through us, and every call is kept."""
