"""Which language a text is written in, guessed from its small words, so that inflected words can be found.

Pure. A wrong guess costs little: words are always found as they were written; the guess only decides under
which other forms they are found as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from projections.search.words import fold

DEFAULT: Final = "en"

DICTIONARIES: Final = {
    "ar": "arabic_stem",
    "de": "german_stem",
    "el": "greek_stem",
    "en": "english_stem",
    "es": "spanish_stem",
    "fr": "french_stem",
    "hi": "hindi_stem",
    "it": "italian_stem",
    "nl": "dutch_stem",
    "pt": "portuguese_stem",
    "ru": "russian_stem",
    "sv": "swedish_stem",
}
"""PostgreSQL's dictionary of word stems for each language known here."""

_SMALL_WORDS: Final = {
    "de": "der die das und ist nicht ein eine einen ich du wir sie es mit für auf den dem des im zu von wie was "
    "auch sich aber oder wenn kann sind war noch nach bei aus mir mich wird haben hat",
    "en": "the of and to is that it you for with are this what how was be have from or can not an my your "
    "would there which do does has were will they we he she his her but if about",
    "es": "el la los las de que y en un una es por con para como más pero su al lo se del qué está son hay muy "
    "también mi tu yo cuando donde porque sin sobre",
    "fr": "le la les de des et est un une du que qui dans pour pas sur avec au ce il elle je vous nous ne se en "
    "plus par mais ou où être sont cette comme bien tout fait",
    "it": "il lo la gli le di che e è un una per con non sono del della dei nel come più anche ma si da ho hai "
    "questo questa cosa mi ci perché quando alla",
    "nl": "de het een en van ik je dat is niet met voor op te zijn er maar om hoe wat aan ook bij naar dit die "
    "heb heeft kan wel nog deze als uit waar",
    "pt": "o a os as de que e do da em um uma para com não por mais como mas foi ao ele das tem à seu sua ou ser "
    "quando muito há nos já está eu também só pelo você isso são na no",
    "sv": "och att det som en på är av för med den till inte om ett han hon jag vi kan men var har från så vad "
    "hur du mig när eller ska också de",
}
_LANGUAGES_OF: Final[dict[str, tuple[str, ...]]] = {}
for _language, _words in _SMALL_WORDS.items():
    for _word in {part for word in _words.split() for part in fold(word)}:
        _LANGUAGES_OF[_word] = (*_LANGUAGES_OF.get(_word, ()), _language)

_LOOKED_AT: Final = 300
_FIRST_LETTERS: Final = (
    ("ar", 0x0600, 0x06FF),
    ("el", 0x0370, 0x03FF),
    ("hi", 0x0900, 0x097F),
    ("ru", 0x0400, 0x04FF),
)
OF_OTHER_WRITING: Final = frozenset(language for language, _, _ in _FIRST_LETTERS)
"""Languages told by their letters, word for word, whatever the text around is."""
OF_LATIN_WRITING: Final = tuple(sorted(_SMALL_WORDS))


def guess_language(words: Iterable[str]) -> str | None:
    """The language of folded words in Latin letters, or None where the small words of no language prevail.

    A small word of several languages counts for each of them in part.
    """
    scores = dict.fromkeys(OF_LATIN_WRITING, 0.0)
    for word in islice(words, _LOOKED_AT):
        languages = _LANGUAGES_OF.get(word, ())
        for language in languages:
            scores[language] += 1 / len(languages)
    best, second = sorted(scores, key=lambda language: (-scores[language], language))[:2]
    return best if scores[best] >= 1 and scores[best] > scores[second] else None


def language_of_word(word: str, language_of_text: str) -> str | None:
    """By which language's rules a folded word is inflected; None where we know no rules for its letters."""
    if word.isascii():
        return language_of_text if word.isalpha() else None
    first = ord(word[0])
    for language, low, high in _FIRST_LETTERS:
        if low <= first <= high:
            return language
    return language_of_text if first < 0x0250 and word.isalpha() else None
