# SPDX-License-Identifier: GPL-2.0-or-later
"""The words that stand around a one-time code, in many languages, and where they are in a text.

A word is found anywhere inside another ("Bestätigungscode"; Thai and Chinese have no spaces) and in
either case. ~ is the edge of a word, _ a space; a word in capitals is found only in capitals, with no
capital before it. The longest word at a place counts, and none overlaps another.

A text is looked at once, two characters at a time, in a dictionary that is made at the first use: a
pattern of these alternatives takes a quarter of a second to compile.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

WORDS = {
    "code": """
        code códe codul codig códig codic códic codi~ código còdi~ kod kód kōd kood kóð <#>
        ~otp~ ~pin~ ~spin~ ~mpin~ ~tac~ ~mtac~ ~2fa~ TAN~
        two-factor two_factor 2-factor 2_factor authenti
        passcode pass_code passphrase pass_phrase password passwort pass_word mot_de_passe kennwort
        wachtwoord lösenord losenord passord salasana parool haslo hasla hasło hasła heslo jelsz parol
        şifre sifre lozink zapork geslo slaptaž contraseñ contrasen contrasenya ~clave senha sandi laluan
        ~mã~ mật_khẩu mat_khau ~ma_xac ~ma_kich ~ma_dang_nhap ~ma_bao_mat msimbo verifi verify token
        login~ log_in~ signin~ sign_in~ ~anmelden~ ~anmeldung~ autoryzac
        код парол ~пин~ ~пін~ лозинк шифр құпиясөз сырсөз для_вход κωδικ კოდ პაროლ կոդ գաղտնաբառ
        ~קוד~ ~הקוד~ ~בקוד~ ~לקוד~ ~וקוד~ ~והקוד~ ~שהקוד~ ~מקוד~ ~קודך~ סיסמ
        رمز كود كلمة_مرور كلمة_المرور كلمة_سر كلمة_السر کد کوڈ گذرواژه کۆد
        ओटीपी कोड पासवर्ड ~पिन~ কোড ওটিপি કોડ ਕੋਡ కోడ్ குறியீ ಕೋಡ್ കോഡ് කේතය
        รหัส รหส โค้ด โคด ยืนยัน ยืนยน ລະຫັດ កូដ ကုဒ် ကုတ် ኮድ 码 碼 口令 コード パスワード 本人確認 認証番号 確認番号 暗証番号
        본인확인 본인_확인 인증번호 인증_번호 확인번호 확인_번호 비밀번호 비밀_번호 코드 패스워드""",
    # A code word, but only for the number that follows at once.
    "ask": """
        ~enter~ ~type~ ~use~ ~saisissez~ ~introduce~ ~introduzca~ ~ingrese~ ~ingresa~ ~digite~ ~inserisci~ ~wpisz~
        ~zadejte~ ~введите~ ~введіть~ ~gib~ ~geben_sie~ โปรดระบุ โปรดกรอก กรุณากรอก กรุณาระบุ 输入 輸入""",
    # What makes a code word the name of another thing: "promo code", "código postal".
    "other": """
        promo промо booking buchung gutschein rabat discount descuent descont scont slev indirim kupon
        coupon cupom cupon cupón voucher gift reserv prenotaz rezerw tracking rastre fidelit fidélit
        loyalty fiscal posta pošt country ~qr swift скидк знижк pocztow почтов поштов
        הנחה خصم تخفیف پستی ไปรษณีย์ ส่วนลด クーポン 郵便 할인 쿠폰""",
    # The same, but only in front of a code word: "area code", and not "PIN baru".
    "before": """
        ~post ~zip ~area ~bar identifier ~claim ~short ~sort branch agent dealer merchant customer product
        ~item employee""",
    "name": """
        booking reserv tracking buchung ~txn~ ~trx~ transact
        order invoice accoun ~acct~ a/c card referen référen reféren ~ref~ parcel shipment flight ~id~
        contract customer polici policy ticket session ~room~ zimmer balance amount ~stop~ ~call ~dial ~dialing
        ~dialling phone ~tel~ ~tél~ ~telp~ hotline number numer nummer ending ending_in ending_with ends_in ~case~
        ~nr~ ~nº~ ~n°~ ~no. ~no: № konto karte auftrag vorgang bestell sendung rechnung ~beleg betrag
        paket kund ~flug anruf rufen senden_sie endet_auf endet_mit ~счет ~счёт карт заказ договор номер
        звоните звонок телефон сумма сума баланс посылк посилк рейс замовл рахун дзвон зателеф відправл
        rachun kart zamowi zamówi kwot saldo przesył paczk zadzwo sipariş hesab bakiye takip kargo numara
        arayın tarjeta cuenta pedido númer numér llama llame factura termina acabada cartão conta~
        encomenda fatura ligue final~ commande compte carte facture colis appeler appelez dossier ~conto~
        ordine pacco fattura chiam rekening pakke kaart ~bel~ faktur räkning ~ocr~ účt účet objedn zásilk
        zavolej ~číslo szamla számla kártya rendel csomag hívja comand comenz ~cont~ ~contul~ sunați
        sunati sunaţi παραγγελ λογαριασμ κάρτ δέμα καλέστε τηλ υπόλοιπο račun pošilj broj narudž рачун
        поруџ број пошиљ ანგარიშ ბარათ შეკვეთ ნომერ ამანათ шот тапсырыс нөмір חשבון כרטיס הזמנה מספר
        טלפון חבילה חייג رقم حساب بطاق طلب اتصل شحن شماره کارت سفارش تماس खात कार्ड ऑर्डर 尾号 尾號
        账号 账户 帳號 帳戶 订单 訂單 单号 單號 编号 致电 致電 详询 电话 電話 卡号 回复 番号 口座 末尾 注文
        残高 번호 계좌 카드 주문 문의 전화 운송장 tài_khoản đơn_hàng ~tk~ tổng_đài บัญชี บัตร พัสดุ โทร
        ติดต่อ คำสั่งซื้อ kartu pesanan hubungi resi~ ~nomor ~or~ ~oder~ ~ou~ или หรือ または
        ~ref. ~tel. ~tél. ~nr. ~act. ~acct. ~kto. ~gab. ~каб. ~тел. ~str.""",
    "number": "number numer nummer ~nr~ ~nr. ~no.",  # "code number" is a code word
    "currency": """
        $ € £ ¥ ₹ ₽ ₴ ₺ ₪ ₸ ₾ ₩ ₫ ₱ ฿ ~eur~ ~usd~ ~gbp~ ~chf~ ~pln~ ~rub~ ~uah~ ~try~ ~czk~ ~huf~ ~ron~
        ~rsd~ ~gel~ ~kzt~ ~ils~ ~sar~ ~aed~ ~irr~ ~inr~ ~cny~ ~rmb~ ~jpy~ ~krw~ ~vnd~ ~thb~ ~idr~ ~sek~
        ~nok~ ~dkk~ ~brl~ r$ ~rs~ ~rs. ~rp~ ~rp. ~euro~ ~euros~ ~dollar~ ~dollars~ ~zł~ ~zl~ ~kč~ ~ft~
        ~lei~ ~tl~ ~kr~ ~kr. ~din. ~dinara~ ~дин~ ~ευρώ~ ~руб ~р~ ~р. ~грн~ ~тг~ ~теңге~ ~ლარი~ ש"ח ש״ח
        ~שקל ريال دينار درهم ریال تومان रुपये रुपए 元 円 원 ~đ~ đồng บาท""",
    "unit": """
        % ~jt~ ~juta~ ~gb~ ~mb~ ~kb~ ~km~ ~min ~hr~ ~hrs~ ~hour ~day~ ~days~ ~sec ~мин ~хв ~point~ ~points~ ~punkte~
        ~punktów~ ~puan~ ~puntos~ ~pontos~ ~punti~ ~балл ~бонус ~бал~ ~бала~ ~балів~ ~балов~ ~бали~ ~балі~
        ~miles~ ~mil ~kwh~ ~kcal~ ~steps~ 년 年 分 點 点 积分 ポイント 포인트 biten~ ile_biten~ numaralı nolu~
        no'lu no’lu végű~ endet~ で終わる 로_끝나는 पर_कॉल ~an_senden~ ~ansenden~ ~senden~""",
    # Words that hold one of the others and are nothing.
    "nothing": """
        otp_bank otpbank 号码 號碼 维码 維碼 邮码 郵碼 扫码 掃碼 条码 條碼 编码 編碼 惠码 惠碼 バーコード کدا""",
}


