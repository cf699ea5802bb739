package bootid

import (
	"runtime"
	"testing"
)

func TestCurrent(t *testing.T) {
	id, err := Current()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Current(); id != again || err != nil {
		t.Errorf("the boot's id changes within the boot: %x, then %x, %v", id, again, err)
	}
	if id.Known() != (runtime.GOOS == "linux") {
		t.Errorf("known: %v on %s", id.Known(), runtime.GOOS)
	}
	if (ID{}).Known() || !(ID{1}).Known() {
		t.Error("the zero id, and no other, is the unknown one")
	}
}
