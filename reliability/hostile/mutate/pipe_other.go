//go:build !unix

package mutate

import "os"

// makePipe makes a directory where a file system has no named pipes.
func makePipe(path string) error { return os.Mkdir(path, 0o700) }
