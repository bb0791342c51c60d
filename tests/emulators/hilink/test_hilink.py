# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulated HiLink stick, held against a client that nobody here wrote, and against what owners have recorded.

No real stick was at hand: what is only assumed says so at its place.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import datetime

import pytest
import requests
from huawei_lte_api.api.User import User
from huawei_lte_api.Client import Client
from huawei_lte_api.Connection import Connection
from huawei_lte_api.enums.sms import BoxTypeEnum
from huawei_lte_api.exceptions import (
    LoginErrorPasswordWrongException,
    LoginErrorUsernamePasswordWrongException,
    ResponseErrorException,
    ResponseErrorLoginRequiredException,
)

from emulators.hilink import session, store
from emulators.hilink.session import proof
from emulators.hilink.stick import (
    FIRMWARES,
    NO_SIM,
    READY,
    WANTS_PIN,
    WANTS_PUK,
    HilinkStick,
    empty,
    error,
    lost_answer,
    page,
    redirect,
    reset,
)
from emulators.hilink.store import CAPACITY, FIRST, JOINS_AFTER, LONG
from patience import look_until

PASSWORD = "s3cret&Word"
AT = datetime(2026, 11, 20, 9, 30, 15)
LIST = ("<request><PageIndex>1</PageIndex><ReadCount>20</ReadCount><BoxType>1</BoxType><SortType>0</SortType>"
        "<Ascending>0</Ascending><UnreadPreferred>0</UnreadPreferred></request>")  # fmt: skip

firmwares = pytest.mark.parametrize("name", FIRMWARES)


class Raw:
    """A client of a few lines, for what the other one cannot send or read."""

    def __init__(self, stick: HilinkStick) -> None:
        self.url = stick.url
        self.http = requests.Session()
        self.fresh()

    def fresh(self) -> None:
        answer = self.http.get(f"{self.url}/api/webserver/SesTokInfo").text
        name, self.token = re.findall(r"<(?:SesInfo|TokInfo)>(?:SessionID=)?(\w+)<", answer)
        self.http.cookies.clear()
        self.http.cookies.set("SessionID", name)

    def get(self, path: str) -> bytes:
        return self.http.get(f"{self.url}/api/{path}", allow_redirects=False).content

    def post(self, path: str, body: str, token: str | None = None) -> bytes:
        headers = {"__RequestVerificationToken": self.token if token is None else token}
        answer = self.http.post(f"{self.url}/api/{path}", body.encode(), headers=headers, allow_redirects=False)
        self.token = answer.headers.get("__RequestVerificationToken", "").split("#")[0] or self.token
        return answer.content


def code(answer: bytes) -> int:
    """Of an `<error>`; 0 for none."""
    found = re.search(rb"<code>(-?\d+)</code>", answer)
    return int(found[1]) if found else 0


def delete(client: Raw, index: int) -> bytes:
    return client.post("sms/delete-sms", f"<request><Index>{index}</Index></request>")


# --- another client -------------------------------------------------------------------------------


@firmwares
@pytest.mark.parametrize("password", [None, PASSWORD], ids=["open", "password"])
def test_another_client_reads_deletes_and_sends(name: str, password: str | None) -> None:
    if password and FIRMWARES[name].login.name == "NONE":
        pytest.skip("such a stick was not seen with a password")
    with HilinkStick(name, password=password) as stick:
        stick.deliver("Your code is <482913> & more (ok)", "BANK", AT)
        stick.deliver("Grüße, привет", "+4915112345678", AT)
        with Connection(stick.url, *((None,) if password is None else ("admin", password))) as connection:
            client = Client(connection)
            assert client.sms.sms_count()["LocalUnread"] == "2"
            listed = client.sms.get_sms_list()["Messages"]["Message"]
            assert [(m["Phone"], m["Content"], m["Date"], m["SmsType"]) for m in listed] == [
                ("+4915112345678", "Grüße, привет", "2026-11-20 09:30:15", "1"),
                ("BANK", "Your code is <482913> & more (ok)", "2026-11-20 09:30:15", "1"),
            ]
            assert client.sms.set_read(int(listed[0]["Index"])) == "OK"
            assert client.sms.sms_count()["LocalUnread"] == "1"
            assert client.sms.delete_sms(int(listed[0]["Index"])) == "OK"
            assert len(client.sms.get_sms_list()["Messages"]["Message"]) == 1
            assert client.sms.send_sms(["+4915112345678"], "Yes") == "OK"
            assert stick.modem.sent == [("+4915112345678", "Yes")]
            assert client.sms.send_status()["SucPhone"] == "+4915112345678"
            out = client.sms.get_sms_list(box_type=BoxTypeEnum.LOCAL_SENT)["Messages"]["Message"]
            assert [message["Content"] for message in out] == ["Yes"]


