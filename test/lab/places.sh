# Sourced by the scripts that prepare and clean the lab: what they write outside of the repository. $OCDD_LAB_ROOT, of their
# tests, is a directory in the place of /.
# shellcheck disable=SC2034 # used where it is sourced
root=${OCDD_LAB_ROOT:-}
cache=${OCDD_LAB_CACHE:-$root/var/cache/ocdd-lab}
state=$root/var/lib/ocdd-lab
# A Docker engine that is unpacked and not installed, and a directory with its client.
engine=$cache/engine
# Packages that setup.sh has installed, one a line; and, while it installs, what there was before.
record=$state/packages
before=$state/before
policy=$root/usr/sbin/policy-rc.d

has() { command -v "$1" >/dev/null 2>&1; }
installed() { dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' 2>/dev/null | sed -n 's/^.i  *//p' | sort -u; }

# Links that start services at boot: systemd's, and those of init.d.
boot_links() {
  find "$root"/etc/systemd/system "$root"/etc/rc[2-5].d -type l \
    \( -path '*.wants/*' -o -path '*.requires/*' -o -path '*/rc[2-5].d/S*' \) 2>/dev/null | sort
}

# After an installation, also one that was interrupted: records the new packages, and disables services that were not enabled.
finish() {
  if [ -e "$before/links" ]; then
    boot_links | comm -13 "$before/links" - >"$before/new-links"
    while read -r link; do
      case $link in
        */rc?.d/S*) mv "$link" "${link%/S*}/K${link##*/S}" ;; # as `update-rc.d NAME disable` does
        *) rm -f "$link" ;;
      esac
    done <"$before/new-links"
    installed | comm -13 "$before/packages" - | sort -u - "$record" >"$record.new"
    mv "$record.new" "$record"
    rm -rf "$before"
    [ ! -d "$root/run/systemd/system" ] || systemctl daemon-reload || true
  fi
  if grep -qs ocdd-lab "$policy"; then rm -f "$policy"; fi
}
