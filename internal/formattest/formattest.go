// Package formattest helps tests hold the on-disk format in place: it compares
// bytes with golden files, and constants with the tables of docs/format.md. Only
// tests import it.
package formattest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// Golden compares got with the file testdata/name, byte for byte, and returns
// the file's bytes. With -update it writes the file first.
//
// A golden file is never updated to make a test pass: a difference means that
// logs which exist can no longer be read, or are no longer written as they were.
func Golden(t *testing.T, name string, got []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := Load(t, name)
	if !bytes.Equal(got, want) {
		t.Fatalf("%s: the bytes written differ from the golden file at position %d (%d bytes written, %d in the file)",
			path, firstDifference(got, want), len(got), len(want))
	}
	return want
}

// Load returns the bytes of testdata/name.
func Load(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// A Field is a row of a table of fields in docs/format.md.
type Field struct {
	Offset, Width int
}

// Numbers returns the table of docs/format.md that follows the comment
// "<!-- numbers: table -->": a name and a value in each row.
func Numbers(t *testing.T, table string) map[string]int64 {
	t.Helper()
	numbers := make(map[string]int64)
	for _, cells := range rows(t, "numbers: "+table) {
		n, err := strconv.ParseInt(cells[1], 0, 64)
		if err != nil {
			t.Fatalf("docs/format.md, numbers of %s: %q is not a number", table, cells[1])
		}
		numbers[cells[0]] = n
	}
	return numbers
}

// Fields returns the table that follows "<!-- fields: table -->": offset, width
// and name in each row. The rows must cover size bytes without gap or overlap.
// Rows whose name begins with "(" stand for bytes without a meaning and are left
// out.
func Fields(t *testing.T, table string, size int) map[string]Field {
	t.Helper()
	fields := make(map[string]Field)
	end := 0
	for _, cells := range rows(t, "fields: "+table) {
		offset, err := strconv.Atoi(cells[0])
		width, werr := strconv.Atoi(cells[1])
		if err != nil || werr != nil {
			t.Fatalf("docs/format.md, %s: bad row %q", table, cells)
		}
		if offset != end {
			t.Fatalf("docs/format.md, %s: %s begins at %d, the row before it ends at %d", table, cells[2], offset, end)
		}
		end = offset + width
		if !strings.HasPrefix(cells[2], "(") {
			fields[cells[2]] = Field{offset, width}
		}
	}
	if end != size {
		t.Fatalf("docs/format.md, %s: the rows end at %d, the structure at %d", table, end, size)
	}
	return fields
}

// Mentions reports a name that does not occur in docs/format.md.
func Mentions(t *testing.T, name string) {
	t.Helper()
	if !strings.Contains(document(t), name) {
		t.Errorf("docs/format.md does not mention %q", name)
	}
}

// Same reports each difference between what docs/format.md says and what the
// code says, in both directions.
func Same[T comparable](t *testing.T, table string, documented, coded map[string]T) {
	t.Helper()
	for name, want := range coded {
		got, ok := documented[name]
		if !ok {
			t.Errorf("docs/format.md, %s: %q is missing", table, name)
		} else if got != want {
			t.Errorf("docs/format.md, %s: %q is %v, in the code it is %v", table, name, got, want)
		}
	}
	for name := range documented {
		if _, ok := coded[name]; !ok {
			t.Errorf("docs/format.md, %s: %q is not in the code", table, name)
		}
	}
}

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "format.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test's directory")
		}
	}
}

// rows returns the cells of the table behind a marker, without its two head rows.
func rows(t *testing.T, marker string) [][]string {
	t.Helper()
	_, rest, found := strings.Cut(document(t), "<!-- "+marker+" -->\n")
	if !found {
		t.Fatalf("docs/format.md has no table marked %q", marker)
	}
	var table [][]string
	for line := range strings.Lines(strings.TrimLeft(rest, "\n")) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		table = append(table, cells)
	}
	if len(table) < 3 {
		t.Fatalf("docs/format.md: the table marked %q is empty", marker)
	}
	return table[2:]
}
