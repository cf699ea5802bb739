# For sourcing by run scripts: installs servers without leaving any of them running.

# install_package COMMAND PACKAGE… installs Debian packages if COMMAND is missing and this is root on a system with
# apt-get; else it does nothing, and the measurement says that it was skipped. What the packages would start at their
# installation is not started: the benchmark starts its own.
install_package() {
	local command=$1
	shift
	if command -v "$command" >/dev/null || ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
		return 0
	fi
	local policy=/usr/sbin/policy-rc.d made=
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=yes
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2 || {
		apt-get update -q >&2 &&
			DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2
	} || true
	if [ -n "$made" ]; then rm -f "$policy"; fi
}
