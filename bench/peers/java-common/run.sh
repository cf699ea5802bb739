# What the run scripts of the Java peers share; sourced with $here set to the peer's folder.
# A script defines main_class NAME and java_options NAME, and calls java_run "$@".

cache="${MLOG_BENCH_CACHE:-$HOME/.cache/mlog-bench}/$(basename "$here")"
common="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

# jdk prints the major version of the compiler.
jdk() {
	javac -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p'
}

# missing says what this machine lacks, or nothing.
missing() {
	local tool version
	for tool in java javac mvn taskset; do
		command -v "$tool" >/dev/null || { echo "$tool is not installed"; return; }
	done
	version=$(jdk)
	[ "${version:-0}" -ge 17 ] || echo "JDK 17 or later is needed, this is ${version:-older}"
}

# fingerprint is of all that the build is made from.
fingerprint() {
	{ jdk; cat "$here/pom.xml" "$here"/src/*.java "$common"/src/bench/*.java; } | sha256sum
}

# prepare fetches the jars and compiles, if that is not done yet. It prints why it cannot, in one line, to stderr.
prepare() {
	local lack want next
	lack=$(missing)
	[ -z "$lack" ] || { echo "$lack" >&2; return 1; }
	want=$(fingerprint)
	[ "$(cat "$cache/built" 2>/dev/null)" != "$want" ] || return 0
	mkdir -p "$cache"
	next=$(mktemp -d "$cache/next.XXXXXX")
	trap "rm -rf '$next'" EXIT # also when it is ended half-way
	if ! mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
		-DoutputDirectory="$next/lib" >"$cache/maven.log" 2>&1; then
		echo "its jars could not be fetched: $(grep -m1 ERROR "$cache/maven.log" | cut -c1-200)" >&2
		return 1
	fi
	# sun.misc.Unsafe is meant: the libraries hand out addresses
	if ! javac -XDignore.symbol.file -proc:none -d "$next/classes" -cp "$next/lib/*" \
		"$common"/src/bench/*.java "$here"/src/*.java 2>"$cache/javac.log"; then
		echo "it does not compile: $(head -1 "$cache/javac.log")" >&2
		return 1
	fi
	rm -rf "$cache/classes" "$cache/lib"
	mv "$next/classes" "$next/lib" "$cache/"
	echo "$want" >"$cache/built"
}

# skip prints a result that has no figures.
skip() {
	printf '{"peer":"%s","skipped":"%s"}\n' "$1" "$(printf %s "$2" | tr -d '"\\\n')"
}

java_run() {
	local command=${1:-} name=${2:-} reason
	shift 2 || { echo "usage: run prepare NAME | run bench NAME FLAGS..." >&2; exit 1; }
	main_class "$name" >/dev/null || { echo "there is no peer $name here" >&2; exit 1; }
	case $command in
	prepare) prepare ;;
	bench)
		reason=$(prepare 2>&1) || { skip "$name" "$reason"; exit 0; }
		local options
		read -ra options <<<"$(java_options "$name" | tr '\n' ' ')"
		exec java "${options[@]}" -Dbench.version="$(sed -n 's/.*<peer.version>\(.*\)<.*/\1/p' "$here/pom.xml")" \
			-cp "$cache/classes:$cache/lib/*" "$(main_class "$name")" "$@"
		;;
	*) echo "usage: run prepare NAME | run bench NAME FLAGS..." >&2; exit 1 ;;
	esac
}
