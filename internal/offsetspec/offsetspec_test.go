package offsetspec_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/offsetspec"
)

// now is in a zone of its own, to tell local time from UTC.
var now = time.Date(2026, 1, 10, 12, 0, 0, 0, time.FixedZone("", 3600))

type bound = offsetspec.Bound

var (
	unset  = bound{}
	start  = bound{Kind: offsetspec.Start}
	end    = bound{Kind: offsetspec.End}
	stored = bound{Kind: offsetspec.Stored}
)

func exact(n int64) bound      { return bound{Kind: offsetspec.Exact, N: n} }
func beforeEnd(n int64) bound  { return bound{Kind: offsetspec.BeforeEnd, N: n} }
func afterStart(n int64) bound { return bound{Kind: offsetspec.AfterStart, N: n} }
func millis(n int64) bound     { return bound{Kind: offsetspec.Time, Time: time.UnixMilli(n)} }
func utc(s string) bound {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return bound{Kind: offsetspec.Time, Time: t}
}
func fromNow(d time.Duration) bound { return bound{Kind: offsetspec.Time, Time: now.Add(d)} }

func same(a, b bound) bool { return a.Kind == b.Kind && a.N == b.N && a.Time.Equal(b.Time) }

func TestParse(t *testing.T) {
	tests := []struct {
		in          string
		from, until bound
	}{
		{"start", start, unset},
		{"beginning", start, unset},
		{"oldest", start, unset},
		{"earliest", start, unset},
		{"end", end, unset},
		{"newest", end, unset},
		{"latest", end, unset},
		{"stored", stored, unset},
		{"0", exact(0), unset},
		{"47", exact(47), unset},
		{"9223372036854775807", exact(math.MaxInt64), unset},
		{"-3", beforeEnd(3), unset},
		{"-0", beforeEnd(0), unset},
		{"+2", afterStart(2), unset},
		{"5:", exact(5), unset},
		{":5", unset, exact(5)},
		{"5:10", exact(5), exact(10)},
		{"5:5", exact(5), exact(5)},
		{":end", unset, end},
		{"start:end", start, end},
		{"-10:end", beforeEnd(10), end},
		{"-10:-5", beforeEnd(10), beforeEnd(5)},
		{"+5:+10", afterStart(5), afterStart(10)},
		{"5:+10", exact(5), afterStart(10)},
		{"end:", end, unset},
		{"end:100", end, exact(100)},
		{"stored:end", stored, end},
		{"10:@1767225600000", exact(10), millis(1767225600000)},
		{":@-5m", unset, fromNow(-5 * time.Minute)},

		{"@1767225600000", millis(1767225600000), unset},
		{"@1767225600", millis(1767225600000), unset},
		{"@1767225600000000001", utc("2026-01-01T00:00:00.000000001Z"), unset},
		{"@2026-01-02", utc("2026-01-01T23:00:00Z"), unset},
		{"@2026-01-02T03:04", utc("2026-01-02T02:04:00Z"), unset},
		{"@2026-01-02T03:04:05", utc("2026-01-02T02:04:05Z"), unset},
		{"@2026-01-02 03:04:05.5", utc("2026-01-02T02:04:05.5Z"), unset},
		{"@2026-01-02T03:04:05Z", utc("2026-01-02T03:04:05Z"), unset},
		{"@2026-01-02T03:04:05.678Z", utc("2026-01-02T03:04:05.678Z"), unset},
		{"@2026-01-02T03:04:05+02:00", utc("2026-01-02T01:04:05Z"), unset},
		{"@-5m", fromNow(-5 * time.Minute), unset},
		{"@-2d", fromNow(-48 * time.Hour), unset},
		{"@-1h30m:", fromNow(-90 * time.Minute), unset},
		{"@+5m", fromNow(5 * time.Minute), unset},
		{"@:2026-01-02", unset, utc("2026-01-01T23:00:00Z")},
		{"@:end", unset, end},
		{"@:-1h", unset, fromNow(-time.Hour)},
		{"@2026-01-02T03:04:05Z:2026-01-02T04:00:00Z", utc("2026-01-02T03:04:05Z"), utc("2026-01-02T04:00:00Z")},
		{"@2026-01-02T03:04:05+02:00:2026-01-02T04:00:00+02:00", utc("2026-01-02T01:04:05Z"), utc("2026-01-02T02:00:00Z")},
		{"@2026-01-02T03:04:2026-01-02T03:05:06", utc("2026-01-02T02:04:00Z"), utc("2026-01-02T02:05:06Z")},
		{"@2026-01-02T03:04:05Z:", utc("2026-01-02T03:04:05Z"), unset},
		{"@:2026-01-02T03:04:05Z", unset, utc("2026-01-02T03:04:05Z")},
		{"@2026-01-02T03:04:05Z:end", utc("2026-01-02T03:04:05Z"), end},
		{"@2026-01-02:1h", utc("2026-01-01T23:00:00Z"), utc("2026-01-02T00:00:00Z")},
		{"@2026-01-02:-5m", utc("2026-01-01T23:00:00Z"), fromNow(-5 * time.Minute)},
		{"@-48h:-24h", fromNow(-48 * time.Hour), fromNow(-24 * time.Hour)},
		{"@-1h:5m", fromNow(-time.Hour), fromNow(5 * time.Minute)},
		{"@1767225600:@1767225601", millis(1767225600000), millis(1767225601000)},
		{"@1767225600:1767225601000", millis(1767225600000), millis(1767225601000)},

		{"s@1767225600000", millis(1767225600000), unset},
		{"e@1767225600000", unset, millis(1767225600000)},
		{"s@0", millis(0), unset},
		{"s@1700000000", millis(1700000000), unset},
		{"s@1,e@22", millis(1), millis(22)},
		{"s@253402300799999", millis(253402300799999), unset},
		{"s@1767225600000,e@1767225600001", millis(1767225600000), millis(1767225600001)},
		{"e@1767225600001,s@-10000d", fromNow(-240000 * time.Hour), millis(1767225600001)},
	}
	for _, tt := range tests {
		got, err := offsetspec.Parse(tt.in, now)
		if err != nil || !same(got.From, tt.from) || !same(got.Until, tt.until) {
			t.Errorf("%s:\n got %v, %v\nwant %v", tt.in, got, err, offsetspec.Range{From: tt.from, Until: tt.until})
		}
		if tt.until.Kind == offsetspec.Unset && !strings.Contains(tt.in, ":") {
			if got, err := offsetspec.ParseBound(tt.in, now); err != nil || !same(got, tt.from) {
				t.Errorf("ParseBound %s: got %v, %v", tt.in, got, err)
			}
		}
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ in, contains string }{
		{"", "empty"},
		{":", "empty"},
		{"x", `cannot read "x"; accepted are start, end`},
		{"5:x", `cannot read "x"`},
		{"1:2:3", `cannot read "2:3"`},
		{"-", `cannot read "-"`},
		{"+", `cannot read "+"`},
		{"--1", `cannot read "--1"`},
		{"1.5", `cannot read "1.5"`},
		{"-5m", `write @-5m`},
		{":-5m", `write @-5m`},
		{"9223372036854775808", "too large"},
		{"10:5", "ends at 5, before it begins at 10"},
		{"-5:-10", "before it begins"},
		{"+10:+5", "before it begins"},
		{"end:start", "before it begins"},
		{":stored", "where to begin"},
		{"@", "no time after @"},
		{"@:", "no time after @"},
		{"@x", `cannot read the time "x"; accepted are 13 digits`},
		{"@12345", "has 5 digits"},
		{"@9999999999999999999", "2262"},
		{"@2026-13-01", `cannot read the time "2026-13-01"`},
		{"@2026-01-02T25:00:00Z", "cannot read the time"},
		{"@2026-01-02T03:04:05Z:bad", `cannot read the time "bad"`},
		{"@start", `cannot read the time "start"`},
		{"@bad:2026-01-02", `cannot read the time "bad"`},
		{"@9999-12-31:200w", "9999"},
		{"@0001-01-01", "years 1"},
		{"@2026-13-02T03:04:05Z", `cannot read the time "2026-13-02T03:04:05Z"`},
		{"@2026-01-02:2026-01-01", "before it begins"},
		{"@-1h:-2h", "before it begins"},
		{"10:@", "no time after @"},
		{"s@", "no time after @"},
		{"s@1767225600,s@1767225600", "s@ is there twice"},
		{"s@1767225600,5", `cannot read "5"; accepted are s@TIME`},
		{"s@2,e@1", "before it begins"},
		{"s@253402300800000", "9999"},
		{"s@99999999999999999999", "9999"},
		{"@5m", "write @-5m"},
		{"@5m:", "write @-5m"},
		{"@5m:end", "write @-5m"},
		{"@5m:10m", "write @-5m"},
		{"10:@5m", "write @-5m"},
		{"s@5m", "write @-5m"},
		{"s@1767225601,e@1767225600", "before it begins"},
		{strings.Repeat("1", 300), "too long"},
	}
	for _, tt := range tests {
		_, err := offsetspec.Parse(tt.in, now)
		if err == nil || !strings.Contains(err.Error(), tt.contains) || !strings.HasPrefix(err.Error(), "invalid offset ") {
			t.Errorf("%s: got %v; want an error with %q", tt.in, err, tt.contains)
		}
	}
	for _, in := range []string{"", "1:2", "@-2h:-1h", "e@1767225600", "x", strings.Repeat("1", 300)} {
		if got, err := offsetspec.ParseBound(in, now); err == nil {
			t.Errorf("ParseBound %q: got %v, want an error", in, got)
		}
	}
}

