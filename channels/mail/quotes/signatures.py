"""What mail programs and list servers add below a person's words: "Sent from my iPhone", list footers, reply lines.

Only vocabulary, as patterns of one whole line (matched without regard to case); the rules are in
`channels.mail.quotes.quotations`. SENT_FROM counts only before one of DEVICES.
"""

from __future__ import annotations

#: Names that make a line such as "Gesendet von ..." the work of a program.
DEVICES = (
    "iphone", "ipad", "ipod", "ios", "apple", "macbook", "icloud", "apple watch", "android", "samsung", "galaxy",
    "huawei", "xiaomi", "redmi", "oneplus", "motorola", "xperia", "htc", "wiko",
    "oppo", "fairphone", "blackberry", "windows", "outlook", "hotmail", "office 365",
    "microsoft", "gmail", "yahoo", "aol",
    "proton", "protonmail", "tutanota", "tuta", "thunderbird", "k-9", "fairemail", "bluemail", "blue mail",
    "airmail", "mailbird", "polymail", "superhuman",     "mailspring", "zoho", "gmx", "web.de", "freenet", "t-online", "telekom", "sfr",
    "laposte", "la poste", "tiscali", "virgilio", "ziggo", "kpn",     "mail.ru", "yandex", "яндекс", "почты", "почта", "mobile", "mobil", "mobiltelefon", "smartphone", "handy", "phone", "tablet",
    "telefon", "telefoon", "telefono", "teléfono", "téléphone", "cellulare", "celular", "móvil", "telemóvel",
    "mobiel", "puhelin", "puhelimesta", "telefonu", "telefonie", "handheld", "verizon", "vodafone", "wireless",
    "at&t", "t-mobile", "inky", "workspace one", "nokian", "chromebook",
    "ipadista", "iphonesta", "iphonu", "iphone'a", "iphone’a", "iphona", "ipadu", "ipada", "androida", "androidu",
    "typeapp", "em client", "freebox", "fastmail", "mailo", "айфона", "телефона", "смартфона", "планшета",
)  # fmt: skip

#: Names that are words too: they count with a capital letter at the end of the line only.
AMBIGUOUS_DEVICES = frozenset(
    ("Spark", "Sparrow", "Newton", "Spike", "Missive", "Canary", "Edison", "Nine", "Orange", "Free", "Surface", "Front", "Shift", "Hey",
     "Pixel", "Honor", "WP", "Onet", "O2", "Sprint", "Ovi", "Boxer", "Interia", "Libero", "Mail", "Nokia", "Sony", "LG", "Realme", "Apple", "Google",
     "Correo", "Posta", "Courrier", "Correio", "E-post")
)  # fmt: skip

