#!/usr/bin/env bash
# The dev pod: the whole game in one process, built from these sources and again when they change,
# in a rootless pod. pods/dev/ has its units, its configuration, and what runs in it.
set -euo pipefail
umask 022
cd "$(dirname "$(realpath "$0")")/.."
# shellcheck source=scripts/prepare
source scripts/prepare
# shellcheck source=scripts/stack-host
source scripts/stack-host

usage() {
  cat <<'END'
Usage: scripts/dev-pod.sh [COMMAND]

Without a command, or with `start`, makes what is missing (a machine where this host has no suitable
Podman, the image, units, volumes), starts the pod, shows the first build, prints the address.

A change below src/, of Cargo.toml, Cargo.lock, docs/openapi.json or pods/dev/undercroft.toml is
built at once. If the build succeeds, the server is replaced and players come back by themselves; if
not, the log has the compiler's words and the server goes on.

  stop              stops it; world and builds stay
  status            how it is and where; fails unless it serves
  logs [OPTION ...] what compiler and server say; the options are journalctl's (--follow, --lines 50)
  test [ARG ...]    `cargo test --locked ARG ...` in the pod, on the same sources. Tests that want a
                    browser, Node.js, a NATS server or a machine say that they are skipped there;
                    scripts/test on this host runs them all
  shell             a shell in the pod, with cargo; sources in /source, read-only
  rm [--all]        removes the pod and its units; with --all the world and the builds as well

The image is rust:1.95-trixie and inotify-tools. Where no registry can be reached it is made from
Debian's packages (--offline does so in any case), and this host's Rust and the crates that cargo
has fetched here are mounted, read-only. UNDERCROFT_MACHINE names the machine, where one is needed.
END
}

fail() {
  echo "scripts/dev-pod.sh: $*" >&2
  exit 1
}

misused() {
  echo "scripts/dev-pod.sh: $* (see scripts/dev-pod.sh --help)" >&2
  exit 64
}

unit=undercroft-dev.service
pod=undercroft-dev-pod.service
image=localhost/undercroft/dev:latest
# What the pod's programs say, and not Podman's own words beside it.
pod_log=(journalctl --user --output cat CONTAINER_NAME=undercroft-dev)
volumes=(undercroft-dev-target undercroft-dev-data undercroft-dev-cargo)

# --- On this host: finding the pod's ----------------------------------------------------------------

# As stack_host, without making or starting a machine.
find_host() {
  if [[ -z ${UNDERCROFT_MACHINE:-} ]] && stack_host_suits; then
    STACK_HOST=host STACK_MACHINE=''
    return
  fi
  STACK_HOST=machine STACK_MACHINE=${UNDERCROFT_MACHINE:-undercroft}
  [[ $(machine_field 2) == running ]]
}

# machine_field NUMBER: of the machine's line in the list.
machine_field() {
  scripts/machine list | awk -v name="$STACK_MACHINE" -v field="$1" '$1 == name {print $field}'
}

# here COMMAND ...: this script, as the user who has the pod, where the pod is.
here() {
  on_stack "$PWD/scripts/dev-pod.sh" --here "$@"
}

# Sets `image_kind` to where the image's Rust comes from: `image`, or `host`; or to `none`.
image_find() {
  if ! on_stack podman image exists "$image" </dev/null; then
    image_kind=none
  elif on_stack podman image inspect --format '{{.Config.Env}}' "$image" </dev/null |
    grep --quiet RUST_VERSION; then
    image_kind=image
  else
    image_kind=host
  fi
}

# Makes the image or brings it up to date.
image_ensure() {
  local said code=0
  image_find
  if [[ $offline == no && $image_kind != host ]]; then
    said=$(scripts/build-images dev 2>&1 >/dev/null) || code=$?
    case $code in
      0) ;;
      69)
        [[ $image_kind == none ]] || echo 'No registry can be reached; the image stays as it is.'
        ;;
      *) fail "the image could not be built: $said" ;;
    esac
  fi
  if [[ $offline == yes || $image_kind == host ]] || [[ $code -eq 69 && $image_kind == none ]]; then
    [[ $image_kind == host ]] ||
      echo "The image is made from Debian's packages, without a registry; Rust is that of this host."
    said=$(scripts/build-images --offline dev 2>&1 >/dev/null) ||
      fail "the image could not be built: $said"
  fi
  image_find
}

