package bytesize_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed27ccf144/mlog/internal/bytesize"
	"github.com/spf13/pflag"
)

func TestParse(t *testing.T) {
	tests := []struct {
		in   string
		want int64
	}{
		{"0", 0},
		{"4096", 4096},
		{"4096B", 4096},
		{" 7b ", 7},
		{"1K", 1024},
		{"1k", 1024},
		{"1Ki", 1024},
		{"1KiB", 1024},
		{"1kib", 1024},
		{"1KB", 1000},
		{"64MiB", 64 << 20},
		{"64 MiB", 64 << 20},
		{"64M", 64 << 20},
		{"64MB", 64e6},
		{"1.5GiB", 3 << 29},
		{"1.5G", 3 << 29},
		{"2GB", 2e9},
		{"3TiB", 3 << 40},
		{"3TB", 3e12},
		{"1P", 1 << 50},
		{"7EiB", 7 << 60},
		{".5K", 512},
		{"1.K", 1024},
		{"0.1KiB", 102},
		{"9223372036854775807", math.MaxInt64},
		{"7.999999999999999999EiB", math.MaxInt64 - 1},
		{"0000000000000000000000001", 1},
	}
	for _, tt := range tests {
		if got, err := bytesize.Parse(tt.in); err != nil || got != tt.want {
			t.Errorf("%q: got %d, %v; want %d", tt.in, got, err, tt.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ in, contains string }{
		{"", "begin with a number"},
		{"MiB", "begin with a number"},
		{".", "begin with a number"},
		{"1.2.3K", "begin with a number"},
		{"+1", "begin with a number"},
		{"-1", "negative"},
		{"-1.5GiB", "negative"},
		{"1e3", `unknown unit "e3"`},
		{"1X", `unknown unit "X"`},
		{"1KiBB", `unknown unit "KiBB"`},
		{"1 2K", `unknown unit "2K"`},
		{"1_000", "unknown unit"},
		{"0x10", "unknown unit"},
		{"1.5", "fractions of a byte"},
		{"1.5B", "fractions of a byte"},
		{"8EiB", "largest"},
		{"9223372036854775808", "largest"},
		{"99999999999999999999EiB", "largest"},
		{strings.Repeat("1", 100), "too long"},
	}
	for _, tt := range tests {
		got, err := bytesize.Parse(tt.in)
		if err == nil || got != 0 || !strings.Contains(err.Error(), tt.contains) || !strings.HasPrefix(err.Error(), fmt.Sprintf("invalid size %q: ", tt.in)) {
			t.Errorf("%q: got %d, %v; want an error with %q", tt.in, got, err, tt.contains)
		}
	}
}

func TestFormat(t *testing.T) {
	tests := []struct {
		n    int64
		want string
	}{
		{0, "0"}, {1, "1"}, {1023, "1023"}, {1024, "1KiB"}, {1000, "1KB"}, {1536, "1536"},
		{64 << 20, "64MiB"}, {64e6, "64MB"}, {10 << 20, "10MiB"}, {1 << 40, "1TiB"}, {3 << 29, "1536MiB"}, {1e9 + 1e6, "1001MB"},
		{7 << 60, "7EiB"}, {math.MaxInt64, "9223372036854775807"},
	}
	for _, tt := range tests {
		if got := bytesize.Format(tt.n); got != tt.want {
			t.Errorf("%d: got %s, want %s", tt.n, got, tt.want)
		}
	}
}

var _ pflag.Value = (*bytesize.Flag)(nil)

func ExampleFlag() {
	segmentBytes := int64(64 << 20)
	flags := pflag.NewFlagSet("produce", pflag.ContinueOnError)
	flags.Var((*bytesize.Flag)(&segmentBytes), "segment-bytes", "size of a segment")
	fmt.Println(flags.Lookup("segment-bytes").DefValue)

	fmt.Println(flags.Parse([]string{"--segment-bytes", "1.5GiB"}), segmentBytes)
	fmt.Println(flags.Parse([]string{"--segment-bytes", "1.5"}), segmentBytes)
	// Output:
	// 64MiB
	// <nil> 1610612736
	// invalid argument "1.5" for "--segment-bytes" flag: invalid size "1.5": there are no fractions of a byte; add a unit, as in 1.5GiB 1610612736
}

func ExampleParse() {
	n, err := bytesize.Parse("64MiB")
	fmt.Println(n, bytesize.Format(n), err)
	// Output: 67108864 64MiB <nil>
}

func FuzzBytesize(f *testing.F) {
	for _, s := range []string{"0", "64MiB", "1.5GiB", "1KB", "-1", "7.9EiB", ".5k", "1e9", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := bytesize.Parse(s)
		if err != nil {
			return
		}
		if n < 0 {
			t.Fatalf("%q gives %d", s, n)
		}
		text := bytesize.Format(n)
		if again, err := bytesize.Parse(text); err != nil || again != n {
			t.Fatalf("%q is %d, written %s, read %d, %v", s, n, text, again, err)
		}
	})
}
