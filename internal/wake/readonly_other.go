//go:build !unix

package wake

func isReadOnly(error) bool { return false }
