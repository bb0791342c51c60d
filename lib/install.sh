#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What make install, make uninstall and make purge do. An upgrade is an install.
#
#   sh lib/install.sh install | uninstall | purge
#
#   PREFIX    where the programs go: PREFIX/lib/homesim, with links in PREFIX/bin (/usr/local)
#   DESTDIR   a folder to take for /; nothing but files is touched then: no apt, no udev
#   CONFIRM   yes: purge does not ask
#
# PREFIX/lib/homesim/etc holds a copy of each file that was put into /etc. A file there that differs from its copy is
# its owner's: it stays, and the new one is laid beside it. The copies are also the list of what uninstall removes.
set -eu
umask 022
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

PREFIX=${PREFIX:-/usr/local}
PREFIX=${PREFIX%/}
DESTDIR=${DESTDIR:-}
source=$(cd "$(dirname "$0")/.." && pwd)
home=$DESTDIR$PREFIX/lib/homesim
configuration=$DESTDIR/etc/homesim
state=$DESTDIR/var/lib/homesim

say() { echo "homesim: $*"; }

stop() { # EXIT-CODE SENTENCE
    code=$1
    shift
    echo "homesim: $*" >&2
    exit "$code"
}

check() { # who runs this, and on what
    # PREFIX becomes part of a crontab, where % is a newline and a blank ends a word.
    case $PREFIX in /*) ;; *) stop 2 "PREFIX=$PREFIX: expected a path from / on" ;; esac
    case $PREFIX in *[!A-Za-z0-9/._+-]*) stop 2 "PREFIX=$PREFIX: only letters, digits and /._+- can be in it" ;; esac
    case $DESTDIR in /* | "") ;; *) stop 2 "DESTDIR=$DESTDIR: expected a path from / on" ;; esac
    [ -n "$DESTDIR" ] || [ "$(id -u)" = 0 ] || stop 2 "only root can do this: use sudo"
}

check_release() { # DESTDIR may be somebody's package, which has no release
    release=$DESTDIR/etc/os-release
    [ -z "$DESTDIR" ] || [ -e "$release" ] || return 0
    ID='' VERSION_ID='' PRETTY_NAME="a system without /etc/os-release"
    # shellcheck disable=SC1090
    [ ! -e "$release" ] || . "$release"
    case $ID:$VERSION_ID in
    debian:1[23] | raspbian:1[23]) ;;
    # Testing and unstable have no number. What homesim needs has been in each release since bookworm.
    debian: | debian:1[4-9] | raspbian:1[4-9]) say "$PRETTY_NAME is newer than the releases homesim is tested on" ;;
    *) stop 1 "$PRETTY_NAME is not supported: homesim needs Debian or Raspberry Pi OS, bookworm or trixie" ;;
    esac
}

have() { # PACKAGE, or what one provides: whether it is installed
    # shellcheck disable=SC2016
    dpkg-query -W -f '${db:Status-Status} ${Package}, ${Provides},\n' |
        grep -E "^installed (.* )?$1( \([^)]*\))?," >/dev/null
}

packages() { # ask apt for what is missing
    missing=
    for package in python3 python3-gammu python3-requests python3-filelock usb-modeswitch; do
        have "$package" || missing="$missing $package"
    done
    have cron-daemon || have cron || missing="$missing cron"
    [ -n "$missing" ] || return 0
    say "asking apt for$missing"
    apt-get -q update || say "apt-get update failed; trying with the lists there are"
    # A Pi that has just been started may be at its own apt run.
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing ||
        stop 75 "apt could not install$missing; when the reason above is gone: sudo make install"
}

put() { # SOURCE NAME: install a file as /etc/NAME, unless its owner changed the one there
    there=$DESTDIR/etc/$2
    beside=$there.dist # cron, which wants no dot, and udev, which wants .rules, do not read it ...
    case $2 in usb_modeswitch.d/*) beside=$there.dpkg-dist ;; esac # ... and usb_modeswitch skips only names like this
    placed="$placed $2"
    if [ ! -e "$there" ] || cmp -s "$there" "$home/etc/$2" || cmp -s "$there" "$1"; then
        install -D -m 644 "$1" "$there"
        rm -f "$beside"
    else
        install -D -m 644 "$1" "$beside"
        say "$there has been changed and stays; the new one is $beside"
    fi
    install -D -m 644 "$1" "$home/etc/$2"
}

drop() { # NAME: remove /etc/NAME, unless its owner changed it: then it goes to the configuration
    there=$DESTDIR/etc/$1
    if [ -e "$there" ] && ! cmp -s "$there" "$home/etc/$1"; then
        mkdir -p "$configuration/removed"
        mv "$there" "$configuration/removed/"
        say "$there has been changed and is kept: $configuration/removed/${1##*/}"
    fi
    rm -f "$there" "$there.dist" "$there.dpkg-dist" "$home/etc/$1"
}

