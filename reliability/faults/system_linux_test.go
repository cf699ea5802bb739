package faults_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// systemScenarios are those of facilities that this system alone has.
var systemScenarios = []scenario{
	{"notifier", openLog, func(w *world) {
		n, err := w.log.Notifier()
		if !w.note(err) {
			return
		}
		w.append("news")
		w.note(n.Close())
	}},
}

// openFiles lists the descriptors and mappings that this process has of files
// below a directory.
func openFiles(dir string) []string {
	var open []string
	links, _ := filepath.Glob("/proc/self/fd/*")
	for _, link := range links {
		if name, err := os.Readlink(link); err == nil && strings.HasPrefix(name, dir+"/") {
			open = append(open, fmt.Sprintf("descriptor %s of %s", filepath.Base(link), name))
		}
	}
	maps, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, dir+"/") {
			open = append(open, "mapping "+strings.TrimSpace(line))
		}
	}
	return open
}
