package check

import "fmt"

// records decodes the body of a batch. What it allocates is bounded by the
// body's length, since each record of several takes a byte at least.
func (s *segmentFile) records(b Batch) ([]Record, error) {
	header := s.data[b.Position:]
	attributes := header[4]
	body := header[batchHeader:b.Bytes]
	records := make([]Record, b.Count)
	var err error
	for i := range records {
		r := &records[i]
		r.Offset, r.Time, r.Batch, r.BatchCount = b.Offset+int64(i), b.Time, b.Offset, b.Count
		if attributes&hasKeys != 0 {
			if r.Key, body, err = key(body); err != nil {
				return nil, fmt.Errorf("record %d: %w", i, err)
			}
		}
		if attributes&hasHeaders != 0 {
			if r.Headers, body, err = headers(body); err != nil {
				return nil, fmt.Errorf("record %d: %w", i, err)
			}
		}
		if b.Count == 1 {
			r.Value, body = body, nil
		} else if r.Value, body, err = prefixed(body, "value"); err != nil {
			return nil, fmt.Errorf("record %d: %w", i, err)
		}
	}
	if len(body) != 0 {
		return nil, fmt.Errorf("%d bytes behind the last record", len(body))
	}
	return records, nil
}

// key takes a key from the front of a body: its length plus one, 0 for none.
func key(body []byte) (k, rest []byte, err error) {
	n, rest, ok := uvarint(body)
	switch {
	case !ok:
		return nil, nil, fmt.Errorf("the length of a key is no number")
	case n == 0:
		return nil, rest, nil
	case n-1 > uint64(len(rest)):
		return nil, nil, fmt.Errorf("a key of %d bytes where %d are left", n-1, len(rest))
	}
	return rest[:n-1], rest[n-1:], nil
}

func headers(body []byte) (list []Header, rest []byte, err error) {
	n, rest, ok := uvarint(body)
	// Each header takes two bytes at least.
	if !ok || n > mostHeaders || n*2 > uint64(len(rest)) {
		return nil, nil, fmt.Errorf("%d headers where %d bytes are left", n, len(rest))
	}
	list = make([]Header, n)
	for i := range list {
		if list[i].Name, rest, err = prefixed(rest, "header name"); err != nil {
			return nil, nil, err
		}
		if list[i].Value, rest, err = prefixed(rest, "header value"); err != nil {
			return nil, nil, err
		}
	}
	return list, rest, nil
}

// prefixed takes bytes with their length before them from the front of a body.
func prefixed(body []byte, what string) (b, rest []byte, err error) {
	n, rest, ok := uvarint(body)
	if !ok {
		return nil, nil, fmt.Errorf("the length of a %s is no number", what)
	}
	if n > uint64(len(rest)) {
		return nil, nil, fmt.Errorf("a %s of %d bytes where %d are left", what, n, len(rest))
	}
	return rest[:n], rest[n:], nil
}