@firmwares
def test_another_client_asks_what_stands(name: str) -> None:
    with HilinkStick(name) as stick, Connection(stick.url) as connection:
        client = Client(connection)
        assert client.monitoring.status()["ServiceStatus"] == "2"
        assert client.net.current_plmn()["FullName"] == "Home"
        assert client.pin.status()["SimPinTimes"] == "3"
        assert client.device.signal()["rsrp"] == "-96dBm"
        assert client.device.information()["SoftwareVersion"] == FIRMWARES[name].software
        assert client.monitoring.check_notifications()["SmsStorageFull"] == "0"
        assert client.dial_up.mobile_dataswitch()["dataswitch"] == "1"


@firmwares
def test_another_client_asks_the_network(name: str) -> None:
    with HilinkStick(name) as stick, Connection(stick.url) as connection:
        stick.modem.ussd = ["Your balance is 5.00"]
        client = Client(connection)
        client.ussd.send("*100#")
        with pytest.raises(ResponseErrorException, match="111019"):
            client.ussd.get()
        assert client.ussd.get()["content"] == "Your balance is 5.00"
        connection.get("ussd/release")
        assert client.ussd.status()["result"] == "0"


@pytest.mark.parametrize("name", ["E3372h-320", "E8372h-320", "E5577Cs-321"])
def test_another_client_is_kept_out(name: str) -> None:
    with HilinkStick(name, password=PASSWORD) as stick:
        with Connection(stick.url) as connection:
            assert Client(connection).sms.sms_count()["LocalMax"] == str(CAPACITY)
            with pytest.raises(ResponseErrorLoginRequiredException):
                Client(connection).sms.get_sms_list()
            assert User(connection).state_login()["State"] == "-1"
        with pytest.raises((LoginErrorUsernamePasswordWrongException, LoginErrorPasswordWrongException)):
            Connection(stick.url, "admin", "wrong")


# --- sessions, tokens, login ----------------------------------------------------------------------


@firmwares
def test_a_token_is_good_once(name: str) -> None:
    with HilinkStick(name) as stick:
        client = Raw(stick)
        used = client.token
        assert code(client.post("sms/sms-list", LIST)) == 0
        assert code(client.post("sms/sms-list", LIST, used)) == 125003
        assert code(client.post("sms/sms-list", LIST)) == 0
        client.http.cookies.clear()
        assert code(client.get("monitoring/status")) == 125002


def test_a_new_page_gives_a_token_behind_32_characters_that_are_none() -> None:
    with HilinkStick("E3372h-320") as stick:
        client = Raw(stick)
        found = re.search(rb"<token>(\w{64})</token>", client.get("webserver/token"))
        assert found
        assert code(client.post("sms/sms-list", LIST, found[1].decode())) == 125003
        assert code(client.post("sms/sms-list", LIST, found[1].decode()[32:])) == 0
    with HilinkStick("E3372h-153") as stick:
        assert code(Raw(stick).get("webserver/token")) == 100002