installed_files() { # their names below /etc
    [ ! -d "$home/etc" ] || (cd "$home/etc" && find . -type f | sed 's|^\./||')
}

cron_file() { # crontab.example as a file of /etc/cron.d: its jobs with a user, and what such a file does not inherit
    echo "# /etc/cron.d/homesim: crontab.example in the format of this folder, by make install."
    printf '%s\n' '' SHELL=/bin/sh PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin 'MAILTO=""' ''
    sed -E -e '1,/^#$/d' -e 's|^([^#[:space:]]\S*(\s+\S+){4})\s+|\1 root |' -e "s|/usr/local/bin/|$PREFIX/bin/|g" \
        "$source/crontab.example"
}

settings() { # the files in /etc
    placed=
    for file in "$source"/udev/12d1-*; do # 12d1:1f01 in /etc; git on Windows and make have trouble with a colon
        put "$file" "usb_modeswitch.d/$(basename "$file" | tr - :)"
    done
    put "$source/udev/78-homesim.rules" udev/rules.d/78-homesim.rules
}

schedule() { # the last of them: what it starts is there now
    cron_file >"$home/crontab"
    put "$home/crontab" cron.d/homesim
    rm "$home/crontab"
    for name in $(installed_files); do # an older version's
        case "$placed " in *" $name "*) ;; *) drop "$name" ;; esac
    done
}

