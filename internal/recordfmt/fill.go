package recordfmt

import "io"

// fill reads once from the input, after it has made room. It may move what is
// buffered, so no record may be out at the same time.
func (r *Reader) fill() {
	if r.end-r.start > r.textLimit {
		r.tooLarge()
		return
	}
	r.makeRoom()
	// A reader may return nothing and no error, but not for ever.
	const maxEmptyReads = 100
	for range maxEmptyReads {
		n, err := r.input.Read(r.buf[r.end:])
		r.end += n
		if err != nil {
			r.inputErr = err
		}
		if n > 0 || err != nil {
			return
		}
	}
	r.inputErr = io.ErrNoProgress
}

// makeRoom leaves at least half of the buffer for reading, or the record at
// start has grown past that, and then at least one byte.
func (r *Reader) makeRoom() {
	if free := len(r.buf) - r.end; r.start > 0 && free < len(r.buf)/2 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end < len(r.buf) {
		return
	}
	// The record is not longer than textLimit, so this is always larger.
	larger := make([]byte, min(2*len(r.buf), r.textLimit+overheadBytes))
	r.end = copy(larger, r.buf[:r.end])
	r.buf = larger
}
