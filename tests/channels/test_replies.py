"""What a person newly wrote is told from what was quoted, signed and added below, in the ways people write."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.replies import new_html, new_text
from tests.channels.announcements import ATTRIBUTIONS, HEADER_BLOCKS, SENT_FROM


def test_answers_between_quotes_stay_and_the_quotes_go() -> None:
    mail = (
        "Hallo Anna,\n\nAm 03.05.24 um 10:12 schrieb Anna Lösch:\n> Passt Dienstag?\n\nJa, um zehn.\n\n"
        "> Wie viele Stühle?\n\nZwölf, bitte.\n\n> Danke und Gruß\n> Anna\n\nGruß\nMax\n"
    )
    assert new_text(mail) == "Hallo Anna,\n\nJa, um zehn.\n\nZwölf, bitte.\n\nGruß\nMax"


def test_terse_answers_between_quotes_stay() -> None:
    mail = "Le 03/05/2024 à 10:12, Anne a écrit :\n> Mardi ?\nOui.\n> Combien de chaises ?\nDouze.\n> Merci\n"
    assert new_text(mail) == "Oui.\nDouze."


def test_a_quoted_line_that_was_wrapped_is_no_answer() -> None:
    mail = (
        "Klopt!\n\nOp 3-5-2024 om 10:12 schreef Anna:\n"
        "> Wij hebben uw bestelling ontvangen en leveren die op dinsdag tussen negen\nen tien uur af.\n> Groet, Anna\n"
    )
    assert new_text(mail) == "Klopt!"


def test_a_link_that_was_wrapped_is_no_answer() -> None:
    mail = "Done.\n\nOn 3 May 2024, Ann wrote:\n> Please look here (http://example.com/a?b=\n4711)\n> Ann\n"
    assert new_text(mail) == "Done."


def test_nested_quotes_go_together() -> None:
    mail = (
        "Tak.\n\nW dniu 4.05.2024 o 9:00, Jan pisze:\n> Zgadzam się.\n>\n> W dniu 3.05.2024 o 10:12, Anna pisze:\n"
        ">> Wtorek?\n>>\n>> -- \n>> Anna\n"
    )
    assert new_text(mail) == "Tak."


def test_an_answer_below_the_quote_stays_with_its_greeting() -> None:
    mail = "Il 03/05/2024 10:12, Anna ha scritto:\n> Martedì?\n> Anna\n\nVa bene.\n\nCordiali saluti\nLuca\nTel. 02 1234567\n"
    assert new_text(mail) == "Va bene.\n\nCordiali saluti\nLuca\nTel. 02 1234567"


def test_a_chain_of_outlook_mails_goes_from_the_first_header_block() -> None:
    mail = (
        "Bonjour,\n\nC'est noté.\n\nCordialement,\nLuc Roy\nResponsable achats\nTél. : 01 23 45 67 89\n\n"
        "De : Anne Loiseau <anne@example.fr>\nEnvoyé : lundi 6 mai 2024 09:00\nÀ : Luc Roy\nObjet : RE: Devis\n\n"
        "Parfait.\n\nDe : Luc Roy <luc@example.fr>\nEnvoyé : vendredi 3 mai 2024 10:12\nÀ : Anne\nObjet : Devis\n\nBonjour\n"
    )
    assert new_text(mail) == (
        "Bonjour,\n\nC'est noté.\n\nCordialement,\nLuc Roy\nResponsable achats\nTél. : 01 23 45 67 89"
    )


def test_a_signature_behind_its_delimiter_goes() -> None:
    mail = "Hej!\n\nDet går bra.\n\n-- \nBo Rask\nRask AB\n+46 8 123 45\n\nDen 2024-05-03 kl. 10:12, skrev Anna Lund:\n> Tisdag?\n"
    assert new_text(mail) == "Hej!\n\nDet går bra."


def test_a_long_text_below_two_dashes_is_no_signature() -> None:
    chapters = "\n".join(f"Point {number} of the list" for number in range(40))
    assert new_text(f"Introduction\n\n--\n{chapters}\n") == f"Introduction\n\n--\n{chapters}"


@pytest.mark.parametrize(
    "disclaimer",
    [
        "This e-mail and any attachments are confidential and intended solely for the addressee.\nIf you are not that person, delete it.",
        "CONFIDENTIALITY NOTICE: this message may contain privileged information.",
        "Please consider the environment before printing this e-mail.",
        "Ce message et toutes les pièces jointes sont confidentiels et établis à l'intention exclusive de ses destinataires.",
        "Diese E-Mail enthält vertrauliche und/oder rechtlich geschützte Informationen.\nWenn Sie nicht der Adressat sind ...",
        "Este mensaje y sus archivos adjuntos van dirigidos exclusivamente a su destinatario.",
        "Questo messaggio e gli eventuali allegati sono indirizzati esclusivamente alle persone indicate.",
        "Dit bericht is uitsluitend bestemd voor de geadresseerde.",
        "Esta mensagem e seus anexos podem conter informação confidencial.",
        "Niniejsza wiadomość oraz wszelkie załączniki są poufne.",
        "Detta meddelande är endast avsett för adressaten.",
    ],
)
def test_a_legal_disclaimer_goes(disclaimer: str) -> None:
    assert new_text(f"Yes.\n\nBob\n\n{disclaimer}\n") == "Yes.\n\nBob"
    assert new_text(f"Yes.\n\nBob\n\n________________________________\n{disclaimer}\n") == "Yes.\n\nBob"
    assert (
        new_text(f"Yes.\n\nBob\n\n{disclaimer}\n\nOn 3 May 2024 10:12, Ann wrote:\n> Hi\n") == "Yes.\n\nBob"
    )


def test_the_footer_of_a_mailing_list_goes() -> None:
    mail = "I agree.\n\n_______________________________________________\nGardeners mailing list\ngardeners@example.org\n"
    assert new_text(mail) == "I agree."


def test_everything_below_a_help_desks_line_goes() -> None:
    mail = "It works now.\n\n##- Please type your reply above this line -##\n\nYour request 4711 has been updated.\n"
    assert new_text(mail) == "It works now."
    assert (
        new_text("Ça marche.\n\n--- Répondre au-dessus de cette ligne ---\n\nVotre demande.\n")
        == "Ça marche."
    )


@pytest.mark.parametrize(
    "mail",
    [
        "FYI\n\n---------- Forwarded message ---------\nFrom: Ann <a@example.com>\nDate: Fri, May 3, 2024\nSubject: Van\n\nRepaired.",
        "Pour info\n\nDébut du message transféré :\n\nDe: Anne <anne@example.fr>\nObjet: Devis\nDate: 3 mai 2024\n\nBonjour",
        "z.K.\n\n-------- Weitergeleitete Nachricht --------\nBetreff: \tAngebot\nDatum: \tFri, 3 May 2024\nVon: \tAnna <a@example.de>\n\nHallo",
        "Ojo\n\n---------- Mensaje reenviado ---------\nDe: Ana <a@example.es>\nAsunto: Oferta\n\nHola",
    ],
)
def test_a_forwarded_mail_stays_whole(mail: str) -> None:
    assert new_text(mail) == mail


@pytest.mark.parametrize(
    "mail",
    [
        "Please book:\n\nFrom: Paris\nTo: London\nDate: Monday\n\nThanks",
        "On 3 May at 10:30 we sent:\n- 3 boxes of tulips\n- 4 boxes of roses\nNone arrived.",
        "On Monday I wrote:\nyou did not answer.",
        "As your colleague said:\nthe price is 300 euros.",
        "My order:\n2024-05-03 10:12 tulips:\n3 boxes",
        "Le 3 mai 2024 à 10:12, j'ai appelé votre service :\npersonne n'a répondu.",
        "Am 3. Mai 2024 habe ich angerufen:\nniemand war da.",
        "> 20 chairs are too many\nSo please send 12.",
        "Sent from my desk, which is much better than a telephone: it has a keyboard.",
        "Get well soon!\n\nMail me when you are back.",
        "Download the file and\nsend it to Ann",
        "A: 12\nB: 13\n\nDate: none",
        "Subject to change:\nfrom: nowhere\n",
        "x <- y\ny -> z\n--> z",
        "Temperatures:\n\n10:00: 12 degrees\n11:00: 13 degrees",
        "--- a/channels.py\n+++ b/channels.py\n@@ -1,2 +1,2 @@\n-old\n+new",
        "Your mail of 3 May 2024 said:\nthe van is repaired. It is not.",
        "I need a quote from: Ann\nto: Bob",
        "Op 3 mei 2024 heeft u mij beloofd:\neen nieuwe stoel.",
        "Il 3 maggio 2024 ho ordinato:\n3 sedie",
        "Em 3 de maio de 2024 comprei:\n3 cadeiras",
        "Den 3 maj 2024 beställde jag:\n3 stolar",
        "Dnia 3 maja 2024 zamówiłem:\n3 krzesła",
        "El 3 de mayo de 2024 pedí:\n3 sillas",
        "Hi,\n\nI ordered 3 chairs on 3 May 2024.\n\nItems:\n====\nchair 1\nchair 2\nchair 3\nchair 4\nchair 5\nchair 6\nchair 7\n\nthanks",
        "Title\n=====\nSome text\n\nBob",
        "Please see:\n\nFrom: Hamburg\nTo: Berlin\nSubject to change\n\nThanks",
        "Dear Sir,\n\nOn 3 May 2024 your colleague wrote to me that:\n- the van was fixed\n- I could get it",
        "Name: Bob\nDate: 3 May 2024\nEmail: bob@example.com\nMessage: hi",
        "Von: Hamburg\nAn: Berlin\nDatum: 3.5.2024\nPersonen: 2",
        "De: Paris\nA: Lyon\nDate: 3 mai 2024 10:12\nPersonnes: 2\n\nMerci",
        "Data: 3/5/2024\nA: Mario\nImporto: 30",
        "Order date: 3 May 2024\nTo: Bob Ray, Main street\nTotal: 10:30",
        'Le 3 mai 2024 à 10:12, votre livreur m\'a écrit :\n"Je suis absent"\nQue faire ?',
        'Am 3. Mai 2024 um 10:12 schrieb mir Ihr Kollege:\n"Das Auto ist fertig"\nEs ist nicht fertig.',
        "Agenda:\n\n10:00 Welcome\n10:30 Ann speaks\n11:00 Break:\n\nRegards",
        "He said: > 5 chairs.\nfine",
        "if a > b:\n    print(a)\n> done",
        "Contact: ann@example.com wrote on 3 May 2024 10:12 that all is well.",
        "Sent from my office in Paris, I write to you.\n\nBob",
        "Hello,\n\nSent from Amazon:\n- parcel 1\n- parcel 2",
        "Hi\n\nGet Android Studio and install it.\nThen call me.",
        "Hi\n\nDownload Google Chrome\nThen log in again.",
        "Hallo\n\nGesendet mit DHL\nSendungsnummer 123\n\nGruß",
        "Bonjour\n\nEnvoyé par la Poste le 3 mai\nNuméro 123\n\nMerci",
        "Hola\n\nEnviado por correo el 3 de mayo\nNúmero 123\n\nGracias",
        "Ciao\n\nInviato per posta il 3 maggio\nNumero 123\n\nGrazie",
        "Inviato tramite posta il 3 maggio\n\nNumero 123",
        "Hi\n\nsent with FedEx\n\ntracking 123",
        "Hi\n\nSent via email yesterday\n\nNo answer so far.",
        "Hoi\n\nVerzonden via PostNL\n\nNummer 123",
        "Oi\n\nEnviado por e-mail ontem\n\nSem resposta",
        "This message is for Ann: please call me.\n\nBob",
        "Ce message est pour Anne.\n\nBob",
        "Bob\n\nThis email is confidential between us please. Call me.",
        "Diese Nachricht ist für Anna.\n\nMax",
        "Hi\n\nTo unsubscribe me please use bob@example.com\n\nBob",
        "Hi\n---\nI want to unsubscribe from the mailing list\n---\nBob",
        "Steps:\n1. a\n--\n2. b\n--\n3. c",
        "Address:\n____\nstreet\n\nPlease fill the above.",
    ],
)
def test_ordinary_words_are_not_taken_for_quotes(mail: str) -> None:
    assert new_text(mail) == mail.strip()


def test_three_marked_lines_are_a_quote_even_unannounced() -> None:
    assert new_text("Yes.\n\n> Would Tuesday suit?\n> At ten?\n> Ann\n") == "Yes."


def test_a_mail_of_nothing_but_a_quote_has_no_new_words() -> None:
    assert new_text("\n\nOn 3 May 2024, at 10:12, Ann Lee <a@example.com> wrote:\n\n> Hi\n> Ann\n") == ""


@pytest.mark.parametrize(
    "mail",
    [
        "From: Ann <a@example.com>\nSent: Friday, May 3, 2024 10:12 AM\nTo: Bob\nSubject: FW: Van\n\nThe van is repaired.",
        "From: Ann <a@example.com>\nSubject: Question\n\nMessage Body:\nIs the van repaired?",
        "De : Anne <a@example.com>\nSujet : Question\n\nCorps du message :\nLa camionnette est-elle réparée ?",
    ],
)
def test_a_header_block_with_nothing_above_it_was_sent_on_purpose(mail: str) -> None:
    assert new_text(mail) == mail


def test_an_attribution_on_the_same_line_as_the_answer_is_cut_off() -> None:
    assert (
        new_text("Yes please On Fri, May 3, 2024 at 10:12 AM, ann@example.com wrote:\n> Tuesday?\n")
        == "Yes please"
    )


def test_line_ends_of_every_kind_are_read() -> None:
    assert new_text("Yes.\r\n\r\nOn 3 May 2024, at 10:12, Ann wrote:\r\n\r\n> Hi\r\n") == "Yes."
    assert new_text("Yes.\rOn 3 May 2024, at 10:12, Ann wrote:\r> Hi\r") == "Yes."


def test_an_empty_mail_has_no_new_words() -> None:
    assert new_text("") == ""
    assert new_html("") == ""


PIECES = st.sampled_from(
    [words for _, _, words in ATTRIBUTIONS + HEADER_BLOCKS]
    + list(SENT_FROM)
    + [
        "> quoted",
        ">> deeper",
        "",
        "",
        "Yes.",
        "-- ",
        "--",
        "____",
        "---------- Forwarded message ----------",
        "(",
        "<",
        "\x00",
        ">",
    ]
)
MAILS = st.one_of(
    st.text(max_size=300),
    st.lists(PIECES, max_size=12).map("\n".join),
    st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=12).map("\r\n".join),
)


@given(MAILS)
def test_each_new_line_begins_a_line_of_the_mail_in_order(mail: str) -> None:
    lines = iter(mail.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    for kept in new_text(mail).split("\n"):
        assert any(line.strip().startswith(kept.strip()) for line in lines)


@given(MAILS)
def test_a_new_text_is_never_longer_than_its_mail(mail: str) -> None:
    assert len(new_text(mail)) <= len(mail)


@given(st.sampled_from([words for _, _, words in ATTRIBUTIONS + HEADER_BLOCKS]), st.sampled_from(SENT_FROM))
def test_new_words_of_new_words_are_the_same(words: str, phone: str) -> None:
    once = new_text(f"Yes, Tuesday.\n\n{phone}\n\n{words}\n> Tuesday?\n> Ann\n")
    assert new_text(once) == once == "Yes, Tuesday."


MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "seed",
    [
        ">", "> \n", ">\n", "On On On ", "On\n", "On 1:\n", "a:\n", "From: a@b\n", "\n", "x wrote:\n\n", "On 3 May 2024, x wrote:\n",
        "Sent from my iPhone\n", "-- \n", "---\n", "-", "____________________\n", "---- a ----\n", "10:10:10", "Am 1 Am 1 ", "\xa0",
        "2024-01-01 10:10 a@b.c\n> x\n", "([-_*", "From: a date: b to: c\n\n", "To: x\nFrom: y\nx\nx\nx\n", "On 1 wrote: ", "<\n",
    ],
)  # fmt: skip
def test_a_megabyte_of_anything_takes_less_than_a_second(seed: str) -> None:
    mail = (seed * (MEGABYTE // len(seed) + 1))[:MEGABYTE]
    began = time.process_time()
    new_text(mail)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "text",
    [
        "Name: Jane\nEmail: jane@example.org\nDate: 2024-05-03 10:00\nSubject: hi\n\nWhere is my order?",
        "Your appointment:\n\nDate: 3 May 2024\nTime: 10:00\nTo: Room 3\nSubject: review\n\nSee you",
        "Call me at 10:00 on 05.03.2024, my address is bob@example.com:\nBob Lee, 3 Main Street",
        "Ann (ann@example.org) said on 3 May 2024:\n\nI agree.\n\nShe is right.",
        "Choose one:\n\n---\nApples by the pound\nPears",
    ],
)
def test_what_only_resembles_a_quote_stays(text: str) -> None:
    assert new_text(text) == text


@pytest.mark.parametrize(
    "announcement",
    [
        "Bob Lee---03/05/2024 10:07:00 AM---Re: offer",
        "Bob Lee---03/05/2024 10:07:00 AM---Re: offer\n\nFrom: Bob Lee <bob@example.org>\nTo: Ann\nSubject: Re: offer",
        "On 2024-03-05 10:07, Bob Lee via helpdesk wrote:",
    ],
)
def test_announcements_of_groupware_are_known(announcement: str) -> None:
    assert new_text(f"Agreed.\n\n{announcement}\n\nShall we?\nBob") == "Agreed."


def test_a_name_below_a_drawn_line_is_a_signature() -> None:
    assert new_text("Agreed.\n\n---\nAnn Lee\nHead of sales\n+33 1 23 45 67 89") == "Agreed."


def test_an_excuse_for_a_device_without_its_name_breaks_nothing() -> None:
    assert new_text("Yes.\n\nSent from   - sorry for typos").startswith("Yes.")


@pytest.mark.parametrize(
    "line",
    [
        "İPHONE’UMDAN GÖNDERİLDİ",
        "GESENDET VON MEINEM IPHONE",
        "ENVOYÉ DEPUIS MON IPHONE",
        "ОТПРАВЛЕНО С IPHONE",
        "ſent from my iPhone",
        "http://phone.example Sent from my iPhone",
        "<mailto:ann@example.com> Get Outlook for iOS",
    ],
)
def test_a_programs_line_goes_in_any_letters_and_behind_a_link(line: str) -> None:
    assert new_text(f"Yes, on Monday.\n\n{line}\n") == "Yes, on Monday."
