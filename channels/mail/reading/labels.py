"""Charset labels as they are met in mail, and the Python codec for each.

Only these are ever handed to `bytes.decode`: other codecs of the standard library take time that grows with the square
of the input (punycode, idna) or are no charsets (zlib, rot13).
"""

from __future__ import annotations

_NAMES: dict[str, str] = {
    "utf_8": "utf8 utf unicode11utf8 unicode20utf8 xunicode20utf8 utf8mb4 utf8sig cp65001 65001 utf8n",
    "utf_7": "utf7 unicode11utf7 unicode11utf7 csunicode11utf7 utf7imap",
    "utf_16": "utf16 unicode ucs2 iso10646ucs2 csunicode",
    "utf_16_le": "utf16le unicodefffe",
    "utf_16_be": "utf16be unicodefeff",
    "utf_32": "utf32 ucs4",
    "ascii": "ascii usascii ansix341968 iso646us us iso646 ansix34 csascii 7bit isoir6 cp367 ibm367 none default "
    "unknown unknown8bit userdefined 8bit iso8859",
    "cp1252": "iso88591 latin1 l1 iso885911987 isoir100 cp819 ibm819 csisolatin1 windows1252 cp1252 win1252 ansi westerneuropean "
    "windows1252http iso8858 iso88591windows1252latin1 1252 8859 88591",
    "iso8859_2": "iso88592 latin2 l2 iso885921987 csisolatin2 isoir101",
    "iso8859_3": "iso88593 latin3 l3 csisolatin3",
    "iso8859_4": "iso88594 latin4 l4 csisolatin4",
    "iso8859_5": "iso88595 cyrillic csisolatincyrillic",
    "iso8859_6": "iso88596 arabic iso88596i iso88596e asmo708 ecma114",
    "iso8859_7": "iso88597 greek greek8 elot928 ecma118 suneugreek",
    "iso8859_8": "iso88598 iso88598i iso88598e hebrew logical visual csisolatinhebrew",
    "cp1254": "iso88599 latin5 l5 csisolatin5 windows1254 cp1254 win1254 iso885991989",
    "iso8859_10": "iso885910 latin6 l6 csisolatin6",
    "cp874": "iso885911 tis620 windows874 cp874 dos874 tis6202533",
    "iso8859_13": "iso885913",
    "iso8859_14": "iso885914",
    "iso8859_15": "iso885915 latin9 latin0 l9 csisolatin9",
    "iso8859_16": "iso885916",
    "cp1250": "windows1250 cp1250 win1250 1250",
    "cp1251": "windows1251 cp1251 win1251 1251 ansi1251",
    "cp1253": "windows1253 cp1253 win1253",
    "cp1255": "windows1255 cp1255 win1255",
    "cp1256": "windows1256 cp1256 win1256",
    "cp1257": "windows1257 cp1257 win1257",
    "cp1258": "windows1258 cp1258 win1258",
    "koi8_r": "koi8r koi koi8 cskoi8r",
    "koi8_u": "koi8u koi8ru",
    "cp866": "cp866 ibm866 866 csibm866",
    "cp437": "cp437 ibm437 437 cspc8codepage437",
    "cp850": "cp850 ibm850 850",
    "cp852": "cp852 ibm852 852",
    "cp855": "cp855 ibm855",
    "cp858": "cp858 ibm858 ibm00858",
    "mac_roman": "macintosh macroman mac csmacintosh",
    "mac_cyrillic": "maccyrillic macukrainian",
    "mac_latin2": "macce maccentraleurope maclatin2",
    "gb18030": "gb18030 gb2312 gbk cp936 ms936 windows936 936 euccn csgb2312 chinese gb231280 isoir58 gb gb23121980 csiso58gb231280",
    "hz": "hzgb2312 hz",
    "big5hkscs": "big5 big5hkscs cnbig5 csbig5 big5tw cp950 950 windows950 big5eten",
    "cp932": "shiftjis sjis cp932 ms932 windows31j mskanji csshiftjis cswindows31j 932 shiftjis2004 ms31j",
    "euc_jp": "eucjp cseucpkdfmtjapanese ujis cp51932 eucjpms euc",
    "iso2022_jp": "iso2022jp csiso2022jp iso2022jpms iso2022jp1 iso2022jp2 iso2022jp3 cp50220 cp50221 cp50222 iso2022jpext jis",
    "cp949": "euckr ksc56011987 ksc56011989 ksc5601 ksc5601 cp949 949 ms949 uhc windows949 korean ksx1001 cseuckr isoir149",
    "iso2022_kr": "iso2022kr csiso2022kr",
    "johab": "johab cp1361 ms1361",
    "ptcp154": "ptcp154 cp154 kz1048",
    "tis_620": "tis6200",
    "koi8_t": "koi8t",
}

CODECS: dict[str, str] = {label: name for name, labels in _NAMES.items() for label in labels.split()}

STATEFUL = frozenset(
    {"utf_7", "hz", "iso2022_jp", "iso2022_kr", "utf_16", "utf_16_le", "utf_16_be", "utf_32"}
)
"""Charsets in which bytes below 128 do not mean ASCII."""
