# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the one-time code in the text of an SMS.

One pass cuts the text into tokens, a second weighs them. The rules:

 1. A candidate is 4 to 8 digits of any script, whole or as 123-456 or 123 456. Letters or more
    digits directly before or after make it something else; "G-" before it is left out.
 2. Doubtful candidates are a year, 1234-5678, 1 2 3 4 5 6, and 5 to 8 letters and digits mixed.
 3. Noise is never a candidate: web and mail addresses, telephone numbers, masked cards (*1234),
    numbers with a point, comma, colon, slash or dash inside (prices, dates, times, accounts),
    digits in groups, and a number next to a currency or before a unit ("4500 EUR", "1000 MB").
 4. A name such as "order", "card" or "call" claims the first number within REACH behind it, noise
    or not. A candidate that follows it at once is out. With words or a colon between ("code for
    your account: 1234") it is out too, unless a code word stands before it in that sentence; then
    it is only worse than others. "Promo code" and its like are names, not code words.
 5. A code word ("code", "пароль", "验证码", the "#" of "@example.com #1234", ...) must be near. The
    nearest candidate wins; over FAR is too far. The distance is in characters, plus AHEAD if the
    number is before the word, plus SENTENCE for each end of a sentence between, times DOUBTFUL if
    it is doubtful, plus CLAIMED if a name claims it. A code given twice: its first place counts.
 6. Without any code word, the text must be nothing but one candidate and at most one word.

Time is linear in the length of the text: a repetition in the patterns is bounded, or bound to the
beginning of a word, or what it has run over is consumed.
"""

import functools
import re
from bisect import bisect
from dataclasses import dataclass
from math import inf

AHEAD, SENTENCE, DOUBTFUL, CLAIMED, FAR, REACH = 15, 40, 3, 100, 160, 25

# The words are regular expressions, found anywhere in a word ("Bestätigungscode") and in either
# case; ~ is the edge of a word.
CODE = (
    r"@[a-z0-9.-]{1,99} \#(?=\w)|<\#>|~(?:otp(?! ?bank)|s?pin|mpin|m?tac|2fa)~|(?-i:(?<![A-Z])TAN)~"
    r"|c[oòó]d(?:e|ul|ig|ic|i~)|k[oóō]+d|kóð|pass ?(?:code|phrase|wor[dt])|mot de passe|wachtwoord"
    r"|l[öo]senord|passord|salasana|parool|has[lł][oa]|heslo|jelsz|parol|[şs]ifre|lozink|zapork"
    r"|geslo|slaptaž|contrase[nñ]|contrasenya|~clave|senha|sandi|laluan|~mã~|mật khẩu|mat khau"
    r"|~ma xac|msimbo|код|парол|~п[иі]н~|лозинк|шифр|құпиясөз|сырсөз|κωδικ|კოდ|პაროლ|կոդ|գաղտնաբառ"
    r"|קוד|סיסמ|رمز|كود|كلمة (?:ال)?(?:مرور|سر)|کد(?!ا)|کوڈ|گذرواژه|کۆد|ओटीपी|कोड|पासवर्ड|~पिन~|কোড"
    r"|ওটিপি|કોડ|ਕੋਡ|కోడ్|குறியீ|ಕೋಡ್|കോഡ്|කේතය|รหัส|ລະຫັດ|កូដ|ကုဒ်|ኮድ|(?<![号维邮扫条编惠])码"
    r"|(?<![號維郵掃條編惠])碼|口令|(?<!バー)コード|パスワード|verif[iy]|token|(?:log|sign) ?in~"
    r"|~anmeld(?:en|ung)|autoryzac|для вход|本人確認|본인 ?확인|(?:認証|確認|暗証)番号"
    r"|(?:인증|확인|비밀) ?번호|코드|패스워드"
)
# What makes a code word the name of another thing: "promo code", "código postal".
OTHER_CODE = (
    r"promo|промо|booking|buchung|gutschein|rabat|discount|descuent|descont|scont|slev|indirim"
    r"|kupon|coupon|cupom|cup[oó]n|voucher|gift|reserv|prenotaz|rezerw|tracking|rastre|fid[eé]lit"
    r"|loyalty|fiscal|post(?=code)|posta[lc]|pošt|zip(?= ?c)|area(?= c)|country|bar(?=code|kod|cod)"
    r"|~qr|swift|скидк|знижк|pocztow|почтов|поштов|הנחה|خصم|تخفیف|پستی|ไปรษณีย์|ส่วนลด|クーポン|郵便|할인"
    r"|쿠폰"
)
NAME = (
    r"order|invoice|accoun|~acc?t~|a/c|card|r[eé]f[eé]ren|~ref~|tracking|parcel|shipment|flight"
    r"|booking|reserv|contract|customer|polic[yi]|ticket|session|~room~|zimmer|balance|amount"
    r"|~stop~|~call|~dial|phone|~t[eé]lp?~|hotline|num+b?er|ending|~case~|~n[rº°]~|~no(?=[.:])|№"
    r"|konto|karte|auftrag|vorgang|bestell|sendung|rechnung|~beleg|betrag|paket|kund|buchung|~flug"
    r"|anruf|rufen|senden sie|endet|~сч[её]т|карт|заказ|договор|номер|звоните|звонок|телефон|сумм?а"
    r"|баланс|пос[иы]лк|рейс|замовл|рахун|дзвон|зателеф|відправл|rachun|kart|zam[oó]wi|kwot|saldo"
    r"|przesył|paczk|zadzwo|sipariş|hesab|bakiye|takip|kargo|numara|arayın|tarjeta|cuenta|pedido"
    r"|n[uú]m[eé]r|llam[ea]|factura|termina|acabada|cartão|conta~|encomenda|fatura|ligue|final~"
    r"|commande|compte|carte|facture|colis|appele[rz]|dossier|~conto~|ordine|pacco|fattura|chiam"
    r"|rekening|pakke|kaart|~bel~|faktur|räkning|~ocr~|účt|účet|objedn|zásilk|zavolej|~číslo|sz[aá]mla"
    r"|kártya|rendel|csomag|hívja|comand|comenz|~cont(?:ul)?~|suna[țt]i|παραγγελ|λογαριασμ|κάρτ"
    r"|δέμα|καλέστε|τηλ|υπόλοιπο|račun|pošilj|broj|narudž|рачун|поруџ|број|пошиљ|ანგარიშ|ბარათ"
    r"|შეკვეთ|ნომერ|ამანათ|шот|тапсырыс|нөмір|חשבון|כרטיס|הזמנה|מספר|טלפון|חבילה|חייג|رقم|حساب|بطاق"
    r"|طلب|اتصل|شحن|شماره|کارت|سفارش|تماس|खात|कार्ड|ऑर्डर|尾号|尾號|账[号户]|帳[號戶]|订单|訂單"
    r"|单号|單號|编号|致电|致電|详询|电话|電話|卡号|回复|番号|口座|末尾|注文|残高|번호|계좌|카드"
    r"|주문|문의|전화|운송장|tài khoản|đơn hàng|~tk~|tổng đài|บัญชี|บัตร|พัสดุ|โทร|ติดต่อ"
    r"|คำสั่งซื้อ|kartu|pesanan|hubungi|resi~|~nomor|~or~|~oder~|~ou~|или|หรือ|または"
    r"|~(?:text|send|sms) \w{1,12} (?:to|an)~|~(?:ref|t[eé]l|nr|acct?|kto|gab|каб|тел|str)\."
)
CURRENCY = (
    r"[$€£¥₹₽₴₺₪₸₾₩₫₱฿]|EUR|USD|GBP|CHF|PLN|RUB|UAH|TRY|CZK|HUF|RON|RSD|GEL|KZT|ILS|SAR|AED|IRR|INR"
    r"|CNY|RMB|JPY|KRW|VND|THB|IDR|SEK|NOK|DKK|BRL|R\$|Rs\.?|Rp\.?|euros?|dollars?|z[łl]|Kč|Ft|lei"
    r"|TL|kr\.?|din\.|dinara|дин|ευρώ|руб\w*|р\.?|грн|тг|теңге|ლარი|ש[\"״]ח|שקל\w*|ريال|دينار|درهم"
    r"|ریال|تومان|रुपये|रुपए|元|円|원|đ|đồng|บาท"
)
COUNTED = (
    r"%|[GMK]B|km|min\w*|мин\w*|хв\w*|points?|Punkte|punktów|puan|puntos|pontos|punti|балл\w*"
    r"|бонус\w*|бал[иі]в?|miles|мил\w+|kWh|kcal|steps|년|年|分|點|点|积分|ポイント|포인트"
    r"|(?:ile )?biten|numaralı|no['’]?lu|végű|endet|で終わる|로 끝나는|पर कॉल|an ?senden|senden"
)

_G = r"[A-Za-z_\u00c0-\u0dff\d]"  # no such letter may touch a number; Thai, Han, ... may
_W, _E, _S = rf"(?<!{_G})", rf"(?!{_G})", r"[ \u00a0\u202f]"
_SUM = rf"(?:\d{{1,3}}(?:(?:{_S}|[.,'’])\d{{3}}){{1,5}}(?:[.,]\d\d?)?|\d{{1,15}}(?:[.,]\d{{1,3}})?)"
_END = rf"{_E}(?![-.:/*]\d|,\d(?!\d?\s?(?:分|min|мин|хв)))"  # but "482913,5分钟" is two numbers
_TOKENS = (
    rf"(?i)(?P<name>(?:{OTHER_CODE})\w{{0,5}}[ -]?(?:{CODE})"
    rf"|(?:{CODE})\w{{0,6}} ?(?:d[eiu] |d['’])?(?:{OTHER_CODE})|(?!{CODE})(?:{NAME}))"
    rf"|(?P<code>(?:{CODE})(?:\w{{0,3}}[ -](?:n[or]|number|nummer|numer)~)?)"
    # web, mail
    rf"|(?P<noise>(?:https?://|www\.)[!-z]+|[\w.+-]{{1,64}}@[\w.-]{{1,64}}"
    rf"|{_W}[a-z0-9-]{{1,40}}(?:\.[a-z0-9-]{{1,40}}){{0,3}}\.[a-z]{{2,12}}/[!-z]+"
    # dates with a named month, sums and amounts
    rf"|{_W}\d\d?\.? (?:de )?[^\W\d_]{{3,12}}\.?,? (?:de )?(?:19|20)\d\d{_END}"
    rf"|{_W}(?:{CURRENCY}){_S}?{_SUM}{_E}|{_W}{_SUM}\s?(?:{CURRENCY}){_E}(?!\s?\d)"
    rf"|{_W}\d{{1,15}}[\s-]?(?:{COUNTED}){_E}|{_W}\d\d?\s?[h時时点시]\s?\d\d{_E}"
    # telephone, *100#, masked card, groups of digits
    rf"|\+\d[\d ()./-]{{5,20}}|{_W}0\d{{1,4}}[ /-]\d{{4,15}}|[*#]\d[\d*]{{0,20}}\#"
    rf"|{_W}(?:[*•x]{{1,8}}|[*•x]{{2,8}}[ -]|\.{{2,4}}|…)\d{{3,5}}(?![\w*])"
    rf"|{_W}\d{{1,4}}(?:{_S}\d{{2,4}}){{2,8}}{_E}(?![:.]\d))"
    rf"|(?P<doubtful>{_W}(?:(?:19|20)\d\d|\d{{4}}[ -]\d{{4}}|\d(?: \d){{3,7}}"
    rf"|(?-i:(?<![+/])(?=[A-Za-z]{{0,7}}\d)(?=\d{{0,7}}[A-Za-z])[A-Za-z0-9]{{5,8}})){_END})"
    rf"|(?P<plain>{_W}(?:\d{{3}}(?:{_S}|[-\u2010-\u2013])\d{{3}}|\d{{4,8}}){_END})"
    rf"|(?P<number>{_W}[A-Za-z\u00c0-\u0dff]{{0,40}}\d(?:{_G}|[-.,:/*•…]{{1,8}}(?=\d))*)"
    rf"|(?P<break>[.!?](?=\s)|[。！？؟।\n])"
)


@functools.cache
def _token() -> re.Pattern[str]:
    """Compiled at the first use, which takes longer than all the rest of an idle run's start."""
    return re.compile(_TOKENS.replace("~", rf"(?:(?<!{_G})(?={_G})|(?<={_G})(?!{_G}))"))


@dataclass(frozen=True)
class Code:
    start: int  # index of the first character in the text
    end: int
    value: str  # what to paste: "482913" for "482-913"


def find(text: str) -> Code | None:
    """The one-time code in the text, or None."""
    candidates: list[tuple[Code, int, bool, bool]] = []  # with place, doubtful?, claimed?
    words = [(-inf, -inf)]  # places of the code words, start and end
    shift = 0  # index + shift = place; grows by SENTENCE with each end of a sentence
    name_end = -inf  # where the last name ends, as long as it claims
    in_sentence = False  # is there a code word in this sentence?
    for token in _token().finditer(text):
        start, end, kind = *token.span(), token.lastgroup
        if kind in ("plain", "doubtful"):
            claimed = start - name_end <= REACH
            if not claimed or (in_sentence and text[int(name_end) : start].strip(" #№")):
                kept = (str(int(c)) if c.isdecimal() else c for c in token[0] if c.isalnum())
                code = Code(start, end, "".join(kept))
                candidates.append((code, start + shift, kind == "doubtful", claimed))
        elif kind == "code":
            words.append((start + shift, end + shift))
            in_sentence = True
        elif kind == "break":
            shift, in_sentence = shift + SENTENCE, False
        name_end = end if kind == "name" else -inf
    if len(words) == 1 and len(candidates) == 1 and not any(candidates[0][2:]):
        only = candidates[0][0]
        rest = re.findall(r"\w+", text[: only.start] + " " + text[only.end :])
        return only if len(rest) <= 1 else None
    words.append((inf, inf))

    def distance(candidate: tuple[Code, int, bool, bool]) -> float:
        code, place, doubtful, claimed = candidate
        word = bisect(words, (place, inf))
        ahead = words[word][0] - place - (code.end - code.start) + AHEAD
        near = min(place - words[word - 1][1], ahead)
        return near * (DOUBTFUL if doubtful else 1) + CLAIMED * claimed

    best = min(candidates, key=distance, default=None)
    if best is None or distance(best) > FAR:
        return None
    return next(code for code, *_ in candidates if code.value == best[0].value)
