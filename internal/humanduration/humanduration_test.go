package humanduration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/humanduration"
	"github.com/spf13/pflag"
)

func TestParse(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		in   string
		want time.Duration
	}{
		{"0", 0},
		{"0s", 0},
		{"7d", 7 * day},
		{"2w", 14 * day},
		{"1w2d12h", 9*day + 12*time.Hour},
		{"12h1d", day + 12*time.Hour},
		{"1.5d", 36 * time.Hour},
		{".5w", 84 * time.Hour},
		{"90s", 90 * time.Second},
		{"1h30m", 90 * time.Minute},
		{"250ms", 250 * time.Millisecond},
		{"1us1µs1ns", 2*time.Microsecond + 1},
		{" 1d ", day},
		{"106751d", 106751 * day},
	}
	for _, tt := range tests {
		if got, err := humanduration.Parse(tt.in); err != nil || got != tt.want {
			t.Errorf("%q: got %v, %v; want %v", tt.in, got, err, tt.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ in, contains string }{
		{"", "empty"},
		{"-1d", "negative"},
		{"7", "as in 7d, 7h or 7s"},
		{"1d12", "unit has to follow 12"},
		{"d", `number has to come before "d"`},
		{"+1d", "number has to come before"},
		{"1y", `unknown unit "y"`},
		{"1 d", `unknown unit " d"`},
		{"1D", `unknown unit "D"`},
		{"1.2.3d", `"1.2.3" is not a number`},
		{".d", `"." is not a number`},
		{"106752d", "292 years"},
		{"99999999999999999999w", "292 years"},
		{"106751d106751d", "292 years"},
	}
	for _, tt := range tests {
		if got, err := humanduration.Parse(tt.in); err == nil || got != 0 || !strings.Contains(err.Error(), tt.contains) {
			t.Errorf("%q: got %v, %v; want an error with %q", tt.in, got, err, tt.contains)
		}
	}
}

func TestFormat(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{0, "0"}, {time.Second, "1s"}, {90 * time.Minute, "1h30m"}, {time.Hour, "1h"}, {time.Hour + 5*time.Second, "1h5s"},
		{168 * time.Hour, "7d"}, {36 * time.Hour, "1d12h"}, {1500 * time.Millisecond, "1.5s"}, {24*time.Hour + 1, "1d1ns"},
	}
	for _, tt := range tests {
		if got := humanduration.Format(tt.d); got != tt.want {
			t.Errorf("%v: got %s, want %s", int64(tt.d), got, tt.want)
		}
	}
}

var _ pflag.Value = (*humanduration.Flag)(nil)

func ExampleFlag() {
	retainAge := 168 * time.Hour
	flags := pflag.NewFlagSet("produce", pflag.ContinueOnError)
	flags.Var((*humanduration.Flag)(&retainAge), "retain-age", "drop what is older")
	fmt.Println(flags.Lookup("retain-age").DefValue)
	fmt.Println(flags.Parse([]string{"--retain-age=2w"}), retainAge)
	// Output:
	// 7d
	// <nil> 336h0m0s
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"0", "7d", "1w2d", "1.5d", "1h30m", "-1d", "106751d23h47m16.854775807s", "µs"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := humanduration.Parse(s)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("%q gives %v", s, d)
		}
		text := humanduration.Format(d)
		if again, err := humanduration.Parse(text); err != nil || again != d {
			t.Fatalf("%q is %v, written %s, read %v, %v", s, d, text, again, err)
		}
	})
}