#: What comes before the device, up to and including the preposition.
SENT_FROM = (
    # English
    r"sent (?:from|via|with|by|using|on)(?: my| a| the)?", r"sent securely (?:from|with)",
    r"typed (?:on|with) my", r"composed (?:on|with) my",
    # French
    r"envoy[ée]e? (?:de|depuis|à partir de|a partir de|avec|via|par|sur|à l['’]aide de)(?: mon| ma| l['’]| un| une| la)?",
    r"provenance ?:", r"exp[ée]di[ée] depuis(?: mon| ma)?",
    # German
    r"(?:diese nachricht wurde )?(?:gesendet|verschickt|versandt|geschickt) (?:von|mit|aus|über|vom|per)"
    r"(?: meinem| meiner| der| dem)?",
    r"von (?:meinem|meiner|unterwegs mit meinem)",
    # Spanish, Portuguese
    r"enviad[oa] (?:desde|de|do|da|a partir d[eoa]|por|con|com|pelo|através d[eoa]|via|mediante|usando|no|na|el)"
    r"(?: mi| mis| meu| minha| o| a| el| la| un| uma?)?",
    r"mandado desde(?: mi)?",
    # Italian
    r"inviat[oa] (?:da|dal|dalla|dall['’]|tramite|con|via|col|su|mediante)(?: il| la| mio| mia)*",
    # Dutch
    r"(?:dit bericht is )?(?:verzonden|verstuurd|gestuurd) (?:vanaf|van|met|via|vanuit|door)(?: mijn| de| het| een)?",
    # Polish
    r"wys[łl](?:ane|ano|any|ana) (?:z|ze|za pomocą|przez|przy użyciu|poprzez)(?: mojego| mojej| aplikacji| programu)*",
    # Swedish, Danish, Norwegian
    r"(?:skicka(?:[dt]|des)|sänt|sendt|afsendt) (?:från|fra|via|med|ifrån|av|af)(?: min| mitt| mit)?",
    # Finnish, Czech, Slovak, Turkish, Hungarian, Romanian
    r"lähetetty", r"odesl[aá]no z(?:e)?(?: mého| mé)?", r"odoslané z(?:o)?(?: môjho)?",
    r"trimis (?:de pe|din|prin|cu)",
    # Russian, Ukrainian
    r"отправлено (?:с|из|через|от)(?: моего| моей| мобильной)?", r"послано с", r"надіслано (?:з|із|через)(?: мого)?",
)  # fmt: skip

#: "Get Outlook for iOS": counts only when one of FETCHED comes next.
FETCH = (
    "get", "download", "télécharger", "telecharger", "téléchargez", "obtenez", "obtenir", "holen sie sich", "hol dir", "laden sie",
    "outlook für", "obtener", "obtén", "obtenga", "descargar", "descarga", "consigue", "obter", "obter o", "obtenha o", "obtenha",
    "baixe o", "baixar o", "transferir o", "transferir", "scarica", "ottieni", "download", "pobierz", "pobierz program",
    "pobierz aplikację", "hämta", "skaffa", "hent", "få", "last ned", "hanki", "lataa", "získat", "stáhnout", "скачать", "получить",
    "завантажити",
)  # fmt: skip
FETCHED = (
    "outlook", "yahoo", "bluemail", "blue mail", "gmail", "spark", "proton", "protonmail", "mymail", "typeapp", "edison", "the mail",
    "the new outlook", "l'application", "aol",
)  # fmt: skip

#: Whole lines of other word orders.
SENT_BY = (
    r"(?:diese (?:nachricht|mail|e-mail) wurde )?(?:von|aus|mit) mein(?:em|er)(?:/mein(?:em|er))? .{2,60} (?:gesendet|verschickt|geschickt|geschrieben)",
    r"(?:iphone|ipad|android).{0,30}(?:gönderildi|'?[uı]mdan gönderildi|から送信)",
    r".{1,30}(?:'?[ıiuü]mdan|'?den|'?dan) gönderildi", r".{1,30}から送信(?:されました)?", r"发自我的.{1,30}", r"從我的.{1,30}(?:傳送|傳送)",
    r"(?:从|發自|发自|來自我的|来自).{1,30}(?:发送|發送|傳送|iphone|手机|邮箱|邮件)", r"나의 .{1,20}에서 보냄", r".{1,20}에서 보냄",
    r"iphone-?(?:omról|ról|mról) küldve", r"elküldve .{2,30}",
    r"(?:gesendet|sent|envoyé|enviado|inviato|verzonden|wysłane|skickat|sendt) (?:mobil|unterwegs|on the go|onderweg)",
    r"(?:excuse|pardon|forgive|please excuse) (?:my |the |any )?(?:brevity|typos).{0,60}",
    r"sent on the run.{0,30}",
    r"outlook (?:für|voor|for|til|dla|pro) .{2,20} (?:beziehen|downloaden|herunterladen|holen)",
    r"von (?:samsung|outlook|yahoo|apple|proton|huawei|xiaomi) .{2,40} gesendet",
    r"(?:下载|获取|取得|下載) outlook .{2,30}", r"(?:ios|android) 版 outlook を入手", r"(?:ios|android) için outlook.{0,20}",
    r"发自.{2,30}", r"από το .{2,20} μου", r"gửi từ .{2,40}", r"poslano sa? .{2,40}", r"küldve az? .{2,30}",
    r"(?:sent|envoyé|gesendet|enviado|inviato|verzonden|verstuurd|wysłano|skickat|sendt) (?:with|using|via|avec|mit|con|com|met|med|przez) \S{2,20}",
)  # fmt: skip