# Sets `rust` and `crates` to folders of this host, for an image that has no Rust.
rust_find() {
  prepare_rust >/dev/null || fail 'without a registry, the pod needs the Rust of this host'
  rust=$(rustc --print sysroot) crates=${CARGO_HOME:-$HOME/.cargo}/registry
  [[ -x $rust/bin/cargo ]] || fail "this host's Rust is not of rustup: there is no $rust/bin/cargo"
  cargo fetch --quiet --locked --offline 2>/dev/null || {
    echo 'Fetching the crates'
    cargo fetch --quiet --locked || fail 'the crates cannot be fetched (cargo fetch --locked)'
  }
}

start() {
  local address=localhost rust='' crates=''
  # The machine's shares depend on where Rust is.
  command -v cargo >/dev/null || prepare_rust >/dev/null 2>&1 || true
  stack_host
  image_ensure
  [[ $image_kind == image ]] || rust_find
  [[ $STACK_HOST == host ]] || address=$(machine_field 3)
  here start "$address" "$rust" "$crates"
}

# --- Where the pod is ---------------------------------------------------------------------------------

units=$HOME/.config/containers/systemd/undercroft-dev

active() {
  systemctl --user --quiet is-active "$unit"
}

needs_pod() {
  active || fail 'the dev pod does not run (scripts/dev-pod.sh start)'
}

in_pod() {
  podman exec "$@"
}

serves() {
  in_pod undercroft-dev busybox wget -q -T 2 -O /dev/null http://127.0.0.1:9090/health/ready \
    2>/dev/null
}

pod_state() {
  in_pod undercroft-dev cat /tmp/state 2>/dev/null || echo stopped
}

check_ports() {
  local port kind
  for port in tcp:8080 udp:7778 tcp:9090; do
    kind=${port%:*}
    [[ -z $(ss --no-header --listening --numeric "--$kind" "sport = :${port#*:}") ]] ||
      fail "port ${port#*:}/$kind is in use by another program: stop that one" \
        "(the stack: systemctl --user stop undercroft.target) and run this again"
  done
}

# mount FROM TO: a line of the container's unit.
mount() {
  [[ $1 != *[[:space:]:%\"\\]* ]] || fail "a folder with such a name cannot be mounted: '$1'"
  [[ -r $1 && -x $1 ]] || fail "$(id --user --name) may not read $1: let others read it"
  echo "Volume=$1:$2:ro"
}

# Lays out the units in `$1`: those of the repository, and what differs from host to host.
lay_out() {
  local new=$1 address=$2 rust=$3 crates=$4
  mkdir -p "$new"/undercroft-dev.{container,pod}.d
  cp pods/dev/undercroft-dev.{container,pod} "$new/"
  {
    echo '[Container]'
    mount "$PWD" /source
    if [[ -n $rust ]]; then
      mount "$rust" /usr/local/rust
      # Not what is unpacked: some crates have files that only their owner may read.
      mount "$crates/cache" /usr/local/crates/cache
      mount "$crates/index" /usr/local/crates/index
      echo 'Environment=CARGO_NET_OFFLINE=true'
    fi
  } >"$new/undercroft-dev.container.d/10-host.conf"
  # Health and metrics are for this host alone; of a machine, its address is.
  {
    echo '[Pod]'
    if [[ $address == localhost ]]; then
      echo 'PublishPort=127.0.0.1:9090:9090'
    else
      echo 'PublishPort=9090:9090'
    fi
  } >"$new/undercroft-dev.pod.d/10-host.conf"
}

start_here() {
  local address=$1 since said changed=no
  new=$(mktemp --directory)
  trap 'rm -rf "$new"' EXIT
  lay_out "$new/units" "$@"
  said=$(QUADLET_UNIT_DIRS=$new/units /usr/libexec/podman/quadlet -dryrun -user 2>&1 >/dev/null) ||
    fail "the units in pods/dev are not understood: $said"
  if ! diff --recursive --brief "$new/units" "$units" >/dev/null 2>&1; then
    changed=yes
  elif [[ $(podman inspect --format '{{.Image}}' undercroft-dev 2>/dev/null) != \
    "$(podman image inspect --format '{{.Id}}' "$image")" ]]; then
    changed=yes
  fi
  if active && [[ $changed == no ]]; then
    status_here "$address"
    return
  fi
  stop_here
  check_ports
  rm -rf "$units"
  mkdir -p "${units%/*}"
  cp --recursive "$new/units" "$units"
  systemctl --user daemon-reload
  since=$(date +%s)
  systemctl --user start "$pod" ||
    fail "the pod does not start: $(journalctl --user --unit "$pod" --unit "$unit" --lines 3 --output cat)"
  echo 'The pod runs; building (the first build takes some minutes) ...'
  until_served "$since" || return
  address_print "$address"
}

# Shows the log until the server is ready, or will not be.
until_served() {
  local line journal code=1
  exec {log}< <(exec "${pod_log[@]}" + USER_UNIT="$unit" --since "@$1" --lines all --follow)
  journal=$!
  while read -r line <&"$log"; do
    [[ -z $line ]] || printf '  %s\n' "$line"
    case $line in
      'ready web='*) code=0 && break ;;
      'dev pod: the build has failed'* | 'dev pod: the server has ended'* | \
        'dev pod: the sources cannot'* | "$unit: Failed"*) break ;;
    esac
  done
  kill "$journal" 2>/dev/null || true
  [[ $code -eq 0 ]] ||
    echo 'scripts/dev-pod.sh: nothing is served yet; a change of the sources is built at once' >&2
  return "$code"
}

address_print() {
  printf '\nUndercroft is open. Play at  http://%s:8080/\n' "$1"
  printf 'QUIC is on %s:7778, health and metrics on http://%s:9090/. What the pod says: scripts/dev-pod.sh logs --follow\n' \
    "$1" "$1"
}

status_here() {
  local address=$1
  needs_pod
  if serves; then
    [[ $(pod_state) != failed ]] ||
      echo 'The newest sources do not build, so what is served is older (scripts/dev-pod.sh logs).'
    address_print "$address"
    return
  fi
  case $(pod_state) in
    building) fail 'it is building, and serves nothing yet (scripts/dev-pod.sh logs --follow)' ;;
    failed) fail 'the sources do not build (scripts/dev-pod.sh logs); a change is built at once' ;;
    ended) fail 'the server ended by itself (scripts/dev-pod.sh logs); a change starts it again' ;;
    *) fail 'the server is not ready (scripts/dev-pod.sh logs)' ;;
  esac
}

