module github.com/seed27ccf144/mlog/bench/peers/sqlite

go 1.26.0

require (
	github.com/mattn/go-sqlite3 v1.14.53
	github.com/seed27ccf144/mlog/bench/peers/harness v0.0.0
)

require (
	github.com/HdrHistogram/hdrhistogram-go v1.4.0 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/seed27ccf144/mlog/bench/peers/harness => ../harness