programs() { # beside the old ones, then in their place: cron may start one at any moment
    rm -rf "$home/new" "$home/old"
    mkdir -p "$home/new" "$home/old"
    cp -R "$source/bin" "$source/lib" "$home/new/"
    find "$home/new" \( -name __pycache__ -o -name '*~' -o -name '.*' \) -prune -exec rm -rf {} +
    chmod -R u=rwX,go=rX "$home/new"
    chmod 755 "$home"/new/bin/*
    install -m 644 "$source/config.toml.example" "$home/"
    for part in bin lib; do
        [ ! -e "$home/$part" ] || mv "$home/$part" "$home/old/"
        mv "$home/new/$part" "$home/"
    done
    rm -rf "$home/new" "$home/old"
}

links() { # PREFIX/bin/homesim-NAME for each bin/NAME, and none for one that is no more
    bin=$DESTDIR$PREFIX/bin
    mkdir -p "$bin"
    for program in "$home"/bin/*; do
        [ -e "$program" ] || continue
        link=$bin/homesim-${program##*/}
        if [ -e "$link" ] && [ ! -L "$link" ]; then
            say "$link is not ours and stays"
        else
            ln -sfn "../lib/homesim/bin/${program##*/}" "$link"
        fi
    done
    for link in "$bin"/homesim-*; do
        case $(readlink "$link") in ../lib/homesim/bin/*) [ -e "$link" ] || rm -f "$link" ;; esac
    done
}

root_s_crontab() { # a line from before make install
    ! grep -Eqs '^[^#]*(homesim-poll|homesim/bin/poll)' "$DESTDIR/var/spool/cron/crontabs/root" ||
        say "root's own crontab runs homesim-poll too: take that line out (sudo crontab -e)"
}

reload() { # have udev, ModemManager and usb_modeswitch do by the new files
    [ -z "$DESTDIR" ] && [ -d /run/udev ] || return 0 # a chroot has none of them
    # "change" is enough for usb_modeswitch's own rule to switch a stick that waits in storage mode.
    udevadm control --reload || say "udev could not be told of the new rule; a reboot does it"
    udevadm trigger --action=change --subsystem-match=usb --subsystem-match=tty || true
    udevadm settle --timeout=10 || true
    [ -e /dev/sms ] && command -v systemctl >/dev/null || return 0
    systemctl try-restart ModemManager 2>/dev/null || true # one that runs lets go of the stick only then
}

hilink() { # sticks that were plugged in before usb_modeswitch knew better
    [ -z "$DESTDIR" ] || return 0
    for stick in /sys/bus/usb/devices/*; do
        id=$(cat "$stick/idVendor" "$stick/idProduct" 2>/dev/null | paste -sd:)
        case $id in 12d1:14db | 12d1:14dc) ;; *) continue ;; esac
        # One with a slot for a memory card takes the message on that interface. Reported, not tried on a stick.
        for interface in "$stick"/*:*.*; do
            [ "$(cat "$interface/bInterfaceClass" 2>/dev/null)" = 08 ] || continue
            say "switching $id from HiLink to serial mode"
            usb_modeswitch -v 12d1 -p "${id#*:}" -i "$((0x$(cat "$interface/bInterfaceNumber")))" -X >/dev/null 2>&1 || true
            for _ in 1 2 3 4 5 6 7 8 9 10; do
                grep -qsx "${id#*:}" "$stick/idProduct" || continue 3
                sleep 1
            done
        done
        say "a stick is in HiLink mode ($id): pull it out and put it in again, and it becomes a modem"
    done
}

wait_for_runs() { # a run that watches the stick leaves within a minute or so
    for lock in /run/homesim/*.lock; do
        [ -e "$lock" ] || continue
        ! flock -n "$lock" true || continue
        say "waiting for the run at work to end, about a minute"
        flock -w 120 "$lock" true || stop 75 "the run that holds $lock does not end; end it and try again"
    done
}

waiting() { # how many SMS, or parts of one, wait in the state folder
    find "$state" -type f \( -path '*/new/*' -o -path '*/parts/*' -o -path '*/failed/*' \) 2>/dev/null | wc -l
}

remove() { # what install put
    for name in $(installed_files); do
        drop "$name"
    done
    [ -n "$DESTDIR" ] || wait_for_runs
    rm -rf "${home:?}/bin" # first: links() takes a link away that leads nowhere
    links
    rm -rf "$home"
    [ -n "$DESTDIR" ] || rm -rf /run/homesim
    reload
    root_s_crontab
}

do_install() {
    check_release
    settings # before apt: the moment usb-modeswitch is there it switches a stick that is plugged in
    [ -n "$DESTDIR" ] || packages
    programs
    links
    # Now and not at the first run: a file of bytecode that a power cut left half written would stay broken.
    [ -n "$DESTDIR" ] || /usr/bin/python3 -m compileall -q "$home/lib"
    [ -e "$configuration/config.toml" ] ||
        install -D -m 600 "$source/config.toml.example" "$configuration/config.toml"
    install -d -m 700 "$state"
    schedule
    sync
    reload
    hilink
    root_s_crontab
    say "installed in $home"
    ! cmp -s "$source/config.toml.example" "$configuration/config.toml" || say "now run: sudo homesim-setup"
}

do_uninstall() {
    remove
    say "uninstalled; the Debian packages stay"
    [ ! -e "$configuration" ] || say "$configuration stays; sudo make purge removes it"
    [ ! -e "$state" ] || say "$state stays, with $(waiting) SMS that were not forwarded; sudo make purge removes it"
}

do_purge() {
    elsewhere=$(sed -nE 's/^ *state *= *["'\'']([^"'\'']*).*/\1/p' "$configuration/config.toml" 2>/dev/null || true)
    if [ "${CONFIRM:-}" != yes ]; then
        [ -t 0 ] || stop 2 "purge asks on a terminal; without one: make purge CONFIRM=yes"
        say "remove homesim, $configuration and $state"
        printf '%s' "with $(waiting) SMS that have not been forwarded? [y/N] "
        read -r answer
        case $answer in [yY] | [yY]es) ;; *) stop 2 "nothing is removed" ;; esac
    fi
    remove
    rm -rf "$configuration" "$state"
    [ "${elsewhere:-/var/lib/homesim}" = /var/lib/homesim ] || say "$elsewhere, the configuration's state folder, stays"
    say "nothing of homesim is left; the Debian packages stay"
}

case ${1:-} in
install)
    check
    do_install
    ;;
uninstall)
    check
    do_uninstall
    ;;
purge)
    check
    do_purge
    ;;
*)
    sed -n '3,9s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
exit 0 # and read no further: this file may be gone