def test_the_proof_of_a_scram_login_is_the_one_that_was_recorded() -> None:
    """A vector from a client for the E3372h-320 (EdouardVanbelle/huawei-e3372)."""
    first = "6513d4a1bfa0d6b3a7e3320dc6b3b1cd703a479d4958b5e1462658d75f0c5029"
    server = first + "BsP0n8rghqsOgEbevsDvKnn0eCjBfed2"
    salt = "ef08b9902cfb555135d098952c6d4ce629d52a3e835d4831147c96081538113c"
    wanted = "efc134fac358b3e148c62714eae94edda8143840e4e13f12f723defefa9dca1f"
    assert proof("test", salt, f"{first},{server},{server}") == wanted


def hashed(password: str, token: str) -> str:
    inner = base64.b64encode(hashlib.sha256(password.encode()).hexdigest().encode()).decode()
    outer = base64.b64encode(hashlib.sha256(f"admin{inner}{token}".encode()).hexdigest().encode()).decode()
    return (f"<request><Username>admin</Username><Password>{outer}</Password><password_type>4</password_type>"
            "</request>")  # fmt: skip


def scram(client: Raw, password: str) -> bytes:
    first = "ab" * 32
    asked = f"<request><username>admin</username><firstnonce>{first}</firstnonce><mode>1</mode></request>"
    answer = client.post("user/challenge_login", asked).decode()
    if code(answer.encode()):
        return answer.encode()
    salt, server = (re.search(f"<{tag}>(\\w+)<", answer) for tag in ("salt", "servernonce"))
    assert salt
    assert server
    given = proof(password, salt[1], f"{first},{server[1]},{server[1]}")
    asked = f"<request><clientproof>{given}</clientproof><finalnonce>{server[1]}</finalnonce></request>"
    return client.post("user/authentication_login", asked)


def by_hash(client: Raw, password: str) -> bytes:
    return client.post("user/login", hashed(password, client.token))


