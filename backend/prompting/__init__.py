"""From events to the exact bytes a model is sent. Pure: same events and request, same bytes, for ever."""