class Token(NamedTuple):
    start: int  # index of the first character in the text
    end: int
    kinds: frozenset[str]  # keys of WORDS


_Entry = tuple[str, str, frozenset[str]]  # as it is looked for, as it is written in WORDS, kinds


@functools.cache
def _index() -> dict[str, list[_Entry]]:
    """The words by their first two characters (or the only one), the longest first."""
    kinds: dict[str, set[str]] = {}
    for kind, words in WORDS.items():
        for word in words.split():
            kinds.setdefault(word, set()).add(kind)
    index: dict[str, list[_Entry]] = {}
    for word in sorted(kinds, key=lambda word: len(word.strip("~")), reverse=True):
        bare = word.strip("~").replace("_", " ").lower()
        index.setdefault(bare[:2], []).append((bare, word, frozenset(kinds[word])))
    return index


def _letter(character: str) -> bool:
    """A letter of an alphabet whose words have spaces between them."""
    if character.isascii():
        return character.isalpha()
    return "\u00c0" <= character < "\u0e00" and not character.isdigit()


def _fits(text: str, start: int, end: int, word: str) -> bool:
    if word[0] == "~" and start and _letter(text[start - 1]):
        return False
    if word[-1] == "~" and end < len(text) and _letter(text[end]):
        return False
    return not word[0].isupper() or (text[start:end].isupper() and not text[start - 1 : start].isupper())


def find(text: str) -> Iterator[Token]:
    """The words in the text, from left to right."""
    low = text.lower()
    if len(low) != len(text):  # "İ" becomes two characters
        low = "".join(character.lower()[0] for character in text)
    index, start = _index(), 0
    while start < len(low):
        word = _at(text, low, start, index.get(low[start : start + 2])) or _at(text, low, start, index.get(low[start]))
        if word:
            yield word
        start = word.end if word else start + 1


def _at(text: str, low: str, start: int, entries: list[_Entry] | None) -> Token | None:
    for bare, word, kinds in entries or ():
        if low.startswith(bare, start) and _fits(text, start, start + len(bare), word):
            return Token(start, start + len(bare), kinds)
    return None
