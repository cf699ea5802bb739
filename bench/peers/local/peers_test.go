package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

// TestMain plays the roles that the tests start: they are this program.
func TestMain(m *testing.M) {
	if harness.IsRole() {
		main()
	}
	os.Exit(m.Run())
}

// Every record arrives at every consumer, whatever the peer, the size and the numbers.
func TestEveryPeer(t *testing.T) {
	for _, p := range peers() {
		for _, flags := range []string{
			"-size 64", "-size 16384",
			"-producers 4", "-consumers 4", "-producers 4 -consumers 4",
			"-work latency -rate 1000 -seconds 0.1 -warm 0.05",
			"-work latency -rate 1000 -seconds 0.1 -warm 0.05 -spin",
		} {
			t.Run(p.Name+" "+flags, func(t *testing.T) {
				const count = 3000
				args := append([]string{p.Name, "-dir", t.TempDir()}, strings.Fields(flags)...)
				if !strings.Contains(flags, "latency") {
					args = append(args, "-count", strconv.Itoa(count))
				}
				var out bytes.Buffer
				if err := harness.Run(args, &out, peers()...); err != nil {
					t.Fatal(err)
				}
				var r harness.Result
				if err := json.Unmarshal(out.Bytes(), &r); err != nil {
					t.Fatal(err)
				}
				if reason := r.Inapplicable + r.Skipped; reason != "" {
					t.Skip(reason)
				}
				want := int64(count * r.Producers)
				if r.Work == harness.Latency {
					want = 100
				}
				if r.Records != want {
					t.Errorf("%d records, want %d", r.Records, want)
				}
			})
		}
	}
}
