"""Names, mail domains and telephone numbers of a dozen cultures.

Mail domains are those kept for documentation (RFC 2606). Telephone numbers lie
in ranges that are assigned, so that a checker calls them valid; where a country
keeps a range for fiction, that one is used (Sweden, United States, Australia).
"""

import unicodedata
from typing import Final, NamedTuple


class Culture(NamedTuple):
    """Name parts as (as written, in Latin letters) and a block of telephone numbers."""

    given: tuple[tuple[str, str], ...]
    family: tuple[tuple[str, str], ...]
    phone: str
    phone_range: tuple[int, int]
    domain: str
    family_first: bool = False


SPECIAL: Final = str.maketrans({"ø": "o", "ł": "l", "ß": "ss", "æ": "ae", "ı": "i", "-": "", "'": ""})


def latin(text: str) -> str:
    """Small ASCII letters, as people write themselves in addresses."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(SPECIAL))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum())


def parts(text: str) -> tuple[tuple[str, str], ...]:
    """``"Ada 健司=kenji"`` as pairs; what has no ``=`` is made Latin by itself."""
    pairs = (word.partition("=") for word in text.split())
    return tuple((written, spelled or latin(written)) for written, _, spelled in pairs)


CULTURES: Final = {
    "sv": Culture(
        parts("Ada Björn Åsa Elsa Göran Liv Nils Sigrid Tove Östen"),
        parts("Bergström Haugen Lindqvist Sørensen Åkesson Öberg Nyström Dahl"),
        "+467017406",
        (10, 100),
        "example.com",
    ),
    "en": Culture(
        parts("Sam Olivia Harry Grace Noah Priya Jack Amelia Leo Chloe"),
        parts("Okafor Patel O'Brien Smith Walker Singh Clarke Hughes Price Reid"),
        "+442071838",
        (100, 1000),
        "example.org",
    ),
    "us": Culture(
        parts("Jordan Madison Tyler Aaliyah Mason Harper Ethan Zoe Logan Ava"),
        parts("Johnson Nguyen Garcia Brooks Rivera Cooper Washington Kim Foster Hayes"),
        "+121255501",
        (10, 100),
        "example.net",
    ),
    "de": Culture(
        parts("Jürgen Käthe Max Lena Tom Friederike Jörg Anneliese Götz Mia"),
        parts("Fischer Müller Groß Schäfer Weiß Krüger Böhm Lang Vogel Süß"),
        "+493023125",
        (100, 1000),
        "example.com",
    ),
    "fr": Culture(
        parts("Chloé François Éloïse Jérôme Maëlys Loïc Agnès Noël Zélie Hugo"),
        parts("Lefèvre Dubois Garçon Hébert Rousseau Benoît Noël Faure"),
        "+336123456",
        (10, 100),
        "example.org",
    ),
    "es": Culture(
        parts("Rosa Íñigo Lucía Ángel Begoña Joaquín Sofía Raúl Nuria Iván"),
        parts("Martínez Núñez Ibáñez García Peña Muñoz Ortiz Vázquez"),
        "+34612345",
        (100, 1000),
        "example.com",
    ),
    "pl": Culture(
        parts("Łukasz Małgorzata Zofia Paweł Grażyna Wojciech Agnieszka Michał"),
        parts("Kowalski Wójcik Żak Dąbrowska Szczęsny Łukasik Król Zając"),
        "+48512345",
        (100, 1000),
        "example.net",
    ),
    "tr": Culture(
        parts("Işıl Çağrı Gül Ömer Şule Emre Yağmur İpek"),
        parts("Öztürk Çelik Yıldız Şahin Doğan Güneş Koç Aydın"),
        "+9050123456",
        (10, 100),
        "example.org",
    ),
    "au": Culture(
        parts("Lachlan Matilda Archie Isla Banjo Ruby Angus Evie"),
        parts("Taylor Nguyen Campbell Kelly Murphy Webb Ross Burke"),
        "+61491570",
        (156, 160),
        "example.net",
    ),
    "ar": Culture(
        parts("نور=noor محمد=mohammed فاطمة=fatima يوسف=yousef ليلى=layla خالد=khaled"),
        parts("الصباح=alsabah العتيبي=alotaibi حداد=haddad منصور=mansour النجار=alnajjar"),
        "+96522248",
        (100, 1000),
        "example.com",
    ),
    "he": Culture(
        parts("נועם=noam תמר=tamar איתי=itai שירה=shira אורי=uri יעל=yael"),
        parts("כהן=cohen לוי=levi מזרחי=mizrahi פרץ=peretz ביטון=biton"),
        "+972502345",
        (100, 1000),
        "example.org",
    ),
    "ja": Culture(
        parts("健司=kenji 陽子=yoko 蓮=ren さくら=sakura 大輔=daisuke 美咲=misaki"),
        parts("田中=tanaka 佐藤=sato 鈴木=suzuki 髙橋=takahashi 渡邉=watanabe"),
        "+8190123456",
        (10, 100),
        "example.net",
        family_first=True,
    ),
    "ko": Culture(
        parts("민준=minjun 서연=seoyeon 지후=jihu 하은=haeun 도윤=doyun"),
        parts("김=kim 이=lee 박=park 최=choi 정=jung"),
        "+8210123456",
        (10, 100),
        "example.com",
        family_first=True,
    ),
    "zh": Culture(
        parts("伟=wei 芳=fang 秀英=xiuying 娜=na 敏=min 静=jing"),
        parts("王=wang 李=li 张=zhang 刘=liu 陈=chen 欧阳=ouyang"),
        "+861312345",
        (1000, 10000),
        "example.org",
        family_first=True,
    ),
}
