// Package bootid tells one boot of the machine from another. Within a boot the
// page cache has all that any process ever stored to a mapping; after a reboot
// only what reached the disk is there.
package bootid

// An ID names one boot. The zero ID means that this system does not tell: what
// was left behind must then be taken for the remains of a crash whenever nobody
// is using it.
type ID [16]byte

// Known reports whether id names a boot.
func (id ID) Known() bool { return id != ID{} }
