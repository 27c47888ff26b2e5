"""Names of languages: MP4 wants three letters (ISO 639-2/T), HLS and DASH the shortest tag (BCP 47)."""

from __future__ import annotations

#: Two letters, three letters, and the other three letters that some files have (ISO 639-2/B), name.
_LANGUAGES = (
    ("ar", "ara", "", "العربية"), ("cs", "ces", "cze", "Čeština"), ("da", "dan", "", "Dansk"),
    ("de", "deu", "ger", "Deutsch"), ("el", "ell", "gre", "Ελληνικά"), ("en", "eng", "", "English"),
    ("es", "spa", "", "Español"), ("fi", "fin", "", "Suomi"), ("fr", "fra", "fre", "Français"),
    ("he", "heb", "", "עברית"), ("hi", "hin", "", "हिन्दी"), ("hu", "hun", "", "Magyar"), ("it", "ita", "", "Italiano"),
    ("ja", "jpn", "", "日本語"), ("ko", "kor", "", "한국어"), ("nl", "nld", "dut", "Nederlands"),
    ("no", "nor", "", "Norsk"), ("pl", "pol", "", "Polski"), ("pt", "por", "", "Português"),
    ("ru", "rus", "", "Русский"), ("sv", "swe", "", "Svenska"), ("tr", "tur", "", "Türkçe"),
    ("uk", "ukr", "", "Українська"), ("zh", "zho", "chi", "中文"),
)  # fmt: skip


def short_tag(language: str | None) -> str:
    """The shortest tag; what is not in the table stays as it is, nothing is "und"."""
    code = (language or "und").strip().lower() or "und"
    return next((two for two, *threes, _ in _LANGUAGES if code in (two, *threes) and code), code)


def three_letters(language: str) -> str:
    """The three letters of MP4's media header, "und" where there are none."""
    code = short_tag(language).split("-")[0]
    known = next((three for two, three, *_ in _LANGUAGES if two == code), code)
    return known if len(known) == 3 and known.isascii() and known.isalpha() else "und"


def language_name(language: str) -> str:
    """What a menu shows."""
    code = short_tag(language)
    return next(
        (name for two, *_, name in _LANGUAGES if two == code.split("-")[0]), "Default" if code == "und" else code
    )