#: Everything below such a line is a list server's or a help desk's.
REPLY_ABOVE = (
    r"(?:please )?(?:type|write|enter|add) your (?:reply|response|answer|comment) above this line.{0,80}",
    r"(?:please )?(?:reply|respond|write) (?:only )?above (?:this|the) line.{0,80}",
    r"reply above this line.{0,80}", r"do not (?:write|edit|type) below this line.{0,80}",
    r"(?:merci de |veuillez )?(?:répondre|répondez|écrire|écrivez|saisir|saisissez)(?: votre réponse)? au-dessus de cette ligne.{0,80}",
    r"bitte (?:antworten|schreiben|geben) sie (?:ihre antwort )?(?:oberhalb|über) dieser (?:zeile|linie).{0,80}",
    r"(?:bitte )?(?:oberhalb|über) dieser (?:zeile|linie) antworten.{0,80}",
    r"(?:por favor,? )?(?:responda|escriba|escribe|responde)(?: su respuesta| tu respuesta)? (?:por encima de|encima de|sobre) esta línea.{0,80}",
    r"(?:si prega di )?(?:rispondere|rispondi|scrivi|scrivere)(?: la risposta)? (?:sopra|al di sopra di) questa riga.{0,80}",
    r"(?:gelieve |graag )?(?:typ|antwoord|schrijf|reageer|antwoorden)(?: uw antwoord| je antwoord)? boven deze (?:lijn|regel).{0,80}",
    r"(?:por favor,? )?(?:responda|escreva|digite)(?: sua resposta| a sua resposta)? acima d?est[ae] linha.{0,80}",
    r"(?:proszę )?(?:odpowiedz|odpowiadać|odpisz|wpisz odpowiedź|napisz odpowiedź) (?:powyżej|nad) (?:tej|tą) lini[ią].{0,80}",
    r"(?:vänligen )?(?:skriv|svara)(?: ditt svar)? (?:ovanför|över) (?:den här|denna) (?:raden|linjen|rad).{0,80}",
)  # fmt: skip

#: Told by one line within three below a drawn rule: the footer of a mailing list.
LIST_FOOTERS = (
    r"mailing[- ]?list(?:e|a)?\b", r"liste de diffusion", r"lista de (?:correo|distribución|distribuição|e-mails)",
    r"lista dyskusyjna", r"sändlista", r"mailinglijst", r"you received this message because you(?: are|['’]re) subscribed",
    r"to unsubscribe\b", r"vous recevez ce message", r"pour (?:vous )?désabonner", r"um sich abzumelden",
    r"virus[- ]?free|avast\.com|avg\.com|virenfrei|sans virus|senza virus|libre de virus|livre de vírus|virusvrij|wolna od wirusów",
)  # fmt: skip