@pytest.mark.parametrize("login", [by_hash, scram])
@pytest.mark.parametrize("name", ["E3372h-320", "E8372h-320"])
def test_it_locks_itself_and_opens_again(
    name: str, login: Callable[[Raw, str], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LOCKED", 0.3)
    with HilinkStick(name, password=PASSWORD) as stick:
        client = Raw(stick)
        assert [code(login(client, "wrong")) for _ in range(5)] == [108006] * 4 + [108007]
        assert code(login(client, PASSWORD)) == 108007
        assert b"<remainwaittime>1<" in client.get("user/state-login")
        look_until(lambda: b"<lockstatus>0<" in client.get("user/state-login"))
        assert code(login(client, PASSWORD)) == 0
        assert code(client.post("sms/sms-list", LIST)) == 0


def test_one_is_logged_in_at_a_time() -> None:
    """The E8372h-320 throws the first out; others were seen to keep the second out."""
    for name, second, first in (("E8372h-320", 0, 100003), ("E3372h-320", 108003, 0)):
        with HilinkStick(name, password=PASSWORD) as stick:
            owner, other = Raw(stick), Raw(stick)
            assert code(by_hash(owner, PASSWORD)) == 0
            assert code(by_hash(other, PASSWORD)) == second
            assert code(owner.post("sms/sms-list", LIST)) == first
            owner.post("user/logout", "<request><Logout>1</Logout></request>")
            assert code(by_hash(other, PASSWORD)) == 0


def test_a_login_ends_when_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    with HilinkStick("E3372h-320", password=PASSWORD) as stick:
        client = Raw(stick)
        assert code(by_hash(client, PASSWORD)) == 0
        monkeypatch.setattr(session, "IDLE", -1.0)
        assert code(client.post("sms/sms-list", LIST)) == 100003


# --- the list -------------------------------------------------------------------------------------


def test_the_order_of_the_tags_counts() -> None:
    with HilinkStick() as stick:
        client = Raw(stick)
        first, rest = re.findall(r"<PageIndex>1</PageIndex>|<ReadCount>.*(?=</request>)", LIST)
        assert code(client.post("sms/sms-list", f"<request>{rest}{first}</request>")) == 100005
        for count, wanted in ((0, 100005), (50, 0), (51, 100005)):
            assert code(client.post("sms/sms-list", LIST.replace(">20<", f">{count}<"))) == wanted


@firmwares
def test_a_slot_is_used_again_at_once(name: str) -> None:
    with HilinkStick(name) as stick:
        for text in ("one", "two"):
            stick.deliver(text)
        client = Raw(stick)
        delete(client, FIRST)
        stick.deliver("three")
        assert re.findall(rb"<Index>(\d+)<", client.post("sms/sms-list", LIST)).count(b"%d" % FIRST) == 1
        assert code(delete(client, FIRST)) == 0  # repeated from memory: it takes the new one
        assert stick.stored() == [b"two"]
        assert code(delete(client, FIRST)) == FIRMWARES[name].delete_unknown


def test_a_page_says_how_many_are_in_the_box() -> None:
    with HilinkStick() as stick:
        for number in range(21):
            stick.deliver(f"text {number}")
        client = Raw(stick)
        for number, length in ((1, 20), (2, 1), (3, 0)):
            listed = client.post("sms/sms-list", LIST.replace("<PageIndex>1<", f"<PageIndex>{number}<"))
            assert (b"<Count>21<" in listed, listed.count(b"<Message>")) == (True, length)


def test_a_long_sms_becomes_one_unless_a_part_was_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    for touch in (False, True):
        with HilinkStick() as stick:
            for number in (2, 1):
                stick.deliver_part("a", number, 2, f"part {number}. ", time=AT)
            client = Raw(stick)
            assert client.post("sms/sms-list", LIST).count(b"<SmsType>%d<" % LONG) == 2
            if touch:
                client.post("sms/set-read", f"<request><Index>{FIRST}</Index></request>")
            monkeypatch.setattr(store, "JOINS_AFTER", 0.0)
            assert sorted(stick.stored()) == ([b"part 1. ", b"part 2. "] if touch else [b"part 1. part 2. "])
            monkeypatch.setattr(store, "JOINS_AFTER", JOINS_AFTER)


def test_a_long_sms_takes_its_time() -> None:
    with HilinkStick() as stick:
        began = time.monotonic()
        for number in (1, 2):
            stick.deliver_part("a", number, 2, f"part {number}. ")
        look_until(lambda: stick.stored() == [b"part 1. part 2. "])
        assert time.monotonic() - began >= JOINS_AFTER


def test_an_mms_notice_swallows_the_next_sms() -> None:
    with HilinkStick("E8372h-320") as stick:
        stick.deliver_mms()
        stick.deliver("Your code is 482913", "BANK")
        assert stick.stored() == [b"\xbe\xaf\xb4\xafdBYour code is 482913"]
        delete(Raw(stick), FIRST)
        stick.deliver("Your code is 482914", "BANK")
        assert stick.stored() == [b"Your code is 482914"]
    with HilinkStick("E3372h-320") as stick:
        stick.deliver_mms()
        stick.deliver("Your code is 482913", "BANK")
        assert sorted(stick.stored()) == [b"", b"Your code is 482913"]


def test_what_anybody_can_send_breaks_the_page() -> None:
    """Characters beyond the BMP, controls, the bytes of an MMS notice: other clients die of them."""
    for name, text, content in (
        ("E3372h-153", "OK 😀", b"OK   "),
        ("E3372h-320", "OK 😀", b"OK \xed\xa0\xbd\xed\xb8\x80"),
        ("E5577Cs-321", "bell\x0f", b"bell\x0f"),
        ("E3372h-320", "<&\"'()>", b"&lt;&amp;&#34;&#39;&#40;&#41;&gt;"),
    ):
        with HilinkStick(name) as stick:
            stick.deliver(text)
            answer = Raw(stick).post("sms/sms-list", LIST)
            assert b"<Content>" + content + b"</Content>" in answer
            broken = content.startswith((b"OK \xed", b"bell"))
            try:
                ET.fromstring(answer)
            except ET.ParseError:
                assert broken
            else:
                assert not broken


def test_a_full_box_lets_sms_wait_in_the_network() -> None:
    """Assumed: nobody has written down what becomes of them. Sent copies count."""
    with HilinkStick() as stick:
        client = Raw(stick)
        client.post("sms/send-sms", "<request><Index>-1</Index><Phones><Phone>80002</Phone></Phones><Sca></Sca>"
                    "<Content>Hi</Content><Length>2</Length><Reserved>1</Reserved><Date></Date></request>")  # fmt: skip
        for number in range(CAPACITY):
            stick.deliver(f"text {number}")
        assert (len(stick.stored()), stick.waiting()) == (CAPACITY - 1, 1)
        assert b"<SmsStorageFull>1<" in client.get("monitoring/check-notifications")
        delete(client, FIRST + 1)
        assert stick.waiting() == 0


# --- errors, faults -------------------------------------------------------------------------------


def test_without_a_sim_some_answer_as_if_the_session_were_bad() -> None:
    with HilinkStick("E5577Cs-321") as stick:
        stick.modem.sim = NO_SIM
        client = Raw(stick)
        assert code(client.post("sms/sms-list", LIST)) == 125003
        assert b">FAILED<" in client.get("net/current-plmn")
        assert b"<SimStatus>0<" in client.get("monitoring/status")
        assert client.get("sms/unknown").index(b"<message>") < client.get("sms/unknown").index(b"<code>")


def test_a_pin_is_counted_down_to_the_puk() -> None:
    with HilinkStick() as stick:
        stick.modem.sim, stick.modem.pin = WANTS_PIN, "1234"
        client = Raw(stick)

        def enter(pin: str) -> int:
            asked = f"<OperateType>0</OperateType><CurrentPin>{pin}</CurrentPin><NewPin></NewPin><PukCode></PukCode>"
            return code(client.post("pin/operate", f"<request>{asked}</request>"))

        assert enter("0000") == 103002
        assert enter("1234") == 0
        assert stick.modem.sim == READY
        stick.modem.sim = WANTS_PIN
        assert [enter("0000") for _ in range(4)] == [103002] * 3 + [101003]
        assert stick.modem.sim == WANTS_PUK


def test_a_reboot_takes_the_page_and_the_sessions_and_no_sms() -> None:
    with HilinkStick() as stick:
        stick.deliver("kept")
        client = Raw(stick)
        assert code(client.post("device/control", "<request><Control>1</Control></request>")) == 0
        look_until(lambda: stick.reboots == 1 and answers(stick))
        assert code(client.get("monitoring/status")) == 125002
        client.fresh()
        assert b"kept" in client.post("sms/sms-list", LIST)


def answers(stick: HilinkStick) -> bool:
    try:
        return requests.get(stick.url, timeout=1).ok
    except requests.ConnectionError:
        return False


def test_faults_come_on_order() -> None:
    with HilinkStick() as stick:
        stick.deliver("one")
        client = Raw(stick)
        for fault in (error(100004), page(), redirect(), empty()):
            stick.order(fault, "sms/delete-sms")
            delete(client, FIRST)
            assert stick.stored() == [b"one"]
            client.fresh()
        stick.order(reset(), "sms/delete-sms")
        with pytest.raises(requests.ConnectionError):
            delete(client, FIRST)
        assert stick.stored() == [b"one"]
        client.fresh()
        stick.order(lost_answer(), "sms/delete-sms")
        with pytest.raises(requests.ConnectionError):
            delete(client, FIRST)
        assert stick.stored() == []


def test_every_path_that_a_session_may_ask_without_login_is_known() -> None:
    with HilinkStick("E3372h-320", password=PASSWORD) as stick:
        client = Raw(stick)
        for path in sorted(session.FREE - {"user/login", "user/challenge_login", "user/authentication_login"}):
            assert code(client.get(path)) == 0, path
        assert code(client.get("device/information")) == 100003
