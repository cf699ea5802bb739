package acceptance_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/seed27ccf144/mlog"

// A package may import packages of a lower layer only, so that those who share
// a layer know nothing of each other. Writer and reader above all: they meet in
// the mapped files, as two processes do. Packages below internal are of the
// lowest layer, where they may import each other, unless they are listed here.
var layers = map[string]int{
	"index":   1,
	"segment": 1,

	"internal/indexfile": 2, // an index in a mapped file
	"internal/recordfmt": 2, // records as text
	"internal/survey":    3, // all of a log, and what of it cannot be read

	"reader": 4,
	"writer": 4,
	"log":    5,

	"internal/formattest": commandLayer, // for tests only
	"internal/logtest":    commandLayer, // likewise

	"reliability/check": commandLayer, // what the tests beside it judge a log by
}

const (
	lowestLayer  = 0
	commandLayer = 6 // of all packages below cmd
	proofLayer   = 7 // of all packages below reliability
)

// What users get along with the module. One more needs a reason in
// docs/design.md.
var dependencies = []string{
	"github.com/cespare/xxhash/v2",
	"github.com/edsrzf/mmap-go",
	"github.com/gofrs/flock",
	"github.com/spf13/pflag",
	"golang.org/x/sys",
}

var mayUseUnsafe = []string{"internal/futex", "internal/mapping"}

// TestImports reads the sources and not what 'go list' makes of them, since
// that leaves out the files of other systems.
func TestImports(t *testing.T) {
	used := make(map[string]bool)
	for pkg, imports := range importsOfModule(t) {
		for _, imported := range imports {
			own, isOwn := strings.CutPrefix(imported, modulePath+"/")
			first, _, _ := strings.Cut(imported, "/")
			switch {
			case isOwn:
				checkDirection(t, pkg, own)
			case imported == "unsafe":
				if !slices.Contains(mayUseUnsafe, pkg) {
					t.Errorf("%s imports unsafe; only %q may", pkg, mayUseUnsafe)
				}
			case strings.Contains(first, "."):
				used[dependencyOf(imported)] = true
			}
		}
	}
	for _, d := range dependencies {
		if !used[d] {
			t.Errorf("%s is on the list of dependencies, and nothing imports it", d)
		}
		delete(used, d)
	}
	for d := range used {
		t.Errorf("%s is imported, and not on the list of dependencies", d)
	}
}

func checkDirection(t *testing.T, pkg, imported string) {
	t.Helper()
	from, to := layerOf(t, pkg), layerOf(t, imported)
	switch {
	case pkg == "index", pkg == "reliability/check":
		t.Errorf("%s imports %s; it imports nothing of ours", pkg, imported)
	case from <= to && (from != lowestLayer || to != lowestLayer):
		t.Errorf("%s (layer %d) imports %s (layer %d)", pkg, from, imported, to)
	}
}

func layerOf(t *testing.T, pkg string) int {
	t.Helper()
	if layer, ok := layers[pkg]; ok {
		return layer
	}
	switch first, _, _ := strings.Cut(pkg, "/"); first {
	case "internal":
		return lowestLayer
	case "cmd":
		return commandLayer
	case "reliability":
		return proofLayer
	}
	t.Fatalf("%s is in no layer", pkg)
	return 0
}

// dependencyOf returns the module of a package, as far as the list tells.
func dependencyOf(imported string) string {
	for _, d := range dependencies {
		if imported == d || strings.HasPrefix(imported, d+"/") {
			return d
		}
	}
	return imported
}

// importsOfModule returns what the packages of the module import, by their
// paths within it, for all systems and without their tests.
func importsOfModule(t *testing.T) map[string][]string {
	t.Helper()
	root := os.DirFS("..")
	imports := make(map[string][]string)
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if isApart(root, name) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", filepath.FromSlash(name)), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports[path.Dir(name)] = append(imports[path.Dir(name)], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

// isApart reports whether a directory holds no package of this module.
func isApart(root fs.FS, name string) bool {
	if name == "." {
		return false
	}
	base := path.Base(name)
	if base[0] == '.' || base[0] == '_' || base == "testdata" {
		return true
	}
	_, err := fs.Stat(root, path.Join(name, "go.mod"))
	return err == nil
}
