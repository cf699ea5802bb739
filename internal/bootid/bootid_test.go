package bootid

import (
	"runtime"
	"testing"
)

func TestCurrent(t *testing.T) {
	id := Current()
	if id != Current() {
		t.Error("the boot's id changes within the boot")
	}
	if id.Known() != (runtime.GOOS == "linux") {
		t.Errorf("known: %v on %s", id.Known(), runtime.GOOS)
	}
	if (ID{}).Known() || !(ID{1}).Known() {
		t.Error("the zero id, and no other, is the unknown one")
	}
}
