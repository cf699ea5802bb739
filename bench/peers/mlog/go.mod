module github.com/seed27ccf144/mlog/bench/peers/mlog

go 1.26.0

require (
	github.com/seed27ccf144/mlog v0.0.0
	github.com/seed27ccf144/mlog/bench/peers/harness v0.0.0
)

require (
	github.com/HdrHistogram/hdrhistogram-go v1.4.0 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/edsrzf/mmap-go v1.2.0 // indirect
	github.com/gofrs/flock v0.13.1 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace (
	github.com/seed27ccf144/mlog => ../../..
	github.com/seed27ccf144/mlog/bench/peers/harness => ../harness
)
