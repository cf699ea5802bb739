// Command sqlite measures a table of SQLite in WAL mode that is used as a log.
//
// It uses the C library itself, by cgo: the translation to Go (modernc.org/sqlite) would be measured as slower than
// what SQLite is.
package main

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"syscall"
	"time"

	sqlite "github.com/mattn/go-sqlite3"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

func main() {
	harness.Main(harness.Peer{
		Name: "sqlite",
		Version: func() string {
			v, _, _ := sqlite.Version()
			return v
		},
		Notes: fmt.Sprintf("no way to wait for another process: consumers look every %v", pause),
		Keeps: true, Durable: true, Spins: true, Goroutines: true,
		Setup: setup, Produce: produce, Consume: consume,
	})
}

// pause is how long a consumer sleeps when there is nothing new.
const pause = 100 * time.Microsecond

// sleep asks the system itself: the runtime's timers round such a short time up to a millisecond.
func sleep() {
	t := syscall.NsecToTimespec(int64(pause))
	_ = syscall.Nanosleep(&t, nil) // if a signal ends it, the consumer looks a little earlier
}

// open opens the database. The connection is used without database/sql, which adds its pool's cost to each call.
func open(e *harness.Env) (*sqlite.SQLiteConn, error) {
	synchronous := "NORMAL"
	if e.Durable {
		synchronous = "FULL"
	}
	name := fmt.Sprintf("file:%s?_journal_mode=WAL&_synchronous=%s&_busy_timeout=20000",
		filepath.Join(e.Dir, "log.db"), synchronous)
	c, err := new(sqlite.SQLiteDriver).Open(name)
	if err != nil {
		return nil, err
	}
	return c.(*sqlite.SQLiteConn), nil
}

func setup(e *harness.Env) error {
	c, err := open(e)
	if err != nil {
		return err
	}
	_, err = c.Exec("CREATE TABLE log (id INTEGER PRIMARY KEY, record BLOB NOT NULL)", nil)
	return errors.Join(err, c.Close())
}

// replayBatch is the number of records in a transaction when a log is made ready for Replay, which is not measured.
const replayBatch = 1000

func produce(p *harness.Producer) error {
	c, err := open(p.Env)
	if err != nil {
		return err
	}
	defer c.Close()
	insert, err := c.Prepare("INSERT INTO log (record) VALUES (?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	batch := p.Batch
	if p.Work == harness.Replay {
		batch = replayBatch
	}
	if err := p.Ready(); err != nil {
		return err
	}
	w := &writer{conn: c, insert: insert, record: make([]byte, p.Size)}
	if batch == 1 {
		return w.single(p)
	}
	return w.batches(p, batch)
}

// A writer inserts records.
type writer struct {
	conn   *sqlite.SQLiteConn
	insert driver.Stmt
	record []byte
}

func (w *writer) put() error {
	_, err := w.insert.Exec([]driver.Value{w.record})
	return err
}

// single makes a transaction of each record.
func (w *writer) single(p *harness.Producer) error {
	for p.Fill(w.record) {
		if err := w.put(); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) batches(p *harness.Producer, size int) error {
	for more := p.Fill(w.record); more; {
		if _, err := w.conn.Exec("BEGIN IMMEDIATE", nil); err != nil {
			return err
		}
		for n := 0; more && n < size; n++ {
			if err := w.put(); err != nil {
				return err
			}
			more = p.Fill(w.record)
		}
		if _, err := w.conn.Exec("COMMIT", nil); err != nil {
			return err
		}
	}
	return nil
}

func consume(r *harness.Consumer) error {
	c, err := open(r.Env)
	if err != nil {
		return err
	}
	defer c.Close()
	query, err := c.Prepare("SELECT id, record FROM log WHERE id > ? ORDER BY id LIMIT 1000")
	if err != nil {
		return err
	}
	defer query.Close()
	if err := r.Ready(); err != nil {
		return err
	}
	for last := int64(0); ; {
		before := last
		done, err := takeNew(r, query, &last)
		if done || err != nil {
			return err
		}
		if last == before && !r.Spin {
			sleep()
		}
	}
}

// takeNew takes the records after last, and moves last on.
func takeNew(r *harness.Consumer, query driver.Stmt, last *int64) (done bool, err error) {
	rows, err := query.Query([]driver.Value{*last})
	if err != nil {
		return false, err
	}
	defer rows.Close()
	row := make([]driver.Value, 2)
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		}
		id, okID := row[0].(int64)
		record, okRecord := row[1].([]byte)
		if !okID || !okRecord {
			return false, fmt.Errorf("a row has other types than expected: %T, %T", row[0], row[1])
		}
		*last = id
		if done, err := r.Take(record); done || err != nil {
			return done, err
		}
	}
}