#: How a paragraph begins that a company's server adds about confidentiality, liability or trees.
DISCLAIMERS = (
    # English
    r"(?:this|the information (?:contained )?in this) (?:e-?mail|message|communication|transmission)(?: message)?,? (?:and any (?:of its )?"
    r"(?:files|attachments?)|\(including|is (?:intended|confidential(?=[.,;]| and| or| to| information)|for the (?:sole|use|exclusive|intended|attention)|sent (?:to|by|on behalf))|may contain|contains (?:confidential|privileged|information)|"
    r"including any|or any|together with any|is strictly)",
    r"(?:confidentiality|privacy|legal) (?:notice|note|disclaimer)\b", r"disclaimer ?[:.]", r"notice of confidentiality",
    r"please consider the environment before", r"think before you print", r"the information (?:contained|transmitted) (?:in this|is intended)",
    r"if you (?:are not the intended|have received this (?:e-?mail|message) in error)",
    # French
    r"ce (?:message|courriel|courrier électronique|mail|e-?mail)(?:,| ainsi que| et (?:toutes |ses |les |tous )|, y compris| est (?:confidentiel|destiné|établi)"
    r"| peut contenir| contient des| \(y compris| électronique)",
    r"avis de confidentialité", r"clause de confidentialité", r"pensez à l['’]environnement", r"avant d['’]imprimer",
    r"les informations contenues dans ce", r"n['’]imprimez (?:ce|cet)",
    # German
    r"diese (?:e-?mail|nachricht|mitteilung)(?: einschließlich| und (?:alle|etwaige|ihre)| enthält| kann| ist (?:vertraulich|ausschließlich|nur|für)| inklusive)",
    r"(?:vertraulichkeits|haftungs)(?:hinweis|ausschluss)", r"(?:bitte )?denken sie an die umwelt", r"der inhalt dieser (?:e-?mail|nachricht) ist",
    r"wenn sie nicht der (?:richtige|beabsichtigte) (?:adressat|empfänger)", r"bitte prüfen sie(?:,| der umwelt)",
    # Spanish, Portuguese
    r"(?:este|esta) (?:mensaje|correo|e-?mail|comunicación|mensagem)(?:,? (?:y (?:sus|cualquier|los)|e (?:seus|quaisquer|os|eventuais)|electrónico|eletrónic[oa]|"
    r"eletrônic[oa]|puede|pode|contiene|contém|va dirigid|se dirige|está dirigid|es confidencial|é confidencial|incluyendo|incluindo|é destinad|destina-se))",
    r"aviso (?:legal|de confiden[ct]ialid?[ad]+e?)", r"la información contenida en este", r"as? informaç(?:ão|ões) contidas? n",
    r"antes de imprimir", r"piense en el medio ambiente",
    # Italian
    r"(?:questo|questa|il presente|la presente) (?:messaggio|e-?mail|comunicazione|mail)(?:,? (?:e (?:gli|i suoi|tutti|ogni|eventuali)|di posta|è (?:confidenziale|"
    r"destinat|riservat|indirizzat)|può contenere|contiene|ed i|ed eventuali))",
    r"avviso di riservatezza", r"le informazioni contenute in", r"ai sensi del (?:d\.? ?lgs|regolamento|gdpr|reg)", r"prima di stampare",
    # Dutch
    r"(?:dit|deze) (?:bericht|e-?mail|mail)(?:bericht)?(?:,? (?:en (?:eventuele|de|alle)|is (?:uitsluitend|vertrouwelijk|alleen|bestemd)|kan|bevat|\(inclusief|inclusief))",
    r"de informatie (?:verzonden|in deze|in dit)", r"denk aan het milieu",
    # Polish
    r"(?:niniejsza|ta|ten|niniejszy) (?:wiadomość|e-?mail|informacja|korespondencja)(?:,? (?:oraz|wraz|jest|może|zawiera|i ))",
    r"klauzula poufności", r"informacje zawarte w (?:tej|niniejszej)", r"zanim wydrukujesz", r"pomyśl o środowisku",
    # Swedish, Danish, Norwegian
    r"(?:detta|denna|denne|dette) (?:meddelande|e-?post(?:meddelande)?|mejl|mail|e-?mail|melding(?:en)?|meddelelse)(?:,? (?:och|og|är|er|kan|innehåller|indeholder|inneholder|inklusive))",
    r"informationen i (?:detta|denne)", r"tänk på miljön", r"tænk på miljøet",
)  # fmt: skip