stop_here() {
  systemctl --user stop "$pod" "$unit" 2>/dev/null || true
  systemctl --user reset-failed "$pod" "$unit" 2>/dev/null || true
}

logs_here() {
  # conmon leaves some lines their newline.
  "${pod_log[@]}" "$@" | sed --unbuffered '/^$/d'
}

test_here() {
  needs_pod
  exec podman exec undercroft-dev cargo test --locked "$@"
}

shell_here() {
  local terminal=()
  needs_pod
  [[ ! -t 0 ]] || terminal=(--tty)
  exec podman exec --interactive "${terminal[@]}" undercroft-dev bash
}

rm_here() {
  stop_here
  rm -rf "$units"
  systemctl --user daemon-reload
  podman pod rm --force --ignore undercroft-dev >/dev/null
  [[ ${1:-} != --all ]] || podman volume rm --force "${volumes[@]}" >/dev/null
}

# --- The command line -----------------------------------------------------------------------------------

offline=no
if [[ ${1:-} == --here ]]; then
  command=$2
  shift 2
  "${command}_here" "$@"
  exit
fi
if [[ ${1:-} == --offline ]]; then
  offline=yes
  shift
fi
command=${1:-start}
[[ $# -eq 0 ]] || shift
case $command in
  -h | --help) usage; exit 0 ;;
  start | stop | status | shell) [[ $# -eq 0 ]] || misused "$command takes no arguments: '$*'" ;;
  rm) [[ $* == @(|--all) ]] || misused "rm: what is '$*'?" ;;
  logs | test) ;;
  *) misused "unknown command '$command'" ;;
esac
[[ $offline == no || $command == start ]] || misused '--offline goes with start'
if [[ $command == start ]]; then
  start
elif ! find_host; then
  [[ $command == @(stop|rm) ]] || fail 'the dev pod does not run (scripts/dev-pod.sh start)'
  echo 'The dev pod does not run.'
else
  address=localhost
  [[ $STACK_HOST == host ]] || address=$(machine_field 3)
  [[ $command != status ]] || set -- "$address"
  here "$command" "$@"
fi
