module github.com/seed27ccf144/mlog/bench/peers/dbus

go 1.26.0

require (
	github.com/godbus/dbus/v5 v5.2.4
	github.com/seed27ccf144/mlog/bench/peers/harness v0.0.0
)

require (
	github.com/HdrHistogram/hdrhistogram-go v1.4.0 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/seed27ccf144/mlog/bench/peers/harness => ../harness
