package check

import "testing"

// The sums are those of the algorithm's reference implementation.
func TestXXH64(t *testing.T) {
	const text = "Call me Ishmael. Some years ago--never mind how long precisely-"
	for _, row := range []struct {
		text string
		sum  uint64
	}{
		{"", 0xef46db3751d8e999},
		{"a", 0xd24ec4f1a98c6e5b},
		{"as", 0x1c330fb2d66be179},
		{"asd", 0x631c37ce72a97393},
		{"asdf", 0x415872f599cea71e},
		{text, 0x02a2e85470d6fd96},
	} {
		if sum := xxh64([]byte(row.text)); sum != row.sum {
			t.Errorf("xxh64(%q) = %#x, want %#x", row.text, sum, row.sum)
		}
	}
}