func TestResolve(t *testing.T) {
	const first, last = 100, 200
	broken := errors.New("broken")
	byTime := func(at time.Time) (int64, error) {
		if at.Equal(now) {
			return 150, nil
		}
		return 0, broken
	}
	tests := []struct {
		in   string
		want int64
	}{
		{"start", 100}, {"end", 200}, {"0", 0}, {"150", 150}, {"1000", 1000},
		{"-0", 200}, {"-1", 199}, {"-100", 100}, {"-101", 100}, {"-9223372036854775807", 100},
		{"+0", 100}, {"+1", 101}, {"+100", 200}, {"+101", 200}, {"+9223372036854775807", 200},
		{"@-0s", 150},
	}
	for _, tt := range tests {
		b, err := offsetspec.ParseBound(tt.in, now)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.Resolve(first, last, byTime); err != nil || got != tt.want {
			t.Errorf("%s: got %d, %v; want %d", tt.in, got, err, tt.want)
		}
	}
	for _, b := range []bound{unset, stored, millis(1)} {
		if got, err := b.Resolve(first, last, byTime); err == nil {
			t.Errorf("%v: got %d, want an error", b, got)
		}
	}
}

func ExampleParse() {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for _, s := range []string{"-10:end", "@-5m", "@2026-01-02T03:04:05Z:1h", "s@1767225600000", "5:3"} {
		fmt.Println(offsetspec.Parse(s, now))
	}
	// Output:
	// -10:end <nil>
	// @2026-01-02T11:55:00Z <nil>
	// @2026-01-02T03:04:05Z:@2026-01-02T04:04:05Z <nil>
	// @2026-01-01T00:00:00Z <nil>
	//  invalid offset "5:3": it ends at 3, before it begins at 5
}

// Whatever Parse takes, its String gives back, and a resolved bound that is
// relative lies in the log.
func FuzzOffset(f *testing.F) {
	for _, s := range []string{"start", "end", ":end", "5:10", "-10:end", "+1:+2", "@2026-01-02T03:04:05Z:1h", "@-1h:", "s@1767225600000,e@-1m", "stored", "@2026-01-02 03:04"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := offsetspec.Parse(s, now)
		if err != nil {
			return
		}
		again, err := offsetspec.Parse(r.String(), now)
		if err != nil || !same(again.From, r.From) || !same(again.Until, r.Until) {
			t.Fatalf("%q is %s, which reads as %s, %v", s, r, again, err)
		}
		for _, b := range []bound{r.From, r.Until} {
			n, err := b.Resolve(7, 11, func(time.Time) (int64, error) { return 7, nil })
			known := b.Kind != offsetspec.Unset && b.Kind != offsetspec.Stored
			if (err == nil) != known || known && b.Kind != offsetspec.Exact && (n < 7 || n > 11) {
				t.Fatalf("%q: %s gives %d, %v", s, b, n, err)
			}
		}
	})
}
